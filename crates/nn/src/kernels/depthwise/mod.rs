//! Depthwise 3×3 convolutions, forward and backward.
//!
//! The CPU engine of the library makes the weight gradient of a convolution in groups of one slice a channel each, of
//! which a MobileNetV2 has up to 960.

mod cpu;
#[cfg(feature = "webgpu")]
mod gpu;

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, TensorMetadata, backend_extension};
use burn::tensor::Tensor;
use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;

/// Each channel with a 3×3 kernel of its own, padding 1, stride 1 or 2.
///
/// # Shapes
/// - input: `[batch, channels, height, width]`
/// - weight: `[channels, 1, 3, 3]`
/// - output: `[batch, channels, height / stride, width / stride]`, rounded up
pub fn depthwise(input: Tensor<4>, weight: Tensor<4>, stride: usize) -> Tensor<4> {
    let channels = input.dims()[1];
    assert_eq!(weight.dims(), [channels, 1, 3, 3], "one 3×3 kernel for each channel");
    assert!(stride == 1 || stride == 2, "strides are 1 or 2");
    Tensor::from_dispatch(Dispatch::depthwise_convolution(input.into_dispatch(), weight.into_dispatch(), stride))
}

/// The same by the library's convolution in groups: the reference of tests and benchmarks.
pub fn depthwise_composed(input: Tensor<4>, weight: Tensor<4>, stride: usize) -> Tensor<4> {
    let options = options(input.dims()[1], stride);
    conv2d(input, weight, None, options)
}

fn options(channels: usize, stride: usize) -> ConvOptions<2> {
    ConvOptions::new([stride; 2], [1; 2], [1; 2], channels)
}

/// Depthwise convolutions on each engine.
#[backend_extension(Cube: cfg(feature = "webgpu"), Flex, Fusion: cfg(feature = "webgpu"), Autodiff)]
pub trait DepthwiseBackend: Backend {
    /// See [`depthwise`].
    #[fusion(default)]
    fn depthwise_convolution(input: FloatTensor<Self>, weight: FloatTensor<Self>, stride: usize) -> FloatTensor<Self> {
        let options = options(weight.shape()[0], stride);
        Self::conv2d(input, weight, None, options)
    }

    /// Gradient of the input from that of the output.
    #[fusion(default)]
    fn depthwise_input_gradient(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        stride: usize,
    ) -> FloatTensor<Self> {
        let options = options(weight.shape()[0], stride);
        Self::conv2d_x_backward(input, weight, gradient, options)
    }

    /// Gradient of the weights from that of the output.
    #[fusion(default)]
    fn depthwise_weight_gradient(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        stride: usize,
    ) -> FloatTensor<Self> {
        let options = options(weight.shape()[0], stride);
        Self::conv2d_weight_backward(input, weight, gradient, options)
    }
}

#[derive(Debug)]
struct DepthwiseStep;

impl<B: DepthwiseBackend> Backward<B, 2> for DepthwiseStep {
    type State = (FloatTensor<B>, FloatTensor<B>, usize);

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let [input_node, weight_node] = ops.parents;
        let gradient = grads.consume::<B>(&ops.node);
        let (input, weight, stride) = ops.state;
        if let Some(node) = weight_node {
            let to_weight = B::depthwise_weight_gradient(input.clone(), weight.clone(), gradient.clone(), stride);
            grads.register::<B>(node.id, to_weight);
        }
        if let Some(node) = input_node {
            grads.register::<B>(node.id, B::depthwise_input_gradient(input, weight, gradient, stride));
        }
    }
}

impl<B: DepthwiseBackend, C: CheckpointStrategy> DepthwiseBackend for Autodiff<B, C> {
    fn depthwise_convolution(input: FloatTensor<Self>, weight: FloatTensor<Self>, stride: usize) -> FloatTensor<Self> {
        let nodes = [input.node(), weight.node()];
        let [input, weight] = [input, weight].map(|tensor| tensor.into_primitive());
        match DepthwiseStep.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let output = B::depthwise_convolution(input.clone(), weight.clone(), stride);
                prep.finish((input, weight, stride), output)
            }
            OpsKind::UnTracked(prep) => prep.finish(B::depthwise_convolution(input, weight, stride)),
        }
    }
}
