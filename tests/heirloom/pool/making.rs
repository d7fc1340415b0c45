//! A whole pool, from the ancestor to its measured configurations.

use burn::tensor::Device;
use heirloom_learngene::pool::{
    AuxiliaryPlan, MemoryFeatures, PoolAdvance, PoolHeader, PoolPlan, PoolTrainer, Teaches,
};
use heirloom_learngene::pool::{Basis, Coordinates, Positions, SharedBasis, StitchInit, frozen, with_stitch_rate};
use heirloom_nn::device::{read, uniform};
use heirloom_nn::vit::Vit;
use heirloom_train::{Batch, Batches, RunSettings, TrainError, read_model};

use super::{model, model_config};
use crate::train::models::plain_settings;

/// Noise whose brightness in one channel tells the class; 12 training pictures.
#[derive(Clone, Default)]
struct Noise;

fn batch(pictures: impl Iterator<Item = usize>) -> Batch {
    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    for picture in pictures {
        let mut own = uniform(48, picture as u32, 0.3);
        let label = picture % 3;
        own[16 * label..16 * label + 16].iter_mut().for_each(|value| *value += 1.0);
        pixels.extend(own);
        labels.push(label);
    }
    Batch { pixels, shape: [labels.len(), 3, 4, 4], labels }
}

impl Batches for Noise {
    async fn training(&mut self, seed: u64, step: usize) -> Result<Batch, TrainError> {
        Ok(batch((0..4).map(|at| (seed as usize + 4 * step + at) % 12)))
    }

    async fn validation(&mut self, index: usize) -> Result<Batch, TrainError> {
        Ok(batch((0..if index == 1 { 0 } else { 5 }).map(|at| 100 + 10 * index + at)))
    }

    fn validation_batches(&self) -> usize {
        3
    }

    fn steps_per_epoch(&self) -> f64 {
        3.0
    }
}

fn plan() -> PoolPlan {
    let run = |lr: f64| RunSettings { ..plain_settings(lr) };
    let auxiliary = |width, positions| AuxiliaryPlan { config: model_config(3, width), positions };
    PoolPlan {
        seed: 3,
        auxiliaries: vec![auxiliary(4, Positions::FrontMidEnd), auxiliary(8, Positions::End)],
        head: run(1e-2),
        head_steps: 4,
        distil: run(1e-3),
        distil_steps: 3,
        label_weight: 0.1,
        feature_weight: 1.0,
        coordinates: Coordinates::of(Basis::Learned),
        tune: run(1e-3),
        tune_steps: 4,
        teacher: Teaches::Ancestor,
        stitch_start: StitchInit::Maps,
        compared: vec![StitchInit::Maps, StitchInit::LeastSquares],
        fit_batches: 2,
    }
}

/// The same in one basis, every block listening, stitch layers faster than blocks.
fn shared_plan(basis: Basis) -> PoolPlan {
    let mut plan = plan();
    plan.auxiliaries.iter_mut().for_each(|one| one.positions = Positions::Every);
    plan.coordinates = Coordinates::of(basis);
    plan.tune = with_stitch_rate(plan.tune, 1e-2);
    plan
}

async fn ancestor(device: &Device) -> Vit {
    frozen(&model(3, 12, 800, device).await, 4).await.unwrap()
}

async fn pool(plan: PoolPlan, device: &Device) -> PoolTrainer<Noise, MemoryFeatures> {
    PoolTrainer::new(plan, ancestor(device).await, Noise, MemoryFeatures::default()).unwrap()
}

on_every_engine! {
    async fn a_pool_is_distilled_stitched_tuned_and_judged_step_by_step(device: Device) {
        let mut pool = pool(plan(), &device).await;
        let (mut heads, mut distilled, mut tuned) = (0, [0, 0], Vec::new());
        assert_eq!(pool.progress(), (0, 4 + 2 * 3 + 4));
        while !pool.is_finished() {
            match pool.advance().await.unwrap() {
                PoolAdvance::Head { .. } => heads += 1,
                PoolAdvance::Distilled { auxiliary, .. } => distilled[auxiliary] += 1,
                PoolAdvance::Tuned { configuration, .. } => tuned.push(configuration),
                PoolAdvance::Fitted | PoolAdvance::Judged | PoolAdvance::Finished => {}
            }
        }
        assert_eq!((heads, distilled, tuned.len()), (4, [3, 3], 4));
        assert_eq!(pool.progress(), (14, 14));
        let (report, net) = (pool.report().clone(), pool.net().unwrap());
        assert_eq!(net.configurations().len(), 9);
        assert_eq!(report.accuracy.len(), 9);
        let compared: Vec<_> = report.at_start.iter().map(|(start, accuracy)| (*start, accuracy.len())).collect();
        assert_eq!(compared, [(StitchInit::Maps, 9), (StitchInit::LeastSquares, 9)]);
        // An anchor has no stitch: it is as good under any start value.
        for anchor in [0, 8] {
            assert_eq!(report.at_start[0].1[anchor], report.at_start[1].1[anchor]);
        }
        assert_eq!(pool.distilled().iter().map(|one| one.token_maps.len()).collect::<Vec<_>>(), [3, 1]);
        assert!(report.ancestor_accuracy.is_some());
        assert_eq!(pool.advance().await.unwrap(), PoolAdvance::Finished);
    }

    async fn a_pool_in_a_shared_basis_has_no_maps_and_begins_with_padding(device: Device) {
        for basis in [Basis::Pca, Basis::Random] {
            let mut pool = pool(shared_plan(basis), &device).await;
            let mut seen = 0;
            while pool.needs_basis() {
                seen += usize::from(pool.advance().await.unwrap() == PoolAdvance::Fitted);
            }
            // Two batches to look at, and the basis found on them.
            assert_eq!((seen, pool.report().distil_losses[0].len()), (3, 0));
            let map = pool.basis().map(|basis: &SharedBasis| basis.map(4, 2)).unwrap();
            assert_eq!((map.rows, map.columns), (4, 12));
            while !pool.has_net() {
                pool.advance().await.unwrap();
            }
            assert!(pool.distilled().iter().all(|one| one.token_maps.is_empty() && one.attention_maps.is_empty()));
            assert_eq!(pool.distilled().iter().map(|one| one.pairs.len()).collect::<Vec<_>>(), [3, 3]);
            let padding: Vec<f32> = (0..4 * 8).map(|at| f32::from(u8::from(at / 8 == at % 8))).collect();
            let (before, after) = (pool.net().unwrap(), {
                while !pool.is_finished() {
                    pool.advance().await.unwrap();
                }
                pool.net().unwrap()
            });
            for stitch in &before.stitches {
                assert_eq!(read(stitch.weight.val()).await.unwrap(), padding);
                assert!(read(stitch.bias.as_ref().unwrap().val()).await.unwrap().iter().all(|value| *value == 0.0));
            }
            assert_eq!(pool.report().at_start.len(), 2);
            assert_ne!(read_model(&after.stitches).await.unwrap(), read_model(&before.stitches).await.unwrap());
        }
    }
}

#[test]
fn stitch_layers_and_blocks_have_rates_of_their_own() {
    let tune = with_stitch_rate(plain_settings(1e-4), 1e-3);
    assert_eq!(tune.schedule.peak, 1e-3);
    let scales: Vec<_> = tune.lr_scales.iter().map(|group| (group.prefix.as_str(), group.scale)).collect();
    assert_eq!(scales, [("anchors.", 0.1), ("stitches.", 1.0)]);
    let slower = with_stitch_rate(plain_settings(1e-3), 0.0);
    assert_eq!((slower.schedule.peak, slower.lr_scales[0].scale, slower.lr_scales[1].scale), (1e-3, 1.0, 0.0));
    // The same rate, and none at all, need no groups: as in earlier versions.
    assert_eq!(with_stitch_rate(plain_settings(1e-3), 1e-3), plain_settings(1e-3));
    assert_eq!(with_stitch_rate(plain_settings(0.0), 0.0), plain_settings(0.0));
    let saved = serde_json::to_value(plan()).unwrap();
    assert!(saved["tune"].get("lr_scales").is_none());
}

#[test]
fn a_plan_saved_before_there_was_a_choice_of_coordinates_is_what_it_was() {
    let mut saved = serde_json::to_value(plan()).unwrap();
    let fields = saved.as_object_mut().unwrap();
    assert!(fields.remove("coordinates").is_some() && fields.remove("feature_weight").is_some());
    fields.insert("stitch_start".into(), "learned".into());
    fields.insert("compared".into(), serde_json::json!(["learned", "least_squares"]));
    assert_eq!(serde_json::from_value::<PoolPlan>(saved).unwrap(), plan());
}

#[test]
fn a_saved_pool_goes_on_exactly_from_wherever_it_stood() {
    pollster::block_on(async {
        let device = crate::support::device().await;
        let without = Coordinates { is_tied: false, is_nested: false, ..Coordinates::of(Basis::Random) };
        for (teacher, plan, stride) in [
            (Teaches::Ancestor, plan(), 5),
            (Teaches::LargestAnchor, plan(), 13),
            (Teaches::Ancestor, shared_plan(Basis::Pca), 7),
            (Teaches::Ancestor, PoolPlan { coordinates: without, ..shared_plan(Basis::Random) }, 17),
        ] {
            let plan = PoolPlan { teacher, ..plan };
            let mut whole = pool(plan.clone(), &device).await;
            let mut pieces = 0;
            while !whole.is_finished() {
                whole.advance().await.unwrap();
                pieces += 1;
            }
            let expected = read_model(&whole.net().unwrap()).await.unwrap();
            for cut in (0..=pieces).step_by(stride) {
                let mut first = pool(plan.clone(), &device).await;
                for _ in 0..cut {
                    first.advance().await.unwrap();
                }
                let mut state = first.save().await.unwrap();
                let json = serde_json::to_string(&state.header).unwrap();
                state.header = serde_json::from_str::<PoolHeader>(&json).unwrap();
                let features = MemoryFeatures::default();
                let mut second = PoolTrainer::restore(state, ancestor(&device).await, Noise, features).await.unwrap();
                while !second.is_finished() {
                    second.advance().await.unwrap();
                }
                assert_eq!(second.report(), whole.report(), "cut {cut} of {pieces}");
                assert_eq!(read_model(&second.net().unwrap()).await.unwrap(), expected, "cut {cut} of {pieces}");
            }
        }
    });
}

/// Two anchors of different depth, frozen, without classifiers.
async fn anchors(device: &Device) -> Vec<Vit> {
    let mut anchors = Vec::new();
    for (depth, width) in [(2, 4), (3, 8)] {
        anchors.push(frozen(&model(depth, width, 900 + width as u32, device).await, 4).await.unwrap());
    }
    anchors
}

fn sn_net_plan() -> PoolPlan {
    let stitch_start = StitchInit::LeastSquares;
    PoolPlan { teacher: Teaches::LargestAnchor, stitch_start, compared: vec![stitch_start], ..plan() }
}

#[test]
fn anchors_of_different_depth_that_were_trained_elsewhere_become_a_net_and_resume_exactly() {
    pollster::block_on(async {
        let device = crate::support::device().await;
        let start = async || {
            let (anchors, features) = (anchors(&device).await, MemoryFeatures::default());
            PoolTrainer::from_anchors(sn_net_plan(), anchors, 3, Noise, features).unwrap()
        };
        let mut whole = start().await;
        let before = read_model(&anchors(&device).await[0].blocks).await.unwrap();
        // Head of the teacher, head of the other anchor, tuning.
        assert_eq!(whole.progress(), (0, 4 + 4 + 4));
        let mut pieces = 0;
        while whole.net().is_none() {
            whole.advance().await.unwrap();
            pieces += 1;
        }
        // Until they are tuned together, anchors are what they were, with a head of the person's classes.
        assert_eq!(read_model(&whole.net().unwrap().anchors[0].blocks).await.unwrap(), before);
        assert_eq!(whole.net().unwrap().configs()[0].classes(), Some(3));
        while !whole.is_finished() {
            whole.advance().await.unwrap();
            pieces += 1;
        }
        assert_eq!(whole.progress(), (12, 12));
        assert_eq!(whole.report().accuracy.len(), whole.net().unwrap().configurations().len());
        assert_ne!(read_model(&whole.net().unwrap().anchors[0].blocks).await.unwrap(), before);
        for cut in [5, 8, pieces - 30] {
            let mut first = start().await;
            for _ in 0..cut {
                first.advance().await.unwrap();
            }
            let state = first.save().await.unwrap();
            let features = MemoryFeatures::default();
            let mut second =
                PoolTrainer::restore_anchors(state, anchors(&device).await, Noise, features).await.unwrap();
            while !second.is_finished() {
                second.advance().await.unwrap();
            }
            assert_eq!(second.report(), whole.report(), "cut {cut} of {pieces}");
        }
    });
}

#[test]
fn a_state_of_another_pool_is_refused_and_a_pool_needs_two_models() {
    pollster::block_on(async {
        let device = crate::support::device().await;
        let mut one = plan();
        one.auxiliaries.pop();
        let said =
            PoolTrainer::new(one, ancestor(&device).await, Noise, MemoryFeatures::default()).err().unwrap().to_string();
        assert_eq!(said, "auxiliary models of a pool: found `1`, expected `at least 2, with classifiers`");
        let mut state = pool(plan(), &device).await.save().await.unwrap();
        state.tensors.retain(|name, _| !name.starts_with("head.model."));
        let refused = PoolTrainer::restore(state, ancestor(&device).await, Noise, MemoryFeatures::default()).await;
        assert!(matches!(refused.err(), Some(TrainError::MissingTensor { name }) if name == "head.weight"));
        // A basis that is not there, and one of another ancestor.
        let mut shared = pool(shared_plan(Basis::Pca), &device).await;
        while shared.needs_basis() {
            shared.advance().await.unwrap();
        }
        for other in [None, Some(vec![8, 11])] {
            let mut state = shared.save().await.unwrap();
            match other {
                None => drop(state.tensors.remove("basis.axes.0")),
                Some(shape) => state.tensors.get_mut("basis.axes.0").unwrap().shape = shape,
            }
            let refused = PoolTrainer::restore(state, ancestor(&device).await, Noise, MemoryFeatures::default()).await;
            assert!(refused.err().unwrap().to_string().contains("`basis.axes.0`"));
        }
    });
}
