//! Training with batch norm: against PyTorch, kept through saving, and never shared or moved by what does not count.

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor, TensorData};
use heirloom_learngene::Descendant;
use heirloom_nn::cnn::{Cnn, Shortcut, Statistics};
use heirloom_nn::device::{read, uniform};
use heirloom_nn::model::Model;
use heirloom_train::{
    AdamWSettings, ClassificationMetrics, Classifier, Decay, HostTensors, Run, RunSettings, TrainError, load_model,
    read_model,
};

use super::{lively, load, logits, numbers, pictures, reference, small};
use crate::support::assert_close;
use crate::train::models::plain_settings;

/// As `make.py` trains.
fn settings() -> RunSettings {
    let adamw = AdamWSettings { weight_decay: 0.05, decay: Decay::Every, clip_norm: None, ..Default::default() };
    RunSettings { adamw, ..plain_settings(1e-2) }
}

fn batch(step: u32, device: &Device) -> (Tensor<4>, Tensor<1, Int>) {
    let images = TensorData::new(uniform(4 * 3 * 64, 50 + step, 1.0), [4, 3, 8, 8]);
    (Tensor::from_data(images, device), Tensor::from_ints([0, 1, 2, 3], device))
}

fn running(tensors: &HostTensors) -> HostTensors {
    tensors.iter().filter(|(name, _)| name.contains("running_")).map(|(n, t)| (n.clone(), t.clone())).collect()
}

on_every_engine! {
    async fn steps_equal_pytorchs_and_so_do_running_statistics_and_the_judged_answers(device: Device) {
        let expected = &reference()["training"];
        let images = pictures(numbers(&expected["pictures"]), 8, &device);
        let mut run = Run::new(Descendant::from(load("projection", 8, &device).await), settings());
        let mut losses = Vec::new();
        for _ in 0..3 {
            let labels = Tensor::<1, Int>::from_ints([0, 1, 2, 3], &device);
            losses.push(run.step(images.clone(), labels).await.unwrap().loss);
        }
        assert_close(&losses, &numbers(&expected["losses"]), 1e-3);
        let model = run.into_model().unwrap().fold();
        let state = model.state().await.unwrap();
        let mut compared = 0;
        for (key, values) in expected["running"].as_object().expect("running statistics") {
            let key = key.replace(".shortcut.", ".downsample.");
            let (_, found) = state.iter().find(|(name, _)| *name == key).unwrap_or_else(|| panic!("no `{key}`"));
            assert_close(&found.values, &numbers(values), 2e-3);
            compared += 1;
        }
        assert_eq!(compared, 2 * 11);
        assert_close(&read(model.logits(images, None)).await.unwrap(), &numbers(&expected["logits"]), 2e-2);
    }

    async fn a_restored_run_goes_on_exactly_with_its_running_statistics(device: Device) {
        let fresh = || async { Descendant::from(lively(&small(Shortcut::Projection), &device).await) };
        let mut run = Run::new(fresh().await, settings());
        let (images, labels) = batch(0, &device);
        run.step(images, labels).await.unwrap();
        let saved = run.save().await.unwrap();
        let mut restored = Run::restore(fresh().await, saved.clone()).unwrap();
        assert_eq!(restored.save().await.unwrap(), saved);
        assert_ne!(running(&saved.tensors), running(&Run::new(fresh().await, settings()).save().await.unwrap().tensors));
        assert!(saved.tensors.keys().all(|name| !name.contains("running_") || name.starts_with("model.")));
        for step in 1..3 {
            let ((images, labels), (same, again)) = (batch(step, &device), batch(step, &device));
            let one = run.step(images, labels).await.unwrap();
            assert_eq!(restored.step(same, again).await.unwrap(), one);
        }
        assert_eq!(restored.save().await.unwrap(), run.save().await.unwrap());
    }

    async fn a_step_that_does_not_count_leaves_the_running_statistics_alone(device: Device) {
        let mut run = Run::new(Descendant::from(lively(&small(Shortcut::Zeros), &device).await), settings());
        let (images, labels) = batch(0, &device);
        run.step(images.clone(), labels.clone()).await.unwrap();
        let before = run.save().await.unwrap();
        let error = run.step(images.clone() * f32::NAN, labels.clone()).await.unwrap_err();
        assert!(matches!(error, TrainError::LossNotFinite { step: 2, .. }), "{error}");
        assert_eq!(run.save().await.unwrap(), before);
        let mut tally = ClassificationMetrics::new(5);
        run.evaluate_batch(images, &[0, 1, 2, 3], &mut tally).await.unwrap();
        assert_eq!(run.save().await.unwrap(), before, "judging changes nothing");
    }

    async fn clones_share_no_running_statistics(device: Device) {
        let start = Descendant::from(lively(&small(Shortcut::Zeros), &device).await);
        let before = read_model(&start).await.unwrap();
        let (mut one, mut other) = (Run::new(start.clone(), settings()), Run::new(start.clone(), settings()));
        let ((images, labels), (others, names)) = (batch(0, &device), batch(1, &device));
        one.step(images, labels).await.unwrap();
        other.step(others, names).await.unwrap();
        assert_eq!(read_model(&start).await.unwrap(), before);
        let (one, other) = (one.save().await.unwrap(), other.save().await.unwrap());
        assert_ne!(running(&one.tensors), running(&other.tensors));
        let seen = running(&one.tensors);
        let kept = load_model(start.clone(), &before).unwrap();
        assert_eq!(read_model(&kept).await.unwrap(), before);
        assert!(seen.values().all(|tensor| tensor.values.iter().all(|value| value.is_finite())));
    }

    async fn a_judged_picture_is_named_alike_alone_and_in_company(device: Device) {
        let model = Model::from(lively(&small(Shortcut::Projection), &device).await).train().valid();
        let (images, _) = batch(3, &device);
        let together = read(Classifier::logits(&model, images.clone(), None)).await.unwrap();
        let alone = read(Classifier::logits(&model, images.clone().narrow(0, 2, 1), None)).await.unwrap();
        assert_close(&alone, &together[10..15], 1e-5);
        let mut statistics = Statistics::default();
        let trained = read(model.forward_train(images, None, &mut statistics)).await.unwrap();
        assert!(together.iter().zip(&trained).any(|(a, b)| (a - b).abs() > 1e-2), "training uses the batch's statistics");
    }

    async fn a_frozen_norm_keeps_to_its_running_statistics(device: Device) {
        let cnn: Cnn = lively(&small(Shortcut::Projection), &device).await;
        let (images, _) = batch(4, &device);
        let judged = logits(&cnn, images.clone()).await;
        let frozen = Model::from(cnn).train().no_grad();
        let mut statistics = Statistics::default();
        let images = Tensor::from_inner(images);
        let answered = read(frozen.forward_train(images, None, &mut statistics).inner()).await.unwrap();
        assert_close(&answered, &judged, 1e-5);
        let before = read_model(&frozen).await.unwrap();
        assert_eq!(read_model(&frozen.update_running_stats(&statistics)).await.unwrap(), before);
    }
}
