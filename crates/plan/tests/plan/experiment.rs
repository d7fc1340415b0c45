//! Experiments: which races they are, what their points say, and how long they are predicted to take.
use heirloom_plan::forecast::{Cost, Forecast, Work, points_of};
use heirloom_plan::protocol::*;
use heirloom_plan::queue::Queue;

use crate::statistics::{race, run};

use Init::{Frozen, Inherited, Scratch};

const FLAT: &[&[(usize, f32)]] = &[&[(0, 0.25), (100, 0.5)]];

fn settings(design: Design) -> ExperimentSettings {
    ExperimentSettings { race: race(&[(Inherited, FLAT), (Scratch, FLAT)]).settings, design }
}

/// A race of an experiment that ended with these accuracies of inherited and scratch.
fn ended(settings: TrainSettings, first_run: usize, accuracies: [f32; 2]) -> RaceReport {
    let runs = [Inherited, Scratch].into_iter().zip(accuracies);
    let runs = runs.map(|(arm, accuracy)| run(arm, 1, &[(0, 0.25), (settings.steps, accuracy)])).collect();
    RaceReport { settings, runs, classes: Vec::new(), state: RaceState::Finished, first_run }
}

fn finished(design: Design, accuracies: &[[f32; 2]]) -> ExperimentReport {
    let settings = settings(design);
    let races = settings.races().into_iter().zip(accuracies).enumerate();
    let races: Vec<_> = races.map(|(index, (race, &accuracies))| ended(race, 2 * index, accuracies)).collect();
    ExperimentReport { settings, total: races.len(), races }
}

#[test]
fn an_experiment_changes_one_thing_at_a_time_in_the_order_of_its_lists() {
    assert_eq!(settings(Design::Race).races(), [settings(Design::Race).race]);
    let family = settings(Design::Family(vec![(6, 4), (2, 1)])).races();
    let size = |race: &TrainSettings| match &race.descendant {
        DescendantPlan::Cluster(one) => (one.heads, one.layers),
        other => panic!("another method: {other:?}"),
    };
    assert_eq!(family.iter().map(size).collect::<Vec<_>>(), [(6, 4), (2, 1)]);
    let sweep = settings(Design::Sweep { rates: vec![1e-4, 1e-3], batches: vec![8, 16] }).races();
    let pairs: Vec<_> = sweep.iter().map(|race| (race.batch, race.lr)).collect();
    assert_eq!(pairs, [(8, 1e-4.into()), (8, 1e-3.into()), (16, 1e-4.into()), (16, 1e-3.into())]);
    let shares = settings(Design::Shares(vec![0.05, 1.0])).races();
    assert_eq!(shares.iter().map(|race| race.share).collect::<Vec<_>>(), [0.05, 1.0]);
    assert!(settings(Design::Shares(Vec::new())).races().is_empty());
}

#[test]
fn settings_halve_down_to_one_picture_at_a_time() {
    let mut race = settings(Design::Race).race;
    let mut passes = Vec::new();
    race.batch = 5;
    while let Some(halved) = race.halved() {
        race = halved;
        passes.push((race.batch, race.micro_batch));
    }
    assert_eq!(passes, [(5, 3), (5, 2), (5, 1)], "the batch stays, fewer pictures go through the model at a time");
}

#[test]
fn the_queue_is_json_and_knows_its_current_race_and_its_best_model() {
    let mut queue = Queue::new(settings(Design::Sweep { rates: vec![1e-4, 1e-3], batches: vec![8] }));
    assert!(queue.keeps_only_the_best() && queue.is_experiment());
    assert_eq!((queue.current().unwrap().lr, queue.first_run(), queue.best()), (1e-4.into(), 0, None));
    let first = ended(queue.current().unwrap(), 0, [0.5, 0.25]);
    queue.finished.push(first);
    assert_eq!((queue.current().unwrap().lr, queue.first_run(), queue.best()), (1e-3.into(), 2, Some(0)));
    let second = ended(queue.current().unwrap(), queue.first_run(), [0.5, 0.75]);
    queue.finished.push(second);
    assert_eq!((queue.current(), queue.best()), (None, Some(3)));
    queue.mark_models(|number| number == 3);
    let kept: Vec<bool> = queue.finished.iter().flat_map(|race| race.runs.iter().map(|run| run.has_model)).collect();
    assert_eq!(kept, [false, false, false, true]);
    let json = serde_json::to_string(&queue).unwrap();
    assert_eq!(serde_json::from_str::<Queue>(&json).unwrap(), queue);
    assert!(!Queue::new(settings(Design::Family(vec![(1, 1)]))).keeps_only_the_best());
}

#[test]
fn the_yardstick_is_never_the_best_model_of_an_experiment_unless_it_is_alone() {
    let design = Design::Sweep { rates: vec![1e-4, 1e-3], batches: vec![8] };
    let mut report = finished(design, &[[0.5, 0.25], [0.75, 0.5]]);
    for race in &mut report.races {
        let at = race.runs.len();
        race.runs.push(run(Frozen, 1, &[(0, 0.875), (100, 0.875)]));
        race.first_run = race.first_run / 2 * (at + 1);
    }
    assert_eq!(report.best(), Some((1, 0, 0.75)), "the frozen ancestor's 0.875 does not count");
    assert!(sensitivity(&report.points()).iter().all(|one| one.arm != Frozen));
    let mut queue = Queue::new(report.settings.clone());
    queue.finished.clone_from(&report.races);
    assert_eq!(queue.best(), Some(3));
    report.settings.race.arms = vec![Frozen];
    report.races.iter_mut().for_each(|race| race.runs.retain(|run| run.arm == Frozen));
    assert_eq!(report.best(), Some((0, 0, 0.875)));
}

#[test]
fn the_smallest_cut_within_a_standard_error_of_the_best_is_large_enough() {
    // Four depths of an ancestor: parameters, held-out pictures named rightly, checking pictures named rightly.
    let cuts = [(1, 30, 0.9), (2, 50, 0.5), (4, 54, 0.25), (9, 53, 0.75)];
    let mut report = finished(Design::Depths { cuts: vec![3, 5, 8, 0], then: None }, &[[0.5, 0.5]; 4]);
    report.settings.race.arms = vec![Frozen];
    for (race, (parameters, right, checked)) in report.races.iter_mut().zip(cuts) {
        race.runs.truncate(1);
        let run = &mut race.runs[0];
        (run.arm, run.parameters, run.flops, run.held_out) = (Frozen, parameters, 1000 * parameters, Some([right, 64]));
        run.points.last_mut().unwrap().validation_accuracy = checked;
    }
    for (race, cut) in report.races.iter_mut().zip([3, 5, 8, 0]) {
        race.settings.cut = cut;
    }
    let any =
        |report: &heirloom_plan::protocol::ExperimentReport| report.small_enough(Limits::NONE).map(|one| one.race);
    // 54 of 64, less √(0.824 · 0.176 / 68) = 4.6 points, are 51.04 of 64; checking pictures have no say.
    assert_eq!(any(&report), Some(2));
    // Among those of at most half of the parameters or so much work it is the best that counts.
    let found = |race, is_within| Some(SmallEnough { race, is_within });
    assert_eq!(report.small_enough(Limits::default()), found(2, true));
    assert_eq!(report.small_enough(Limits { parameters: Some(3), flops: None }), found(1, true));
    assert_eq!(report.small_enough(Limits { parameters: None, flops: Some(1999) }), found(0, true));
    assert_eq!(report.small_enough(Limits { parameters: None, flops: Some(999) }), found(0, false), "none keeps these");
    report.races[1].runs[0].held_out = Some([52, 64]);
    assert_eq!(any(&report), Some(1));
    assert_eq!(report.settings.races().iter().map(|race| race.cut).collect::<Vec<_>>(), [3, 5, 8, 0]);
    // All right is no certainty: √(0.971 · 0.029 / 68) = 2.1 points are 62.7 of 64.
    for (race, right) in report.races.iter_mut().zip([62, 63, 64, 64]) {
        race.runs[0].held_out = Some([right, 64]);
    }
    assert_eq!(any(&report), Some(1));
    // While it goes on nothing is said; of one that was stopped what was there.
    report.races[3].state = RaceState::Running;
    assert_eq!(any(&report), None);
    report.races[3].state = RaceState::Finished;
    let last = report.races.pop().unwrap();
    assert_eq!(any(&report), None);
    report.races[2].state = RaceState::Stopped;
    assert_eq!(any(&report), Some(1));
    report.races[2].state = RaceState::Finished;
    report.races.push(last);
    report.races.iter_mut().for_each(|race| race.runs[0].held_out = None);
    assert_eq!(any(&report), None);
    let mut family = finished(Design::Family(vec![(6, 4), (2, 1)]), &[[0.75, 0.5], [0.5, 0.25]]);
    family.races.iter_mut().for_each(|race| race.runs[0].held_out = Some([60, 64]));
    assert_eq!(any(&family), None, "it is not made of cuts");
}

#[test]
fn the_model_that_is_large_enough_is_trained_on_in_a_race_behind_the_others() {
    let then = TrainOn { limits: Limits::default(), seconds: 60.0 };
    let mut report = finished(Design::Depths { cuts: vec![3, 0], then: Some(then) }, &[[0.5, 0.5]; 2]);
    report.settings.race.arms = vec![Frozen];
    for (race, (cut, parameters)) in report.races.iter_mut().zip([(3, 4), (0, 9)]) {
        race.settings.cut = cut;
        race.runs.truncate(1);
        let run = &mut race.runs[0];
        (run.arm, run.parameters, run.held_out) = (Frozen, parameters, Some([60, 64]));
    }
    let mut queue = Queue::new(report.settings.clone());
    assert_eq!((queue.to_train_on(), queue.report(None).total), (None, 3), "a third will follow");
    queue.finished = report.races[..1].to_vec();
    assert_eq!(queue.to_train_on(), None);
    queue.finished = report.races.clone();
    assert_eq!(queue.to_train_on(), Some((0, then)));
    assert_eq!((queue.current(), queue.report(None).is_going()), (None, false));
    // Half a second a step; never more than ten passes.
    let race = then.race(&queue.finished[0].settings, 3, 0.5, 320);
    assert_eq!((race.arms.as_slice(), race.cut, race.steps, race.lr), (&[Init::Tuned][..], 3, 120, 3e-4.into()));
    assert_eq!(then.race(&race, 3, 0.01, 320).steps, 200);
    assert_eq!(then.race(&race, 3, 1e9, 320).steps, 20);
    queue.last = Some(race.clone());
    assert_eq!((queue.current(), queue.to_train_on(), queue.report(None).total), (Some(race.clone()), None, 3));
    // What came of it is known by its depth.
    let mut last = ended(race, 2, [0.75, 0.5]);
    last.runs.truncate(1);
    (last.runs[0].arm, last.runs[0].has_model) = (Init::Tuned, true);
    queue.finished.push(last);
    let report = queue.report(None);
    assert_eq!((report.small_enough(Limits::default()).map(|one| one.race), report.trained_on(0)), (Some(0), Some(2)));
    assert_eq!(report.trained_on(1), None);
    // Where no picture was held out nothing is chosen, and nothing trained on.
    let mut queue = Queue::new(queue.settings);
    queue.finished = report.races[..2].to_vec();
    queue.finished.iter_mut().for_each(|race| race.runs[0].held_out = None);
    assert_eq!((queue.to_train_on(), queue.report(None).is_going()), (None, false));
}

#[test]
fn points_leave_out_seeds_under_way_and_count_those_that_diverged() {
    let mut report = finished(Design::Family(vec![(6, 4), (2, 1)]), &[[0.75, 0.5], [0.5, 0.25]]);
    report.races[1].runs[0].step = 60;
    report.races[1].runs[1].failure = Some("the loss is NaN".into());
    report.races[1].runs[1].step = 10;
    let points = report.points();
    let said: Vec<_> = points.iter().map(|p| (p.race, p.arm, p.accuracy.map(|a| a.mean), p.diverged)).collect();
    let expected =
        [(0, Inherited, Some(0.75), 0), (0, Scratch, Some(0.5), 0), (1, Inherited, None, 0), (1, Scratch, None, 1)];
    assert_eq!(said, expected);
    assert_eq!((points[0].heads, points[0].layers, points[0].parameters, points[0].flops), (Some(3), 2, 10, 20));
    assert_eq!(report.best(), Some((0, 0, 0.75)));
}

#[test]
fn sensitivity_is_the_way_from_best_to_worst_setting_and_divergence_counts_as_nothing_learnt() {
    let design = Design::Sweep { rates: vec![1e-4, 1e-3, 1e-2], batches: vec![8] };
    let mut report = finished(design, &[[0.5, 0.25], [0.75, 0.5], [0.625, 0.0]]);
    let lost = &mut report.races[2].runs[1];
    (lost.step, lost.failure) = (3, Some("the loss is NaN".into()));
    let all = sensitivity(&report.points());
    let said: Vec<_> = all.iter().map(|one| (one.arm, one.best.lr, one.between, one.count)).collect();
    assert_eq!(said, [(Inherited, 1e-3.into(), (0.75, 0.5), 3), (Scratch, 1e-3.into(), (0.5, 0.0), 3)]);
}

#[test]
fn the_share_that_suffices_is_the_smallest_as_good_as_the_other_start_with_all_pictures() {
    let report = finished(Design::Shares(vec![0.1, 0.5, 1.0]), &[[0.25, 0.125], [0.75, 0.5], [0.875, 0.625]]);
    let points = report.points();
    assert_eq!(share_that_suffices(&points, Inherited, Scratch), Some((0.5, 1.0)));
    assert_eq!(share_that_suffices(&points, Scratch, Inherited), None);
    assert_eq!(share_that_suffices(&points[..1], Inherited, Scratch), None);
}

fn cost(flops: [f64; 2], steps: usize) -> Cost {
    Cost {
        flops: flops.to_vec(),
        is_frozen: vec![false; 2],
        preparing: Work::default(),
        seeds: 1,
        steps,
        batch: 4,
        points: points_of(steps, 10),
        pictures: 8,
    }
}

fn work(training: f64, judging: f64) -> Work {
    Work { training, judging, fitting: 0.0 }
}

#[test]
fn the_yardstick_costs_its_passes_and_its_fit_once_and_no_steps() {
    let preparing = Work { training: 0.0, judging: 3000.0, fitting: 5e9 };
    let frozen = Cost { is_frozen: vec![false, true], preparing, seeds: 2, ..cost([100.0, 50.0], 20) };
    let mut forecast = Forecast::new(None);
    forecast.stepped(1.0, 1000.0);
    // Two seeds: 20 steps and 3 points of the first start, one point of the second.
    let judging = 3000.0 + 2.0 * 8.0 * (3.0 * 100.0 + 50.0);
    let seconds = |cost: Cost| forecast.seconds(Work::default(), &[cost]).unwrap();
    let all = seconds(frozen.clone());
    assert!((all - (2.0 * 20.0 * 1200.0 / 1e3 + judging / 1e3 + 5.0)).abs() < 1e-9, "{all}");
    assert!((all - seconds(frozen.clone().prepared()) - 8.0).abs() < 1e-9, "a race that finds it fitted");
    // It was judged, and leads the others' steps.
    let runs = [run(Inherited, 1, &[(0, 0.2), (10, 0.3)]), run(Frozen, 1, &[(0, 0.2), (10, 0.2)])];
    assert_eq!(frozen.left(&runs), preparing + work(10.0 * 1200.0, 8.0 * 100.0));
    // Once a fit was measured, that counts.
    forecast.fitted(1.0, 5e9);
    assert!((forecast.seconds(Work::default(), &[frozen]).unwrap() - (all - 4.0)).abs() < 1e-9);
}

#[test]
fn the_forecast_is_exact_at_an_even_pace_and_knows_races_of_other_sizes() {
    assert_eq!((points_of(20, 10), points_of(21, 10), points_of(5, 10)), (3, 4, 2));
    let current = cost([100.0, 50.0], 20);
    let mut forecast = Forecast::new(None);
    assert!(forecast.is_warming_up());
    assert_eq!(forecast.seconds(work(1.0, 1.0), &[]), None, "nothing is known yet");
    // 1,000 operations a second: a step of 3 · 4 · 100 operations takes 1.2 s.
    for _ in 0..5 {
        forecast.stepped(1.2, current.of_step(0));
        forecast.stepped(0.6, current.of_step(1));
        forecast.judged(0.4, 8.0 * 100.0);
    }
    assert!(!forecast.is_warming_up());
    let runs = [run(Inherited, 1, &[(0, 0.2), (10, 0.3)]), run(Scratch, 1, &[(0, 0.2)])];
    let left = current.left(&runs);
    assert_eq!(left, work(10.0 * 1200.0 + 20.0 * 600.0, 8.0 * 100.0 + 2.0 * 8.0 * 50.0));
    // Judging makes 2,000 operations a second.
    let seconds = forecast.seconds(left, &[cost([10.0, 10.0], 100)]).unwrap();
    let later = 2.0 * (100.0 * 120.0 / 1e3 + 11.0 * 8.0 * 10.0 / 2e3);
    assert!((seconds - (24.0 + 0.8 + later)).abs() < 1e-9, "{seconds}");
}

#[test]
fn the_forecast_starts_from_what_was_known_and_converges_when_the_machine_slows_down() {
    let mut forecast = Forecast::new(Some(500.0));
    assert_eq!(forecast.seconds(work(1000.0, 500.0), &[]), Some(3.0));
    for _ in 0..100 {
        forecast.stepped(1.0, 1000.0);
    }
    assert!((forecast.seconds(work(1000.0, 0.0), &[]).unwrap() - 1.0).abs() < 1e-9);
    let mut before = 1.0;
    for _ in 0..150 {
        forecast.stepped(2.0, 1000.0);
        let now = forecast.seconds(work(1000.0, 0.0), &[]).unwrap();
        assert!(now > before && now < 2.0, "it moves towards the new pace only: {now}");
        before = now;
    }
    assert!((before - 2.0).abs() < 0.1, "{before}");
}
