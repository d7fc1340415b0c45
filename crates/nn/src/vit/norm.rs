//! Layer norm and RMS norm with their parameters.

use burn::module::{Module, Param};
use burn::tensor::Tensor;

use crate::kernels::layer_norm;

/// A layer norm (`norm1`, `norm2`, `norm`, `fc_norm`, `q_norm`, `k_norm`), or an RMS norm (Zhang and Sennrich 2019).
#[derive(Module, Debug)]
pub struct LayerNorm {
    /// Weights, `[width]`.
    pub gamma: Param<Tensor<1>>,
    /// Biases, `[width]`; without them it is an RMS norm, which does not take the mean away.
    pub beta: Option<Param<Tensor<1>>>,
    /// Added to the variance, or to the mean square.
    #[module(skip)]
    pub epsilon: f64,
}

impl LayerNorm {
    /// One of the same kind and width as this: weights one, biases zero.
    pub fn fresh(&self) -> Self {
        let ([width], device) = (self.gamma.dims(), self.gamma.val().device());
        let vector = |value| Param::from_tensor(Tensor::full([width], value, &device));
        Self { gamma: vector(1.0_f32), beta: self.beta.as_ref().map(|_| vector(0.0)), epsilon: self.epsilon }
    }

    /// The same norm whose parameters are `of` these.
    pub fn map(&self, of: impl Fn(&Param<Tensor<1>>) -> Param<Tensor<1>>) -> Self {
        Self { gamma: of(&self.gamma), beta: self.beta.as_ref().map(of), epsilon: self.epsilon }
    }

    /// `[.., width]` to the same.
    pub fn forward<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        if let Some(beta) = &self.beta {
            return layer_norm(input, self.gamma.val(), beta.val(), self.epsilon);
        }
        let mean_square = (input.clone() * input.clone()).mean_dim(D - 1);
        input / (mean_square + self.epsilon).sqrt() * self.gamma.val().unsqueeze()
    }
}
