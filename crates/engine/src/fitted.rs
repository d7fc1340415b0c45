//! A start that is fitted to the person's pictures before it is trained (docs/methods.md, section 1.9). Once for all seeds:
//! the pictures are the same.

use std::cell::RefCell;

use burn::tensor::{Device, Tensor, TensorData};
use futures::lock::Mutex;
use heirloom_data::{Batch, DataError, Loader, LoaderSettings, Split};
use heirloom_learngene::cluster::{FIT_PICTURES, FIT_RIDGE, Inherited};
use heirloom_learngene::{Descendant, InitError, Initializer};
use heirloom_nn::model::ModelConfig;

use crate::error::EngineError;
use crate::workspace::{Planned, PlannedInit, Workspace};
use heirloom_plan::protocol::DescendantPlan;

/// Pictures of a pass.
const BATCH: usize = 10;

/// The pictures that a start is fitted to.
pub struct FitPictures {
    loader: Loader,
    device: Device,
}

impl FitPictures {
    /// Training pictures of a split, in turn from each class, without augmentation.
    ///
    /// # Errors
    /// When there are none.
    pub fn new(workspace: &Workspace, split: &Split, image_size: usize) -> Result<Self, EngineError> {
        let some = Split { validation: split.spread(FIT_PICTURES), ..split.clone() };
        let normalise = workspace.ancestor()?.normalise;
        let settings =
            LoaderSettings { image_size, batch: BATCH, normalise, augment: None, ..LoaderSettings::default() };
        let loader = Loader::new(&workspace.dataset.set, &some, settings)?;
        Ok(Self { loader, device: workspace.acquired()?.device.clone().inner() })
    }

    /// All of them, `[batch, channels, image_size, image_size]` each.
    ///
    /// # Errors
    /// When a file cannot be read any more.
    pub async fn read(&mut self) -> Result<Vec<Tensor<4>>, DataError> {
        let side = self.loader.settings().image_size;
        let mut all = Vec::new();
        for index in 0..self.loader.validation_batches() {
            let Batch { pixels, labels, .. } = self.loader.validation_batch(index).await?;
            if !labels.is_empty() {
                all.push(Tensor::from_data(TensorData::new(pixels, [labels.len(), 3, side, side]), &self.device));
            }
        }
        Ok(all)
    }
}

/// A learngene, expanded, with its projections fitted when the first seed begins.
pub struct FittedStart {
    plain: Inherited,
    pictures: Mutex<FitPictures>,
    fitted: RefCell<Option<Inherited>>,
}

impl FittedStart {
    /// What was planned, if that is to be fitted: it is when the first seed begins.
    ///
    /// # Errors
    /// When there are no pictures.
    pub fn of(workspace: &Workspace, split: &Split, planned: &Planned) -> Result<Option<Self>, EngineError> {
        let (DescendantPlan::Cluster(settings), PlannedInit::Cluster(plain)) = (&planned.settings, &planned.start)
        else {
            return Ok(None);
        };
        if !settings.compensate {
            return Ok(None);
        }
        let pictures = Mutex::new(FitPictures::new(workspace, split, settings.image_size)?);
        Ok(Some(Self { plain: (**plain).clone(), pictures, fitted: RefCell::new(None) }))
    }
}

impl Initializer for FittedStart {
    fn config(&self) -> ModelConfig {
        self.plain.config()
    }

    async fn start(&self, seed: u64) -> Result<Descendant, InitError> {
        let known = self.fitted.borrow().clone();
        let fitted = match known {
            Some(fitted) => fitted,
            None => {
                let pictures = self.pictures.lock().await.read().await;
                let pictures = pictures.map_err(|error| InitError::Pictures(error.to_string()))?;
                let fitted = self.plain.clone().fitted(&pictures, FIT_RIDGE).await?;
                self.fitted.replace(Some(fitted.clone()));
                fitted
            }
        };
        fitted.start(seed).await
    }
}
