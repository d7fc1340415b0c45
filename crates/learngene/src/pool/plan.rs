//! How a pool is made, and what is told of it.

use serde::{Deserialize, Serialize};

use super::{Coordinates, Positions, StitchInit};
use heirloom_plan::config::VitConfig;
use heirloom_train::{LrScale, RunSettings};

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
    /// Weight of the ancestor's tokens in distillation, `w`.
    #[serde(default = "one")]
    pub feature_weight: f64,
    /// Through which coordinates auxiliary models listen.
    #[serde(default = "Coordinates::of_earlier_versions")]
    pub coordinates: Coordinates,
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
    /// Batches of pictures for a shared basis and for the least-squares start; about 100 pictures do.
    pub fit_batches: usize,
}

fn one() -> f64 {
    1.0
}

impl PoolPlan {
    /// Whether its models listen through one basis. Those that hear only answers listen through none.
    pub fn has_shared_basis(&self) -> bool {
        self.coordinates.basis.is_shared() && self.auxiliaries.iter().any(|one| one.positions != Positions::None)
    }
}

/// Fine-tuning whose blocks have the rate of `tune` and whose stitch layers have `stitch_lr`, both at their peak.
pub fn with_stitch_rate(mut tune: RunSettings, stitch_lr: f64) -> RunSettings {
    let blocks_lr = tune.schedule.peak;
    let peak = blocks_lr.max(stitch_lr);
    if peak > 0.0 && blocks_lr != stitch_lr {
        let group = |prefix: &str, lr: f64| LrScale { prefix: prefix.to_owned(), scale: lr / peak };
        tune.lr_scales = vec![group("anchors.", blocks_lr), group("stitches.", stitch_lr)];
        tune.schedule.peak = peak;
    }
    tune
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
    /// Pictures for the shared basis or the stitch layers were seen.
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
