//! Attention of the CPU engine: a block of queries at a time, read from `qkv` where they lie.

use std::ops::Range;

use burn::backend::tensor::FloatTensor;
use burn::backend::{Flex, TensorMetadata};
use heirloom_lanes::{self as lanes, Matrix, Onto, gemm};

use super::{AttentionBackend, mixed_shape, rows_shape};
use crate::kernels::flex::{tensor, values};

/// Queries whose scores lie in memory at a time.
const BLOCK: usize = 128;

/// Where queries, keys and values of one head of one sample lie.
#[derive(Clone, Copy)]
struct Head {
    tokens: usize,
    head_dim: usize,
    /// Columns of the heads together.
    width: usize,
    sample: usize,
    head: usize,
}

impl Head {
    /// First element of the head's queries (0), keys (1) or values (2) of a token in `qkv`.
    fn at(&self, part: usize, token: usize) -> usize {
        (self.sample * self.tokens + token) * 3 * self.width + part * self.width + self.head * self.head_dim
    }

    fn part<'a>(&self, qkv: &'a [f32], part: usize, rows: Range<usize>) -> Matrix<'a> {
        Matrix::strided(&qkv[self.at(part, rows.start)..], rows.len(), self.head_dim, 3 * self.width)
    }

    /// First element of a token of this head in the result.
    fn mixed_at(&self, token: usize) -> usize {
        (self.sample * self.tokens + token) * self.width + self.head * self.head_dim
    }

    fn mixed<'a>(&self, mixed: &'a [f32], rows: Range<usize>) -> Matrix<'a> {
        Matrix::strided(&mixed[self.mixed_at(rows.start)..], rows.len(), self.head_dim, self.width)
    }

    fn scale(&self) -> f32 {
        1.0 / (self.head_dim as f32).sqrt()
    }

    fn blocks(&self) -> impl Iterator<Item = Range<usize>> {
        let tokens = self.tokens;
        (0..tokens).step_by(BLOCK).map(move |from| from..(from + BLOCK).min(tokens))
    }

    /// Unscaled scores of some queries: `[rows, tokens]`.
    fn scores(&self, qkv: &[f32], rows: Range<usize>, scores: &mut [f32]) {
        let keys = self.part(qkv, 1, 0..self.tokens).transposed();
        gemm(self.part(qkv, 0, rows), keys, scores, self.tokens, Onto::Nothing);
    }
}

fn heads_of(qkv: &FloatTensor<Flex>, heads: usize) -> impl Iterator<Item = Head> + use<> {
    let [batch, tokens, columns] = qkv.shape().dims();
    let width = columns / 3;
    let head_dim = width / heads;
    (0..batch).flat_map(move |sample| (0..heads).map(move |head| Head { tokens, head_dim, width, sample, head }))
}

/// Mixes every head; `soften` turns a block of unscaled scores, `[rows, tokens]`, into probabilities, and is told the
/// head's place among all, the block's queries and the scale.
fn forward(
    qkv: &FloatTensor<Flex>,
    heads: usize,
    mut soften: impl FnMut(usize, Range<usize>, &mut [f32], f32),
) -> FloatTensor<Flex> {
    let shape = mixed_shape(&qkv.shape());
    let all = values(qkv);
    let mut mixed = vec![0.0; shape.num_elements()];
    let tokens = shape[1];
    let mut scores = vec![0.0; BLOCK.min(tokens) * tokens];
    for (place, head) in heads_of(qkv, heads).enumerate() {
        for rows in head.blocks() {
            let scores = &mut scores[..rows.len() * tokens];
            head.scores(all, rows.clone(), scores);
            soften(place, rows.clone(), scores, head.scale());
            let (mixing, value) = (Matrix::new(scores, rows.len(), tokens), head.part(all, 2, 0..tokens));
            gemm(mixing, value, &mut mixed[head.mixed_at(rows.start)..], head.width, Onto::Nothing);
        }
    }
    tensor(mixed, shape)
}

impl AttentionBackend for Flex {
    fn attention_forward(qkv: FloatTensor<Self>, heads: usize) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let qkv = qkv.to_contiguous();
        let shape = rows_shape(&qkv.shape(), heads, 1);
        let tokens = shape[2];
        let mut log_sums = vec![0.0; shape.num_elements()];
        let mixed = forward(&qkv, heads, |place, rows, scores, scale| {
            let log_sums = &mut log_sums[place * tokens..][rows];
            lanes::softmax_rows_with_lse(scores, tokens, scale, log_sums);
        });
        (mixed, tensor(log_sums, shape))
    }

    fn attention_backward(
        qkv: FloatTensor<Self>,
        _mixed: FloatTensor<Self>,
        log_sums: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        heads: usize,
    ) -> FloatTensor<Self> {
        let [qkv, log_sums, gradient] = [qkv, log_sums, gradient].map(|tensor| tensor.to_contiguous());
        let shape = qkv.shape();
        let (all, log_sums, gradient) = (values(&qkv), values(&log_sums), values(&gradient));
        let mut output = vec![0.0; shape.num_elements()];
        let tokens = shape[1];
        let mut probabilities = vec![0.0; BLOCK.min(tokens) * tokens];
        let mut slopes = probabilities.clone();
        for (place, head) in heads_of(&qkv, heads).enumerate() {
            let stride = 3 * head.width;
            for rows in head.blocks() {
                let onto = if rows.start == 0 { Onto::Nothing } else { Onto::Sum };
                let count = rows.len();
                let probabilities = &mut probabilities[..count * tokens];
                let slopes = &mut slopes[..count * tokens];
                head.scores(all, rows.clone(), probabilities);
                let log_sums = &log_sums[place * tokens..][rows.clone()];
                lanes::probabilities_from_lse(probabilities, tokens, head.scale(), log_sums);
                let coming = head.mixed(gradient, rows.clone());
                let values = head.part(all, 2, 0..tokens);
                gemm(coming, values.transposed(), slopes, tokens, Onto::Nothing);
                let mixing = Matrix::new(probabilities, count, tokens);
                gemm(mixing.transposed(), coming, &mut output[head.at(2, 0)..], stride, onto);
                lanes::softmax_gradient_rows(probabilities, slopes, tokens, head.scale());
                let slopes = Matrix::new(slopes, count, tokens);
                let (query, key) = (head.part(all, 0, rows.clone()), head.part(all, 1, 0..tokens));
                gemm(slopes, key, &mut output[head.at(0, rows.start)..], stride, Onto::Nothing);
                gemm(slopes.transposed(), query, &mut output[head.at(1, 0)..], stride, onto);
            }
        }
        tensor(output, shape)
    }

    fn attention_and_distance(
        qkv: FloatTensor<Self>,
        heads: usize,
        grid: usize,
        prefix_tokens: usize,
        renormalise: bool,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let qkv = qkv.to_contiguous();
        let shape = rows_shape(&qkv.shape(), heads, 2);
        let tokens = shape[2];
        let table = lanes::DistanceTable::new(grid);
        let mut entropies = vec![0.0; BLOCK.min(tokens)];
        let mut found = Vec::with_capacity(shape.num_elements());
        let mixed = forward(&qkv, heads, |_, rows, scores, scale| {
            let entropies = &mut entropies[..rows.len()];
            lanes::softmax_rows_with_entropies(scores, tokens, scale, entropies);
            for ((row, probabilities), entropy) in rows.zip(scores.chunks_exact(tokens)).zip(entropies) {
                let query = row.checked_sub(prefix_tokens);
                found.extend([table.row_of_probabilities(probabilities, query, prefix_tokens, renormalise), *entropy]);
            }
        });
        (mixed, tensor(found, shape))
    }
}
