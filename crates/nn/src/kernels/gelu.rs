//! GELU in its erf form, `x · Φ(x)` with Φ the normal distribution (Hendrycks and Gimpel 2016), forward and backward.
//!
//! It is the widest tensor of a Vision Transformer, and on the CPU engine the library's `erf` and `exp` are a call per
//! number: a tenth of a training step. Here both share one exponential (`heirloom_lanes::gelu`).
//! On the GPU it stays composed of operations that fusion joins with their neighbours.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, TensorMetadata, backend_extension};
use burn::tensor::Tensor;
use heirloom_lanes as lanes;
use std::f32::consts::FRAC_1_SQRT_2;

use super::flex::{tensor, values, values_mut};

/// `1 / √(2π)`.
const NORMAL: f32 = 0.398_942_3;

/// `x · Φ(x)` of every element.
pub fn gelu<const D: usize>(tensor: Tensor<D>) -> Tensor<D> {
    Tensor::from_dispatch(Dispatch::gelu_forward(tensor.into_dispatch()))
}

/// GELU on each engine.
#[backend_extension(Cube: cfg(feature = "webgpu"), Flex, Fusion: cfg(feature = "webgpu"), Autodiff)]
pub trait GeluBackend: Backend {
    /// See [`gelu`].
    #[fusion(default)]
    fn gelu_forward(tensor: FloatTensor<Self>) -> FloatTensor<Self> {
        Self::float_mul(tensor.clone(), distribution::<Self>(tensor))
    }

    /// Gradient of what went in from the gradient of what came out: `g · (Φ(x) + x · φ(x))`.
    #[fusion(default)]
    fn gelu_gradient(tensor: FloatTensor<Self>, gradient: FloatTensor<Self>) -> FloatTensor<Self> {
        let square = Self::float_mul(tensor.clone(), tensor.clone());
        let density = Self::float_exp(Self::float_mul_scalar(square, (-0.5_f32).into()));
        let density = Self::float_mul_scalar(density, NORMAL.into());
        let slope = Self::float_mul(tensor.clone(), density);
        Self::float_mul(gradient, Self::float_add(distribution::<Self>(tensor), slope))
    }
}

/// `Φ(x)`, composed.
fn distribution<B: Backend>(tensor: FloatTensor<B>) -> FloatTensor<B> {
    let erf = B::float_erf(B::float_mul_scalar(tensor, FRAC_1_SQRT_2.into()));
    B::float_add_scalar(B::float_mul_scalar(erf, 0.5_f32.into()), 0.5_f32.into())
}

#[derive(Debug)]
struct GeluStep;

impl<B: Backend + GeluBackend> Backward<B, 1> for GeluStep {
    type State = FloatTensor<B>;

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let [node] = ops.parents;
        let gradient = grads.consume::<B>(&ops.node);
        if let Some(node) = node {
            grads.register::<B>(node.id, B::gelu_gradient(ops.state, gradient));
        }
    }
}

impl<B: Backend + GeluBackend, C: CheckpointStrategy> GeluBackend for Autodiff<B, C> {
    fn gelu_forward(tensor: FloatTensor<Self>) -> FloatTensor<Self> {
        match GeluStep.prepare::<C>([tensor.node()]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let tensor = tensor.into_primitive();
                prep.finish(tensor.clone(), B::gelu_forward(tensor))
            }
            OpsKind::UnTracked(prep) => prep.finish(B::gelu_forward(tensor.into_primitive())),
        }
    }

    fn gelu_gradient(_tensor: FloatTensor<Self>, _gradient: FloatTensor<Self>) -> FloatTensor<Self> {
        panic!("the backward pass of `gelu` has no gradient of its own");
    }
}

#[cfg(feature = "webgpu")]
impl GeluBackend for burn_wgpu::CubeBackend {}

impl GeluBackend for Flex {
    fn gelu_forward(input: FloatTensor<Self>) -> FloatTensor<Self> {
        let input = input.to_contiguous();
        let mut output = vec![0.0; input.shape().num_elements()];
        lanes::gelu(values(&input), &mut output);
        tensor(output, input.shape())
    }

    fn gelu_gradient(input: FloatTensor<Self>, gradient: FloatTensor<Self>) -> FloatTensor<Self> {
        let [input, mut gradient] = [input, gradient].map(|tensor| tensor.to_contiguous());
        lanes::gelu_gradient(values(&input), values_mut(&mut gradient));
        gradient
    }
}
