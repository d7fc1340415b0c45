//! The GPU's half.

use std::sync::atomic::Ordering;

use burn::backend::tensor::FloatTensor;
use burn_cubecl::kernel::into_contiguous;
use burn_wgpu::{CubeBackend, CubeTensor};
use cubecl::{CubeCount, CubeDim, prelude::*};

use super::{AttentionDistanceRows, LAUNCHES, LOWEST, rows_shape};

/// Queries one cube works on, one unit each.
const QUERIES: usize = 64;
/// Keys that lie in shared memory at a time: 32 keys of 128 channels are 16 KiB, what every WebGPU adapter has.
const KEYS: usize = 32;

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
