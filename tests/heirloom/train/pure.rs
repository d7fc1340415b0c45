//! Schedule and metrics, and the loss against hand computations.

use crate::support::assert_close;
use burn::tensor::{Device, Int, Tensor};
use heirloom_nn::device::read;
use heirloom_train::{
    ClassificationMetrics, Schedule, TrainError, cross_entropy, host_cross_entropy, smoothed_targets,
};

#[test]
fn schedule_rises_linearly_and_falls_as_a_cosine_to_its_floor() {
    let schedule = Schedule { peak: 1.0, floor: 0.1, warmup_steps: 4, steps: 12 };
    let rates: Vec<f64> = (0..14).map(|step| schedule.lr(step)).collect();
    let cosine = |k: f64| 0.1 + 0.9 * 0.5 * (1.0 + (std::f64::consts::PI * k / 8.0).cos());
    let mut expected = vec![0.25, 0.5, 0.75, 1.0, 1.0];
    expected.extend((1..8).map(|k| cosine(k as f64)));
    expected.extend([0.1, 0.1]);
    for (step, (got, expected)) in rates.iter().zip(&expected).enumerate() {
        assert!((got - expected).abs() < 1e-12, "step {step}: {got} != {expected}");
    }
    assert!((schedule.lr(8) - 0.55).abs() < 1e-12, "half-way is the mean of peak and floor");
}

#[test]
fn schedule_without_warmup_starts_at_its_peak_and_one_longer_than_the_run_never_leaves_it() {
    assert_eq!(Schedule { peak: 2.0, floor: 0.0, warmup_steps: 0, steps: 10 }.lr(0), 2.0);
    let short = Schedule { peak: 2.0, floor: 0.0, warmup_steps: 8, steps: 4 };
    assert_eq!((short.lr(0), short.lr(7), short.lr(8)), (0.25, 2.0, 0.0));
    assert_eq!(Schedule::constant(3e-4).lr(0), 3e-4);
    assert_eq!(Schedule::constant(3e-4).lr(1_000_000), 3e-4);
}

on_every_engine! {
    async fn smoothed_cross_entropy_equals_its_hand_computation(device: Device) {
        // Row 1: logits 0, ln 2, ln 5 -> probabilities 1/8, 2/8, 5/8. Row 2 far from 0 would overflow a naive softmax.
        let logits = Tensor::<2>::from_floats([[0.0, 2.0_f32.ln(), 5.0_f32.ln()], [1000.0, 1000.0, 1000.0]], &device);
        let labels = Tensor::<1, Int>::from_ints([2, 0], &device);
        let targets = smoothed_targets(labels, 3, 0.3);
        let shown = read(targets.clone()).await.unwrap();
        assert_close(&shown, &[0.1, 0.1, 0.8, 0.8, 0.1, 0.1], 1e-6);
        let loss = cross_entropy(logits, targets).into_scalar_async::<f32>().await.unwrap();
        let first = -(0.1 * (1.0_f64 / 8.0).ln() + 0.1 * (2.0_f64 / 8.0).ln() + 0.8 * (5.0_f64 / 8.0).ln());
        let expected = (first + 3.0_f64.ln()) / 2.0;
        assert_close(&[loss], &[expected as f32], 1e-5);
    }

    async fn gradient_of_the_loss_is_softmax_minus_target(device: Device) {
        let device = device.autodiff();
        let logits = Tensor::<2>::from_floats([[0.0, 2.0_f32.ln(), 5.0_f32.ln()]], &device).require_grad();
        let targets = smoothed_targets(Tensor::<1, Int>::from_ints([1], &device), 3, 0.0);
        let gradients = cross_entropy(logits.clone(), targets).backward();
        let gradient = read(logits.grad(&gradients).unwrap()).await.unwrap();
        assert_close(&gradient, &[0.125, 0.25 - 1.0, 0.625], 1e-5);
    }
}

#[test]
fn host_cross_entropy_survives_large_logits() {
    assert!((host_cross_entropy(&[1e4, 1e4, -1e4], 0) - 2.0_f64.ln()).abs() < 1e-9);
    assert!((host_cross_entropy(&[-1e4, 1e4], 0) - 2e4).abs() < 1e-6);
}

#[test]
fn tally_counts_confusion_accuracy_and_mean_loss_over_batches() {
    let mut tally = ClassificationMetrics::new(3);
    let predicted = tally.add(&[2.0, 1.0, 0.0, 0.0, 0.0, 3.0], &[0, 1]).unwrap();
    assert_eq!(predicted, [0, 2]);
    tally.add(&[5.0, 5.0, 1.0], &[1]).unwrap();
    assert_eq!(tally.confusion(), [vec![1, 0, 0], vec![1, 0, 1], vec![0, 0, 0]], "a tie goes to the lowest class");
    assert_eq!(tally.count(), 3);
    assert!((tally.accuracy() - 1.0 / 3.0).abs() < 1e-6);
    let losses = [host_cross_entropy(&[2.0, 1.0, 0.0], 0), host_cross_entropy(&[0.0, 0.0, 3.0], 1)];
    let expected = (losses[0] + losses[1] + host_cross_entropy(&[5.0, 5.0, 1.0], 1)) / 3.0;
    assert!((f64::from(tally.mean_loss()) - expected).abs() < 1e-6);
}

#[test]
fn tally_refuses_nan_foreign_labels_and_wrong_lengths() {
    let mut tally = ClassificationMetrics::new(2);
    assert!(matches!(tally.add(&[f32::NAN, 0.0], &[0]), Err(TrainError::LogitsNotFinite { .. })));
    for (logits, label, expected) in [(&[0.0, 0.0][..], 2, "label"), (&[0.0], 0, "logits of a batch")] {
        let error = tally.add(logits, &[label]).unwrap_err();
        assert!(matches!(&error, TrainError::Mismatch { what, .. } if what == expected), "{error}");
    }
    assert_eq!((tally.count(), tally.accuracy(), tally.mean_loss()), (0, 0.0, 0.0));
}
