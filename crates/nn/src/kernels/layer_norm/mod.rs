//! Layer norm (Ba et al. 2016), forward and backward, one pass each.
//!
//! Composed of tensor operations the backward pass alone reads and writes the tokens some fifteen times.

mod cpu;
#[cfg(feature = "webgpu")]
mod gpu;

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, backend_extension};
use burn::tensor::{Shape, Tensor};

/// `(input - mean) / sqrt(variance + epsilon) · weight + bias`, over the last axis; the variance is the biased one.
///
/// # Shapes
/// - input: `[.., width]`
/// - weight, bias: `[width]`
/// - output: as the input
pub fn layer_norm<const D: usize>(input: Tensor<D>, weight: Tensor<1>, bias: Tensor<1>, epsilon: f64) -> Tensor<D> {
    let dims = input.dims();
    let width = dims[D - 1];
    assert_eq!([width; 2], [weight.dims()[0], bias.dims()[0]], "the norm is of another width");
    let rows = input.reshape([dims[..D - 1].iter().product(), width]).into_dispatch();
    let output = Dispatch::norm(rows, weight.into_dispatch(), bias.into_dispatch(), epsilon as f32);
    Tensor::<2>::from_dispatch(output).reshape(dims)
}

/// The same composed of tensor operations: the reference of tests and benchmarks.
pub fn layer_norm_composed<const D: usize>(
    input: Tensor<D>,
    weight: Tensor<1>,
    bias: Tensor<1>,
    epsilon: f64,
) -> Tensor<D> {
    let away = input.clone() - input.mean_dim(D - 1);
    let variance = away.clone().square().mean_dim(D - 1);
    away / (variance + epsilon).sqrt() * weight.unsqueeze() + bias.unsqueeze()
}

/// Layer norm on each engine.
#[backend_extension(Cube: cfg(feature = "webgpu"), Flex, Fusion: cfg(feature = "webgpu"), Autodiff)]
pub trait LayerNormBackend: Backend {
    /// See [`layer_norm`]: `[rows, width] -> [rows, width]`.
    #[fusion(default)]
    fn norm(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        epsilon: f32,
    ) -> FloatTensor<Self> {
        Self::norm_forward(input, weight, bias, epsilon).0
    }

    /// The result, and mean and reciprocal deviation of each row, `[rows, 2]`.
    #[fusion(meta = |input, _weight, _bias, _epsilon| (input.clone(), statistics_of(input)))]
    fn norm_forward(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        epsilon: f32,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);

    /// Gradients of input, weight and bias.
    #[fusion(meta = |input, weight, _statistics, _gradient| (input.clone(), weight.clone(), weight.clone()))]
    fn norm_backward(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        statistics: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);
}

#[cfg(feature = "webgpu")]
fn statistics_of(input: &burn::backend::fusion::custom::TensorSpec) -> burn::backend::fusion::custom::TensorSpec {
    burn::backend::fusion::custom::TensorSpec::new(statistics_shape(&input.shape), input.dtype)
}

fn statistics_shape(input: &Shape) -> Shape {
    Shape::new([input[0], 2])
}

#[derive(Debug)]
struct LayerNormStep;

impl<B: LayerNormBackend> Backward<B, 3> for LayerNormStep {
    type State = (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>);

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let gradient = grads.consume::<B>(&ops.node);
        let (input, weight, statistics) = ops.state;
        let (input, weight, bias) = B::norm_backward(input, weight, statistics, gradient);
        for (node, gradient) in ops.parents.into_iter().zip([input, weight, bias]) {
            if let Some(node) = node {
                grads.register::<B>(node.id, gradient);
            }
        }
    }
}

impl<B: LayerNormBackend, C: CheckpointStrategy> LayerNormBackend for Autodiff<B, C> {
    fn norm(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        epsilon: f32,
    ) -> FloatTensor<Self> {
        let nodes = [input.node(), weight.node(), bias.node()];
        let [input, weight, bias] = [input, weight, bias].map(|tensor| tensor.into_primitive());
        match LayerNormStep.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let (output, statistics) = B::norm_forward(input.clone(), weight.clone(), bias, epsilon);
                prep.finish((input, weight, statistics), output)
            }
            OpsKind::UnTracked(prep) => prep.finish(B::norm(input, weight, bias, epsilon)),
        }
    }

    fn norm_forward(
        _input: FloatTensor<Self>,
        _weight: FloatTensor<Self>,
        _bias: FloatTensor<Self>,
        _epsilon: f32,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        panic!("`norm` is what has a gradient");
    }

    fn norm_backward(
        _input: FloatTensor<Self>,
        _weight: FloatTensor<Self>,
        _statistics: FloatTensor<Self>,
        _gradient: FloatTensor<Self>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        panic!("the backward pass of `layer_norm` has no gradient of its own");
    }
}
