//! Training.

use serde::{Deserialize, Serialize};

use super::DescendantPlan;

/// What an arm of a race starts from. `k` is the number of layers that the method inherits: all of the descendant's, or
/// the chosen ones where random layers lie on top.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Init {
    /// The learngene, expanded.
    Inherited,
    /// Random weights in the same architecture.
    Scratch,
    /// The ancestor's first k layers, whole.
    First,
    /// The ancestor's last k layers, whole.
    Last,
    /// The ancestor's first ⌈k/3⌉ layers and its last ones, k in all: as Learngene was released for a ViT-S.
    Ends,
    /// Any k layers of the ancestor, whole, others for each seed.
    Random,
    /// Weight selection: first layers, evenly spaced heads, in the same architecture.
    Selection,
    /// Layers on the straight line that fits the ancestor's layers best, with all its heads.
    #[serde(alias = "tleg")]
    Line,
    /// The whole ancestor with a new classifier.
    Whole,
    /// The ancestor as it is: a new classifier is fitted to what it sees, and nothing trains.
    Frozen,
    /// The same, trained on from there: all but its first quarter and its norms of batches.
    Tuned,
}

impl Init {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 11] = [
        Self::Inherited,
        Self::Scratch,
        Self::First,
        Self::Last,
        Self::Ends,
        Self::Random,
        Self::Selection,
        Self::Line,
        Self::Whole,
        Self::Frozen,
        Self::Tuned,
    ];

    /// Its short name, as addresses, files and options have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Inherited => "inherited",
            Self::Scratch => "scratch",
            Self::First => "first",
            Self::Last => "last",
            Self::Ends => "ends",
            Self::Random => "random",
            Self::Selection => "selection",
            Self::Line => "line",
            Self::Whole => "whole",
            Self::Frozen => "frozen",
            Self::Tuned => "tuned",
        }
    }

    /// Whether it stays as it starts: the yardstick, which takes no steps.
    pub fn is_frozen(self) -> bool {
        self == Self::Frozen
    }

    /// The start of a short name. Layers on a line were once called after TLEG, which learns its line.
    pub fn from_name(name: &str) -> Option<Self> {
        let name = if name == "tleg" { "line" } else { name };
        Self::ALL.into_iter().find(|start| start.name() == name)
    }
}

/// Peak learning rate of a race.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum LearningRate {
    /// The same for every tensor.
    One(f64),
    /// For each tensor by its own size (docs/methods.md, section 6.2).
    Relative {
        /// Times the root mean square of an inherited tensor's start values.
        relative: f64,
        /// That of tensors which start from random numbers.
        fresh: f64,
    },
}

impl From<f64> for LearningRate {
    fn from(lr: f64) -> Self {
        Self::One(lr)
    }
}

/// How a race is trained. All arms and seeds see the same pictures, batches, augmentation draws and steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainSettings {
    /// The descendant, by its method.
    pub descendant: DescendantPlan,
    /// Arms.
    pub arms: Vec<Init>,
    /// Seeds per arm.
    pub seeds: usize,
    /// The first of them; the others follow it. Seeds may so be raced apart, with the same result.
    #[serde(default = "first")]
    pub first_seed: u64,
    /// Optimiser steps per arm and seed.
    pub steps: usize,
    /// Pictures per step.
    pub batch: usize,
    /// Peak learning rate.
    pub lr: LearningRate,
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
    /// Share of the training pictures that is used, 0..=1; smaller shares lie inside larger ones.
    #[serde(default = "whole")]
    pub share: f64,
    /// Whether the starts take their steps in turn; else one runs to its end before the next begins.
    #[serde(default = "yes")]
    pub is_interleaved: bool,
    /// Pictures that go through the model at a time, whose gradients are added to one step; 0 = the whole batch.
    #[serde(default)]
    pub micro_batch: usize,
    /// Blocks of the ancestor that the arm `frozen` keeps ([`crate::config::ModelConfig::cut`]); 0 = all of it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cut: usize,
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}

fn first() -> u64 {
    1
}

fn whole() -> f64 {
    1.0
}

fn yes() -> bool {
    true
}

impl TrainSettings {
    /// The same steps with half as many pictures at a time; `None` when there is one at a time already.
    pub fn halved(&self) -> Option<Self> {
        let now = if self.micro_batch == 0 { self.batch } else { self.micro_batch.min(self.batch) };
        (now > 1).then(|| Self { micro_batch: now.div_ceil(2), ..self.clone() })
    }
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
    /// Number of the first run among the models of the engine: runs of earlier races of an experiment come before.
    #[serde(default)]
    pub first_run: usize,
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
    pub arm: Init,
    /// Its seed.
    pub seed: u64,
    /// Steps taken.
    pub step: usize,
    /// Measured points.
    pub points: Vec<CurvePoint>,
    /// Steps per second over the last few steps; 0 before the second step.
    pub steps_per_second: f64,
    /// Parameters of the model with its classifier. Starts may differ in architecture.
    pub parameters: u64,
    /// Floating-point operations of one forward pass on one picture (a multiply-add counts as two).
    pub flops: u64,
    /// Layers, and heads per layer where the family has heads.
    pub size: (usize, Option<usize>),
    /// Why it ended early, a sentence.
    pub failure: Option<String>,
    /// Whether its model is kept and can be used.
    pub has_model: bool,
    /// Of a classifier fitted to the ancestor as it is: training pictures, each named by a fit that it was held out from;
    /// those named rightly, and all.
    #[serde(default)]
    pub held_out: Option<[usize; 2]>,
}

/// One point of a curve.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CurvePoint {
    /// Steps taken before it was measured.
    pub step: usize,
    /// Epochs (full passes over the training pictures), fractional.
    pub epoch: f32,
    /// Mean training loss since the last point; at the first, before any step, the loss on the validation pictures.
    pub train_loss: f32,
    /// Loss on the validation pictures.
    pub validation_loss: f32,
    /// Share of validation pictures named rightly, 0..1.
    pub validation_accuracy: f32,
}
