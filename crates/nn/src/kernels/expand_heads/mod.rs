//! Attention weights of a descendant, gathered from its ancestor's heads in one launch per layer (docs/methods.md,
//! section 1.5.1).
//!
//! Columns of `qkv` are ordered `[q, k, v][head][channel]`; taking whole runs of three heads' width instead would mix
//! queries, keys and values, the fault of the published code.

mod cpu;
#[cfg(feature = "webgpu")]
mod gpu;

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, Dispatch, backend_extension};
use burn::tensor::{Int, IntDType, Shape, Tensor};

/// Weights of an attention that belong to single heads; the projection's bias belongs to none.
#[derive(Clone, Debug)]
pub struct HeadWeights {
    /// `[embed_dim, 3 * heads * head_dim]`.
    pub qkv: Tensor<2>,
    /// `[3 * heads * head_dim]`, if q, k and v have biases.
    pub qkv_bias: Option<Tensor<1>>,
    /// `[heads * head_dim, embed_dim]`.
    pub proj: Tensor<2>,
}

/// Head `i` of the result has the weights of head `heads[i]`, its projection times `scales[i]`. The result carries no
/// gradients: it is a start value.
///
/// # Shapes
/// - heads: `[descendant heads]`, each below the ancestor's number of heads
/// - scales: `[descendant heads]`
///
/// # Panics
/// When the weights are not of whole heads of `head_dim` channels, or fit each other in no way.
pub fn expand_heads(weights: HeadWeights, heads: Tensor<1, Int>, scales: Tensor<1>, head_dim: usize) -> HeadWeights {
    let [_, columns] = weights.qkv.dims();
    let [count] = heads.dims();
    let has_bias = weights.qkv_bias.is_some();
    let device = weights.qkv.device().inner();
    let bias = weights.qkv_bias.unwrap_or_else(|| Tensor::zeros([columns], &device));
    check(&weights.qkv, &bias, &weights.proj, head_dim);
    assert_eq!(scales.dims(), [count], "one scale per head is needed");
    let (qkv, bias, proj) = Dispatch::expand_head_weights(
        weights.qkv.inner().into_dispatch(),
        bias.inner().into_dispatch(),
        weights.proj.inner().into_dispatch(),
        heads.inner().cast(IntDType::I32).into_dispatch(),
        scales.inner().into_dispatch(),
        head_dim,
    );
    let bias = Tensor::from_dispatch(bias);
    HeadWeights {
        qkv: Tensor::from_dispatch(qkv),
        qkv_bias: has_bias.then_some(bias),
        proj: Tensor::from_dispatch(proj),
    }
}

fn check(qkv: &Tensor<2>, bias: &Tensor<1>, proj: &Tensor<2>, head_dim: usize) {
    let ([width, columns], [rows, out]) = (qkv.dims(), proj.dims());
    assert!(head_dim > 0 && rows.is_multiple_of(head_dim), "{rows} channels are no heads of {head_dim}");
    assert_eq!([columns, out], [3 * rows, width], "qkv and projection are not of the same heads");
    assert_eq!(bias.dims(), [columns], "the bias of qkv differs from its columns");
}

/// The same gathering composed of tensor operations: the reference for tests and benchmarks.
pub fn expand_heads_reference(
    weights: HeadWeights,
    heads: Tensor<1, Int>,
    scales: Tensor<1>,
    head_dim: usize,
) -> HeadWeights {
    let [width, columns] = weights.qkv.dims();
    let (all, [count]) = (columns / 3 / head_dim, heads.dims());
    let qkv = weights.qkv.reshape([width, 3, all, head_dim]).select(2, heads.clone());
    let bias =
        |bias: Tensor<1>| bias.reshape([3, all, head_dim]).select(1, heads.clone()).reshape([3 * count * head_dim]);
    let proj = weights.proj.reshape([all, head_dim * width]).select(0, heads.clone()) * scales.reshape([count, 1]);
    HeadWeights {
        qkv: qkv.reshape([width, 3 * count * head_dim]),
        qkv_bias: weights.qkv_bias.map(bias),
        proj: proj.reshape([count * head_dim, width]),
    }
}

/// The gathering on each engine.
#[backend_extension(Cube: cfg(feature = "webgpu"), Flex, Fusion: cfg(feature = "webgpu"))]
pub trait ExpandHeadWeights: Backend {
    /// See [`expand_heads`]; returns weights and bias of qkv, and the projection.
    #[fusion(meta = gpu::specs)]
    fn expand_head_weights(
        qkv: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        proj: FloatTensor<Self>,
        heads: IntTensor<Self>,
        scales: FloatTensor<Self>,
        head_dim: usize,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);
}

/// Shapes of the gathered weights.
struct Shapes {
    qkv: Shape,
    bias: Shape,
    proj: Shape,
}

impl Shapes {
    fn new(qkv: &Shape, heads: usize, head_dim: usize) -> Self {
        let (width, channels) = (qkv[0], heads * head_dim);
        Self {
            qkv: Shape::from(vec![width, 3 * channels]),
            bias: Shape::from(vec![3 * channels]),
            proj: Shape::from(vec![channels, width]),
        }
    }
}
