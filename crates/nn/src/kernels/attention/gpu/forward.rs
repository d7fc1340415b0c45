//! The result, with the sums of exponentials or with what measuring asks for.

use cubecl::prelude::*;

use super::tile::{Tile, add, dot, load, store};
use crate::kernels::launch::{at_most, line_sum};

/// Below any score: the start of a running maximum.
const LOWEST: f32 = -1e30;

/// A cube for a tile of queries of one head of one sample. Keys and values stream past, and the softmax with them (as in
/// Milakov and Gimelshein 2018): sum and result are of weights relative to the highest score so far, and fade whenever a
/// higher one comes.
///
/// `numbers` takes the logarithm of each row's sum of exponentials; when `is_measured`, distance and entropy of the query.
#[cube(launch)]
pub(super) fn attention_kernel(
    qkv: &cubecl::prelude::Tensor<f32>,
    mixed: &mut cubecl::prelude::Tensor<f32>,
    numbers: &mut cubecl::prelude::Tensor<f32>,
    tokens: usize,
    heads: usize,
    scale: f32,
    grid: usize,
    prefix_tokens: usize,
    #[comptime] head_dim: usize,
    #[comptime] tile: Tile,
    #[comptime] is_measured: bool,
    #[comptime] renormalise: bool,
) {
    let (lane, line) = (UNIT_POS_X as usize, UNIT_POS_Y as usize);
    let (head, sample) = (CUBE_POS_Y as usize, CUBE_POS_Z as usize);
    let row = CUBE_POS_X as usize * comptime!(tile.kept) + line;
    let width = heads * head_dim;
    let base = sample * tokens * 3 * width + head * head_dim;
    let mut queries = Shared::<[f32]>::new_slice(comptime!(tile.kept * tile.stride()));
    let mut keys = Shared::<[f32]>::new_slice(comptime!(tile.streamed * tile.stride()));
    let mut values = Shared::<[f32]>::new_slice(comptime!(tile.streamed * tile.stride()));
    let mut scores = Shared::<[f32]>::new_slice(comptime!(tile.pairs()));
    let mut weights = Shared::<[f32]>::new_slice(comptime!(tile.pairs()));
    // Units without a query work on the last one and write nothing: all have to reach the barriers.
    let from = base + at_most(row, tokens - 1) * 3 * width;
    load(qkv, from, scale, &mut queries, line, lane, head_dim, tile);
    let mut own = Array::<f32>::new(comptime!(tile.slots));
    #[unroll]
    for slot in 0..comptime!(tile.slots) {
        own[slot] = 0.0f32;
    }
    let mut highest = f32::new(LOWEST);
    let mut sum = 0.0f32;
    let mut weighted = 0.0f32;
    let mut inside = 0.0f32;
    let mut distance = 0.0f32;
    let pair = line * comptime!(tile.streamed) + lane;
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
        let score = dot(&queries, line, &keys, lane, tile);
        let is_key = first + lane < tokens;
        let mut known = f32::new(LOWEST);
        if is_key {
            known = score;
        }
        scores[pair] = known;
        sync_cube();
        let mut top = highest;
        for i in 0..comptime!(tile.streamed) {
            top = max(top, scores[line * comptime!(tile.streamed) + i]);
        }
        let fade = f32::exp(highest - top);
        highest = top;
        let mut weight = 0.0f32;
        if is_key {
            weight = f32::exp(score - top);
        }
        weights[pair] = weight;
        sync_cube();
        sum *= fade;
        #[unroll]
        for slot in 0..comptime!(tile.slots) {
            own[slot] *= fade;
        }
        for i in 0..comptime!(tile.streamed) {
            let weight = weights[line * comptime!(tile.streamed) + i];
            sum += weight;
            add(&mut own, &values, i, lane, weight, tile);
        }
        if comptime!(is_measured) {
            // Of the lane's own keys; the lanes' sums are added in the end.
            let mut here = 0.0f32;
            if first + lane >= prefix_tokens {
                here = weight;
            }
            weighted = weighted * fade + weight * score;
            inside = inside * fade + here;
            distance = distance * fade + here * patch_distance(row, first + lane, grid, prefix_tokens);
        }
    }
    if comptime!(is_measured) {
        weighted = line_sum(&mut scores, weighted, line, lane, comptime!(tile.streamed));
        inside = line_sum(&mut scores, inside, line, lane, comptime!(tile.streamed));
        distance = line_sum(&mut scores, distance, line, lane, comptime!(tile.streamed));
    }
    if row < tokens {
        let from = (sample * tokens + row) * width + head * head_dim;
        store(&own, 1.0f32 / sum, mixed, from, lane, head_dim, tile);
        if lane == 0 {
            let at = (sample * heads + head) * tokens + row;
            if comptime!(is_measured) {
                if comptime!(!renormalise) {
                    inside = sum;
                }
                // Queries before the patches have no place to measure from.
                let mut away = 0.0f32;
                if row >= prefix_tokens {
                    away = distance / inside;
                }
                numbers[2 * at] = away;
                numbers[2 * at + 1] = f32::ln(sum) + highest - weighted / sum;
            } else {
                numbers[at] = f32::ln(sum) + highest;
            }
        }
    }
}

/// Distance between the centres of two tokens, in patches.
#[cube]
fn patch_distance(a: usize, b: usize, grid: usize, prefix_tokens: usize) -> f32 {
    let mut from = 0usize;
    if a > prefix_tokens {
        from = a - prefix_tokens;
    }
    let mut to = 0usize;
    if b > prefix_tokens {
        to = b - prefix_tokens;
    }
    let dx = f32::cast_from(from % grid) - f32::cast_from(to % grid);
    let dy = f32::cast_from(from / grid) - f32::cast_from(to / grid);
    f32::sqrt(dx * dx + dy * dy)
}
