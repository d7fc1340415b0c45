//! A linear classifier fitted to features that do not change (docs/methods.md, section 5.5): multinomial logistic regression
//! on standardised features, by L-BFGS, with the penalty that does best on a fifth of the same pictures.
//!
//! On the host: a few hundred rows of a few hundred numbers are less work than one step of the model that made them.

use heirloom_lanes::logistic_loss;

/// Penalties that are tried, the strongest first: each fit starts where the one before ended.
pub const PENALTIES: [f64; 6] = [1.0, 0.1, 0.03, 0.01, 3e-3, 1e-3];
/// The penalty where nothing can be held out.
const USUAL_PENALTY: f64 = 0.03;
/// Every so many pictures of a class one is held out.
const FOLD: usize = 5;
/// Most steps of a fit.
const MOST_STEPS: usize = 200;
/// A fit ends when no slope is steeper.
const FLAT: f64 = 1e-5;
/// Steps that the curvature is remembered from.
const MEMORY: usize = 10;

/// A fitted classifier.
#[derive(Clone, Debug, PartialEq)]
pub struct LinearHead {
    /// `[classes, width]`, for features as they are.
    pub weight: Vec<f32>,
    /// `[classes]`.
    pub bias: Vec<f32>,
    /// The penalty that was chosen: half of it times the sum of squared weights, on standardised features.
    pub penalty: f64,
}

impl LinearHead {
    /// Fits a classifier of `classes` classes.
    ///
    /// # Shapes
    /// `features: [pictures, width]`, `labels: [pictures]`, below `classes`
    ///
    /// # Panics
    /// When the lengths do not fit together.
    pub fn fit(features: &[f32], labels: &[usize], classes: usize) -> Self {
        let width = features.len().checked_div(labels.len()).unwrap_or(0);
        assert_eq!(width * labels.len(), features.len(), "whole rows");
        let standard = Standard::of(features, width);
        let features = standard.apply(features);
        let all = Rows { features: &features, labels, width, classes };
        let penalty = all.best_penalty();
        let mut weights = vec![0.0; classes * (width + 1)];
        // From the strongest penalty on, as the choice went: so the result does not depend on where a fit began.
        for &tried in PENALTIES.iter().take_while(|&&tried| tried > penalty).chain([&penalty]) {
            weights = all.fit(weights, tried);
        }
        standard.folded(&weights, classes, penalty)
    }
}

/// Mean and deviation of each feature.
struct Standard {
    mean: Vec<f64>,
    deviation: Vec<f64>,
}

impl Standard {
    fn of(features: &[f32], width: usize) -> Self {
        let rows = features.len().checked_div(width).unwrap_or(0).max(1) as f64;
        let over = |value: &dyn Fn(usize, f64) -> f64| {
            let mut sums = vec![0.0; width];
            for row in features.chunks_exact(width.max(1)) {
                sums.iter_mut().zip(row).enumerate().for_each(|(at, (sum, x))| *sum += value(at, f64::from(*x)));
            }
            sums.iter_mut().for_each(|sum| *sum /= rows);
            sums
        };
        let mean = over(&|_, x| x);
        let square = over(&|at, x| (x - mean[at]).powi(2));
        // A feature that never changes says nothing, and must not be divided by its rounding.
        let deviation = |(square, mean): (f64, &f64)| {
            let deviation = square.sqrt();
            if deviation > 1e-6 * (1.0 + mean.abs()) { deviation } else { f64::INFINITY }
        };
        Self { deviation: square.into_iter().zip(&mean).map(deviation).collect(), mean }
    }

    fn apply(&self, features: &[f32]) -> Vec<f32> {
        let width = self.mean.len().max(1);
        let place =
            |(at, x): (usize, &f32)| ((f64::from(*x) - self.mean[at % width]) / self.deviation[at % width]) as f32;
        features.iter().enumerate().map(place).collect()
    }

    /// The classifier for features as they were.
    fn folded(&self, weights: &[f64], classes: usize, penalty: f64) -> LinearHead {
        let width = self.mean.len();
        let (mut weight, mut bias) = (Vec::with_capacity(classes * width), Vec::with_capacity(classes));
        for row in weights.chunks_exact(width + 1) {
            let own: Vec<f64> = row[..width].iter().zip(&self.deviation).map(|(w, deviation)| w / deviation).collect();
            bias.push((row[width] - own.iter().zip(&self.mean).map(|(w, mean)| w * mean).sum::<f64>()) as f32);
            weight.extend(own.into_iter().map(|w| w as f32));
        }
        LinearHead { weight, bias, penalty }
    }
}

/// Standardised features with their labels.
#[derive(Clone, Copy)]
struct Rows<'a> {
    features: &'a [f32],
    labels: &'a [usize],
    width: usize,
    classes: usize,
}

impl Rows<'_> {
    /// The penalty under which a fifth of the pictures, held out class by class, is foretold best.
    fn best_penalty(&self) -> f64 {
        let mut seen = vec![0_usize; self.classes];
        let is_held_out = self.labels.iter().map(|&label| {
            seen[label] += 1;
            seen[label].is_multiple_of(FOLD)
        });
        let (held_out, rest): (Vec<_>, Vec<_>) = is_held_out.enumerate().partition(|(_, is_held_out)| *is_held_out);
        if held_out.is_empty() {
            return USUAL_PENALTY;
        }
        let take = |rows: &[(usize, bool)]| -> (Vec<f32>, Vec<usize>) {
            let features = rows.iter().flat_map(|(row, _)| &self.features[row * self.width..(row + 1) * self.width]);
            (features.copied().collect(), rows.iter().map(|(row, _)| self.labels[*row]).collect())
        };
        let ((judged, judged_labels), (features, labels)) = (take(&held_out), take(&rest));
        let part = Rows { features: &features, labels: &labels, ..*self };
        let mut weights = vec![0.0; self.classes * (self.width + 1)];
        let loss = |penalty: &f64| {
            weights = part.fit(std::mem::take(&mut weights), *penalty);
            let narrow: Vec<f32> = weights.iter().map(|&weight| weight as f32).collect();
            logistic_loss(&judged, &judged_labels, &narrow, &mut vec![0.0; narrow.len()])
        };
        let losses: Vec<f64> = PENALTIES.iter().map(loss).collect();
        let best = losses.iter().enumerate().min_by(|(_, a), (_, b)| a.total_cmp(b));
        best.map_or(USUAL_PENALTY, |(at, _)| PENALTIES[at])
    }

    /// Loss with its penalty, and the slopes. Biases are free.
    fn loss(&self, weights: &[f64], penalty: f64, gradient: &mut [f64]) -> f64 {
        let narrow: Vec<f32> = weights.iter().map(|&weight| weight as f32).collect();
        let mut loss = logistic_loss(self.features, self.labels, &narrow, gradient);
        for (at, (slope, weight)) in gradient.iter_mut().zip(weights).enumerate() {
            if at % (self.width + 1) < self.width {
                *slope += penalty * weight;
                loss += 0.5 * penalty * weight * weight;
            }
        }
        loss
    }

    /// L-BFGS with halved steps, from `weights`.
    fn fit(&self, mut weights: Vec<f64>, penalty: f64) -> Vec<f64> {
        let mut gradient = vec![0.0; weights.len()];
        let mut loss = self.loss(&weights, penalty, &mut gradient);
        let mut past: Vec<Step> = Vec::new();
        for _ in 0..MOST_STEPS {
            if gradient.iter().all(|slope| slope.abs() <= FLAT) {
                break;
            }
            let direction = descend(&gradient, &past);
            let slope = inner(&direction, &gradient);
            if slope >= 0.0 {
                break;
            }
            let (mut length, mut found) = (1.0, None);
            // The first step knows no curvature yet: a long one is cut, a short one would only cost a few more.
            for _ in 0..30 {
                let tried: Vec<f64> = weights.iter().zip(&direction).map(|(w, d)| w + length * d).collect();
                let mut next = vec![0.0; tried.len()];
                let value = self.loss(&tried, penalty, &mut next);
                if value <= loss + 1e-4 * length * slope {
                    found = Some((tried, next, value));
                    break;
                }
                length /= 2.0;
            }
            // Below what f32 sums can tell nothing gets better any more.
            let Some((tried, next, value)) = found else { break };
            let step = Step::new(&weights, &tried, &gradient, &next);
            past.extend(step);
            past.drain(..past.len().saturating_sub(MEMORY));
            (weights, gradient, loss) = (tried, next, value);
        }
        weights
    }
}

/// A step taken, and how the slopes changed on it.
struct Step {
    moved: Vec<f64>,
    turned: Vec<f64>,
    scale: f64,
}

impl Step {
    /// `None` where the curvature is not positive.
    fn new(from: &[f64], to: &[f64], before: &[f64], after: &[f64]) -> Option<Self> {
        let apart = |to: &[f64], from: &[f64]| to.iter().zip(from).map(|(to, from)| to - from).collect::<Vec<f64>>();
        let (moved, turned) = (apart(to, from), apart(after, before));
        let curvature = inner(&moved, &turned);
        (curvature > 1e-14).then(|| Self { moved, turned, scale: 1.0 / curvature })
    }
}

fn inner(one: &[f64], other: &[f64]) -> f64 {
    one.iter().zip(other).map(|(a, b)| a * b).sum()
}

/// The way down, by the two loops of L-BFGS.
fn descend(gradient: &[f64], past: &[Step]) -> Vec<f64> {
    let add = |to: &mut [f64], factor: f64, other: &[f64]| {
        to.iter_mut().zip(other).for_each(|(to, other)| *to += factor * other);
    };
    let mut direction: Vec<f64> = gradient.iter().map(|slope| -slope).collect();
    let mut factors = Vec::with_capacity(past.len());
    for step in past.iter().rev() {
        let factor = step.scale * inner(&step.moved, &direction);
        add(&mut direction, -factor, &step.turned);
        factors.push(factor);
    }
    if let Some(last) = past.last() {
        let scale = 1.0 / (last.scale * inner(&last.turned, &last.turned));
        direction.iter_mut().for_each(|value| *value *= scale);
    }
    for (step, factor) in past.iter().zip(factors.into_iter().rev()) {
        let back = step.scale * inner(&step.turned, &direction);
        add(&mut direction, factor - back, &step.moved);
    }
    direction
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(count: usize, seed: u32) -> Vec<f32> {
        heirloom_nn::device::uniform(count, seed, 1.0)
    }

    fn right(head: &LinearHead, features: &[f32], labels: &[usize]) -> usize {
        let (classes, width) = (head.bias.len(), head.weight.len() / head.bias.len());
        let guess = |row: &[f32]| {
            let score = |class: usize| {
                let own = &head.weight[class * width..];
                head.bias[class] + row.iter().zip(own).map(|(x, w)| x * w).sum::<f32>()
            };
            (0..classes).max_by(|&a, &b| score(a).total_cmp(&score(b))).unwrap()
        };
        features.chunks(width).zip(labels).filter(|(row, label)| guess(row) == **label).count()
    }

    /// Rows around a centre for each class, in units that differ a thousandfold and lie far from 0.
    fn planted(rows: usize, width: usize, classes: usize, spread: f32) -> (Vec<f32>, Vec<usize>) {
        let (centres, noise) = (noise(classes * width, 1), noise(rows * width, 2));
        let labels: Vec<usize> = (0..rows).map(|row| row % classes).collect();
        let value = |at: usize| {
            let (row, column) = (at / width, at % width);
            let unit = [1.0, 1000.0, 0.001][column % 3];
            unit * (5.0 + centres[labels[row] * width + column] + spread * noise[at])
        };
        ((0..rows * width).map(value).collect(), labels)
    }

    #[test]
    fn classes_that_are_apart_are_told_apart_in_any_units() {
        let (features, labels) = planted(90, 7, 3, 0.2);
        let head = LinearHead::fit(&features, &labels, 3);
        assert_eq!(right(&head, &features, &labels), 90);
    }

    #[test]
    fn the_slopes_of_a_fit_vanish() {
        let (features, labels) = planted(61, 5, 4, 2.0);
        let standard = Standard::of(&features, 5);
        let features = standard.apply(&features);
        let rows = Rows { features: &features, labels: &labels, width: 5, classes: 4 };
        for penalty in PENALTIES {
            let weights = rows.fit(vec![0.0; 24], penalty);
            let mut gradient = vec![0.0; 24];
            rows.loss(&weights, penalty, &mut gradient);
            assert!(gradient.iter().all(|slope| slope.abs() < 3e-5), "{penalty}: {gradient:?}");
        }
    }

    #[test]
    fn noise_is_punished_and_what_is_clear_is_not() {
        let (noisy, _) = planted(100, 40, 2, 1.0);
        let coin: Vec<usize> = (0..100).map(|row| (row * row + row / 7) % 2).collect();
        let (clear, labels) = planted(100, 40, 2, 0.1);
        let of = |features: &[f32], labels: &[usize]| LinearHead::fit(features, labels, 2).penalty;
        assert!(of(&noisy, &coin) > of(&clear, &labels));
    }

    #[test]
    fn few_pictures_missing_classes_and_features_that_never_change_are_no_fault() {
        let (mut features, labels) = planted(4, 6, 2, 0.1);
        features.iter_mut().skip(2).step_by(6).for_each(|value| *value = 3.0);
        // A third class has no picture.
        let head = LinearHead::fit(&features, &labels, 3);
        assert_eq!(head.penalty, USUAL_PENALTY);
        assert_eq!(right(&head, &features, &labels), 4);
        assert!(head.weight.iter().chain(&head.bias).all(|value| value.is_finite()));
        assert!((0..3).all(|class| head.weight[class * 6 + 2] == 0.0));
        let nothing = LinearHead::fit(&[], &[], 2);
        assert_eq!(nothing.bias, [0.0, 0.0]);
    }

    #[test]
    fn the_same_pictures_give_the_same_head() {
        let (features, labels) = planted(50, 9, 3, 1.0);
        assert_eq!(LinearHead::fit(&features, &labels, 3), LinearHead::fit(&features, &labels, 3));
    }
}
