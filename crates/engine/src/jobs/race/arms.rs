//! The arms of a race as models: what each start value means for the planned descendant. The race itself knows no method.

use burn::tensor::Device;
use futures::FutureExt;
use futures::future::LocalBoxFuture;

use crate::error::EngineError;
use crate::workspace::PlannedStart;
use heirloom_learngene::layers::{LayersPlan, WholeLayers, layer_names};
use heirloom_learngene::{Descendant, Scratch, StartError, StartingPoint, Tleg, WeightSelection};
use heirloom_nn::model::{Model, ModelConfig};
use heirloom_plan::protocol::StartValue;
use heirloom_train::{Starts, TrainError};

/// What an arm starts from.
pub struct Arm(Box<dyn AnyStart>);

impl Arm {
    /// An arm that starts as `start` says.
    pub fn new(start: impl StartingPoint + 'static) -> Self {
        Self(Box::new(start))
    }

    /// Its architecture.
    pub fn config(&self) -> ModelConfig {
        self.0.any_config()
    }
}

/// [`StartingPoint`] for trait objects.
trait AnyStart {
    fn any_config(&self) -> ModelConfig;
    fn any_start(&self, seed: u64) -> LocalBoxFuture<'_, Result<Descendant, StartError>>;
}

impl<T: StartingPoint> AnyStart for T {
    fn any_config(&self) -> ModelConfig {
        self.config()
    }

    fn any_start(&self, seed: u64) -> LocalBoxFuture<'_, Result<Descendant, StartError>> {
        self.start(seed).boxed_local()
    }
}

/// Any layers of an ancestor, others for each seed.
struct RandomLayers {
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

/// Makes the arms for a planned descendant of an ancestor.
pub struct ArmMaker<'a> {
    pub ancestor: &'a Model,
    pub planned: &'a PlannedStart,
    pub device: &'a Device,
}

impl ArmMaker<'_> {
    /// The arm of a start value.
    ///
    /// # Errors
    /// When the ancestor's family does not know that start, or the descendant does not fit it.
    pub fn make(&self, start: StartValue) -> Result<Arm, EngineError> {
        let config = self.planned.config();
        let (classes, size) = (config.classes().unwrap_or_default(), config.image_size());
        let (layers, available) = (layer_names(&config).len(), layer_names(&self.ancestor.config()).len());
        let count = self.planned.inherited_layers().min(available);
        let whole = |plan| Ok(Arm::new(WholeLayers::new(self.ancestor.clone(), plan, classes, size)?));
        Ok(match start {
            StartValue::Scratch => Arm::new(Scratch { config, device: self.device.clone() }),
            StartValue::Inherited => Arm::new(self.planned.clone()),
            StartValue::First => return whole(LayersPlan::first(count, layers)),
            StartValue::Last => return whole(LayersPlan::last(count, layers, available)),
            StartValue::Whole => return whole(LayersPlan::whole(available)),
            StartValue::Random => {
                let plan = LayersPlan::random(count, layers, available, 0);
                let start = WholeLayers::new(self.ancestor.clone(), plan, classes, size)?;
                Arm::new(RandomLayers { ancestor: self.ancestor.clone(), count, config: start.config(), available })
            }
            StartValue::Selection => {
                let (Some(ancestor), Some(config)) = (self.ancestor.vit(), config.vit()) else {
                    return Err(EngineError::NotOneShape);
                };
                Arm::new(WeightSelection::new(ancestor.clone(), config.clone())?)
            }
            StartValue::Tleg => {
                let Some(ancestor) = self.ancestor.vit() else { return Err(EngineError::NotOneShape) };
                Arm::new(Tleg::new(ancestor.clone(), layers, classes, size)?)
            }
        })
    }
}

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
        self.arms[arm].0.any_start(seed).await.map_err(|error| TrainError::Source(error.to_string()))
    }
}
