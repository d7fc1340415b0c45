//! Mean attention distance and entropy of every head in one pass over queries and keys (docs/methods.md,
//! section 1.1). The attention matrix `[heads, tokens, tokens]` is never stored: a streaming softmax over the
//! keys keeps four running sums per query, so peak memory does not grow with the square of the tokens.

use std::sync::atomic::{AtomicUsize, Ordering};

use burn::backend::TensorMetadata;
use burn::backend::ops::FloatTensorOps;
use burn::backend::{Backend, Dispatch, Flex, backend_extension, tensor::FloatTensor};
use burn::tensor::activation::softmax;
use burn::tensor::{Shape, Slice, Tensor, TensorData};
use burn_cubecl::kernel::into_contiguous;
use burn_wgpu::{CubeBackend, CubeTensor};
use cubecl::{CubeCount, CubeDim, prelude::*};

use super::exp::exp_in_place;

/// Queries one cube works on, one unit each.
const QUERIES: usize = 64;
/// Keys that lie in shared memory at a time: 32 keys of 128 channels are 16 KiB, what every WebGPU adapter has.
const KEYS: usize = 32;
/// Below any score: the start of a running maximum.
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
#[backend_extension(Cube, Flex, Fusion)]
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

#[cube(launch)]
fn attention_distance_kernel<F: Float>(
    query: &cubecl::prelude::Tensor<F>,
    key: &cubecl::prelude::Tensor<F>,
    output: &mut cubecl::prelude::Tensor<F>,
    #[comptime] tokens: usize,
    #[comptime] head_dim: usize,
    #[comptime] grid: usize,
    #[comptime] prefix_tokens: usize,
    #[comptime] renormalise: bool,
    #[define(F)] _dtype: ElemType,
) {
    let unit = UNIT_POS_X as usize;
    let row = CUBE_POS_X as usize * QUERIES + unit;
    let matrix = CUBE_POS_Y as usize * tokens;
    let mut own = Array::<F>::new(head_dim);
    let from = (matrix + clamp_max(row, tokens - 1)) * head_dim;
    let scale = F::new(1.0_f32) / F::sqrt(F::cast_from(head_dim as u32));
    for d in 0..head_dim {
        own[d] = query[from + d] * scale;
    }
    let patch = saturating_sub(row, prefix_tokens);
    let (x, y) = (patch % grid, patch / grid);
    let mut highest = F::new(LOWEST);
    let mut sum = F::new(0.0_f32);
    let mut weighted = F::new(0.0_f32);
    let mut inside = F::new(0.0_f32);
    let mut distance = F::new(0.0_f32);
    let mut keys = Shared::<[F]>::new_slice(comptime!(KEYS * head_dim));
    let tiles = comptime!(tokens.div_ceil(KEYS));
    for tile in 0..tiles {
        let first = tile * KEYS;
        let count = clamp_max(tokens - first, KEYS);
        sync_cube();
        let mut i = unit;
        while i < count * head_dim {
            keys[i] = key[(matrix + first) * head_dim + i];
            i += QUERIES;
        }
        sync_cube();
        for j in 0..count {
            let mut score = F::new(0.0_f32);
            for d in 0..head_dim {
                score += own[d] * keys[j * head_dim + d];
            }
            let top = max(score, highest);
            let fade = F::exp(highest - top);
            let weight = F::exp(score - top);
            highest = top;
            sum = sum * fade + weight;
            weighted = weighted * fade + weight * score;
            let mut here = F::new(0.0_f32);
            if first + j >= prefix_tokens {
                here = weight;
            }
            let other = saturating_sub(first + j, prefix_tokens);
            let dx = F::cast_from(x) - F::cast_from(other % grid);
            let dy = F::cast_from(y) - F::cast_from(other / grid);
            inside = inside * fade + here;
            distance = distance * fade + here * F::sqrt(dx * dx + dy * dy);
        }
    }
    if row < tokens {
        let at = (matrix + row) * 2;
        if comptime!(renormalise) {
            output[at] = distance / inside;
        } else {
            output[at] = distance / sum;
        }
        output[at + 1] = F::ln(sum) + highest - weighted / sum;
    }
}

#[cube]
fn clamp_max(value: usize, limit: usize) -> usize {
    let mut least = value;
    if value > limit {
        least = limit;
    }
    least
}

#[cube]
fn saturating_sub(value: usize, less: usize) -> usize {
    let mut rest = 0usize;
    if value > less {
        rest = value - less;
    }
    rest
}

impl AttentionDistanceRows for CubeBackend {
    fn attention_distance_rows(
        query: FloatTensor<Self>,
        key: FloatTensor<Self>,
        grid: usize,
        prefix_tokens: usize,
        renormalise: bool,
    ) -> FloatTensor<Self> {
        LAUNCHES.fetch_add(1, Ordering::Relaxed);
        let (query, key) = (into_contiguous(query), into_contiguous(key));
        let [batch, heads, tokens, head_dim] = query.meta.shape().dims();
        let dtype = query.dtype;
        let shape = rows_shape(query.meta.shape());
        let buffer = query.client.empty(shape.num_elements() * dtype.size());
        let (client, device) = (query.client.clone(), query.device.clone());
        let output = CubeTensor::new_contiguous(client, device, shape, buffer, dtype);
        attention_distance_kernel::launch(
            &output.client,
            CubeCount::Static(tokens.div_ceil(QUERIES) as u32, (batch * heads) as u32, 1),
            CubeDim::new_1d(QUERIES as u32),
            query.into_tensor_arg(),
            key.into_tensor_arg(),
            output.clone().into_tensor_arg(),
            tokens,
            head_dim,
            grid,
            prefix_tokens,
            renormalise,
            burn::backend::cubecl::dtype_to_storage_type(dtype),
        );
        output
    }
}

/// Queries whose scores lie in memory at a time on the CPU: 64 rows keep the matmul busy and stay in the cache.
const BLOCK: usize = 64;

impl AttentionDistanceRows for Flex {
    fn attention_distance_rows(
        query: FloatTensor<Self>,
        key: FloatTensor<Self>,
        grid: usize,
        prefix_tokens: usize,
        renormalise: bool,
    ) -> FloatTensor<Self> {
        LAUNCHES.fetch_add(1, Ordering::Relaxed);
        let shape = query.shape();
        let [batch, heads, tokens, head_dim] = shape.dims();
        let scale = 1.0 / (head_dim as f32).sqrt();
        let table = DistanceTable::new(grid);
        let mut output = Vec::with_capacity(batch * heads * tokens * 2);
        let cut = |tensor: &FloatTensor<Self>, matrix: [usize; 2], rows: std::ops::Range<usize>| {
            let [b, h] = matrix;
            let slices = [Slice::from(b..b + 1), Slice::from(h..h + 1), Slice::from(rows), Slice::from(0..head_dim)];
            Self::float_slice(tensor.clone(), &slices)
        };
        for matrix in (0..batch).flat_map(|b| (0..heads).map(move |h| [b, h])) {
            let keys = Self::float_swap_dims(cut(&key, matrix, 0..tokens), 2, 3);
            for first in (0..tokens).step_by(BLOCK) {
                let rows = first..(first + BLOCK).min(tokens);
                let scores = Self::float_matmul(cut(&query, matrix, rows.clone()), keys.clone());
                for (row, scores) in rows.zip(scores.storage::<f32>().chunks_exact(tokens)) {
                    let query = row.checked_sub(prefix_tokens);
                    let mut weights = scores.to_vec();
                    output.extend(table.row(&mut weights, scale, query, prefix_tokens, renormalise));
                }
            }
        }
        Self::float_from_data(TensorData::new(output, rows_shape(&shape)), &Default::default())
    }
}

/// Distances between patch centres in patches: one line per vertical distance, mirrored, so that the distances from
/// any query to a row of patches are one contiguous slice.
struct DistanceTable {
    grid: usize,
    lines: Vec<f32>,
}

impl DistanceTable {
    fn new(grid: usize) -> Self {
        let across = 2 * grid - 1;
        let lines = (0..grid * across).map(|i| {
            let (dy, dx) = (i / across, (i % across).abs_diff(grid - 1));
            ((dx * dx + dy * dy) as f32).sqrt()
        });
        Self { grid, lines: lines.collect() }
    }

    /// Distance (patches) and entropy of one query from its unscaled scores, which become weights.
    fn row(&self, scores: &mut [f32], scale: f32, query: Option<usize>, prefix: usize, renormalise: bool) -> [f32; 2] {
        let highest = scores.iter().fold(LOWEST, |top, &score| top.max(score));
        let mut shifted = scores.to_vec();
        for score in &mut shifted {
            *score = (*score - highest) * scale;
        }
        scores.copy_from_slice(&shifted);
        exp_in_place(scores);
        let sum = lanes_sum(scores);
        let weighted = lanes_dot(scores, &shifted);
        let entropy = sum.ln() - weighted / sum;
        let Some(query) = query else { return [0.0, entropy] };
        let (x, y, across) = (query % self.grid, query / self.grid, 2 * self.grid - 1);
        let patches = &scores[prefix..];
        let distance: f32 = (0..self.grid)
            .map(|row| {
                let from = y.abs_diff(row) * across + self.grid - 1 - x;
                lanes_dot(&patches[row * self.grid..][..self.grid], &self.lines[from..][..self.grid])
            })
            .sum();
        [distance / if renormalise { lanes_sum(patches) } else { sum }, entropy]
    }
}

/// Sum in eight lanes, which the compiler turns into SIMD (a plain float sum must keep its order).
fn lanes_sum(values: &[f32]) -> f32 {
    let (chunks, rest) = values.as_chunks::<8>();
    let mut lanes = [0.0; 8];
    for chunk in chunks {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane += value;
        }
    }
    lanes.iter().sum::<f32>() + rest.iter().sum::<f32>()
}

/// Dot product in eight lanes.
fn lanes_dot(a: &[f32], b: &[f32]) -> f32 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    let mut lanes = [0.0; 8];
    for (a, b) in a.iter().zip(b) {
        for ((lane, a), b) in lanes.iter_mut().zip(a).zip(b) {
            *lane += a * b;
        }
    }
    lanes.iter().sum::<f32>() + a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f32>()
}
