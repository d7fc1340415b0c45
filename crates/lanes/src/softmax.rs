//! Softmax over rows of attention scores, forward and backward. A row lies in the processor's first cache, so a few
//! passes over it cost less than one over the whole matrix.

use crate::exp::{at_least, exp_above};
use crate::sums::{LANES, dot_here, total};

/// Scaled score below the row's highest (or below the logarithm of its sum) from which a probability is 0: e^-50 is
/// 2e-22, nothing next to a sum of at least 1, but soon a denormal number once it is multiplied by values and gradients.
pub(crate) const LOWEST: f32 = -50.0;

/// Turns every row of `scores` `[rows, columns]` into `softmax(scale · row)`, and writes the logarithm of each row's sum of
/// `e^(scale · score)` to `lse` `[rows]`, from which [`probabilities_from_lse`] makes the probabilities again.
/// Probabilities below e^-50 of the largest become 0; a row with NaN, `+∞` or nothing but `-∞` becomes NaN, as everywhere.
///
/// # Panics
/// When `scores` is not whole rows or `lse` is not one number for each. `scale` must not be negative.
#[inline(never)]
pub fn softmax_rows_with_lse(scores: &mut [f32], columns: usize, scale: f32, lse: &mut [f32]) {
    assert_eq!(scores.len(), columns * lse.len(), "a number for each row");
    for (row, lse) in whole_rows(scores, columns).zip(lse) {
        *lse = softmax_row(row, scale);
    }
}

/// As [`softmax_rows_with_lse`], with the entropy of each row, nats, in `entropies` `[rows]`.
///
/// # Panics
/// When the scores are not whole rows, one for each entropy.
#[inline(never)]
pub fn softmax_rows_with_entropies(scores: &mut [f32], columns: usize, scale: f32, entropies: &mut [f32]) {
    assert_eq!(scores.len(), columns * entropies.len(), "a number for each row");
    for (row, entropy) in whole_rows(scores, columns).zip(entropies) {
        *entropy = softmax_row_with_entropy(row, scale);
    }
}

/// Turns scores `[rows, columns]` into the probabilities that [`softmax_rows_with_lse`] made of them, `e^(scale · score -
/// lse)`: what a backward pass does that did not keep the probabilities.
///
/// # Panics
/// When `scores` is not whole rows or `lse` is not one number for each.
#[inline(never)]
pub fn probabilities_from_lse(scores: &mut [f32], columns: usize, scale: f32, lse: &[f32]) {
    assert_eq!(scores.len(), columns * lse.len(), "a number for each row");
    for (row, &lse) in whole_rows(scores, columns).zip(lse) {
        row.iter_mut().for_each(|score| *score = exp_above(*score * scale - lse, LOWEST));
    }
}

/// Turns the gradient of the probabilities `[rows, columns]` into that of the unscaled scores: `scale · p · (g - Σ p · g)`.
///
/// # Panics
/// When the lengths differ or are not whole rows.
#[inline(never)]
pub fn softmax_gradient_rows(probabilities: &[f32], gradient: &mut [f32], columns: usize, scale: f32) {
    assert_eq!(probabilities.len(), gradient.len(), "probabilities and gradient differ in length");
    for (gradient, probabilities) in whole_rows(gradient, columns).zip(probabilities.chunks_exact(columns.max(1))) {
        let common = dot_here(probabilities, gradient);
        for (gradient, &probability) in gradient.iter_mut().zip(probabilities) {
            *gradient = scale * probability * (*gradient - common);
        }
    }
}

fn whole_rows(matrix: &mut [f32], columns: usize) -> std::slice::ChunksExactMut<'_, f32> {
    assert!(matrix.len().is_multiple_of(columns), "the matrix is not whole rows");
    // A matrix without columns is empty, and has no rows either.
    matrix.chunks_exact_mut(columns.max(1))
}

/// One row; returns the logarithm of its sum.
#[inline(always)]
fn softmax_row(row: &mut [f32], scale: f32) -> f32 {
    let highest = highest(row);
    let sum = exponentials(row, highest, scale);
    let share = 1.0 / sum;
    row.iter_mut().for_each(|value| *value *= share);
    highest * scale + sum.ln()
}

/// One row; returns its entropy: `ln Σ w - Σ w · ln w / Σ w` of the weights `w = e^(scale · (score - highest))`.
#[inline(always)]
fn softmax_row_with_entropy(row: &mut [f32], scale: f32) -> f32 {
    let highest = highest(row);
    // A masked score is -∞ and its weight 0: together they would be NaN.
    let below = |score: f32| at_least((score - highest) * scale, LOWEST - 1.0);
    let (mut sums, mut weighted) = ([0.0; LANES], [0.0; LANES]);
    let (chunks, rest) = row.as_chunks_mut::<LANES>();
    for chunk in chunks {
        for ((sum, weighted), value) in sums.iter_mut().zip(&mut weighted).zip(chunk) {
            let below = below(*value);
            *value = exp_above(below, LOWEST);
            *sum += *value;
            *weighted += *value * below;
        }
    }
    let (mut sum_rest, mut weighted_rest) = (0.0, 0.0);
    for value in rest {
        let below = below(*value);
        *value = exp_above(below, LOWEST);
        sum_rest += *value;
        weighted_rest += *value * below;
    }
    let (sum, weighted) = (total(sums, sum_rest), total(weighted, weighted_rest));
    let share = 1.0 / sum;
    row.iter_mut().for_each(|value| *value *= share);
    sum.ln() - weighted * share
}

/// The largest number of a row; NaNs are passed over.
#[inline(always)]
pub(crate) fn highest(row: &[f32]) -> f32 {
    let (chunks, rest) = row.as_chunks::<LANES>();
    let mut lanes = [f32::NEG_INFINITY; LANES];
    for chunk in chunks {
        for (lane, &value) in lanes.iter_mut().zip(chunk) {
            *lane = at_least(*lane, value);
        }
    }
    lanes.iter().chain(rest).fold(f32::NEG_INFINITY, |top, &value| at_least(top, value))
}

/// Replaces scores by `e^(scale · (score - highest))` and returns their sum.
#[inline(always)]
fn exponentials(row: &mut [f32], highest: f32, scale: f32) -> f32 {
    let (chunks, rest) = row.as_chunks_mut::<LANES>();
    let weight = |score: f32| exp_above((score - highest) * scale, LOWEST);
    let mut lanes = [0.0; LANES];
    for chunk in chunks {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *value = weight(*value);
            *lane += *value;
        }
    }
    rest.iter_mut().for_each(|value| *value = weight(*value));
    total(lanes, rest.iter().sum())
}

#[cfg(test)]
mod tests {
    use super::{probabilities_from_lse, softmax_gradient_rows, softmax_rows_with_entropies, softmax_rows_with_lse};
    use crate::testing::{SIZES, assert_near, numbers, wide};

    const SHAPES: [(usize, usize); 9] =
        [(0, 4), (1, 1), (3, 7), (2, 15), (2, 16), (5, 17), (3, 33), (2, 197), (1, 1003)];

    fn softmax_rows(scores: &mut [f32], columns: usize, scale: f32) {
        let mut lse = vec![0.0; scores.len().checked_div(columns).unwrap_or(0)];
        softmax_rows_with_lse(scores, columns, scale, &mut lse);
    }

    /// Softmax of each row and the logarithms of the sums.
    fn reference(scores: &[f64], columns: usize, scale: f64) -> (Vec<f64>, Vec<f64>) {
        let lse = scores.chunks_exact(columns).map(|row| {
            let top = row.iter().fold(f64::MIN, |top, score| top.max(score * scale));
            top + row.iter().map(|score| (score * scale - top).exp()).sum::<f64>().ln()
        });
        let lse: Vec<f64> = lse.collect();
        let rows = scores.chunks_exact(columns).zip(&lse);
        (rows.flat_map(|(row, lse)| row.iter().map(move |score| (score * scale - lse).exp())).collect(), lse)
    }

    #[test]
    fn softmax_is_that_of_f64() {
        for (rows, columns) in SHAPES {
            for reach in [1.0, 60.0, 3000.0] {
                let scores = numbers(rows * columns, 8, reach);
                let (expected, expected_lse) = reference(&wide(&scores), columns, 0.125);
                let (mut plain, mut kept, mut lse) = (scores.clone(), scores.clone(), vec![0.0; rows]);
                softmax_rows(&mut plain, columns, 0.125);
                softmax_rows_with_lse(&mut kept, columns, 0.125, &mut lse);
                assert_eq!(plain, kept);
                assert_near(&plain, &expected, 4e-6);
                assert_near(&lse, &expected_lse, 3e-7);
                let (mut measured, mut entropies) = (scores.clone(), vec![0.0; rows]);
                softmax_rows_with_entropies(&mut measured, columns, 0.125, &mut entropies);
                assert_near(&measured, &expected, 4e-6);
                let entropy = |row: &[f64]| row.iter().filter(|p| **p > 0.0).map(|p| -p * p.ln()).sum::<f64>();
                assert_near(&entropies, &expected.chunks_exact(columns).map(entropy).collect::<Vec<_>>(), 1e-5);
                let mut again = scores;
                probabilities_from_lse(&mut again, columns, 0.125, &lse);
                assert_near(&again, &expected, 4e-5);
                assert!(plain.iter().chain(&again).all(|value| *value == 0.0 || value.is_normal()));
            }
        }
    }

    #[test]
    fn softmax_without_columns_is_nothing() {
        softmax_rows(&mut [], 0, 1.0);
        softmax_gradient_rows(&[], &mut [], 0, 1.0);
        for size in SIZES {
            softmax_rows(&mut [], size.max(1), 1.0);
        }
    }

    #[test]
    fn softmax_of_extremes() {
        let mut one = [-1e30];
        softmax_rows(&mut one, 1, 1.0);
        assert_eq!(one, [1.0]);
        let mut masked = [0.0, f32::NEG_INFINITY, -1e30, 0.0];
        softmax_rows(&mut masked, 4, 1.0);
        assert_eq!(masked, [0.5, 0.0, 0.0, 0.5]);
        for bad in [[f32::NAN, 1.0], [f32::INFINITY, 1.0], [f32::NEG_INFINITY; 2]] {
            let mut row = bad;
            softmax_rows(&mut row, 2, 1.0);
            assert!(row[0].is_nan(), "{bad:?}");
        }
        let (mut long, mut nan) = (vec![1.0; 40], vec![1.0; 40]);
        softmax_rows(&mut long, 40, 1.0);
        assert_near(&long, &[0.025; 40], 1e-8);
        nan[20] = f32::NAN;
        softmax_rows(&mut nan, 40, 1.0);
        assert!(nan.iter().all(|value| value.is_nan()));
    }

    #[test]
    fn softmax_gradient_is_the_slope() {
        for (rows, columns) in SHAPES {
            let (scores, gradient) = (numbers(rows * columns, 8, 9.0), numbers(rows * columns, 9, 1.0));
            let mut probabilities = scores.clone();
            softmax_rows(&mut probabilities, columns, 0.25);
            let mut found = gradient.clone();
            softmax_gradient_rows(&probabilities, &mut found, columns, 0.25);
            let (scores, gradient) = (wide(&scores), wide(&gradient));
            let loss = |scores: &[f64], row: usize| -> f64 {
                let (probabilities, _) = reference(scores, columns, 0.25);
                probabilities.iter().zip(&gradient[row * columns..]).map(|(p, g)| p * g).sum()
            };
            let slope = |at: usize| {
                let (row, at) = (at / columns, at % columns);
                let moved = |by: f64| {
                    let mut scores = scores[row * columns..][..columns].to_vec();
                    scores[at] += by;
                    loss(&scores, row)
                };
                (moved(1e-5) - moved(-1e-5)) / 2e-5
            };
            assert_near(&found, &(0..rows * columns).map(slope).collect::<Vec<f64>>(), 1e-6);
        }
    }

    #[test]
    fn masked_scores_count_for_nothing() {
        let (mut scores, mut entropy) = ([1.0, f32::NEG_INFINITY, 1.0, f32::NEG_INFINITY], [0.0]);
        softmax_rows_with_entropies(&mut scores, 4, 1.0, &mut entropy);
        assert_eq!(scores, [0.5, 0.0, 0.5, 0.0]);
        assert_near(&entropy, &[2.0_f64.ln()], 1e-6);
    }
}
