//! The CPU engine's half.

use std::sync::atomic::Ordering;

use burn::backend::ops::FloatTensorOps;
use burn::backend::{Flex, TensorMetadata, tensor::FloatTensor};
use burn::tensor::{Slice, TensorData};

use super::{AttentionDistanceRows, LAUNCHES, LOWEST, rows_shape};
use crate::kernels::exp::exp_in_place;

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
