//! The arms of a race as models: what each start value means for the planned descendant. The race itself knows no method.

use burn::tensor::Device;

use super::descendant::PlannedStart;
use heirloom_learngene::layers::{LayersPlan, WholeLayers, layer_names};
use heirloom_learngene::{Descendant, Scratch, StartError, StartingPoint, Tleg, WeightSelection};
use heirloom_nn::model::{Model, ModelConfig};
use heirloom_plan::descendant::PlanError;
use heirloom_plan::protocol::StartValue;
use heirloom_train::{Starts, TrainError};

/// What an arm starts from.
#[allow(clippy::large_enum_variant, reason = "a race has a handful of arms")]
pub enum Arm {
    /// Random weights.
    Scratch(Scratch),
    /// The learngene, as the method starts from it.
    Inherited(PlannedStart),
    /// Whole layers, the same for all seeds.
    Layers(WholeLayers),
    /// Whole layers, others for each seed.
    RandomLayers(RandomLayers),
    /// Evenly spaced heads of the first layers.
    Selection(WeightSelection),
    /// Layers on a line.
    Tleg(Tleg),
}

/// Any layers of an ancestor.
pub struct RandomLayers {
    ancestor: Model,
    count: usize,
    config: ModelConfig,
    available: usize,
}

impl StartingPoint for RandomLayers {
    fn config(&self) -> ModelConfig {
        self.config.clone()
    }

    async fn start(&self, seed: u64) -> Result<Descendant, StartError> {
        let layers = layer_names(&self.config).len();
        let plan = LayersPlan::random(self.count, layers, self.available, seed);
        let classes = self.config.classes().unwrap_or_default();
        WholeLayers::new(self.ancestor.clone(), plan, classes, self.config.image_size())?.start(seed).await
    }
}

impl StartingPoint for Arm {
    fn config(&self) -> ModelConfig {
        match self {
            Self::Scratch(start) => start.config(),
            Self::Inherited(start) => start.config(),
            Self::Layers(start) => start.config(),
            Self::RandomLayers(start) => start.config(),
            Self::Selection(start) => start.config(),
            Self::Tleg(start) => start.config(),
        }
    }

    async fn start(&self, seed: u64) -> Result<Descendant, StartError> {
        match self {
            Self::Scratch(start) => start.start(seed).await,
            Self::Inherited(start) => start.start(seed).await,
            Self::Layers(start) => start.start(seed).await,
            Self::RandomLayers(start) => start.start(seed).await,
            Self::Selection(start) => start.start(seed).await,
            Self::Tleg(start) => start.start(seed).await,
        }
    }
}

/// Makes the arms for a planned descendant of an ancestor.
pub(super) struct ArmMaker<'a> {
    pub ancestor: &'a Model,
    pub planned: &'a PlannedStart,
    pub device: &'a Device,
}

impl ArmMaker<'_> {
    /// The arm of a start value.
    ///
    /// # Errors
    /// When the ancestor's family does not know that start, or the descendant does not fit it.
    pub fn make(&self, start: StartValue) -> Result<Arm, PlanError> {
        let config = self.planned.config();
        let (classes, size) = (config.classes().unwrap_or_default(), config.image_size());
        let (layers, available) = (layer_names(&config).len(), layer_names(&self.ancestor.config()).len());
        let count = self.planned.inherited_layers().min(available);
        let whole = |plan| Ok(Arm::Layers(WholeLayers::new(self.ancestor.clone(), plan, classes, size)?));
        Ok(match start {
            StartValue::Scratch => Arm::Scratch(Scratch { config, device: self.device.clone() }),
            StartValue::Inherited => Arm::Inherited(self.planned.clone()),
            StartValue::First => return whole(LayersPlan::first(count, layers)),
            StartValue::Last => return whole(LayersPlan::last(count, layers, available)),
            StartValue::Whole => return whole(LayersPlan::whole(available)),
            StartValue::Random => {
                let plan = LayersPlan::random(count, layers, available, 0);
                let start = WholeLayers::new(self.ancestor.clone(), plan, classes, size)?;
                Arm::RandomLayers(RandomLayers {
                    ancestor: self.ancestor.clone(),
                    count,
                    config: start.config(),
                    available,
                })
            }
            StartValue::Selection => {
                let (Some(ancestor), Some(config)) = (self.ancestor.vit(), config.vit()) else { return Err(NO_HEADS) };
                Arm::Selection(WeightSelection::new(ancestor.clone(), config.clone())?)
            }
            StartValue::Tleg => {
                let Some(ancestor) = self.ancestor.vit() else { return Err(NO_HEADS) };
                Arm::Tleg(Tleg::new(ancestor.clone(), layers, classes, size)?)
            }
        })
    }
}

const NO_HEADS: PlanError = PlanError::Family(
    "weight selection and TLEG need layers of one shape, as a Vision Transformer has them; leave these two starts out",
);

/// Makes the models that the arms start from.
pub struct RaceStarts {
    arms: Vec<Arm>,
}

impl RaceStarts {
    /// These arms.
    pub fn new(arms: Vec<Arm>) -> Self {
        Self { arms }
    }
}

impl Starts<Descendant> for RaceStarts {
    async fn start(&mut self, arm: usize, seed: u64) -> Result<Descendant, TrainError> {
        self.arms[arm].start(seed).await.map_err(|error| TrainError::Source(error.to_string()))
    }
}
