//! GELU in its erf form, `x · Φ(x)` with Φ the normal distribution (Hendrycks and Gimpel 2016), forward and backward.
//!
//! It is the widest tensor of a Vision Transformer, and on the CPU engine the library's `erf` and `exp` are a call per
//! number: a tenth of a training step. Here both share one exponential, in arithmetic that the compiler turns into SIMD.
//! On the GPU it stays composed of operations that fusion joins with their neighbours.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, TensorMetadata, backend_extension};
use burn::tensor::Tensor;
use std::f32::consts::FRAC_1_SQRT_2;

use super::exp::exp;
use super::flex::{tensor, values};

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
        let mut output = values(&input).to_vec();
        let (chunks, rest) = output.as_chunks_mut::<LANES>();
        let forward = |x: &mut f32| *x *= normal(*x).0;
        chunks.iter_mut().for_each(|chunk| chunk.iter_mut().for_each(forward));
        rest.iter_mut().for_each(forward);
        tensor(output, input.shape())
    }

    fn gelu_gradient(input: FloatTensor<Self>, gradient: FloatTensor<Self>) -> FloatTensor<Self> {
        let [input, gradient] = [input, gradient].map(|tensor| tensor.to_contiguous());
        let mut output = values(&gradient).to_vec();
        let backward = |(g, x): (&mut f32, &f32)| {
            let (distribution, density) = normal(*x);
            *g *= distribution + x * density;
        };
        let (chunks, rest) = output.as_chunks_mut::<LANES>();
        let (inputs, inputs_rest) = values(&input).as_chunks::<LANES>();
        for (chunk, inputs) in chunks.iter_mut().zip(inputs) {
            chunk.iter_mut().zip(inputs).for_each(backward);
        }
        rest.iter_mut().zip(inputs_rest).for_each(backward);
        tensor(output, input.shape())
    }
}

/// Numbers that the compiler works on side by side; a fixed count becomes SIMD also where code is built for size.
const LANES: usize = 16;

/// `Φ(x)` and `φ(x)`.
///
/// `Φ(-|x|) ≈ exp(-x² / 2) · P(1 / (1 + 0.39 |x|))` with P of degree 6 without a constant: the form of Abramowitz and Stegun
/// 26.2.17, fitted anew to a largest error of 1e-8 (theirs, of degree 5: 7.5e-8).
#[inline(always)]
fn normal(x: f32) -> (f32, f32) {
    let away = x.abs();
    let exponential = exp(-0.5 * x * x);
    let t = 1.0 / (1.0 + 0.39 * away);
    let mut p = 0.053_846_63;
    for c in [-0.258_242_21, 0.375_166_04, -0.016_633_68, 0.194_436_09, 0.151_427_15] {
        p = p * t + c;
    }
    let tail = p * t * exponential;
    let distribution = if x > 0.0 { 1.0 - tail } else { tail };
    (distribution, NORMAL * exponential)
}
