//! Convolutions, forward and backward, and with what follows them in a network that is not trained.
//!
//! The CPU engine of the library multiplies the matrices of a convolution without packing them (a MobileNetV2 as it is
//! takes 2.3 times as long with it, docs/evidence/yardstick.md), and makes the weight gradient in groups of one slice a
//! channel each, of which a MobileNetV2 has up to 960.

mod cpu;
#[cfg(feature = "webgpu")]
mod gpu;

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, TensorMetadata, backend_extension};
use burn::tensor::activation::relu;
use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Shape, Tensor};

/// What follows a norm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// The larger of the number and 0.
    Relu,
    /// ReLU that ends at 6 (MobileNetV2).
    Relu6,
}

impl Activation {
    /// Number by number.
    pub fn forward<const D: usize>(self, values: Tensor<D>) -> Tensor<D> {
        match self {
            Self::Relu => relu(values),
            Self::Relu6 => values.clamp(0.0, 6.0),
        }
    }
}

/// A convolution; padding keeps the sides of the map at stride 1. The channels of the input are in as many groups as the
/// weight has too few of them: none sees those of another.
///
/// # Shapes
/// - input: `[batch, channels, height, width]`
/// - weight: `[output, channels / groups, kernel, kernel]`, an odd kernel
/// - output: `[batch, output, height / stride, width / stride]`, rounded up
pub fn convolution(input: Tensor<4>, weight: Tensor<4>, stride: usize) -> Tensor<4> {
    check(&input, &weight);
    Tensor::from_dispatch(Dispatch::convolution(input.into_dispatch(), weight.into_dispatch(), stride))
}

/// The same by the library: the reference of tests and benchmarks.
pub fn convolution_composed(input: Tensor<4>, weight: Tensor<4>, stride: usize) -> Tensor<4> {
    check(&input, &weight);
    let options = options(&Shape::new(input.dims()), &Shape::new(weight.dims()), stride);
    conv2d(input, weight, None, options)
}

/// What follows a convolution in a network that is not trained.
#[derive(Clone, Debug)]
pub struct Affine {
    /// What each channel is multiplied with, `[output]`.
    pub scale: Tensor<1>,
    /// What is added then, `[output]`.
    pub shift: Tensor<1>,
    /// What follows.
    pub activation: Option<Activation>,
}

/// `activation(scale · convolution(input, weight) + shift)`.
///
/// # Shapes
/// As [`convolution`].
pub fn convolution_affine(input: Tensor<4>, weight: Tensor<4>, stride: usize, affine: Affine) -> Tensor<4> {
    check(&input, &weight);
    let Affine { scale, shift, activation } = affine;
    let [scale, shift] = [scale, shift].map(Tensor::into_dispatch);
    let output =
        Dispatch::convolution_affine(input.into_dispatch(), weight.into_dispatch(), scale, shift, stride, activation);
    Tensor::from_dispatch(output)
}

fn check(input: &Tensor<4>, weight: &Tensor<4>) {
    let ([_, channels, _, _], [output, seen, height, width]) = (input.dims(), weight.dims());
    assert!(height == width && height % 2 == 1, "a square kernel with an odd side");
    assert!(channels.is_multiple_of(seen) && output.is_multiple_of(channels / seen), "whole groups of channels");
}

fn options(input: &Shape, weight: &Shape, stride: usize) -> ConvOptions<2> {
    ConvOptions::new([stride; 2], [weight[2] / 2; 2], [1; 2], input[1] / weight[1])
}

/// Convolutions on each engine.
#[backend_extension(Cube: cfg(feature = "webgpu"), Flex, Fusion: cfg(feature = "webgpu"), Autodiff)]
pub trait ConvolutionBackend: Backend {
    /// See [`convolution`].
    #[fusion(default)]
    fn convolution(input: FloatTensor<Self>, weight: FloatTensor<Self>, stride: usize) -> FloatTensor<Self> {
        let options = options(&input.shape(), &weight.shape(), stride);
        Self::conv2d(input, weight, None, options)
    }

    /// See [`convolution_affine`].
    #[fusion(default)]
    fn convolution_affine(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        stride: usize,
        activation: Option<Activation>,
    ) -> FloatTensor<Self> {
        let channels = weight.shape()[0];
        let [scale, shift] = [scale, shift].map(|one| Self::float_reshape(one, Shape::new([1, channels, 1, 1])));
        let map = Self::float_add(Self::float_mul(Self::convolution(input, weight, stride), scale), shift);
        match activation {
            None => map,
            Some(Activation::Relu) => Self::relu(map),
            Some(Activation::Relu6) => Self::float_clamp(map, 0.0.into(), 6.0.into()),
        }
    }

    /// Gradient of the input from that of the output.
    #[fusion(default)]
    fn convolution_input_gradient(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        stride: usize,
    ) -> FloatTensor<Self> {
        let options = options(&input.shape(), &weight.shape(), stride);
        Self::conv2d_x_backward(input, weight, gradient, options)
    }

    /// Gradient of the weights from that of the output.
    #[fusion(default)]
    fn convolution_weight_gradient(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        stride: usize,
    ) -> FloatTensor<Self> {
        let options = options(&input.shape(), &weight.shape(), stride);
        Self::conv2d_weight_backward(input, weight, gradient, options)
    }
}

#[derive(Debug)]
struct ConvolutionStep;

impl<B: ConvolutionBackend> Backward<B, 2> for ConvolutionStep {
    type State = (FloatTensor<B>, FloatTensor<B>, usize);

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let [input_node, weight_node] = ops.parents;
        let gradient = grads.consume::<B>(&ops.node);
        let (input, weight, stride) = ops.state;
        if let Some(node) = weight_node {
            let to_weight = B::convolution_weight_gradient(input.clone(), weight.clone(), gradient.clone(), stride);
            grads.register::<B>(node.id, to_weight);
        }
        if let Some(node) = input_node {
            grads.register::<B>(node.id, B::convolution_input_gradient(input, weight, gradient, stride));
        }
    }
}

impl<B: ConvolutionBackend, C: CheckpointStrategy> ConvolutionBackend for Autodiff<B, C> {
    fn convolution(input: FloatTensor<Self>, weight: FloatTensor<Self>, stride: usize) -> FloatTensor<Self> {
        let nodes = [input.node(), weight.node()];
        let [input, weight] = [input, weight].map(|tensor| tensor.into_primitive());
        match ConvolutionStep.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let output = B::convolution(input.clone(), weight.clone(), stride);
                prep.finish((input, weight, stride), output)
            }
            OpsKind::UnTracked(prep) => prep.finish(B::convolution(input, weight, stride)),
        }
    }
}
