//! Training pictures as they are judged, without augmentation: what a start is fitted to before any step.

use burn::tensor::{Device, Tensor};
use heirloom_data::{self as data, DataError, Labelled, Loader, LoaderSettings, Split};
use heirloom_train::Batch;

use crate::error::EngineError;
use crate::workspace::Workspace;

/// Pictures of a pass.
const BATCH: usize = 10;

/// Some pictures of a set.
pub struct PlainPictures {
    loader: Loader,
    device: Device,
}

impl PlainPictures {
    /// These pictures of a split.
    ///
    /// # Errors
    /// When there are none.
    pub fn new(
        workspace: &Workspace,
        split: &Split,
        pictures: Vec<Labelled>,
        image_size: usize,
    ) -> Result<Self, EngineError> {
        let some = Split { validation: pictures, ..split.clone() };
        let normalise = workspace.ancestor()?.normalise;
        let settings =
            LoaderSettings { image_size, batch: BATCH, normalise, augment: None, ..LoaderSettings::default() };
        let loader = Loader::new(&workspace.dataset.set, &some, settings)?;
        Ok(Self { loader, device: workspace.acquired()?.device.clone().inner() })
    }

    /// Batches of them.
    pub fn batches(&self) -> usize {
        self.loader.validation_batches()
    }

    /// What their tensors are made on.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// A batch on the host; `None` where no picture decodes.
    ///
    /// # Errors
    /// When a file cannot be read any more.
    pub async fn on_host(&mut self, index: usize) -> Result<Option<Batch>, DataError> {
        let side = self.loader.settings().image_size;
        let data::Batch { pixels, labels, .. } = self.loader.validation_batch(index).await?;
        let labels: Vec<usize> = labels.into_iter().map(|label| label as usize).collect();
        let shape = [labels.len(), 3, side, side];
        Ok((!labels.is_empty()).then_some(Batch { pixels, shape, labels }))
    }

    /// A batch `[batch, channels, image_size, image_size]` and its labels; `None` where no picture decodes.
    ///
    /// # Errors
    /// When a file cannot be read any more.
    pub async fn batch(&mut self, index: usize) -> Result<Option<(Tensor<4>, Vec<usize>)>, EngineError> {
        let Some(batch) = self.on_host(index).await? else { return Ok(None) };
        Ok(Some((batch.images(&self.device)?, batch.labels)))
    }
}
