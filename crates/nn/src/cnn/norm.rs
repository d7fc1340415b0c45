//! Batch norm whose running statistics are ordinary tensors of the module: no state is shared between clones, a saved
//! model has them, and a training pass hands out what it saw instead of changing anything behind the caller's back.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burn::tensor::module::{batch_norm, batch_norm_train};

/// Share of a batch's statistics in the running ones (PyTorch's default).
const MOMENTUM: f64 = 0.1;

/// Batch statistics that training passes saw, to be taken in with [`Cnn::update_running_stats`](super::Cnn::update_running_stats) once the step
/// counts: a step that failed must not leave its numbers behind.
#[derive(Clone, Debug, Default)]
pub struct Statistics {
    /// Of each pass and each norm, in the order of the forward pass; `None` for frozen norms.
    pub(super) passes: Vec<Vec<Option<BatchStatistics>>>,
}

impl Statistics {
    /// Notes that the next norm saw nothing: it is frozen.
    pub(super) fn skip_norm(&mut self) {
        if let Some(pass) = self.passes.last_mut() {
            pass.push(None);
        }
    }
}

/// Mean and unbiased variance of a batch, `[channels]` each.
#[derive(Clone, Debug)]
pub(super) struct BatchStatistics {
    mean: Tensor<1>,
    variance: Tensor<1>,
}

/// Batch norm (Ioffe and Szegedy 2015), with PyTorch's names.
#[derive(Module, Debug)]
pub struct BatchNorm {
    /// Scale, `[channels]`.
    pub weight: Param<Tensor<1>>,
    /// Shift, `[channels]`.
    pub bias: Param<Tensor<1>>,
    /// Running mean, `[channels]`; never has a gradient.
    pub running_mean: Param<Tensor<1>>,
    /// Running variance, unbiased, `[channels]`; never has a gradient.
    pub running_var: Param<Tensor<1>>,
    /// Added to the variance.
    #[module(skip)]
    pub eps: f64,
}

impl BatchNorm {
    /// Normalises with the running statistics, or, when `statistics` are collected, with the batch's own.
    ///
    /// A frozen norm (one whose weight asks for no gradient on a training device) keeps to its running statistics.
    ///
    /// # Shapes
    /// `[batch, channels, ..]` to the same
    pub fn forward<const D: usize>(&self, input: Tensor<D>, statistics: Option<&mut Statistics>) -> Tensor<D> {
        let (weight, bias) = (self.weight.val(), self.bias.val());
        let Some(pass) = statistics.and_then(|statistics| statistics.passes.last_mut()) else {
            return batch_norm(input, weight, bias, self.running_mean.val(), self.running_var.val(), self.eps);
        };
        if self.is_frozen(&input) {
            pass.push(None);
            return batch_norm(input, weight, bias, self.running_mean.val(), self.running_var.val(), self.eps);
        }
        let values = input.shape().num_elements() / input.dims()[1];
        let normed = batch_norm_train(input, weight, bias, self.eps);
        let unbiased = values as f64 / values.saturating_sub(1).max(1) as f64;
        pass.push(Some(BatchStatistics { mean: normed.mean, variance: normed.variance.mul_scalar(unbiased) }));
        normed.output
    }

    /// Whether it keeps to its running statistics in the training of others.
    pub(super) fn is_frozen<const D: usize>(&self, input: &Tensor<D>) -> bool {
        input.device().is_autodiff() && !self.weight.is_require_grad()
    }

    /// Scale and shift of each channel by the running statistics, `[channels]` each, of what has yet to get this bias.
    pub(super) fn affine(&self, bias: Option<Tensor<1>>) -> (Tensor<1>, Tensor<1>) {
        let scale = self.weight.val() / (self.running_var.val() + self.eps).sqrt();
        let mean = match bias {
            Some(bias) => self.running_mean.val() - bias,
            None => self.running_mean.val(),
        };
        let shift = self.bias.val() - mean * scale.clone();
        (scale, shift)
    }

    /// Moves the running statistics towards what was seen.
    pub(super) fn update_running_stats(&mut self, seen: &BatchStatistics) {
        let towards = |running: &mut Param<Tensor<1>>, seen: &Tensor<1>| {
            let next = running
                .clone()
                .map(|old| (old.mul_scalar(1.0 - MOMENTUM) + seen.clone().mul_scalar(MOMENTUM)).detach());
            *running = next;
        };
        towards(&mut self.running_mean, &seen.mean);
        towards(&mut self.running_var, &seen.variance);
    }
}
