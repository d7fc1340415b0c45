//! The learnable map of a feed-forward group, forward and backward (docs/methods.md, section 1.5.4).
//!
//! `W + Δ_t(W)`, where Δ is an MLP `1 → k → k` with ReLU applied to every weight and t one of its outputs. Composed of
//! tensor operations the hidden layer alone would hold `k` copies of the weights for the backward pass; here forward
//! keeps nothing but its inputs and backward computes the hidden layer again.
//!
//! The MLP's weights are one tensor `[k + 3, k]`: row 0 the first layer's weights, row 1 its biases, row 2 the last
//! layer's biases, row `3 + j` the last layer's weights of hidden unit `j` (column `t` = output `t`).

mod cpu;
#[cfg(feature = "webgpu")]
mod gpu;

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, backend_extension};
use burn::tensor::Tensor;
use burn::tensor::activation::relu;

/// Rows of the map's tensor before the last layer's weights.
pub const MAP_ROWS: usize = 3;
/// Sums one unit keeps for each hidden unit: of the gradient times the hidden value, and of the gradient where the
/// hidden unit is active, with and without the weight as a factor. One more, at the end, is of the gradient alone.
const SUMS: usize = 3;

/// Applies output `layer` of a map to weights of any shape.
///
/// # Shapes
/// - weight: any
/// - map: `[k + 3, k]`
///
/// # Panics
/// When the map has another shape, or no such output.
pub fn ffn_map<const D: usize>(weight: Tensor<D>, map: Tensor<2>, layer: usize) -> Tensor<D> {
    let [rows, outputs] = map.dims();
    assert_eq!(rows, outputs + MAP_ROWS, "a map of {outputs} layers has {} rows", outputs + MAP_ROWS);
    assert!(layer < outputs, "the map has {outputs} outputs, and output {layer} was asked for");
    Tensor::from_dispatch(Dispatch::ffn_map_forward(weight.into_dispatch(), map.into_dispatch(), layer))
}

/// The same map composed of tensor operations: the reference for tests and benchmarks.
pub fn ffn_map_reference<const D: usize>(weight: Tensor<D>, map: Tensor<2>, layer: usize) -> Tensor<D> {
    let shape = weight.dims();
    let [_, outputs] = map.dims();
    let flat = weight.clone().reshape([shape.iter().product::<usize>(), 1]);
    let hidden = relu(flat.matmul(map.clone().narrow(0, 0, 1)) + map.clone().narrow(0, 1, 1));
    let last = map.clone().narrow(0, MAP_ROWS, outputs).narrow(1, layer, 1);
    let delta = hidden.matmul(last) + map.narrow(0, 2, 1).narrow(1, layer, 1);
    weight + delta.reshape(shape)
}

/// The map on each engine.
#[backend_extension(Cube: cfg(feature = "webgpu"), Flex, Fusion: cfg(feature = "webgpu"), Autodiff)]
pub trait FfnMapBackend: Backend {
    /// See [`ffn_map`].
    #[fusion(dtype = weight, shape = weight)]
    fn ffn_map_forward(weight: FloatTensor<Self>, map: FloatTensor<Self>, layer: usize) -> FloatTensor<Self>;

    /// Gradients of weight and map from the gradient of the result.
    #[fusion(meta = |weight, map, _gradient, _layer| (weight.clone(), map.clone()))]
    fn ffn_map_backward(
        weight: FloatTensor<Self>,
        map: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        layer: usize,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);
}

#[derive(Debug)]
struct FfnMapStep;

impl<B: Backend + FfnMapBackend> Backward<B, 2> for FfnMapStep {
    type State = (FloatTensor<B>, FloatTensor<B>, usize);

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let [weight_node, map_node] = ops.parents;
        let gradient = grads.consume::<B>(&ops.node);
        let (weight, map, layer) = ops.state;
        let (weight, map) = B::ffn_map_backward(weight, map, gradient, layer);
        if let Some(node) = weight_node {
            grads.register::<B>(node.id, weight);
        }
        if let Some(node) = map_node {
            grads.register::<B>(node.id, map);
        }
    }
}

impl<B: Backend + FfnMapBackend, C: CheckpointStrategy> FfnMapBackend for Autodiff<B, C> {
    fn ffn_map_forward(weight: FloatTensor<Self>, map: FloatTensor<Self>, layer: usize) -> FloatTensor<Self> {
        match FfnMapStep.prepare::<C>([weight.node(), map.node()]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let (weight, map) = (weight.into_primitive(), map.into_primitive());
                let output = B::ffn_map_forward(weight.clone(), map.clone(), layer);
                prep.finish((weight, map, layer), output)
            }
            OpsKind::UnTracked(prep) => {
                prep.finish(B::ffn_map_forward(weight.into_primitive(), map.into_primitive(), layer))
            }
        }
    }

    fn ffn_map_backward(
        _weight: FloatTensor<Self>,
        _map: FloatTensor<Self>,
        _gradient: FloatTensor<Self>,
        _layer: usize,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        panic!("the backward pass of `ffn_map` has no gradient of its own");
    }
}
