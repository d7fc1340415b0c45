//! From the person's settings to everything a race is made of.

use super::arms::{Arm, ArmMaker, RaceInitializers};
use crate::batches::RaceBatches;
use crate::commands::descendant::plan;
use crate::error::EngineError;
use crate::fits::Fits;
use crate::remark::Remark;
use crate::workspace::Workspace;
use heirloom_data::{Augment, Loader, LoaderSettings, Normalise};
use heirloom_nn::model::ModelConfig;
use heirloom_plan::descendant::{TRAINING_COPIES, activation_bytes};
use heirloom_plan::forecast::Cost;
use heirloom_plan::protocol::{DescendantPlan, Init, LearningRate, TrainSettings};
use heirloom_plan::threads::PARTS;
use heirloom_train::{AdamWSettings, RacePlan, RunSettings, Schedule};

/// Memory a tab's CPU engine can have: wasm ends at 4 GiB, and pictures, ancestor and finished models need some of it.
const TAB_BYTES: u64 = 3 << 30;

/// What a run of a race is trained with.
pub fn run_settings(settings: &TrainSettings) -> RunSettings {
    let TrainSettings { steps, warmup_steps, lr, weight_decay, label_smoothing, drop_path, clip_norm, .. } = *settings;
    let (peak, fresh_lr) = match lr {
        LearningRate::One(lr) => (lr, None),
        LearningRate::Relative { relative, fresh } => (relative, Some(fresh)),
    };
    RunSettings {
        schedule: Schedule { peak, floor: 0.0, warmup_steps, steps },
        adamw: AdamWSettings { weight_decay, clip_norm: (clip_norm > 0.0).then_some(clip_norm), ..Default::default() },
        label_smoothing,
        drop_path,
        freeze_steps: 0,
        lr_scales: Vec::new(),
        fresh_lr,
        seed: 0,
    }
}

/// Epochs for which the learngene is held still.
fn freeze_epochs(plan: &DescendantPlan) -> f64 {
    match plan {
        DescendantPlan::Cluster(_) | DescendantPlan::Tied(_) => 0.0,
        DescendantPlan::Layers(settings) => settings.freeze_epochs,
    }
}

/// How pictures are served to a race.
pub fn loader_settings(settings: &TrainSettings, normalise: Normalise) -> LoaderSettings {
    LoaderSettings {
        image_size: settings.descendant.image_size(),
        batch: settings.batch,
        normalise,
        augment: settings.augment.then(Augment::default),
        ..LoaderSettings::default()
    }
}

/// A fit of a classifier to the ancestor as it is.
pub struct Fit {
    /// What it is of: equal ones are one.
    pub key: String,
    /// What the pictures are looked at for.
    pub view: String,
    /// Whether it was made before.
    pub is_fitted: bool,
}

/// Everything a race is made of, for a new one or for one that is taken up again.
pub struct RaceParts {
    pub plan: RacePlan,
    pub batches: RaceBatches,
    pub starts: RaceInitializers,
    pub configs: Vec<ModelConfig>,
    pub classes: Vec<String>,
    pub cost: Cost,
    /// The fit of a classifier to the ancestor as it is, if that races or is trained on.
    pub fit: Option<Fit>,
    /// What is good to know of it.
    pub remark: Option<Remark>,
}

impl RaceParts {
    /// The parts of a race.
    ///
    /// # Errors
    /// When something is missing or does not fit.
    pub fn new(workspace: &Workspace, settings: &TrainSettings, fits: &Fits) -> Result<Self, EngineError> {
        let planned = plan(workspace, settings.descendant.clone())?;
        let ancestor = workspace.ancestor()?;
        let acquired = workspace.acquired()?;
        let split = workspace.split()?;
        if settings.arms.is_empty() || settings.seeds == 0 || settings.steps == 0 {
            return Err(EngineError::EmptyRace);
        }
        let part = split.share_of_training(settings.share, workspace.dataset.settings.seed);
        let (model, device) = (&ancestor.model, &acquired.device);
        let maker =
            ArmMaker { workspace, split: &part, ancestor: model, planned: &planned, cut: settings.cut, device, fits };
        let arms = settings.arms.iter().map(|&start| maker.make(start)).collect::<Result<Vec<_>, _>>()?;
        let configs: Vec<ModelConfig> = arms.iter().map(Arm::config).collect();
        let loader = Loader::new(&workspace.dataset.set, &part, loader_settings(settings, ancestor.normalise))?;
        let yardstick = arms.iter().find_map(Arm::yardstick);
        let mut cost = Cost::of(settings, &configs, [loader.train_len(), loader.validation_len()]);
        if yardstick.is_some_and(|yardstick| yardstick.is_fitted) {
            cost = cost.prepared();
        }
        let remark = yardstick.filter(|one| !one.is_fitted && one.pictures < part.train.len());
        let remark = remark.map(|one| Remark::FittedToPart { pictures: one.pictures, all: part.train.len() });
        let features = yardstick.map_or(0, |yardstick| yardstick.bytes);
        let fit = yardstick.map(|one| Fit { key: one.key.clone(), view: one.view.clone(), is_fitted: one.is_fitted });
        let freeze_steps =
            (freeze_epochs(&settings.descendant) * loader.train_len() as f64 / settings.batch as f64).round() as usize;
        let in_tab = cfg!(target_arch = "wasm32") && !acquired.is_webgpu;
        // What a batch norm takes is of the whole batch, unless it is frozen.
        let has_batch_norm = configs
            .iter()
            .zip(&settings.arms)
            .any(|(config, arm)| matches!(config, ModelConfig::Cnn(_)) && *arm != Init::Tuned);
        let divides = !acquired.is_webgpu && !has_batch_norm && settings.batch >= 2 * PARTS;
        let trains = configs.iter().zip(&settings.arms).filter(|(_, arm)| !arm.is_frozen());
        let in_training: Vec<ModelConfig> = trains.map(|(config, _)| config.clone()).collect();
        let plan = RacePlan {
            run: RunSettings { freeze_steps, ..run_settings(settings) },
            steps: settings.steps,
            arms: settings.arms.len(),
            seeds: (settings.first_seed..).take(settings.seeds).collect(),
            validate_every: settings.validate_every,
            is_interleaved: settings.is_interleaved,
            micro_batch: settings.micro_batch,
            parts: if divides { PARTS } else { 1 },
            judging_parts: if divides || (!acquired.is_webgpu && has_batch_norm) { PARTS } else { 1 },
            room: in_tab.then(|| room(&in_training, settings.is_interleaved, TAB_BYTES.saturating_sub(features))),
        };
        let (batches, classes) = (RaceBatches::new(loader), split.classes.clone());
        Ok(Self { plan, batches, starts: RaceInitializers::new(arms), configs, classes, cost, fit, remark })
    }
}

/// Pictures that one pass has memory for beside weights, gradients and moments of all models in training.
fn room(configs: &[ModelConfig], is_interleaved: bool, bytes: u64) -> usize {
    let held = configs.iter().map(|config| 4 * TRAINING_COPIES * config.parameters());
    let held = if is_interleaved { held.sum() } else { held.max().unwrap_or(0) };
    let picture = configs.iter().map(activation_bytes).max().unwrap_or(1).max(1);
    (bytes.saturating_sub(held) / picture) as usize
}

/// What to say when steps go in parts of so many pictures from now on.
pub fn in_parts(configs: &[ModelConfig], batch: usize, part: usize) -> Remark {
    let is_normalised = configs.iter().any(|config| matches!(config, ModelConfig::Cnn(_)));
    Remark::InParts { batch, part, is_normalised }
}

#[cfg(test)]
mod tests {
    use super::*;
    use heirloom_nn::cnn::CnnConfig;

    #[test]
    fn parts_of_a_batch_are_called_the_same_only_where_no_batch_norm_is() {
        let network = ModelConfig::Cnn(CnnConfig::vgg([1; 5], 2));
        let same = in_parts(&[], 8, 4).to_string();
        assert!(same.ends_with("parts of 4, whose gradients are added: the result is the same, only slower"));
        assert!(in_parts(&[network], 8, 4).to_string().contains("somewhat another result"));
    }
}
