//! Cross-entropy with soft or smoothed targets, from logits.

use burn::tensor::{Int, Tensor, activation::log_softmax};

/// Mean cross-entropy of `logits` against target distributions, through a stable log-softmax.
///
/// # Shapes
/// `logits: [batch, classes]`, `targets: [batch, classes]` (rows sum to 1) `-> [1]`
pub fn cross_entropy(logits: Tensor<2>, targets: Tensor<2>) -> Tensor<1> {
    let [batch, _] = logits.dims();
    (log_softmax(logits, 1) * targets).sum().mul_scalar(-1.0 / batch as f64)
}

/// Target distributions of labels: `1 - smoothing` on the label, and `smoothing` spread evenly over **all** classes
/// (as PyTorch's `CrossEntropyLoss(label_smoothing)`).
///
/// # Shapes
/// `labels: [batch] -> [batch, classes]`
pub fn smoothed_targets(labels: Tensor<1, Int>, classes: usize, smoothing: f64) -> Tensor<2> {
    // Comparing with a ramp needs neither a scatter (atomics on a GPU) nor a read-back.
    let ramp = Tensor::<1, Int>::arange(0..classes as i64, &labels.device());
    let hit = labels.unsqueeze_dim::<2>(1).equal(ramp.unsqueeze_dim::<2>(0)).float();
    hit.mul_scalar(1.0 - smoothing).add_scalar(smoothing / classes as f64)
}

/// Cross-entropy of one row of logits against a label, on the host in f64.
pub fn host_cross_entropy(logits: &[f32], label: usize) -> f64 {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max) as f64;
    let sum: f64 = logits.iter().map(|&logit| (logit as f64 - largest).exp()).sum();
    sum.ln() + largest - logits[label] as f64
}
