//! How a pool is made, and what is told of it.

use serde::{Deserialize, Serialize};

use super::{Positions, StitchInit};
use heirloom_plan::config::VitConfig;
use heirloom_train::RunSettings;

/// One auxiliary model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AuxiliaryPlan {
    /// What it looks like (`learngene::pool::auxiliary_config`).
    pub config: VitConfig,
    /// Where it listens.
    pub positions: Positions,
}

/// Who teaches while the net is fine-tuned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Teaches {
    /// The ancestor (Learngene Pool).
    #[default]
    Ancestor,
    /// The largest anchor as it was before, frozen (SN-Net).
    LargestAnchor,
}

/// How a pool is made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PoolPlan {
    /// Seed of start values, batches and draws.
    pub seed: u64,
    /// The auxiliary models, smallest first.
    pub auxiliaries: Vec<AuxiliaryPlan>,
    /// How the ancestor's head is fitted.
    pub head: RunSettings,
    /// Steps of that.
    pub head_steps: usize,
    /// How each auxiliary model is distilled.
    pub distil: RunSettings,
    /// Steps of each.
    pub distil_steps: usize,
    /// Weight of the labels in distillation, `a` (published: 0.1).
    pub label_weight: f64,
    /// How the stitched net is fine-tuned.
    pub tune: RunSettings,
    /// Steps of that.
    pub tune_steps: usize,
    /// Who teaches then.
    pub teacher: Teaches,
    /// How stitch layers start.
    pub stitch_start: StitchInit,
    /// Start values whose configurations are all judged before fine-tuning, for comparison; may be empty.
    pub compared: Vec<StitchInit>,
    /// Batches of pictures for the least-squares start; about 100 pictures do.
    pub fit_batches: usize,
}

/// Everything measured so far.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PoolMeasurements {
    /// Accuracy of the ancestor with its fitted head, 0..1.
    pub ancestor_accuracy: Option<f32>,
    /// Loss of every step of the head.
    pub head_losses: Vec<f32>,
    /// Loss of every distillation step, by auxiliary model.
    pub distil_losses: Vec<Vec<f32>>,
    /// Accuracy of every configuration before fine-tuning, by start value.
    pub at_start: Vec<(StitchInit, Vec<f32>)>,
    /// Loss of every fine-tuning step.
    pub tune_losses: Vec<f32>,
    /// Accuracy of every configuration in the end; empty before.
    pub accuracy: Vec<f32>,
}

/// What one call of [`super::PoolTrainer::advance`] did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PoolAdvance {
    /// A step of the head.
    Head {
        /// Training loss.
        loss: f32,
    },
    /// A distillation step.
    Distilled {
        /// Of which auxiliary model.
        auxiliary: usize,
        /// Training loss.
        loss: f32,
    },
    /// Pictures for the stitch layers were seen.
    Fitted,
    /// A configuration judged one batch.
    Judged,
    /// A fine-tuning step.
    Tuned {
        /// Which configuration it trained.
        configuration: usize,
        /// Training loss.
        loss: f32,
    },
    /// Nothing is left to do.
    Finished,
}
