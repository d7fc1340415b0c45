//! Layer norm with its parameters.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};

use crate::kernels::layer_norm;

/// A layer norm (`norm1`, `norm2`, `norm`, `fc_norm`, `q_norm`, `k_norm`).
#[derive(Module, Debug)]
pub struct LayerNorm {
    /// Weights, `[width]`.
    pub gamma: Param<Tensor<1>>,
    /// Biases, `[width]`.
    pub beta: Param<Tensor<1>>,
    /// Added to the variance.
    #[module(skip)]
    pub epsilon: f64,
}

impl LayerNorm {
    /// Weights one, biases zero.
    pub fn new(width: usize, epsilon: f64, device: &Device) -> Self {
        let vector = |value| Param::from_tensor(Tensor::full([width], value, device));
        Self { gamma: vector(1.0_f32), beta: vector(0.0), epsilon }
    }

    /// `[.., width]` to the same.
    pub fn forward<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        layer_norm(input, self.gamma.val(), self.beta.val(), self.epsilon)
    }
}
