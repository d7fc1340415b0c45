//! Races: what the arms see, how they advance, fail, stop and resume.

use super::models::{plain_settings, tiny};
use burn::tensor::Device;
use heirloom_nn::device::uniform;
use heirloom_nn::vit::Vit;
use heirloom_train::{
    AdamWSettings, Advance, Batch, Batches, Initializers, Race, RaceHeader, RacePlan, RunProgress, RunSettings,
    Schedule, TrainError, read_model,
};
use std::cell::RefCell;
use std::rc::Rc;

/// Noise whose brightness tells the class; records what was asked for.
#[derive(Clone, Default)]
struct Noise {
    asked: Rc<RefCell<Vec<(u64, usize)>>>,
    /// Fails once when asked for this step.
    stumble: Rc<RefCell<Option<usize>>>,
}

fn batch(seed: u32, count: usize) -> Batch {
    let labels: Vec<usize> = (0..count).map(|i| (i + seed as usize) % 3).collect();
    let mut pixels = uniform(count * 48, seed, 0.3);
    for (picture, label) in pixels.chunks_mut(48).zip(&labels) {
        picture[16 * label..16 * label + 16].iter_mut().for_each(|value| *value += 1.0);
    }
    Batch { pixels, shape: [count, 3, 4, 4], labels }
}

impl Batches for Noise {
    async fn training(&mut self, seed: u64, step: usize) -> Result<Batch, TrainError> {
        if self.stumble.borrow_mut().take_if(|at| *at == step).is_some() {
            return Err(TrainError::Source("the file is gone".into()));
        }
        self.asked.borrow_mut().push((seed, step));
        Ok(batch(1000 * seed as u32 + step as u32, 4))
    }

    async fn validation(&mut self, index: usize) -> Result<Batch, TrainError> {
        // The second batch is empty, as when no picture of it decodes.
        Ok(batch(500 + index as u32, if index == 1 { 0 } else { 6 }))
    }

    fn validation_batches(&self) -> usize {
        3
    }

    fn steps_per_epoch(&self) -> f64 {
        2.5
    }
}

/// Arm `k` starts from weights of seed `10 * seed + k`, or all arms from the same.
struct FromSeeds {
    device: Device,
    same: bool,
}

impl Initializers<Vit> for FromSeeds {
    async fn start(&mut self, arm: usize, seed: u64) -> Result<Vit, TrainError> {
        Ok(tiny(10 * seed as u32 + if self.same { 0 } else { arm as u32 }, &self.device).await)
    }
}

fn plan(arms: usize, seeds: &[u64], steps: usize, validate_every: usize) -> RacePlan {
    let run = RunSettings {
        schedule: Schedule { peak: 1e-2, floor: 0.0, warmup_steps: 2, steps },
        adamw: AdamWSettings::default(),
        label_smoothing: 0.1,
        ..plain_settings(0.0)
    };
    RacePlan {
        run,
        steps,
        arms,
        seeds: seeds.to_vec(),
        validate_every,
        is_interleaved: true,
        micro_batch: 0,
        room: None,
        parts: 1,
        judging_parts: 1,
    }
}

fn clock() -> f64 {
    heirloom_platform::clock::now_ms()
}

type Tested = Race<Vit, Noise, FromSeeds>;

fn race(plan: RacePlan, batches: Noise, same: bool, device: &Device) -> Tested {
    Race::new(plan, batches, FromSeeds { device: device.clone(), same }, device, clock)
}

async fn finish(race: &mut Tested) -> Vec<Advance> {
    let mut all = Vec::new();
    while !race.is_finished() {
        all.push(race.advance().await.unwrap());
    }
    all
}

on_every_engine! {
    async fn equal_arms_run_dead_heats_because_they_see_identical_batches(device: Device) {
        let noise = Noise::default();
        let mut race = race(plan(2, &[4], 3, 3), noise.clone(), true, &device);
        let advances = finish(&mut race).await;
        let [first, second] = race.reports() else { panic!("two runs") };
        assert_eq!(first.points, second.points);
        assert_eq!(first.points.iter().map(|point| point.step).collect::<Vec<_>>(), [0, 3]);
        assert_eq!(*noise.asked.borrow(), [(4, 0), (4, 1), (4, 2)], "each batch is prepared once for both arms");
        let stepped = advances.iter().filter(|advance| matches!(advance, Advance::Stepped { .. })).count();
        assert_eq!((stepped, race.progress()), (6, (6, 6)));
    }
}

/// The second arm stays as it starts, after three pieces of preparation for each seed.
struct OneFrozen {
    starts: FromSeeds,
    prepared: usize,
}

impl Initializers<Vit> for OneFrozen {
    async fn start(&mut self, arm: usize, seed: u64) -> Result<Vit, TrainError> {
        self.starts.start(arm, seed).await
    }

    async fn prepare(&mut self, arm: usize, seed: u64) -> Result<Option<(usize, usize)>, TrainError> {
        let (wanted, is_here) = (3 * seed as usize, arm == 1);
        self.prepared += usize::from(is_here && self.prepared < wanted + 1);
        Ok((is_here && self.prepared <= wanted).then_some((self.prepared, wanted)))
    }

    fn is_frozen(&self, arm: usize) -> bool {
        arm == 1
    }
}

on_every_engine! {
    async fn an_arm_that_stays_as_it_is_takes_no_step_and_draws_a_level_line(device: Device) {
        for is_interleaved in [true, false] {
            let starts = OneFrozen { starts: FromSeeds { device: device.clone(), same: false }, prepared: 0 };
            let plan = RacePlan { is_interleaved, ..plan(2, &[1], 5, 2) };
            let mut race = Race::new(plan, Noise::default(), starts, &device, clock);
            let mut advances = Vec::new();
            while !race.is_finished() {
                advances.push(race.advance().await.unwrap());
            }
            let count = |wanted: fn(&Advance) -> bool| advances.iter().filter(|one| wanted(one)).count();
            assert_eq!(count(|one| matches!(one, Advance::Prepared { run: 1, .. })), 3);
            assert_eq!(count(|one| matches!(one, Advance::Stepped { run: 0, .. })), 5);
            assert_eq!(count(|one| matches!(one, Advance::Stepped { run: 1, .. })), 0);
            // Judged once, before any step; the other arm at 0, 2, 4 and 5.
            assert_eq!(count(|one| matches!(one, Advance::Measured { run: 1 })), 1);
            let [trained, frozen] = race.reports() else { panic!("two runs") };
            let steps = |report: &RunProgress| report.points.iter().map(|point| point.step).collect::<Vec<_>>();
            assert_eq!(steps(trained), [0, 2, 4, 5]);
            assert_eq!(steps(frozen), if is_interleaved { vec![0, 2, 4, 5] } else { vec![0, 5] });
            let first = frozen.points[0];
            for point in &frozen.points {
                assert_eq!(
                    (point.validation_accuracy, point.validation_loss),
                    (first.validation_accuracy, first.validation_loss)
                );
            }
            assert_eq!((frozen.step, race.progress()), (5, (10, 10)));
            let kept = race.model(1).unwrap().state().await.unwrap();
            let start = tiny(11, &device).await.state().await.unwrap();
            assert_eq!(kept, start, "its weights moved");
        }
    }
}

#[test]
fn seeds_race_one_after_the_other_with_their_own_batches_and_points_at_every_interval() {
    pollster::block_on(async {
        let device = crate::support::device().await;
        let noise = Noise::default();
        let mut race = race(plan(2, &[1, 2], 7, 0), noise.clone(), false, &device);
        finish(&mut race).await;
        assert_eq!(race.advance().await.unwrap(), Advance::Finished);
        let order: Vec<_> = race.reports().iter().map(|report| (report.seed, report.arm)).collect();
        assert_eq!(order, [(1, 0), (1, 1), (2, 0), (2, 1)]);
        let expected: Vec<_> = [1, 2].into_iter().flat_map(|seed| (0..7).map(move |step| (seed, step))).collect();
        assert_eq!(*noise.asked.borrow(), expected);
        for (run, report) in race.reports().iter().enumerate() {
            // Once per epoch of 2.5 steps, rounded up, before the first and after the last step.
            assert_eq!(report.points.iter().map(|point| point.step).collect::<Vec<_>>(), [0, 3, 6, 7]);
            assert!((report.points[2].epoch - 2.4).abs() < 1e-6);
            assert_eq!((report.step, report.failure.as_ref()), (7, None));
            assert!(report.steps_per_second > 0.0);
            assert!(race.model(run).is_some());
        }
        assert_ne!(race.reports()[0].points, race.reports()[1].points, "the arms start differently");
        assert_ne!(race.reports()[0].points, race.reports()[2].points, "the seeds see different batches");
    });
}

#[test]
fn arms_that_run_one_after_the_other_draw_the_same_curves_as_side_by_side() {
    pollster::block_on(async {
        let device = crate::support::device().await;
        let (noise, side_by_side) = (Noise::default(), plan(2, &[1, 2], 4, 2));
        let mut together = race(side_by_side.clone(), Noise::default(), false, &device);
        finish(&mut together).await;
        let alone = RacePlan { is_interleaved: false, ..side_by_side };
        let mut one_by_one = race(alone.clone(), noise.clone(), false, &device);
        let mut cut = None;
        let mut stepped = Vec::new();
        while !one_by_one.is_finished() {
            if let Advance::Stepped { run, .. } = one_by_one.advance().await.unwrap() {
                stepped.push(run);
            }
            if stepped.len() == 6 && cut.is_none() {
                cut = Some(one_by_one.save().await.unwrap());
            }
        }
        assert_eq!(stepped, [[0; 4], [1; 4], [2; 4], [3; 4]].concat());
        assert_eq!(noise.asked.borrow().len(), 16, "each arm asks for its own batches");
        let starts = FromSeeds { device: device.clone(), same: false };
        let mut resumed = Race::restore(cut.unwrap(), Noise::default(), starts, &device, clock).await.unwrap();
        finish(&mut resumed).await;
        for run in 0..4 {
            let [expected, got, again] = [&together, &one_by_one, &resumed].map(|race| &race.reports()[run]);
            assert_eq!((expected.arm, expected.seed), (got.arm, got.seed));
            assert_eq!(expected.points, got.points, "run {run}");
            assert_eq!(got.points.last().unwrap().validation_loss, again.points.last().unwrap().validation_loss);
            assert!(resumed.model(run).is_some());
        }
    });
}

#[test]
fn a_batch_without_room_is_halved_until_it_fits_and_the_race_stays_the_same() {
    pollster::block_on(async {
        let device = crate::support::device().await;
        let mut whole = race(plan(1, &[1], 3, 3), Noise::default(), false, &device);
        finish(&mut whole).await;
        let cramped = RacePlan { room: Some(1), ..plan(1, &[1], 3, 3) };
        let mut halved = race(cramped.clone(), Noise::default(), false, &device);
        let advances = finish(&mut halved).await;
        let passes: Vec<_> = advances
            .iter()
            .filter_map(|advance| if let Advance::Halved { micro_batch } = advance { Some(*micro_batch) } else { None })
            .collect();
        assert_eq!((passes, halved.plan().micro_batch), (vec![2, 1], 1), "4 pictures, then 2, then 1 at a time");
        let [got, expected] = [&halved, &whole].map(|race| race.reports()[0].points.last().unwrap().validation_loss);
        assert!((got - expected).abs() < 1e-5, "{got} instead of {expected}");
        let mut hopeless = race(RacePlan { room: Some(0), ..cramped }, Noise::default(), false, &device);
        let error = loop {
            match hopeless.advance().await {
                Err(error) => break error,
                Ok(advance) => assert_ne!(advance, Advance::Finished),
            }
        };
        assert!(error.to_string().contains("smaller pictures"), "{error}");
    });
}

#[test]
fn a_race_learns_and_its_train_losses_are_means_since_the_last_point() {
    pollster::block_on(async {
        let device = crate::support::device().await;
        let mut race = race(plan(1, &[3], 120, 20), Noise::default(), false, &device);
        let (mut losses, mut means) = (Vec::new(), Vec::new());
        while !race.is_finished() {
            match race.advance().await.unwrap() {
                Advance::Stepped { loss, .. } => losses.push(loss),
                Advance::Measured { .. } if !losses.is_empty() => {
                    means.push(losses.iter().sum::<f32>() / losses.len() as f32);
                    losses.clear();
                }
                _ => {}
            }
        }
        let points = &race.reports()[0].points;
        assert_eq!((points.len(), means.len()), (7, 6), "one before the first step and one every 20");
        for (point, mean) in points[1..].iter().zip(&means) {
            assert!((point.train_loss - mean).abs() < 1e-5);
        }
        let (first, last) = (points[0], points[points.len() - 1]);
        assert_eq!(first.train_loss, first.validation_loss);
        assert!(last.validation_accuracy >= 0.9, "{points:?}");
        assert!(last.validation_loss < first.validation_loss);
    });
}

#[test]
fn a_resumed_race_equals_the_undisturbed_one_wherever_it_was_cut() {
    pollster::block_on(async {
        let device = crate::support::device().await;
        let plan = plan(2, &[1, 2], 4, 2);
        let mut whole = race(plan.clone(), Noise::default(), false, &device);
        let calls = finish(&mut whole).await.len();
        for cut in (0..calls).step_by(3) {
            let mut started = race(plan.clone(), Noise::default(), false, &device);
            for _ in 0..cut {
                started.advance().await.unwrap();
            }
            let mut state = started.save().await.unwrap();
            drop(started);
            let json = serde_json::to_string(&state.header).unwrap();
            state.header = serde_json::from_str::<RaceHeader>(&json).unwrap();
            let starts = FromSeeds { device: device.clone(), same: false };
            let mut resumed = Race::restore(state, Noise::default(), starts, &device, clock).await.unwrap();
            finish(&mut resumed).await;
            for (run, (got, expected)) in resumed.reports().iter().zip(whole.reports()).enumerate() {
                assert_eq!(got.points.len(), expected.points.len(), "cut {cut}, run {run}");
                for (got, expected) in got.points.iter().zip(&expected.points) {
                    assert_eq!(got.step, expected.step);
                    assert_eq!(got.validation_loss, expected.validation_loss, "cut {cut}, run {run}");
                    // A sum that went through JSON may differ in its last digit.
                    assert!((got.train_loss - expected.train_loss).abs() < 1e-6, "cut {cut}, run {run}");
                }
                let [got, expected] = [&resumed, &whole].map(|race| race.model(run).unwrap());
                assert_eq!(read_model(&got).await.unwrap(), read_model(&expected).await.unwrap());
            }
        }
    });
}

#[test]
fn a_diverging_arm_leaves_the_race_with_a_sentence_and_the_others_go_on() {
    struct Poisoned(FromSeeds);
    impl Initializers<Vit> for Poisoned {
        async fn start(&mut self, arm: usize, seed: u64) -> Result<Vit, TrainError> {
            let mut model = self.0.start(arm, seed).await?;
            if arm == 0 {
                model.pos_embed = model.pos_embed.map(|positions| positions.map(|tensor| tensor * f32::NAN));
            }
            Ok(model)
        }
    }
    pollster::block_on(async {
        let device = crate::support::device().await;
        let starts = Poisoned(FromSeeds { device: device.clone(), same: false });
        let mut race = Race::new(plan(2, &[1, 2], 3, 0), Noise::default(), starts, &device, clock);
        let mut failed = Vec::new();
        while !race.is_finished() {
            if let Advance::Failed { run } = race.advance().await.unwrap() {
                failed.push(run);
            }
        }
        assert_eq!(failed, [0, 2]);
        for (run, report) in race.reports().iter().enumerate() {
            // `NaN` weights show in the first answer; the arm takes no step.
            let sentence =
                "the model answers `NaN` on a validation picture, expected finite numbers: its weights are spoiled";
            assert_eq!(report.failure.as_deref(), (run % 2 == 0).then_some(sentence));
            assert_eq!(race.model(run).is_some(), run % 2 == 1);
            assert_eq!(report.step, if run % 2 == 0 { 0 } else { 3 });
        }
        assert_eq!(race.progress(), (12, 12));
    });
}

#[test]
fn a_failing_source_can_be_tried_again_and_a_stopped_race_keeps_its_models() {
    pollster::block_on(async {
        let device = crate::support::device().await;
        let noise = Noise::default();
        *noise.stumble.borrow_mut() = Some(1);
        let mut race = race(plan(2, &[1, 2], 5, 5), noise, false, &device);
        assert!(race.model(0).is_none());
        let mut errors = 0;
        while race.reports()[1].step < 2 {
            match race.advance().await {
                Ok(_) => {}
                Err(error) => {
                    errors += 1;
                    assert_eq!(error.to_string(), "the file is gone");
                }
            }
        }
        assert_eq!(errors, 1);
        race.stop();
        assert!(race.is_finished());
        assert_eq!(race.reports().iter().map(|report| report.step).collect::<Vec<_>>(), [2, 2, 0, 0]);
        assert_eq!((0..4).map(|run| race.model(run).is_some()).collect::<Vec<_>>(), [true, true, false, false]);
        assert!(race.model(4).is_none());
    });
}
