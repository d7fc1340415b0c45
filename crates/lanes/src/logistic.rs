//! Loss and gradient of a linear classifier on many rows: what fitting one does a few hundred times.

use crate::sums::dot_here;

/// Mean cross-entropy of a linear classifier over rows, nats, and its gradient.
///
/// # Shapes
/// - features: `[rows, width]`, labels: `[rows]`, below `classes`
/// - weights and gradient: `[classes, width + 1]`, the last column the bias
///
/// # Panics
/// When the lengths do not fit together.
pub fn logistic_loss(features: &[f32], labels: &[usize], weights: &[f32], gradient: &mut [f64]) -> f64 {
    let (rows, classes) = (labels.len(), labels_bound(weights, gradient, features.len(), labels.len()));
    if rows == 0 || classes == 0 {
        return 0.0;
    }
    let width = features.len() / rows;
    let (mut loss, mut scores) = (0.0, vec![0.0_f32; classes]);
    // f32 sums of a thousand rows are added up in f64.
    let mut part = vec![0.0_f32; gradient.len()];
    gradient.fill(0.0);
    for (features, labels) in features.chunks(1024 * width).zip(labels.chunks(1024)) {
        part.fill(0.0);
        for (row, &label) in features.chunks_exact(width).zip(labels) {
            for (score, weights) in scores.iter_mut().zip(weights.chunks_exact(width + 1)) {
                *score = dot_here(row, &weights[..width]) + weights[width];
            }
            let top = scores.iter().fold(f32::NEG_INFINITY, |top, &score| if score > top { score } else { top });
            let right = scores[label];
            let sum: f32 = scores.iter_mut().fold(0.0, |sum, score| {
                *score = (*score - top).exp();
                sum + *score
            });
            loss += f64::from(sum.ln() + top - right);
            for (class, (score, part)) in scores.iter().zip(part.chunks_exact_mut(width + 1)).enumerate() {
                let slope = score / sum - if class == label { 1.0 } else { 0.0 };
                add_scaled(&mut part[..width], row, slope);
                part[width] += slope;
            }
        }
        gradient.iter_mut().zip(&part).for_each(|(sum, part)| *sum += f64::from(*part));
    }
    gradient.iter_mut().for_each(|slope| *slope /= rows as f64);
    loss / rows as f64
}

fn add_scaled(sum: &mut [f32], row: &[f32], factor: f32) {
    sum.iter_mut().zip(row).for_each(|(sum, value)| *sum += factor * value);
}

/// Classes, after the lengths were looked at.
fn labels_bound(weights: &[f32], gradient: &[f64], features: usize, rows: usize) -> usize {
    assert_eq!(weights.len(), gradient.len(), "a slope for each weight");
    let width = features.checked_div(rows).unwrap_or(0);
    assert_eq!(width * rows, features, "whole rows");
    assert_eq!(weights.len() % (width + 1), 0, "whole classes");
    weights.len() / (width + 1)
}

#[cfg(test)]
mod tests {
    use super::logistic_loss;
    use crate::testing::numbers;

    /// The same in f64, row by row.
    fn plain(features: &[f32], labels: &[usize], weights: &[f64], classes: usize) -> f64 {
        let width = features.len() / labels.len();
        let row = |(row, &label): (&[f32], &usize)| {
            let score = |class: usize| {
                let own = &weights[class * (width + 1)..];
                row.iter().zip(own).map(|(x, w)| f64::from(*x) * w).sum::<f64>() + own[width]
            };
            let scores: Vec<f64> = (0..classes).map(score).collect();
            let top = scores.iter().copied().fold(f64::MIN, f64::max);
            scores.iter().map(|score| (score - top).exp()).sum::<f64>().ln() + top - scores[label]
        };
        features.chunks(width).zip(labels).map(row).sum::<f64>() / labels.len() as f64
    }

    #[test]
    fn loss_and_gradient_are_those_of_f64() {
        for (rows, width, classes) in [(1, 1, 2), (5, 3, 2), (1030, 17, 5), (64, 33, 7)] {
            let features = numbers(rows * width, 3, 2.0);
            let labels: Vec<usize> = (0..rows).map(|row| row * 7 % classes).collect();
            let weights = numbers(classes * (width + 1), 4, 1.0);
            let mut gradient = vec![9.0; weights.len()];
            let loss = logistic_loss(&features, &labels, &weights, &mut gradient);
            let wide: Vec<f64> = weights.iter().map(|&weight| f64::from(weight)).collect();
            assert!((loss - plain(&features, &labels, &wide, classes)).abs() < 1e-5);
            for at in (0..weights.len()).step_by(1 + weights.len() / 23) {
                let moved = |by: f64| {
                    let mut weights = wide.clone();
                    weights[at] += by;
                    plain(&features, &labels, &weights, classes)
                };
                let slope = (moved(1e-5) - moved(-1e-5)) / 2e-5;
                assert!((gradient[at] - slope).abs() < 1e-5, "{rows} {width} {classes} {at}: {} {slope}", gradient[at]);
            }
        }
    }

    #[test]
    fn no_rows_have_no_loss() {
        assert_eq!(logistic_loss(&[], &[], &[], &mut []), 0.0);
    }
}
