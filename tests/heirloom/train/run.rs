//! Whole steps: against an independent engine, until they learn, through saving and restoring, and when they diverge.

use super::models::{W0_ADAMW, plain_settings, tiny, tiny_batch, tiny_config, w0, w0_batch};
use crate::support::assert_close;
use burn::tensor::{Device, Int, Tensor};
use heirloom_nn::device::read;
use heirloom_train::{
    AdamWSettings, ClassificationMetrics, Classifier, Decay, Run, RunSettings, Schedule, TrainError, drop_path_factors,
    read_model,
};

/// Losses and gradient norms of `tests/fixtures/train/w0_losses.json`.
fn reference(name: &str) -> [Vec<f32>; 2] {
    let json: serde_json::Value =
        serde_json::from_str(include_str!("../../fixtures/train/w0_losses.json")).expect("a fixture");
    ["losses", "norms"].map(|part| serde_json::from_value(json[name][part].clone()).expect("numbers"))
}

/// Software WebGPU takes seconds a step.
const STEPS: usize = if cfg!(target_arch = "wasm32") { 3 } else { 8 };

on_both_engines! {
    async fn w0_loses_step_by_step_what_an_independent_engine_loses(device: Device) {
        let [losses, _] = reference("plain");
        let mut run = Run::new(w0(&device).await, plain_settings(1e-3));
        let mut got = Vec::new();
        for _ in 0..STEPS {
            let (images, labels) = w0_batch(&device);
            got.push(run.step(images, labels).await.unwrap().loss);
        }
        assert_close(&got, &losses[..STEPS], 2e-4);
    }

    async fn w0_with_smoothing_clipping_groups_and_schedule_does_so_too(device: Device) {
        let [losses, norms] = reference("full");
        let settings = RunSettings {
            schedule: Schedule { peak: 2e-3, floor: 1e-5, warmup_steps: 2, steps: 8 },
            adamw: AdamWSettings { decay: Decay::Weights, clip_norm: Some(0.5), ..W0_ADAMW },
            label_smoothing: 0.1,
            ..plain_settings(0.0)
        };
        let mut run = Run::new(w0(&device).await, settings);
        let (mut got, mut got_norms) = (Vec::new(), Vec::new());
        for _ in 0..STEPS {
            let (images, labels) = w0_batch(&device);
            let stepped = run.step(images, labels).await.unwrap();
            got.push(stepped.loss);
            got_norms.push(stepped.norm.expect("clipping reports the norm"));
        }
        assert_close(&got, &losses[..STEPS], 5e-4);
        assert_close(&got_norms, &norms[..STEPS], 5e-3);
    }

    async fn a_diverged_step_is_an_error_and_leaves_the_run_as_it_was(device: Device) {
        let mut run = Run::new(tiny(1, &device).await, plain_settings(1e-2));
        let (images, labels) = tiny_batch(0, &device);
        run.step(images.clone(), labels.clone()).await.unwrap();
        let before = run.save().await.unwrap();
        let error = run.step(images.clone() * f32::NAN, labels.clone()).await.unwrap_err();
        assert!(matches!(error, TrainError::LossNotFinite { step: 2, .. }), "{error}");
        assert!(error.to_string().contains("smaller learning rate"), "{error}");
        assert_eq!(run.save().await.unwrap(), before);
        assert_eq!(run.step(images, labels).await.unwrap().step, 2);
    }

    async fn drop_path_leaves_a_samples_branches_out_and_scales_the_others(device: Device) {
        let model = tiny(2, &device).await;
        let (images, _) = tiny_batch(0, &device);
        let plain = read(model.embed(images.clone())).await.unwrap();
        // Sample 0 keeps nothing, sample 1 everything, samples 2 and 3 are scaled.
        let factors = Tensor::<2>::from_floats([[0.0, 1.0, 2.0, 0.5], [0.0, 1.0, 2.0, 0.5]], &device);
        let dropped = Classifier::logits(&model, images.clone(), Some(factors));
        let ones = Classifier::logits(&model, images.clone(), Some(Tensor::ones([2, 4], &device)));
        let whole = Classifier::logits(&model, images.clone(), None);
        let [dropped, ones, whole] = [read(dropped).await.unwrap(), read(ones).await.unwrap(), read(whole).await.unwrap()];
        assert_close(&ones, &whole, 1e-5);
        assert_close(&dropped[3..6], &whole[3..6], 1e-5);
        assert!((dropped[6] - whole[6]).abs() > 1e-4, "a scaled branch changes the answer");
        let norm = model.norm.as_ref().expect("a norm");
        let tokens = Tensor::<1>::from_floats(plain.as_slice(), &device).reshape([4, 5, 8]);
        let bare = model.head.as_ref().expect("a head").forward(model.pooled(norm.forward(tokens)));
        assert_close(&dropped[..3], &read(bare).await.unwrap()[..3], 1e-5);
    }

    async fn a_restored_run_loses_what_the_undisturbed_one_loses(device: Device) {
        // One layer never drops a path (its rate is 0), so the draws are proven on W0 natively.
        let settings = RunSettings {
            schedule: Schedule { peak: 5e-3, floor: 0.0, warmup_steps: 2, steps: 6 },
            adamw: AdamWSettings::default(),
            label_smoothing: 0.1,
            drop_path: 0.5,
            freeze_steps: 0,
            lr_scales: Vec::new(),
            fresh_lr: None,
            seed: 7,
        };
        let mut run = Run::new(tiny(3, &device).await, settings);
        for step in 0..2 {
            let (images, labels) = tiny_batch(step, &device);
            run.step(images, labels).await.unwrap();
        }
        let state = run.save().await.unwrap();
        let json = serde_json::to_string(&state.header).unwrap();
        assert_eq!(serde_json::from_str::<heirloom_train::RunHeader>(&json).unwrap(), state.header);
        let mut restored = Run::restore(tiny(99, &device).await, state).unwrap();
        for step in 2..4 {
            let (images, labels) = tiny_batch(step, &device);
            let expected = run.step(images.clone(), labels.clone()).await.unwrap();
            let got = restored.step(images, labels).await.unwrap();
            assert_eq!((got.step, got.lr), (expected.step, expected.lr));
            assert_close(&[got.loss, got.norm.unwrap()], &[expected.loss, expected.norm.unwrap()], 1e-5);
        }
    }
}

#[test]
fn a_restored_run_draws_the_same_paths_and_loses_the_same() {
    pollster::block_on(async {
        let device = crate::support::device().await;
        let settings = RunSettings { drop_path: 0.5, label_smoothing: 0.1, seed: 11, ..plain_settings(2e-3) };
        let mut run = Run::new(w0(&device).await, settings);
        let mut losses = Vec::new();
        let mut state = None;
        for step in 0..12 {
            let (images, labels) = w0_batch(&device);
            losses.push(run.step(images, labels).await.unwrap().loss);
            if step == 4 {
                state = Some(run.save().await.unwrap());
            }
        }
        let mut restored = Run::restore(w0(&device).await, state.unwrap()).unwrap();
        for expected in &losses[5..] {
            let (images, labels) = w0_batch(&device);
            assert_close(&[restored.step(images, labels).await.unwrap().loss], &[*expected], 1e-5);
        }
        let mut other = Run::new(w0(&device).await, RunSettings { drop_path: 0.0, ..run.settings().clone() });
        let mut differs = false;
        for expected in &losses {
            let (images, labels) = w0_batch(&device);
            differs |= (other.step(images, labels).await.unwrap().loss - expected).abs() > 1e-3;
        }
        assert!(differs, "drop-path changes the losses");
    });
}

#[test]
fn eight_pictures_in_two_passes_of_four_give_the_gradient_of_all_eight_with_dropped_paths_too() {
    pollster::block_on(async {
        let device = crate::support::device().await;
        let adamw = AdamWSettings { epsilon: 1e-2, ..W0_ADAMW };
        let settings = RunSettings { adamw, drop_path: 0.5, label_smoothing: 0.1, seed: 11, ..plain_settings(2e-3) };
        let twice = |(images, labels): (Tensor<4>, Tensor<1, Int>)| {
            (Tensor::cat(vec![images.clone(), images * 0.7], 0), Tensor::cat(vec![labels.clone(), labels], 0))
        };
        let (mut whole, mut parts) =
            (Run::new(w0(&device).await, settings.clone()), Run::new(w0(&device).await, settings));
        parts.set_micro_batch(4);
        for _ in 0..3 {
            let (images, labels) = twice(w0_batch(&device));
            let expected = whole.step(images.clone(), labels.clone()).await.unwrap();
            let got = parts.step(images, labels).await.unwrap();
            assert_close(&[got.loss], &[expected.loss], 1e-5);
        }
        let [got, expected] = [&parts, &whole].map(|run| run.model().unwrap());
        let (got, expected) = (read_model(&got).await.unwrap(), read_model(&expected).await.unwrap());
        for (name, tensor) in &expected {
            assert_close(&got[name].values, &tensor.values, 1e-5);
        }
    });
}

#[test]
fn w0_learns_its_four_pictures_by_heart() {
    pollster::block_on(async {
        let device = crate::support::device().await;
        let mut run = Run::new(w0(&device).await, plain_settings(1e-3));
        let mut loss = f32::INFINITY;
        for _ in 0..150 {
            let (images, labels) = w0_batch(&device);
            loss = run.step(images, labels).await.unwrap().loss;
        }
        assert!(loss < 0.02, "the loss is still {loss}");
        let (images, _) = w0_batch(&device);
        let tally = run.evaluate([(images.clone(), vec![0, 1, 2, 3])]).await.unwrap();
        assert_eq!((tally.accuracy(), tally.count()), (1.0, 4));
        assert!((0..4).all(|class| tally.confusion()[class][class] == 1));
        let mut wrong = ClassificationMetrics::new(10);
        assert_eq!(run.evaluate_batch(images, &[1, 2, 3, 4], &mut wrong).await.unwrap(), [0, 1, 2, 3]);
        assert_eq!(wrong.accuracy(), 0.0);
    });
}

#[test]
fn a_run_refuses_the_state_of_another_model_and_batches_that_do_not_fit() {
    pollster::block_on(async {
        let device = crate::support::device().await;
        let mut run = Run::new(tiny(1, &device).await, plain_settings(1e-3));
        let (images, labels) = tiny_batch(0, &device);
        let too_few = Tensor::<1, Int>::from_ints([0, 1], &device);
        let error = run.step(images.clone(), too_few).await.unwrap_err();
        assert!(matches!(&error, TrainError::Mismatch { what, .. } if what == "labels of a batch"), "{error}");
        run.step(images, labels).await.unwrap();
        let state = run.save().await.unwrap();
        let error = Run::restore(w0(&device).await, state.clone()).unwrap_err();
        // The first weight that both have is of another size.
        let first = "shape of saved tensor `patch_embed.proj.weight`";
        assert!(matches!(&error, TrainError::Mismatch { what, .. } if what == first), "{error}");
        let mut incomplete = state;
        incomplete.tensors.remove("second.head.weight");
        let error = Run::restore(tiny(1, &device).await, incomplete).unwrap_err();
        assert!(matches!(&error, TrainError::MissingTensor { name } if name == "second.head.weight"), "{error}");
    });
}

#[test]
fn a_trained_model_has_every_weight_moved() {
    pollster::block_on(async {
        let device = crate::support::device().await;
        let before = read_model(&w0(&device).await).await.unwrap();
        let mut run = Run::new(w0(&device).await, plain_settings(1e-3));
        for _ in 0..2 {
            let (images, labels) = w0_batch(&device);
            run.step(images, labels).await.unwrap();
        }
        let after = read_model(&run.into_model().unwrap()).await.unwrap();
        assert_eq!(after.len(), 4 + 12 * 2 + 4);
        // Weight decay alone moves a weight, whether or not a gradient reaches it. Of what is left, two steps that undo each
        // other may be next to nothing in a few places.
        let decayed = (1.0 - 1e-3 * 0.05_f32).powi(2);
        for (name, tensor) in &after {
            // A key's bias shifts all scores of a query alike, so that it has no gradient but rounding noise.
            let keys = if name.ends_with("qkv.bias") { 64..128 } else { 0..0 };
            let pairs = tensor.values.iter().zip(&before[name].values).enumerate();
            let learning = pairs.filter(|(at, _)| !keys.contains(at));
            let still = learning.filter(|(_, (after, before))| (*after - decayed * *before).abs() < 5e-5).count();
            assert!(still * 20 <= tensor.values.len(), "`{name}`: {still} of {} stood still", tensor.values.len());
        }
    });
}

#[test]
fn drop_path_rises_linearly_with_depth_and_is_a_function_of_seed_and_step() {
    let (branches, batch, rate) = (8, 4000, 0.6);
    let factors = drop_path_factors(rate, branches, batch, 5, 17);
    assert_eq!(factors.len(), branches * batch);
    for (branch, row) in factors.chunks(batch).enumerate() {
        let keep = 1.0 - rate * (branch / 2) as f64 / 3.0;
        let kept = row.iter().filter(|factor| **factor != 0.0).count() as f64 / batch as f64;
        assert!((kept - keep).abs() < 0.03, "branch {branch} keeps {kept}, expected {keep}");
        assert!(row.iter().all(|factor| *factor == 0.0 || (f64::from(*factor) - 1.0 / keep).abs() < 1e-5));
        let mean = row.iter().sum::<f32>() / batch as f32;
        assert!((mean - 1.0).abs() < 0.08, "branch {branch} has mean {mean}");
    }
    assert_eq!(factors, drop_path_factors(rate, branches, batch, 5, 17));
    assert_ne!(factors, drop_path_factors(rate, branches, batch, 5, 18));
    assert_ne!(factors, drop_path_factors(rate, branches, batch, 6, 17));
    assert!(drop_path_factors(0.9, 2, 10, 1, 1).iter().all(|factor| *factor == 1.0), "one layer is never left out");
}

#[test]
fn classifier_of_a_vit_says_its_branches_and_classes() {
    pollster::block_on(async {
        let device = crate::support::device().await;
        let model = tiny(1, &device).await;
        assert_eq!((model.branches(), model.classes()), (2, tiny_config().classes.unwrap()));
    });
}

on_every_engine! {
    async fn two_halves_of_a_batch_change_the_weights_as_the_whole_batch_does(device: Device) {
        let settings = RunSettings {
            schedule: Schedule::constant(5e-3),
            // Key biases have no gradient but rounding noise, which AdamW would blow up to whole steps.
            adamw: AdamWSettings { epsilon: 1e-2, clip_norm: Some(0.5), ..AdamWSettings::default() },
            label_smoothing: 0.1,
            drop_path: 0.0,
            freeze_steps: 0,
            lr_scales: Vec::new(),
            fresh_lr: None,
            seed: 3,
        };
        let mut weights = Vec::new();
        let mut numbers = Vec::new();
        // 3 leaves a rest of one picture.
        for micro_batch in [0, 2, 3] {
            let mut run = Run::new(tiny(4, &device).await, settings.clone());
            run.set_micro_batch(micro_batch);
            let mut told = Vec::new();
            for step in 0..2 {
                let (images, labels) = tiny_batch(step, &device);
                let stepped = run.step(images, labels).await.unwrap();
                told.extend([stepped.loss, stepped.norm.unwrap()]);
            }
            numbers.push(told);
            let state = read_model(&run.model().unwrap()).await.unwrap();
            weights.push(state.into_values().flat_map(|tensor| tensor.values).collect::<Vec<_>>());
        }
        for parts in 1..3 {
            assert_close(&numbers[parts], &numbers[0], 1e-5);
            assert_close(&weights[parts], &weights[0], 1e-5);
        }
        assert!(numbers[0][1] > 0.5, "clipping is at work");
    }
}
