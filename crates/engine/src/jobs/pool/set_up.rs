//! From the person's settings to a plan that can be carried out.

use crate::error::EngineError;
use crate::jobs::teaching::{HEAD_LR, Lessons, steps};
use crate::workspace::Workspace;
use heirloom_data::Normalise;
use heirloom_learngene::pool::{
    AuxiliaryPlan, Coordinates, PoolPlan, Positions, Teaches, auxiliary_config, with_stitch_rate,
};
use heirloom_learngene::stitch::{Configuration, stitch_configurations};
use heirloom_nn::model::ModelConfig;
use heirloom_nn::vit::VitConfig;
use heirloom_plan::protocol::{Method, PoolSettings, SmallModel, StitchInit};

/// Weight of the labels in distillation (Learngene Pool, section 4.1).
const LABEL_WEIGHT: f64 = 0.1;
/// Pictures that the shared basis and the least-squares start look at (SN-Net: about 100).
const FIT_PICTURES: usize = 100;

/// What a pool is made of, known before its first step.
#[derive(Clone)]
pub(super) struct Frame {
    pub settings: PoolSettings,
    /// The small models, smallest first.
    pub models: Vec<VitConfig>,
    /// All ways through, and what each is as a model of its own.
    pub ways: Vec<(Configuration, ModelConfig)>,
    pub classes: Vec<String>,
    pub normalise: Normalise,
    /// Pictures to train and to judge on.
    pub pictures: [usize; 2],
    pub ancestor_parameters: u64,
    pub ancestor_flops: u64,
}

impl Frame {
    /// Checks settings against ancestor and pictures.
    ///
    /// # Errors
    /// Says what is missing or does not fit.
    pub fn new(workspace: &Workspace, settings: PoolSettings) -> Result<Self, EngineError> {
        let (ancestor, vit, split) = (workspace.ancestor()?, workspace.vit()?, workspace.split()?);
        let mut settings = checked(settings)?;
        let (classes, size) = (split.classes.len(), settings.image_size);
        let config = |model: &SmallModel| auxiliary_config(&vit.config, [model.blocks, model.width], classes, size);
        let mut models = settings.models.iter().map(config).collect::<Result<Vec<_>, _>>()?;
        models.sort_by_key(VitConfig::flops);
        settings.models =
            models.iter().map(|config| SmallModel { blocks: config.depth, width: config.embed_dim }).collect();
        let ways = stitch_configurations(&models)?;
        Ok(Self {
            settings,
            models,
            ways,
            classes: split.classes.clone(),
            normalise: ancestor.normalise,
            pictures: [split.train.len(), split.validation.len()],
            ancestor_parameters: vit.config.parameters(),
            ancestor_flops: VitConfig { image_size: size, ..vit.config.clone() }.flops(),
        })
    }

    /// How the ancestor and the pictures are wanted.
    pub fn lessons(&self) -> Lessons {
        let PoolSettings { image_size, batch, seed, augment, .. } = self.settings;
        Lessons { image_size, batch, seed, augment }
    }

    pub(super) fn is_stitch(&self) -> bool {
        self.settings.method == Method::Stitch
    }

    /// The plan of the work.
    pub(super) fn plan(&self) -> PoolPlan {
        let PoolSettings { batch, head_steps, distil_steps, pool_steps, lr, pool_lr, seed, .. } = self.settings;
        let PoolSettings { basis, is_every_block, feature_weight, is_label_only, stitch_lr, .. } = self.settings;
        let auxiliary = |(at, config): (usize, &VitConfig)| AuxiliaryPlan {
            config: config.clone(),
            positions: match (basis.is_shared(), at) {
                _ if self.is_stitch() => Positions::None,
                (true, _) if is_every_block => Positions::Every,
                (true, _) | (false, 0) => Positions::FrontMidEnd,
                (false, _) => Positions::End,
            },
        };
        PoolPlan {
            seed,
            auxiliaries: self.models.iter().enumerate().map(auxiliary).collect(),
            head: steps(HEAD_LR, head_steps, seed),
            head_steps,
            distil: steps(lr, distil_steps, seed),
            distil_steps,
            label_weight: if self.is_stitch() && is_label_only { 1.0 } else { LABEL_WEIGHT },
            feature_weight,
            coordinates: Coordinates::of(basis),
            tune: with_stitch_rate(steps(pool_lr, pool_steps, seed), stitch_lr.unwrap_or(pool_lr)),
            tune_steps: pool_steps,
            teacher: if self.settings.is_anchor_teacher { Teaches::LargestAnchor } else { Teaches::Ancestor },
            stitch_start: self.settings.stitch_start,
            compared: vec![self.settings.stitch_start],
            fit_batches: FIT_PICTURES.div_ceil(batch),
        }
    }
}

/// Settings of which nothing is 0 and whose start value there is.
fn checked(mut settings: PoolSettings) -> Result<PoolSettings, EngineError> {
    if !matches!(settings.method, Method::Pool | Method::Stitch) {
        return Err(EngineError::NoPoolMethod(settings.method.name()));
    }
    if settings.models.len() < 2 {
        return Err(EngineError::FewModels(settings.models.len()));
    }
    let counts = [settings.batch, settings.head_steps, settings.distil_steps, settings.pool_steps];
    if counts.contains(&0) {
        return Err(EngineError::EmptyPool);
    }
    let has_maps = settings.method == Method::Pool;
    let needs_maps = matches!(settings.stitch_start, StitchInit::Maps | StitchInit::PseudoInverse);
    if needs_maps && !has_maps {
        // Independent anchors have no maps; this is how SN-Net starts.
        settings.stitch_start = StitchInit::LeastSquares;
    }
    Ok(settings)
}
