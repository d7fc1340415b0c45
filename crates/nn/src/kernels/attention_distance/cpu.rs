//! The CPU engine's half.

use std::sync::atomic::Ordering;

use burn::backend::ops::FloatTensorOps;
use burn::backend::{Flex, TensorMetadata, tensor::FloatTensor};
use burn::tensor::{Shape, Slice};
use heirloom_lanes as lanes;

use super::{AttentionDistanceRows, LAUNCHES, rows_shape};
use crate::kernels::flex::{product, tensor, transposed, values_mut};

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
        let table = lanes::DistanceTable::new(grid);
        let mut output = Vec::with_capacity(batch * heads * tokens * 2);
        let mut entropies = vec![0.0; BLOCK];
        let cut = |tensor: &FloatTensor<Self>, [b, h]: [usize; 2], rows: std::ops::Range<usize>| {
            let count = rows.len();
            let slices = [Slice::from(b..b + 1), Slice::from(h..h + 1), Slice::from(rows), Slice::from(0..head_dim)];
            Self::float_reshape(Self::float_slice(tensor.clone(), &slices), Shape::new([count, head_dim]))
        };
        for matrix in (0..batch).flat_map(|b| (0..heads).map(move |h| [b, h])) {
            let keys = transposed(cut(&key, matrix, 0..tokens));
            for first in (0..tokens).step_by(BLOCK) {
                let rows = first..(first + BLOCK).min(tokens);
                let entropies = &mut entropies[..rows.len()];
                let mut scores = product(cut(&query, matrix, rows.clone()), keys.clone());
                let scores = values_mut(&mut scores);
                lanes::softmax_rows_with_entropies(scores, tokens, scale, entropies);
                for ((row, probabilities), entropy) in rows.zip(scores.chunks_exact(tokens)).zip(entropies) {
                    let query = row.checked_sub(prefix_tokens);
                    output.extend([
                        table.row_of_probabilities(probabilities, query, prefix_tokens, renormalise),
                        *entropy,
                    ]);
                }
            }
        }
        tensor(output, rows_shape(&shape))
    }
}
