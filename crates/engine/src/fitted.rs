//! A start that is fitted to the person's pictures before it is trained (docs/methods.md, section 1.9). Once for all seeds:
//! the pictures are the same.

use std::cell::RefCell;

use burn::tensor::Tensor;
use futures::lock::Mutex;
use heirloom_data::Split;
use heirloom_learngene::cluster::{FIT_PICTURES, FIT_RIDGE, Inherited};
use heirloom_learngene::{Descendant, InitError, Initializer};
use heirloom_nn::model::ModelConfig;

use crate::error::EngineError;
use crate::plain_pictures::PlainPictures;
use crate::workspace::{Planned, PlannedInit, Workspace};
use heirloom_plan::protocol::DescendantPlan;

/// A learngene, expanded, with its projections fitted when the first seed begins.
pub struct FittedStart {
    plain: Inherited,
    pictures: Mutex<PlainPictures>,
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
        let pictures = PlainPictures::new(workspace, split, split.spread(FIT_PICTURES), settings.image_size)?;
        Ok(Some(Self { plain: (**plain).clone(), pictures: Mutex::new(pictures), fitted: RefCell::new(None) }))
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
                let pictures = read(&mut *self.pictures.lock().await).await;
                let pictures = pictures.map_err(|error| InitError::Pictures(error.to_string()))?;
                let fitted = self.plain.clone().fitted(&pictures, FIT_RIDGE).await?;
                self.fitted.replace(Some(fitted.clone()));
                fitted
            }
        };
        fitted.start(seed).await
    }

    async fn blank(&self, seed: u64) -> Result<Descendant, InitError> {
        self.plain.start(seed).await
    }
}

async fn read(pictures: &mut PlainPictures) -> Result<Vec<Tensor<4>>, EngineError> {
    let mut all = Vec::new();
    for index in 0..pictures.batches() {
        all.extend(pictures.batch(index).await?.map(|(images, _)| images));
    }
    Ok(all)
}
