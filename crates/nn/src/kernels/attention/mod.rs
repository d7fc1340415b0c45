//! Attention straight from the fused `qkv`, forward and backward, and with what measuring needs.
//!
//! Nothing of the size `[tokens, tokens]` is kept for the backward pass: of each row of scores only the logarithm of its
//! sum of exponentials is (as in Dao et al. 2022), and the probabilities are computed again.

mod cpu;
#[cfg(feature = "webgpu")]
mod gpu;

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, AutodiffBackend, Backend, Dispatch, backend_extension};
use burn::tensor::activation::softmax;
use burn::tensor::{Shape, Tensor};

use super::attention_distance::{AttentionDistance, PatchGeometry, mean_rows};

/// Values mixed by `softmax(q · kᵀ / sqrt(head_dim))` in every head.
///
/// # Shapes
/// - qkv: `[batch, tokens, 3 * heads * head_dim]`, columns ordered `[q, k, v][head][channel]`
/// - output: `[batch, tokens, heads * head_dim]`
///
/// # Panics
/// When `qkv` is not three times as many columns as the heads can share.
pub fn attention(qkv: Tensor<3>, heads: usize) -> Tensor<3> {
    assert_eq!(qkv.dims()[2] % (3 * heads), 0, "queries, keys and values of {heads} heads");
    Tensor::from_dispatch(Dispatch::attention_mixed(qkv.into_dispatch(), heads))
}

/// [`attention`] that also tells mean attention distance and entropy of every head; it has no gradient.
///
/// # Panics
/// As [`attention`], and when the tokens are not `prefix_tokens + grid * grid`.
pub fn attention_measured(qkv: Tensor<3>, heads: usize, geometry: PatchGeometry) -> (Tensor<3>, AttentionDistance) {
    let [_, tokens, width] = qkv.dims();
    let PatchGeometry { grid, prefix_tokens, renormalise, .. } = geometry;
    assert_eq!(width % (3 * heads), 0, "queries, keys and values of {heads} heads");
    assert_eq!(tokens, prefix_tokens + grid * grid, "tokens are not prefix and patches");
    let qkv = qkv.into_dispatch();
    let (mixed, rows) = Dispatch::attention_and_distance(qkv, heads, grid, prefix_tokens, renormalise);
    (Tensor::from_dispatch(mixed), mean_rows(Tensor::from_dispatch(rows), geometry))
}

/// [`attention`] composed of tensor operations: the reference of tests and benchmarks.
pub fn attention_composed(qkv: Tensor<3>, heads: usize) -> Tensor<3> {
    let [batch, tokens, width] = qkv.dims();
    let head_dim = width / (3 * heads);
    let qkv = qkv.reshape([batch, tokens, 3, heads, head_dim]);
    let part = |i: usize| {
        let part = qkv.clone().narrow(2, i, 1);
        part.reshape([batch, tokens, heads, head_dim]).swap_dims(1, 2)
    };
    let [query, key, value] = [part(0), part(1), part(2)];
    let scores = query.matmul(key.transpose()) / (head_dim as f32).sqrt();
    softmax(scores, 3).matmul(value).swap_dims(1, 2).reshape([batch, tokens, heads * head_dim])
}

/// Attention on each engine.
#[backend_extension(Cube: cfg(feature = "webgpu"), Flex, Fusion: cfg(feature = "webgpu"), Autodiff)]
pub trait AttentionBackend: Backend {
    /// See [`attention`].
    #[fusion(default)]
    fn attention_mixed(qkv: FloatTensor<Self>, heads: usize) -> FloatTensor<Self> {
        Self::attention_forward(qkv, heads).0
    }

    /// The result, and of every row of scaled scores the logarithm of its sum of exponentials,
    /// `[batch, heads, tokens]`.
    #[fusion(meta = |qkv, heads| (spec(qkv, mixed_shape(&qkv.shape)), spec(qkv, rows_shape(&qkv.shape, *heads, 1))))]
    fn attention_forward(qkv: FloatTensor<Self>, heads: usize) -> (FloatTensor<Self>, FloatTensor<Self>);

    /// Gradient of `qkv` from the result's.
    #[fusion(dtype = qkv, shape = qkv)]
    fn attention_backward(
        qkv: FloatTensor<Self>,
        mixed: FloatTensor<Self>,
        log_sums: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        heads: usize,
    ) -> FloatTensor<Self>;

    /// The result, and attention distance (in patches) and entropy (nats) of every query,
    /// `[batch, heads, tokens, 2]`.
    #[fusion(meta = |qkv, heads, _grid, _prefix, _renormalise| (spec(qkv, mixed_shape(&qkv.shape)), spec(qkv, rows_shape(&qkv.shape, *heads, 2))))]
    fn attention_and_distance(
        qkv: FloatTensor<Self>,
        heads: usize,
        grid: usize,
        prefix_tokens: usize,
        renormalise: bool,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);
}

#[cfg(feature = "webgpu")]
fn spec(of: &burn::backend::fusion::custom::TensorSpec, shape: Shape) -> burn::backend::fusion::custom::TensorSpec {
    burn::backend::fusion::custom::TensorSpec::new(shape, of.dtype)
}

fn mixed_shape(qkv: &Shape) -> Shape {
    Shape::new([qkv[0], qkv[1], qkv[2] / 3])
}

/// `[batch, heads, tokens]`, or `[batch, heads, tokens, numbers]` of several.
fn rows_shape(qkv: &Shape, heads: usize, numbers: usize) -> Shape {
    match numbers {
        1 => Shape::new([qkv[0], heads, qkv[1]]),
        _ => Shape::new([qkv[0], heads, qkv[1], numbers]),
    }
}

#[derive(Debug)]
struct AttentionStep;

impl<B: AttentionBackend> Backward<B, 1> for AttentionStep {
    type State = (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>, usize);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let [node] = ops.parents;
        let gradient = grads.consume::<B>(&ops.node);
        let (qkv, mixed, log_sums, heads) = ops.state;
        if let Some(node) = node {
            grads.register::<B>(node.id, B::attention_backward(qkv, mixed, log_sums, gradient, heads));
        }
    }
}

impl<B: AttentionBackend, C: CheckpointStrategy> AttentionBackend for Autodiff<B, C> {
    fn attention_mixed(qkv: FloatTensor<Self>, heads: usize) -> FloatTensor<Self> {
        match AttentionStep.prepare::<C>([qkv.node()]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let qkv = qkv.into_primitive();
                let (mixed, log_sums) = B::attention_forward(qkv.clone(), heads);
                prep.finish((qkv, mixed.clone(), log_sums, heads), mixed)
            }
            OpsKind::UnTracked(prep) => prep.finish(B::attention_mixed(qkv.into_primitive(), heads)),
        }
    }

    fn attention_forward(_qkv: FloatTensor<Self>, _heads: usize) -> (FloatTensor<Self>, FloatTensor<Self>) {
        panic!("`attention_mixed` is what has a gradient");
    }

    fn attention_backward(
        _qkv: FloatTensor<Self>,
        _mixed: FloatTensor<Self>,
        _log_sums: FloatTensor<Self>,
        _gradient: FloatTensor<Self>,
        _heads: usize,
    ) -> FloatTensor<Self> {
        panic!("the backward pass of `attention` has no gradient of its own");
    }

    fn attention_and_distance(
        qkv: FloatTensor<Self>,
        heads: usize,
        grid: usize,
        prefix_tokens: usize,
        renormalise: bool,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let qkv = qkv.into_primitive();
        let (mixed, rows) = B::attention_and_distance(qkv, heads, grid, prefix_tokens, renormalise);
        (Self::from_inner(mixed), Self::from_inner(rows))
    }
}
