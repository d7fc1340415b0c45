//! The arms of a race as models: what each start value means for the planned descendant. The race itself knows no method.

use burn::tensor::Device;
use futures::FutureExt;
use futures::future::LocalBoxFuture;

use crate::error::EngineError;
use crate::fits::Fits;
use crate::fitted::FittedStart;
use crate::frozen::FrozenStart;
use crate::workspace::{Planned, Workspace};
use heirloom_data::Split;
use heirloom_learngene::layers::{LayersPlan, WholeLayers, layer_names};
use heirloom_learngene::{Descendant, InitError, Initializer, LayersOnALine, Scratch, WeightSelection};
use heirloom_nn::model::{Model, ModelConfig};
use heirloom_plan::protocol::Init;
use heirloom_train::{Initializers, TrainError};

/// What an arm starts from.
pub struct Arm {
    start: Box<dyn AnyStart>,
    yardstick: Option<Yardstick>,
    is_frozen: bool,
}

/// What a race must know of an arm of the ancestor as it is, before its classifier is fitted.
pub struct Yardstick {
    /// Starts of the same key share the classifier.
    pub key: String,
    /// Starts of the same view look at the pictures once.
    pub view: String,
    pub is_fitted: bool,
    /// Pictures that it is fitted to.
    pub pictures: usize,
    /// Bytes that are held meanwhile.
    pub bytes: u64,
}

impl Arm {
    /// An arm that starts as `start` says.
    pub fn new(start: impl Initializer + 'static) -> Self {
        Self { start: Box::new(start), yardstick: None, is_frozen: false }
    }

    fn frozen(start: FrozenStart, is_tuned: bool) -> Self {
        let (key, view, is_fitted) = (start.key().to_owned(), start.view().to_owned(), start.is_fitted());
        let (pictures, bytes) = (start.pictures(), start.feature_bytes());
        let arm = if is_tuned { Self::new(TunedStart(start)) } else { Self::new(start) };
        let yardstick = Some(Yardstick { key, view, is_fitted, pictures, bytes });
        Self { yardstick, is_frozen: !is_tuned, ..arm }
    }

    /// What it starts from, if that is the ancestor as it is.
    pub fn yardstick(&self) -> Option<&Yardstick> {
        self.yardstick.as_ref()
    }

    /// Its architecture.
    pub fn config(&self) -> ModelConfig {
        self.start.any_config()
    }
}

/// [`Initializer`] for trait objects.
trait AnyStart {
    fn any_config(&self) -> ModelConfig;
    fn any_start(&self, seed: u64) -> LocalBoxFuture<'_, Result<Descendant, InitError>>;
    fn any_blank(&self, seed: u64) -> LocalBoxFuture<'_, Result<Descendant, InitError>>;
    fn any_prepare(&self) -> LocalBoxFuture<'_, Result<Option<(usize, usize)>, InitError>>;
}

impl<T: Initializer> AnyStart for T {
    fn any_config(&self) -> ModelConfig {
        self.config()
    }

    fn any_start(&self, seed: u64) -> LocalBoxFuture<'_, Result<Descendant, InitError>> {
        self.start(seed).boxed_local()
    }

    fn any_blank(&self, seed: u64) -> LocalBoxFuture<'_, Result<Descendant, InitError>> {
        self.blank(seed).boxed_local()
    }

    fn any_prepare(&self) -> LocalBoxFuture<'_, Result<Option<(usize, usize)>, InitError>> {
        self.prepare().boxed_local()
    }
}

/// Any layers of an ancestor, others for each seed.
struct RandomLayers {
    ancestor: Model,
    count: usize,
    config: ModelConfig,
    available: usize,
}

impl Initializer for RandomLayers {
    fn config(&self) -> ModelConfig {
        self.config.clone()
    }

    async fn start(&self, seed: u64) -> Result<Descendant, InitError> {
        let layers = layer_names(&self.config).len();
        let plan = LayersPlan::random(self.count, layers, self.available, seed);
        let classes = self.config.classes().unwrap_or_default();
        WholeLayers::new(self.ancestor.clone(), plan, classes, self.config.image_size())?.start(seed).await
    }
}

/// The ancestor as it is with its fitted classifier, to be trained on.
struct TunedStart(FrozenStart);

impl Initializer for TunedStart {
    fn config(&self) -> ModelConfig {
        self.0.config()
    }

    async fn prepare(&self) -> Result<Option<(usize, usize)>, InitError> {
        self.0.prepare().await
    }

    async fn start(&self, seed: u64) -> Result<Descendant, InitError> {
        Ok(Descendant::tuned(self.0.start(seed).await?.fold()))
    }

    async fn blank(&self, seed: u64) -> Result<Descendant, InitError> {
        Ok(Descendant::tuned(self.0.blank(seed).await?.fold()))
    }
}

/// Makes the arms for a planned descendant of an ancestor.
pub struct ArmMaker<'a> {
    pub workspace: &'a Workspace,
    /// The pictures that are trained on.
    pub split: &'a Split,
    pub ancestor: &'a Model,
    pub planned: &'a Planned,
    /// Blocks that stay of the frozen ancestor, 0 = all.
    pub cut: usize,
    pub device: &'a Device,
    /// Classifiers that are fitted already.
    pub fits: &'a Fits,
}

impl ArmMaker<'_> {
    /// The descendant as planned.
    fn inherited(&self) -> Result<Arm, EngineError> {
        let fitted = FittedStart::of(self.workspace, self.split, self.planned)?;
        Ok(fitted.map_or_else(|| Arm::new(self.planned.start.clone()), Arm::new))
    }

    /// The arm of a start value.
    ///
    /// # Errors
    /// When the ancestor's family does not know that start, or the descendant does not fit it.
    pub fn make(&self, start: Init) -> Result<Arm, EngineError> {
        let planned = &self.planned.start;
        let config = planned.config();
        let (classes, size) = (config.classes().unwrap_or_default(), config.image_size());
        let (layers, available) = (layer_names(&config).len(), layer_names(&self.ancestor.config()).len());
        let count = planned.inherited_layers().min(available);
        let whole = |plan| Ok(Arm::new(WholeLayers::new(self.ancestor.clone(), plan, classes, size)?));
        Ok(match start {
            Init::Scratch => Arm::new(Scratch { config, device: self.device.clone() }),
            Init::Inherited => return self.inherited(),
            Init::Frozen | Init::Tuned => {
                let sizes = (classes, size);
                let frozen = FrozenStart::new(self.workspace, self.split, sizes, self.cut, self.fits.clone())?;
                Arm::frozen(frozen, start == Init::Tuned)
            }
            Init::First => return whole(LayersPlan::first(count, layers)),
            Init::Last => return whole(LayersPlan::last(count, layers, available)),
            Init::Ends => return whole(LayersPlan::ends(count, layers, available)),
            Init::Whole => return whole(LayersPlan::whole(available)),
            Init::Random => {
                let plan = LayersPlan::random(count, layers, available, 0);
                let start = WholeLayers::new(self.ancestor.clone(), plan, classes, size)?;
                Arm::new(RandomLayers { ancestor: self.ancestor.clone(), count, config: start.config(), available })
            }
            Init::Selection => {
                let (Some(ancestor), Some(config)) = (self.ancestor.vit(), config.vit()) else {
                    return Err(EngineError::NotOneShape);
                };
                Arm::new(WeightSelection::new(ancestor.clone(), config.clone())?)
            }
            Init::Line => {
                let Some(ancestor) = self.ancestor.vit() else { return Err(EngineError::NotOneShape) };
                Arm::new(LayersOnALine::new(ancestor.clone(), layers, classes, size)?)
            }
        })
    }
}

/// Makes the models that the arms start from.
pub struct RaceInitializers {
    arms: Vec<Arm>,
}

impl RaceInitializers {
    /// These arms.
    pub fn new(arms: Vec<Arm>) -> Self {
        Self { arms }
    }
}

impl Initializers<Descendant> for RaceInitializers {
    async fn start(&mut self, arm: usize, seed: u64) -> Result<Descendant, TrainError> {
        self.arms[arm].start.any_start(seed).await.map_err(failed)
    }

    async fn prepare(&mut self, arm: usize, _: u64) -> Result<Option<(usize, usize)>, TrainError> {
        self.arms[arm].start.any_prepare().await.map_err(failed)
    }

    async fn blank(&mut self, arm: usize, seed: u64) -> Result<Descendant, TrainError> {
        self.arms[arm].start.any_blank(seed).await.map_err(failed)
    }

    fn is_frozen(&self, arm: usize) -> bool {
        self.arms[arm].is_frozen
    }
}

fn failed(error: InitError) -> TrainError {
    TrainError::Source(error.to_string())
}
