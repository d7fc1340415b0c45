//! Training, and what trained models say.

use serde::{Deserialize, Serialize};

use super::DescendantPlan;

/// What an arm of a race starts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StartValue {
    /// Random weights.
    Scratch,
    /// The learngene, expanded.
    Inherited,
}

/// How a race is trained. All arms and seeds see the same pictures, batches, augmentation draws and steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainSettings {
    /// The descendant, by its method.
    pub descendant: DescendantPlan,
    /// Arms.
    pub arms: Vec<StartValue>,
    /// Seeds per arm.
    pub seeds: usize,
    /// Optimiser steps per arm and seed.
    pub steps: usize,
    /// Pictures per step.
    pub batch: usize,
    /// Peak learning rate.
    pub lr: f64,
    /// Steps of linear warm-up.
    pub warmup_steps: usize,
    /// AdamW weight decay.
    pub weight_decay: f64,
    /// Label smoothing, 0..1.
    pub label_smoothing: f64,
    /// Highest drop-path rate (rises linearly with depth).
    pub drop_path: f64,
    /// Largest gradient norm; 0 switches clipping off.
    pub clip_norm: f64,
    /// Flip and random resized crop.
    pub augment: bool,
    /// Validate every so many steps; 0 = once per epoch.
    pub validate_every: usize,
}

/// Where a race stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RaceReport {
    /// The settings.
    pub settings: TrainSettings,
    /// One run per arm and seed, in the order they are trained.
    pub runs: Vec<RunReport>,
    /// Names of the classes.
    pub classes: Vec<String>,
    /// Whether it is running, paused, or done.
    pub state: RaceState,
}

/// State of a race.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RaceState {
    /// Steps are being taken.
    Running,
    /// Waiting for `Continue`.
    Paused,
    /// Stopped by the person before its end.
    Stopped,
    /// All steps done.
    Finished,
}

/// One arm with one seed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunReport {
    /// What it started from.
    pub arm: StartValue,
    /// Its seed.
    pub seed: u64,
    /// Steps taken.
    pub step: usize,
    /// Measured points.
    pub points: Vec<CurvePoint>,
    /// Steps per second over the last few steps; 0 before the second step.
    pub steps_per_second: f64,
}

/// One point of a curve.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CurvePoint {
    /// Steps taken before it was measured.
    pub step: usize,
    /// Epochs (full passes over the training pictures), fractional.
    pub epoch: f32,
    /// Mean training loss since the last point.
    pub train_loss: f32,
    /// Loss on the validation pictures.
    pub validation_loss: f32,
    /// Share of validation pictures named rightly, 0..1.
    pub validation_accuracy: f32,
}

/// What a model says of a picture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// The file.
    pub name: String,
    /// Small picture as `data:` URL.
    pub thumbnail: String,
    /// Class names with probabilities, largest first.
    pub classes: Vec<(String, f32)>,
}

/// Confusion matrix.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Confusion {
    /// Class names.
    pub classes: Vec<String>,
    /// Counts `[true][predicted]`.
    pub counts: Vec<Vec<usize>>,
    /// Paths behind each cell, `[true][predicted][..]`, at most 24 a cell.
    pub pictures: Vec<Vec<Vec<String>>>,
}
