//! Linear layers as products of two matrices, with gradients of their own, and GELU behind one of them.
//!
//! A library that keeps the batch apart multiplies a layer's weights once for each sample, and makes the weights'
//! gradient of as many products, which it then adds. Here all rows of all samples are one matrix, on both engines.

mod cpu;
#[cfg(feature = "webgpu")]
mod gpu;

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, TensorMetadata, backend_extension};
use burn::nn::Linear;
use burn::tensor::{Shape, Tensor};

use super::gelu::GeluBackend;

/// `input · weight + bias`.
///
/// # Shapes
/// `[.., inputs] -> [.., outputs]`
pub fn linear<const D: usize>(layer: &Linear, input: Tensor<D>) -> Tensor<D> {
    let weight = layer.weight.val();
    let Some(bias) = &layer.bias else {
        let shape = widened(input.dims(), weight.dims());
        return rows(input).matmul(weight).reshape(shape);
    };
    apply(input, weight, bias.val(), Dispatch::linear_forward)
}

/// `gelu(input · weight + bias)`, as of a feed-forward network's first layer.
///
/// # Shapes
/// `[.., inputs] -> [.., outputs]`
pub fn linear_gelu<const D: usize>(layer: &Linear, input: Tensor<D>) -> Tensor<D> {
    let Some(bias) = &layer.bias else { return super::gelu(linear(layer, input)) };
    apply(input, layer.weight.val(), bias.val(), Dispatch::linear_gelu)
}

type Operation = fn(FloatTensor<Dispatch>, FloatTensor<Dispatch>, FloatTensor<Dispatch>) -> FloatTensor<Dispatch>;

fn apply<const D: usize>(input: Tensor<D>, weight: Tensor<2>, bias: Tensor<1>, operation: Operation) -> Tensor<D> {
    let shape = widened(input.dims(), weight.dims());
    let output = operation(rows(input).into_dispatch(), weight.into_dispatch(), bias.into_dispatch());
    Tensor::<2>::from_dispatch(output).reshape(shape)
}

fn rows<const D: usize>(input: Tensor<D>) -> Tensor<2> {
    let dims = input.dims();
    let width = dims[D - 1];
    input.reshape([dims[..D - 1].iter().product(), width])
}

fn widened<const D: usize>(mut dims: [usize; D], [inputs, outputs]: [usize; 2]) -> [usize; D] {
    assert_eq!(dims[D - 1], inputs, "the layer takes {inputs} inputs");
    dims[D - 1] = outputs;
    dims
}

/// Linear layers on each engine.
#[backend_extension(Cube: cfg(feature = "webgpu"), Flex, Fusion: cfg(feature = "webgpu"), Autodiff)]
pub trait LinearBackend: Backend + GeluBackend {
    /// `[rows, inputs] · [inputs, outputs] + [outputs]`.
    #[fusion(default)]
    fn linear_forward(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let width = bias.shape()[0];
        let bias = Self::float_reshape(bias, Shape::new([1, width]));
        Self::float_add(Self::float_matmul(input, weight), bias)
    }

    /// The product before GELU and the result behind it.
    #[fusion(default)]
    fn linear_gelu_forward(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let before = Self::linear_forward(input, weight, bias);
        (before.clone(), Self::gelu_forward(before))
    }

    /// See [`linear_gelu`].
    #[fusion(default)]
    fn linear_gelu(input: FloatTensor<Self>, weight: FloatTensor<Self>, bias: FloatTensor<Self>) -> FloatTensor<Self> {
        Self::linear_gelu_forward(input, weight, bias).1
    }

    /// Gradient of the input from that of the output: `gradient · weightᵀ`.
    #[fusion(default)]
    fn linear_input_gradient(weight: FloatTensor<Self>, gradient: FloatTensor<Self>) -> FloatTensor<Self> {
        Self::float_matmul(gradient, Self::float_transpose(weight))
    }

    /// Gradient of the weights from that of the output: `inputᵀ · gradient`.
    #[fusion(default)]
    fn linear_weight_gradient(input: FloatTensor<Self>, gradient: FloatTensor<Self>) -> FloatTensor<Self> {
        Self::float_matmul(Self::float_transpose(input), gradient)
    }

    /// Gradient of the biases from that of the output: sums over the rows.
    #[fusion(default)]
    fn linear_bias_gradient(gradient: FloatTensor<Self>) -> FloatTensor<Self> {
        let width = gradient.shape()[1];
        Self::float_reshape(Self::float_sum_dim(gradient, 0), Shape::new([width]))
    }
}

/// The backward pass; with the product before GELU where that stands behind it.
#[derive(Debug)]
struct LinearStep;

impl<B: LinearBackend> Backward<B, 3> for LinearStep {
    type State = (FloatTensor<B>, FloatTensor<B>, Option<FloatTensor<B>>);

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let [input_node, weight_node, bias_node] = ops.parents;
        let gradient = grads.consume::<B>(&ops.node);
        let (input, weight, before) = ops.state;
        let gradient = match before {
            Some(before) => B::gelu_gradient(before, gradient),
            None => gradient,
        };
        if let Some(node) = bias_node {
            grads.register::<B>(node.id, B::linear_bias_gradient(gradient.clone()));
        }
        if let Some(node) = weight_node {
            grads.register::<B>(node.id, B::linear_weight_gradient(input, gradient.clone()));
        }
        if let Some(node) = input_node {
            grads.register::<B>(node.id, B::linear_input_gradient(weight, gradient));
        }
    }
}

impl<B: LinearBackend, C: CheckpointStrategy> LinearBackend for Autodiff<B, C> {
    fn linear_forward(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let nodes = [input.node(), weight.node(), bias.node()];
        let [input, weight, bias] = [input, weight, bias].map(|tensor| tensor.into_primitive());
        match LinearStep.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let output = B::linear_forward(input.clone(), weight.clone(), bias);
                prep.finish((input, weight, None), output)
            }
            OpsKind::UnTracked(prep) => prep.finish(B::linear_forward(input, weight, bias)),
        }
    }

    fn linear_gelu(input: FloatTensor<Self>, weight: FloatTensor<Self>, bias: FloatTensor<Self>) -> FloatTensor<Self> {
        let nodes = [input.node(), weight.node(), bias.node()];
        let [input, weight, bias] = [input, weight, bias].map(|tensor| tensor.into_primitive());
        match LinearStep.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let (before, output) = B::linear_gelu_forward(input.clone(), weight.clone(), bias);
                prep.finish((input, weight, Some(before)), output)
            }
            OpsKind::UnTracked(prep) => prep.finish(B::linear_gelu(input, weight, bias)),
        }
    }
}
