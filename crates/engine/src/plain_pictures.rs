//! Training pictures as they are judged, without augmentation: what a start is fitted to before any step.

use burn::tensor::{Device, Tensor, TensorData};
use heirloom_data::{Batch, DataError, Labelled, Loader, LoaderSettings, Split};

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

    /// A batch `[batch, channels, image_size, image_size]` and its labels; `None` where no picture decodes.
    ///
    /// # Errors
    /// When a file cannot be read any more.
    pub async fn batch(&mut self, index: usize) -> Result<Option<(Tensor<4>, Vec<usize>)>, DataError> {
        let side = self.loader.settings().image_size;
        let Batch { pixels, labels, .. } = self.loader.validation_batch(index).await?;
        let labels: Vec<usize> = labels.into_iter().map(|label| label as usize).collect();
        let shape = [labels.len(), 3, side, side];
        Ok((!labels.is_empty()).then(|| (Tensor::from_data(TensorData::new(pixels, shape), &self.device), labels)))
    }
}
