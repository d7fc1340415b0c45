//! Features of pictures with their classes, as a classifier is fitted to them.

use std::collections::TryReserveError;

use serde::{Deserialize, Serialize};

/// Parts of the pictures, as even in every class as they can be: each can be held out.
pub const FOLDS: usize = 5;

/// Features of pictures, in five parts: the last has every fifth picture of a class.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Features {
    width: usize,
    /// Pictures of each class so far.
    seen: Vec<usize>,
    pub(super) parts: [Rows; FOLDS],
    /// How they were standardised, once they are.
    pub(super) standard: Option<Standard>,
}

/// Some pictures.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows {
    /// `[pictures, width]`.
    pub values: Vec<f32>,
    /// `[pictures]`.
    pub labels: Vec<usize>,
}

impl Features {
    /// Of none so far, with room for so many pictures.
    ///
    /// # Errors
    /// When there is no such room.
    pub fn new(width: usize, classes: usize, pictures: usize) -> Result<Self, TryReserveError> {
        let mut parts: [Rows; FOLDS] = Default::default();
        for part in &mut parts {
            part.values.try_reserve_exact(pictures.div_ceil(FOLDS).saturating_mul(width))?;
            part.labels.try_reserve_exact(pictures.div_ceil(FOLDS))?;
        }
        Ok(Self { width, seen: vec![0; classes], parts, standard: None })
    }

    /// Numbers of a picture.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Classes that there may be.
    pub fn classes(&self) -> usize {
        self.seen.len()
    }

    /// Pictures so far.
    pub fn pictures(&self) -> usize {
        self.parts.iter().map(|part| part.labels.len()).sum()
    }

    /// Adds pictures. Their part depends on their order within their class.
    ///
    /// # Shapes
    /// `values: [pictures, width]`, `labels: [pictures]`, below the number of classes
    ///
    /// # Panics
    /// When the lengths do not fit together.
    pub fn push(&mut self, values: &[f32], labels: &[usize]) {
        assert_eq!(values.len(), labels.len() * self.width, "whole rows");
        for (row, &label) in labels.iter().enumerate() {
            let part = &mut self.parts[self.seen[label] % FOLDS];
            self.seen[label] += 1;
            part.values.extend_from_slice(&values[row * self.width..(row + 1) * self.width]);
            part.labels.push(label);
        }
    }

    /// The parts as they stand: with [`Features::standard`] what [`Features::from_parts`] makes them of again.
    pub fn parts(&self) -> &[Rows; FOLDS] {
        &self.parts
    }

    /// How they were standardised, once a fit began.
    pub fn standard(&self) -> Option<&Standard> {
        self.standard.as_ref()
    }

    /// Features that were kept; `None` where the lengths do not fit together.
    pub fn from_parts(width: usize, classes: usize, parts: Vec<Rows>, standard: Option<Standard>) -> Option<Self> {
        let parts: [Rows; FOLDS] = parts.try_into().ok()?;
        if standard.as_ref().is_some_and(|one| [one.mean.len(), one.scale.len()] != [width; 2]) {
            return None;
        }
        let mut seen = vec![0; classes];
        for part in &parts {
            if part.values.len() != part.labels.len().checked_mul(width)? {
                return None;
            }
            for &label in &part.labels {
                *seen.get_mut(label)? += 1;
            }
        }
        Some(Self { width, seen, parts, standard })
    }
}

/// Mean of each feature, and what it is multiplied with: 1 / deviation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Standard {
    mean: Vec<f64>,
    scale: Vec<f64>,
}

impl Standard {
    /// Brings features to mean 0 and deviation 1, in place, for there may be no room for them twice; once.
    pub(super) fn standardise(features: &mut Features) {
        if features.standard.is_some() {
            return;
        }
        let (width, rows) = (features.width, features.pictures().max(1) as f64);
        let over = |value: &dyn Fn(usize, f64) -> f64| {
            let mut sums = vec![0.0; width];
            for row in features.parts.iter().flat_map(|part| part.values.chunks_exact(width.max(1))) {
                sums.iter_mut().zip(row).enumerate().for_each(|(at, (sum, x))| *sum += value(at, f64::from(*x)));
            }
            sums.iter_mut().for_each(|sum| *sum /= rows);
            sums
        };
        let mean = over(&|_, x| x);
        let square = over(&|at, x| (x - mean[at]).powi(2));
        // A feature that never changes says nothing, and must not be divided by its rounding.
        let scale = |(square, mean): (f64, &f64)| {
            let deviation = square.sqrt();
            if deviation > 1e-6 * (1.0 + mean.abs()) { 1.0 / deviation } else { 0.0 }
        };
        let scale: Vec<f64> = square.into_iter().zip(&mean).map(scale).collect();
        for row in features.parts.iter_mut().flat_map(|part| part.values.chunks_exact_mut(width.max(1))) {
            for (x, (mean, scale)) in row.iter_mut().zip(mean.iter().zip(&scale)) {
                *x = ((f64::from(*x) - mean) * scale) as f32;
            }
        }
        features.standard = Some(Self { mean, scale });
    }

    /// Weights `[classes, width]` and biases `[classes]` for features as they were, of weights `[classes, width + 1]` for
    /// standardised ones.
    pub(super) fn folded(&self, weights: &[f64]) -> (Vec<f32>, Vec<f32>) {
        let width = self.mean.len();
        let (mut weight, mut bias) = (Vec::new(), Vec::new());
        for row in weights.chunks_exact(width + 1) {
            let own: Vec<f64> = row[..width].iter().zip(&self.scale).map(|(w, scale)| w * scale).collect();
            bias.push((row[width] - own.iter().zip(&self.mean).map(|(w, mean)| w * mean).sum::<f64>()) as f32);
            weight.extend(own.into_iter().map(|w| w as f32));
        }
        (weight, bias)
    }
}
