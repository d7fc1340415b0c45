//! A pool of small models, or stitched anchors: how it is made, how far it is, what came out (Learngene Pool; SN-Net).

use serde::{Deserialize, Serialize};

use super::{Method, RaceState};
pub use crate::pool::{Basis, Budget, StitchInit};

/// A small model that is distilled from the ancestor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SmallModel {
    /// Its blocks.
    pub blocks: usize,
    /// Its width.
    pub width: usize,
}

/// How a pool is made. By [`Method::Pool`] the small models listen to the ancestor inside as well; by
/// [`Method::Stitch`], the baseline, they are independent anchors that hear only its answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PoolSettings {
    /// [`Method::Pool`] or [`Method::Stitch`].
    pub method: Method,
    /// The small models; at least two.
    pub models: Vec<SmallModel>,
    /// Side of the pictures, px (a multiple of the ancestor's patch size).
    pub image_size: usize,
    /// Pictures per step.
    pub batch: usize,
    /// Steps that fit the ancestor's head to the person's classes.
    pub head_steps: usize,
    /// Steps that distil each small model.
    pub distil_steps: usize,
    /// Steps that train the stitched whole, one random configuration each.
    pub pool_steps: usize,
    /// Peak learning rate of distillation.
    pub lr: f64,
    /// Peak learning rate of the stitched whole.
    pub pool_lr: f64,
    /// Peak learning rate of its stitch layers; `None`: that of the whole.
    #[serde(default)]
    pub stitch_lr: Option<f64>,
    /// Through which coordinates the small models listen to the ancestor.
    #[serde(default = "Basis::of_earlier_versions")]
    pub basis: Basis,
    /// In a shared basis: whether every block listens; else three do.
    #[serde(default)]
    pub is_every_block: bool,
    /// Weight of the ancestor's tokens in distillation.
    #[serde(default = "usual_weight")]
    pub feature_weight: f64,
    /// How stitch layers start.
    pub stitch_start: StitchInit,
    /// Whether independent anchors learn from labels alone (SN-Net's paper); else from the ancestor's answers, too.
    #[serde(default)]
    pub is_label_only: bool,
    /// Whether the largest anchor, frozen, teaches the stitched whole (SN-Net's paper); else the ancestor does.
    pub is_anchor_teacher: bool,
    /// Flip and random resized crop. Off, the ancestor sees every picture only once.
    pub augment: bool,
    /// Seed of start values, batches and draws.
    pub seed: u64,
}

fn usual_weight() -> f64 {
    1.0
}

/// Where the work stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PoolStage {
    /// The ancestor gets a head for the person's classes.
    Head,
    /// The coordinates that all small models share are found.
    Basis,
    /// A small model is distilled.
    Distil {
        /// Which one, the smallest first.
        model: usize,
    },
    /// Stitch layers get their start values, and all configurations are judged with them.
    Stitch,
    /// The stitched whole is trained.
    Tune,
    /// All configurations are judged.
    Evaluate,
    /// All configurations are timed on this machine.
    Time,
    /// Nothing is left to do.
    Done,
}

/// One small model of the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolModel {
    /// Its blocks: one instance of the pool each.
    pub blocks: usize,
    /// Its width.
    pub width: usize,
    /// Heads per block.
    pub heads: usize,
    /// Its parameters.
    pub parameters: u64,
}

/// Blocks of one model on a picture's way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathPart {
    /// Which model.
    pub model: usize,
    /// First block of it.
    pub first: usize,
    /// Last block of it.
    pub last: usize,
}

/// One way through the pool: a descendant that can be cut out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PoolConfiguration {
    /// Its number.
    pub id: usize,
    /// Its blocks, in order: one part is a whole anchor, two are stitched.
    pub path: Vec<PathPart>,
    /// The stitch layer between the parts.
    pub stitch: Option<usize>,
    /// Its parameters.
    pub parameters: u64,
    /// Floating-point operations of a picture (a multiply-add counts as two).
    pub flops: u64,
    /// Milliseconds of a picture, as timed on this machine.
    pub milliseconds: Option<f64>,
    /// Share of validation pictures named rightly before the stitched whole was trained, 0..1.
    pub accuracy_at_start: Option<f32>,
    /// The same in the end.
    pub accuracy: Option<f32>,
    /// Whether it can be cut out as it stands.
    pub is_ready: bool,
}

impl PoolConfiguration {
    /// Whether it costs no more than that.
    pub fn fits(&self, budget: Budget) -> bool {
        match budget {
            Budget::Parameters(most) => self.parameters <= most,
            Budget::Flops(most) => self.flops <= most,
            Budget::Milliseconds(most) => self.milliseconds.is_some_and(|milliseconds| milliseconds <= most),
        }
    }

    /// Whether it is a whole anchor.
    pub fn is_anchor(&self) -> bool {
        self.path.len() == 1
    }

    /// The accuracy known last.
    pub fn known_accuracy(&self) -> Option<f32> {
        self.accuracy.or(self.accuracy_at_start)
    }
}

/// A loss: mean over a few steps, at the last of them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LossPoint {
    /// Steps taken.
    pub step: usize,
    /// Mean training loss since the last point.
    pub loss: f32,
}

/// Where a pool stands, and what came out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PoolReport {
    /// The settings.
    pub settings: PoolSettings,
    /// Whether it is running, paused or done.
    pub state: RaceState,
    /// What it is at.
    pub stage: PoolStage,
    /// Optimiser steps done and planned.
    pub steps: [usize; 2],
    /// The small models, smallest first.
    pub models: Vec<PoolModel>,
    /// Stitch layers.
    pub stitches: usize,
    /// All ways through, from the smallest anchor to the largest.
    pub configurations: Vec<PoolConfiguration>,
    /// Loss of the ancestor's head.
    pub head_loss: Vec<LossPoint>,
    /// Loss of distillation, model by model.
    pub distil_loss: Vec<Vec<LossPoint>>,
    /// Loss of the stitched whole.
    pub tune_loss: Vec<LossPoint>,
    /// Accuracy of the ancestor with its new head, 0..1.
    pub ancestor_accuracy: Option<f32>,
    /// Parameters of the ancestor.
    pub ancestor_parameters: u64,
    /// Parameters stored: every model and every stitch layer once.
    pub stored_parameters: u64,
    /// Parameters of the models alone.
    pub anchor_parameters: u64,
    /// Names of the classes.
    pub classes: Vec<String>,
    /// Pictures to train and to judge on.
    pub pictures: [usize; 2],
    /// Rank correlation of accuracy and operations over all configurations, once all are judged.
    pub spearman: Option<f64>,
}

impl PoolReport {
    /// The best configuration within a budget, among those that can be cut out. While nothing is judged yet, the one
    /// with the most operations.
    pub fn best_within(&self, budget: Budget) -> Option<&PoolConfiguration> {
        let is_judged = self.configurations.iter().any(|one| one.known_accuracy().is_some());
        let worth = |one: &PoolConfiguration| match is_judged {
            true => one.known_accuracy().unwrap_or(0.0),
            false => one.flops as f32,
        };
        let better = |one: &&PoolConfiguration, other: &&PoolConfiguration| {
            worth(one).total_cmp(&worth(other)).then(other.flops.cmp(&one.flops))
        };
        self.configurations.iter().filter(|one| one.is_ready && one.fits(budget)).max_by(better)
    }

    /// Whether both were made from the same ancestor on as many pictures of the same classes with the same models,
    /// steps, batches and teacher, so that they can be compared; what a way does with them is its own.
    pub fn is_comparable(&self, other: &Self) -> bool {
        let of = |report: &Self| {
            let settings = PoolSettings {
                method: Method::Pool,
                stitch_start: StitchInit::Maps,
                basis: Basis::Learned,
                is_every_block: false,
                feature_weight: 0.0,
                is_label_only: false,
                lr: 0.0,
                pool_lr: 0.0,
                stitch_lr: None,
                seed: 0,
                ..report.settings.clone()
            };
            (settings, report.pictures, report.classes.clone(), report.ancestor_parameters)
        };
        of(self) == of(other)
    }
}

/// A configuration that was cut out: from now on a model like any other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CutReport {
    /// Its number among the trained models ([`Command::Predict`](super::Command::Predict) and its like).
    pub run: usize,
    /// Where it was cut from.
    pub method: Method,
    /// Which configuration, as it was then.
    pub configuration: PoolConfiguration,
    /// Widths of the models of its path.
    pub widths: Vec<usize>,
}
