//! Mean attention distance and entropy of every head in one pass over queries and keys (docs/methods.md,
//! section 1.1). The attention matrix `[heads, tokens, tokens]` is never stored: a streaming softmax over the
//! keys keeps four running sums per query, so peak memory does not grow with the square of the tokens.

mod cpu;
#[cfg(feature = "webgpu")]
mod gpu;

use std::sync::atomic::{AtomicUsize, Ordering};

use burn::backend::{Backend, Dispatch, backend_extension, tensor::FloatTensor};
use burn::tensor::activation::softmax;
use burn::tensor::{Shape, Tensor, TensorData};

/// Below any score: the start of a running maximum.
#[cfg(feature = "webgpu")]
const LOWEST: f32 = -1e30;

static LAUNCHES: AtomicUsize = AtomicUsize::new(0);

/// How often the kernel or its CPU twin ran since the program started.
pub fn attention_distance_launches() -> usize {
    LAUNCHES.load(Ordering::Relaxed)
}

/// Where the patches of a picture lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PatchGeometry {
    /// Patches along one side.
    pub grid: usize,
    /// Side of a patch, px.
    pub patch_size: usize,
    /// Tokens before the patches.
    pub prefix_tokens: usize,
    /// Divide each query's attention to patches by its sum, instead of leaving out what the prefix tokens got.
    pub renormalise: bool,
}

/// What one pass over queries and keys tells of every head.
pub struct AttentionDistance {
    /// Mean attention distance over the patch queries, px, `[batch, heads]`.
    pub distance: Tensor<2>,
    /// Mean entropy of the attention of all queries over all keys, nats, `[batch, heads]`.
    pub entropy: Tensor<2>,
}

/// Mean attention distance and entropy of every head.
///
/// # Shapes
/// - query, key: `[batch, heads, tokens, head_dim]`, unscaled; scores are divided by `sqrt(head_dim)` here.
///
/// # Panics
/// When the tokens are not `prefix_tokens + grid * grid`.
pub fn attention_distance(query: Tensor<4>, key: Tensor<4>, geometry: PatchGeometry) -> AttentionDistance {
    let [batch, heads, tokens, head_dim] = query.dims();
    let PatchGeometry { grid, prefix_tokens, renormalise, .. } = geometry;
    assert_eq!(key.dims(), [batch, heads, tokens, head_dim], "queries and keys differ in shape");
    assert_eq!(tokens, prefix_tokens + grid * grid, "tokens are not prefix and patches");
    let (query, key) = (query.into_dispatch(), key.into_dispatch());
    let rows = Dispatch::attention_distance_rows(query, key, grid, prefix_tokens, renormalise);
    mean_rows(Tensor::from_dispatch(rows), geometry)
}

/// Means over the queries of what was found for each, `[batch, heads, tokens, 2]`.
pub(super) fn mean_rows(rows: Tensor<4>, geometry: PatchGeometry) -> AttentionDistance {
    let [batch, heads, _, _] = rows.dims();
    let PatchGeometry { grid, patch_size, prefix_tokens, .. } = geometry;
    let patches = rows.clone().narrow(2, prefix_tokens, grid * grid).narrow(3, 0, 1);
    let distance = patches.mean_dim(2).reshape([batch, heads]) * patch_size as f32;
    let entropy = rows.narrow(3, 1, 1).mean_dim(2).reshape([batch, heads]);
    AttentionDistance { distance, entropy }
}

/// The same composed of tensor operations, which stores the attention matrix: the reference of tests and benchmarks.
///
/// # Shapes
/// As [`attention_distance`].
pub fn attention_distance_composed(query: Tensor<4>, key: Tensor<4>, geometry: PatchGeometry) -> AttentionDistance {
    let [batch, heads, _, head_dim] = query.dims();
    let attention = softmax(query.matmul(key.transpose()) / (head_dim as f32).sqrt(), 3);
    let entropy = (attention.clone() * attention.clone().clamp_min(1e-12).log()).sum_dim(3).mean_dim(2).neg();
    AttentionDistance { distance: distance_of(attention, geometry), entropy: entropy.reshape([batch, heads]) }
}

/// Mean attention distance of every head from its attention; unlike the kernel's it has a gradient.
///
/// # Shapes
/// - attention: `[batch, heads, tokens, tokens]`, rows (queries) sum to 1
/// - output: px, `[batch, heads]`
pub fn distance_of(attention: Tensor<4>, geometry: PatchGeometry) -> Tensor<2> {
    let [batch, heads, tokens, _] = attention.dims();
    let PatchGeometry { grid, patch_size, prefix_tokens, renormalise } = geometry;
    let patches = grid * grid;
    debug_assert_eq!(tokens, prefix_tokens + patches);
    let distances = (0..patches * patches).map(|i| {
        let (a, b) = (i / patches, i % patches);
        let (dx, dy) = ((a % grid).abs_diff(b % grid), (a / grid).abs_diff(b / grid));
        patch_size as f32 * ((dx * dx + dy * dy) as f32).sqrt()
    });
    let distances = TensorData::new(distances.collect::<Vec<f32>>(), [1, 1, patches, patches]);
    let distances = Tensor::<4>::from_data(distances, &attention.device());
    let inside = attention.narrow(2, prefix_tokens, patches).narrow(3, prefix_tokens, patches);
    let inside = if renormalise { inside.clone() / inside.sum_dim(3) } else { inside };
    (inside * distances).sum_dim(3).mean_dim(2).reshape([batch, heads])
}

/// The pass itself, on each engine.
#[backend_extension(Cube: cfg(feature = "webgpu"), Flex, Fusion: cfg(feature = "webgpu"))]
pub trait AttentionDistanceRows: Backend {
    /// Attention distance (in patches) and entropy (nats) of each query: `[batch, heads, tokens, 2]`.
    #[fusion(dtype = query, shape = rows_shape(query))]
    fn attention_distance_rows(
        query: FloatTensor<Self>,
        key: FloatTensor<Self>,
        grid: usize,
        prefix_tokens: usize,
        renormalise: bool,
    ) -> FloatTensor<Self>;
}

fn rows_shape(query: &Shape) -> Shape {
    Shape::from(vec![query[0], query[1], query[2], 2])
}
