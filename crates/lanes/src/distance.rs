//! Mean attention distance and entropy of one query from its row of attention (docs/methods.md, section 1.1).

use crate::exp::{at_least, exp_above};
use crate::softmax::{LOWEST, highest};
use crate::sums::{LANES, dot_here, sum_here, total};

/// Distances between patch centres, in patches.
///
/// For every column `x` of a query it holds the distances to all columns at every vertical distance from `1 - grid` to
/// `grid - 1`, one line after the other. So the distances from a query `(x, y)` to all patches are one contiguous slice,
/// which begins `y` lines before the middle, and a row's sum is one long dot product instead of one for each line.
#[derive(Clone, Debug)]
pub struct DistanceTable {
    grid: usize,
    /// `[grid, 2 · grid - 1, grid]`
    distances: Vec<f32>,
}

impl DistanceTable {
    /// For `grid · grid` patches: `4 · grid² · (2 · grid - 1)` bytes, 21 KB for a grid of 14.
    pub fn new(grid: usize) -> Self {
        let lines = (2 * grid).saturating_sub(1);
        let mut distances = Vec::with_capacity(grid * lines * grid);
        for (x, line) in (0..grid).flat_map(|x| (0..lines).map(move |line| (x, line))) {
            let dy = line.abs_diff(grid - 1);
            distances.extend((0..grid).map(|to| {
                let dx = to.abs_diff(x);
                ((dx * dx + dy * dy) as f32).sqrt()
            }));
        }
        Self { grid, distances }
    }

    /// Attention distance of one query in patches, `Σ p · distance` over the patches. `probabilities` `[prefix + patches]`
    /// are its attention to all tokens, `prefix` of which come before the patches; `query` is its patch, and a query
    /// that is none has the distance 0. With `renormalise` the sum is divided by what the patches received, else what
    /// the prefix tokens received is left out.
    ///
    /// # Panics
    /// When `query` is outside the grid or the row is not `prefix + grid · grid` long.
    #[inline(never)]
    pub fn row_of_probabilities(
        &self,
        probabilities: &[f32],
        query: Option<usize>,
        prefix: usize,
        renormalise: bool,
    ) -> f32 {
        self.distance(probabilities, query, prefix, renormalise).0
    }

    /// Attention distance (patches, as [`row_of_probabilities`](Self::row_of_probabilities)) and entropy (nats, over all
    /// tokens) of one query from its unscaled scores, which become weights, `e^(scale · (score - highest))`.
    ///
    /// # Panics
    /// As [`row_of_probabilities`](Self::row_of_probabilities). `scale` must not be negative.
    #[inline(never)]
    pub fn row_of_scores(
        &self,
        scores: &mut [f32],
        scale: f32,
        query: Option<usize>,
        prefix: usize,
        renormalise: bool,
    ) -> [f32; 2] {
        let [sum, weighted] = weigh(scores, scale);
        let entropy = sum.ln() - weighted / sum;
        let (distance, is_share) = self.distance(scores, query, prefix, renormalise);
        [if is_share { distance } else { distance / sum }, entropy]
    }

    /// The sum over the patches, and whether it is divided by their share already.
    #[inline(always)]
    fn distance(&self, weights: &[f32], query: Option<usize>, prefix: usize, renormalise: bool) -> (f32, bool) {
        let patches = self.grid * self.grid;
        assert_eq!(weights.len(), prefix + patches, "the row is not prefix and patches");
        let Some(query) = query else { return (0.0, true) };
        assert!(query < patches, "the query is no patch");
        let (x, y) = (query % self.grid, query / self.grid);
        let from = (x * (2 * self.grid - 1) + self.grid - 1 - y) * self.grid;
        let weights = &weights[prefix..];
        let distance = dot_here(weights, &self.distances[from..][..patches]);
        if renormalise { (distance / sum_here(weights), true) } else { (distance, false) }
    }
}

/// Entropy of one query in nats from its unscaled scores and from what softmax made of them: `lse - Σ p · scale · score`.
/// Scores must be finite.
///
/// # Panics
/// When the lengths differ.
#[inline(never)]
pub fn entropy_from_lse(scores: &[f32], probabilities: &[f32], scale: f32, lse: f32) -> f32 {
    lse - scale * dot_here(probabilities, scores)
}

/// Replaces unscaled scores by `w = e^s` with `s = scale · (score - highest)`; returns `Σ w` and `Σ w · s`.
#[inline(always)]
fn weigh(scores: &mut [f32], scale: f32) -> [f32; 2] {
    let highest = highest(scores);
    let weigh = |score: &mut f32, sum: &mut f32, weighted: &mut f32| {
        // A masked score is -∞ and its weight 0: together they would be NaN.
        let shifted = at_least((*score - highest) * scale, LOWEST - 1.0);
        *score = exp_above(shifted, LOWEST);
        *sum += *score;
        *weighted += *score * shifted;
    };
    let (chunks, rest) = scores.as_chunks_mut::<LANES>();
    let (mut sums, mut weighted) = ([0.0; LANES], [0.0; LANES]);
    for chunk in chunks {
        for ((score, sum), weighted) in chunk.iter_mut().zip(&mut sums).zip(&mut weighted) {
            weigh(score, sum, weighted);
        }
    }
    let (mut sum, mut weighted_sum) = (0.0, 0.0);
    rest.iter_mut().for_each(|score| weigh(score, &mut sum, &mut weighted_sum));
    [total(sums, sum), total(weighted, weighted_sum)]
}

#[cfg(test)]
mod tests {
    use super::{DistanceTable, entropy_from_lse};
    use crate::softmax::softmax_rows_with_lse;
    use crate::testing::{assert_near, numbers, wide};

    /// Distance and entropy in f64, straight from the definition.
    fn reference(scores: &[f32], scale: f64, grid: usize, query: Option<usize>, renormalise: bool) -> [f64; 2] {
        let scores = wide(scores);
        let prefix = scores.len() - grid * grid;
        let highest = scores.iter().fold(f64::MIN, |top, score| top.max(score * scale));
        let sum: f64 = scores.iter().map(|score| (score * scale - highest).exp()).sum();
        let lse = highest + sum.ln();
        let entropy = scores.iter().map(|score| (score * scale - lse).exp() * (lse - score * scale)).sum();
        let Some(query) = query else { return [0.0, entropy] };
        let patches = || scores[prefix..].iter().map(|score| (score * scale - lse).exp()).enumerate();
        let distance = |at: usize| {
            let (dx, dy) = ((at % grid).abs_diff(query % grid), (at / grid).abs_diff(query / grid));
            ((dx * dx + dy * dy) as f64).sqrt()
        };
        let inside: f64 = if renormalise { patches().map(|(_, p)| p).sum() } else { 1.0 };
        [patches().map(|(at, p)| p * distance(at)).sum::<f64>() / inside, entropy]
    }

    #[test]
    fn rows_are_those_of_f64() {
        for (grid, prefix) in [(1, 0), (1, 1), (2, 1), (3, 5), (4, 0), (14, 1), (16, 2)] {
            let table = DistanceTable::new(grid);
            let tokens = prefix + grid * grid;
            for (row, reach) in (0..tokens).zip([0.1, 30.0, 400.0].into_iter().cycle()) {
                let scores = numbers(tokens, row as u32, reach);
                let query = row.checked_sub(prefix);
                for renormalise in [false, true] {
                    let expected = reference(&scores, 0.125, grid, query, renormalise);
                    let mut weights = scores.clone();
                    let found = table.row_of_scores(&mut weights, 0.125, query, prefix, renormalise);
                    assert_near(&found, &expected, 2e-5);
                    let (mut probabilities, mut lse) = (scores.clone(), [0.0]);
                    softmax_rows_with_lse(&mut probabilities, tokens, 0.125, &mut lse);
                    let distance = table.row_of_probabilities(&probabilities, query, prefix, renormalise);
                    let entropy = entropy_from_lse(&scores, &probabilities, 0.125, lse[0]);
                    assert_near(&[distance, entropy], &expected, 2e-5);
                }
            }
        }
    }

    #[test]
    fn flat_and_sharp_attention_have_known_distances() {
        let table = DistanceTable::new(2);
        let even = (0..4).map(|query| table.row_of_probabilities(&[0.25; 4], Some(query), 0, false)).sum::<f32>() / 4.0;
        assert!((even - 0.8536).abs() < 1e-4);
        assert_eq!(table.row_of_probabilities(&[0.0, 0.0, 1.0, 0.0], Some(2), 0, false), 0.0);
        assert_eq!(table.row_of_probabilities(&[0.0, 0.0, 1.0, 0.0], None, 0, true), 0.0);
    }

    #[test]
    fn masked_scores_count_for_nothing() {
        let mut scores = [1.0, f32::NEG_INFINITY, 1.0, f32::NEG_INFINITY];
        let [distance, entropy] = DistanceTable::new(2).row_of_scores(&mut scores, 1.0, Some(0), 0, false);
        assert_near(&[distance, entropy], &[0.5, 2.0_f64.ln()], 1e-6);
        assert_eq!(scores, [1.0, 0.0, 1.0, 0.0]);
    }
}
