//! Gradients of queries, and of keys and values, from probabilities that are computed again.
//!
//! With probabilities `p`, gradient `g` of the result and `δ = g · result` of each query, the gradient of a scaled score
//! is `p · (g · v - δ)` (Dao et al. 2022).

use cubecl::prelude::*;

use super::tile::{Tile, add, dot, load, store};
use crate::kernels::launch::{at_most, line_sum};

/// A cube for a tile of queries of one head of one sample; keys and values stream past. Writes the queries' columns of
/// `output` and the `δ` of each.
#[cube(launch)]
pub(super) fn query_gradient_kernel(
    qkv: &cubecl::prelude::Tensor<f32>,
    mixed: &cubecl::prelude::Tensor<f32>,
    log_sums: &cubecl::prelude::Tensor<f32>,
    gradient: &cubecl::prelude::Tensor<f32>,
    output: &mut cubecl::prelude::Tensor<f32>,
    deltas: &mut cubecl::prelude::Tensor<f32>,
    tokens: usize,
    heads: usize,
    scale: f32,
    #[comptime] head_dim: usize,
    #[comptime] tile: Tile,
) {
    let (lane, line) = (UNIT_POS_X as usize, UNIT_POS_Y as usize);
    let (head, sample) = (CUBE_POS_Y as usize, CUBE_POS_Z as usize);
    let row = CUBE_POS_X as usize * comptime!(tile.kept) + line;
    // Units without a query work on the last one and write nothing: all have to reach the barriers.
    let read = at_most(row, tokens - 1);
    let width = heads * head_dim;
    let base = sample * tokens * 3 * width + head * head_dim;
    let result = (sample * tokens + read) * width + head * head_dim;
    let place = (sample * heads + head) * tokens + read;
    let mut queries = Shared::<[f32]>::new_slice(comptime!(tile.kept * tile.stride()));
    let mut gradients = Shared::<[f32]>::new_slice(comptime!(tile.kept * tile.stride()));
    let mut keys = Shared::<[f32]>::new_slice(comptime!(tile.streamed * tile.stride()));
    let mut values = Shared::<[f32]>::new_slice(comptime!(tile.streamed * tile.stride()));
    let mut slopes = Shared::<[f32]>::new_slice(comptime!(tile.pairs()));
    load(qkv, base + read * 3 * width, scale, &mut queries, line, lane, head_dim, tile);
    load(gradient, result, 1.0f32, &mut gradients, line, lane, head_dim, tile);
    let mut part = 0.0f32;
    for slot in 0..comptime!(tile.slots) {
        let channel = slot * comptime!(tile.streamed) + lane;
        if channel < head_dim {
            part += mixed[result + channel] * gradient[result + channel];
        }
    }
    let delta = line_sum(&mut slopes, part, line, lane, comptime!(tile.streamed));
    let log_sum = log_sums[place];
    let mut own = Array::<f32>::new(comptime!(tile.slots));
    #[unroll]
    for slot in 0..comptime!(tile.slots) {
        own[slot] = 0.0f32;
    }
    let tiles = tokens.div_ceil(comptime!(tile.streamed));
    for t in 0..tiles {
        let first = t * comptime!(tile.streamed);
        sync_cube();
        if line < comptime!(tile.streamed) {
            let from = base + width + at_most(first + line, tokens - 1) * 3 * width;
            load(qkv, from, 1.0f32, &mut keys, line, lane, head_dim, tile);
            load(qkv, from + width, 1.0f32, &mut values, line, lane, head_dim, tile);
        }
        sync_cube();
        let mut slope = 0.0f32;
        if first + lane < tokens {
            let probability = f32::exp(dot(&queries, line, &keys, lane, tile) - log_sum);
            slope = probability * (dot(&gradients, line, &values, lane, tile) - delta);
        }
        slopes[line * comptime!(tile.streamed) + lane] = slope;
        sync_cube();
        for i in 0..comptime!(tile.streamed) {
            add(&mut own, &keys, i, lane, slopes[line * comptime!(tile.streamed) + i], tile);
        }
    }
    if row < tokens {
        store(&own, scale, output, base + row * 3 * width, lane, head_dim, tile);
        if lane == 0 {
            deltas[place] = delta;
        }
    }
}

/// A cube for a tile of keys and their values of one head of one sample; queries and gradients of the result stream past.
/// Writes the keys' and the values' columns of `output`.
#[cube(launch)]
pub(super) fn key_value_gradient_kernel(
    qkv: &cubecl::prelude::Tensor<f32>,
    log_sums: &cubecl::prelude::Tensor<f32>,
    deltas: &cubecl::prelude::Tensor<f32>,
    gradient: &cubecl::prelude::Tensor<f32>,
    output: &mut cubecl::prelude::Tensor<f32>,
    tokens: usize,
    heads: usize,
    scale: f32,
    #[comptime] head_dim: usize,
    #[comptime] tile: Tile,
) {
    let (lane, line) = (UNIT_POS_X as usize, UNIT_POS_Y as usize);
    let (head, sample) = (CUBE_POS_Y as usize, CUBE_POS_Z as usize);
    let row = CUBE_POS_X as usize * comptime!(tile.kept) + line;
    let width = heads * head_dim;
    let base = sample * tokens * 3 * width + head * head_dim;
    let place = (sample * heads + head) * tokens;
    let mut keys = Shared::<[f32]>::new_slice(comptime!(tile.kept * tile.stride()));
    let mut values = Shared::<[f32]>::new_slice(comptime!(tile.kept * tile.stride()));
    let mut queries = Shared::<[f32]>::new_slice(comptime!(tile.streamed * tile.stride()));
    let mut gradients = Shared::<[f32]>::new_slice(comptime!(tile.streamed * tile.stride()));
    let mut probabilities = Shared::<[f32]>::new_slice(comptime!(tile.pairs()));
    let mut slopes = Shared::<[f32]>::new_slice(comptime!(tile.pairs()));
    let from = base + width + at_most(row, tokens - 1) * 3 * width;
    load(qkv, from, 1.0f32, &mut keys, line, lane, head_dim, tile);
    load(qkv, from + width, 1.0f32, &mut values, line, lane, head_dim, tile);
    let mut to_key = Array::<f32>::new(comptime!(tile.slots));
    let mut to_value = Array::<f32>::new(comptime!(tile.slots));
    #[unroll]
    for slot in 0..comptime!(tile.slots) {
        to_key[slot] = 0.0f32;
        to_value[slot] = 0.0f32;
    }
    let pair = line * comptime!(tile.streamed) + lane;
    let tiles = tokens.div_ceil(comptime!(tile.streamed));
    for t in 0..tiles {
        let first = t * comptime!(tile.streamed);
        sync_cube();
        if line < comptime!(tile.streamed) {
            let read = at_most(first + line, tokens - 1);
            // Scaled, so that what they add to the keys' gradient is, too.
            load(qkv, base + read * 3 * width, scale, &mut queries, line, lane, head_dim, tile);
            let from = (sample * tokens + read) * width + head * head_dim;
            load(gradient, from, 1.0f32, &mut gradients, line, lane, head_dim, tile);
        }
        sync_cube();
        let mut probability = 0.0f32;
        let mut slope = 0.0f32;
        if first + lane < tokens {
            let at = place + first + lane;
            probability = f32::exp(dot(&keys, line, &queries, lane, tile) - log_sums[at]);
            slope = probability * (dot(&values, line, &gradients, lane, tile) - deltas[at]);
        }
        probabilities[pair] = probability;
        slopes[pair] = slope;
        sync_cube();
        for i in 0..comptime!(tile.streamed) {
            let other = line * comptime!(tile.streamed) + i;
            add(&mut to_key, &queries, i, lane, slopes[other], tile);
            add(&mut to_value, &gradients, i, lane, probabilities[other], tile);
        }
    }
    if row < tokens {
        let from = base + width + row * 3 * width;
        store(&to_key, 1.0f32, output, from, lane, head_dim, tile);
        store(&to_value, 1.0f32, output, from + width, lane, head_dim, tile);
    }
}
