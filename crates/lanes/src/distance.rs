//! Mean attention distance of one query from its row of attention (docs/methods.md, section 1.1).
//!
//! The loop that this one replaces took 8 ns a score in WebAssembly, 14 ns built for size (Node 20), and more than half
//! of the former was its highest score: `f32::max` is a call there, around which every vector is taken apart and put
//! together again. The rest went by in copies of the row and in fourteen short dot products with scalar ends. This one
//! takes 2.5 ns, and 0.3 ns where the probabilities are there already. Neither denormal numbers nor V8's optimising
//! compiler made the former slower (flat and sharp scores, V8 11.3 and 14.6, with and without that compiler).

use crate::sums::{dot_here, sum_here};

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
        let patches = self.grid * self.grid;
        assert_eq!(probabilities.len(), prefix + patches, "the row is not prefix and patches");
        let Some(query) = query else { return 0.0 };
        assert!(query < patches, "the query is no patch");
        let (x, y) = (query % self.grid, query / self.grid);
        let from = (x * (2 * self.grid - 1) + self.grid - 1 - y) * self.grid;
        let shares = &probabilities[prefix..];
        let distance = dot_here(shares, &self.distances[from..][..patches]);
        if renormalise { distance / sum_here(shares) } else { distance }
    }
}

#[cfg(test)]
mod tests {
    use super::DistanceTable;
    use crate::softmax::softmax_rows_with_entropies;
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
                    let (mut probabilities, mut entropy) = (scores.clone(), [0.0]);
                    softmax_rows_with_entropies(&mut probabilities, tokens, 0.125, &mut entropy);
                    let distance = table.row_of_probabilities(&probabilities, query, prefix, renormalise);
                    assert_near(&[distance, entropy[0]], &expected, 2e-5);
                }
            }
        }
    }

    #[test]
    fn flat_and_sharp_attention_have_known_distances() {
        let table = DistanceTable::new(2);
        let even = (0..4).map(|query| table.row_of_probabilities(&[0.25; 4], Some(query), 0, false)).sum::<f32>() / 4.0;
        assert!((even - 0.8536).abs() < 1e-4);
        // Uniform attention over larger grids: 0.5201 of the side at 14, towards (2 + √2 + 5 ln(1 + √2)) / 15 = 0.5214.
        for (grid, share) in [(14, 0.5201), (64, 0.5214)] {
            let (table, count) = (DistanceTable::new(grid), grid * grid);
            let row = vec![1.0 / count as f32; count];
            let all = (0..count).map(|query| f64::from(table.row_of_probabilities(&row, Some(query), 0, false)));
            let mean = all.sum::<f64>() / count as f64 / grid as f64;
            assert!((mean - share).abs() < 1e-4, "{grid}: {mean}");
        }
        assert_eq!(table.row_of_probabilities(&[0.0, 0.0, 1.0, 0.0], Some(2), 0, false), 0.0);
        assert_eq!(table.row_of_probabilities(&[0.0, 0.0, 1.0, 0.0], None, 0, true), 0.0);
    }
}
