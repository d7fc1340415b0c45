//! The person's pictures as training takes them.

use crate::remark::Remark;
use heirloom_data::{DataError, Loader};
use heirloom_train::{Batch, Batches, TrainError};

/// Batches of pictures for a race.
pub struct RaceBatches {
    loader: Loader,
}

impl RaceBatches {
    /// Serves what `loader` serves, under the seeds of the race.
    pub fn new(loader: Loader) -> Self {
        Self { loader }
    }

    /// The loader, for judging after the race.
    pub fn loader(&mut self) -> &mut Loader {
        &mut self.loader
    }

    /// Validation pictures.
    pub fn pictures(&self) -> usize {
        self.loader.validation_len()
    }

    /// Says which pictures did not decode; `None` when all did.
    pub(crate) fn broken(&self) -> Option<Remark> {
        let paths: Vec<String> = self.loader.broken().map(|(path, _)| path.clone()).collect();
        (!paths.is_empty()).then_some(Remark::LeftOut { paths })
    }

    fn batch(&self, batch: heirloom_data::Batch) -> Batch {
        let side = self.loader.settings().image_size;
        let labels: Vec<usize> = batch.labels.iter().map(|&label| label as usize).collect();
        Batch { shape: [labels.len(), 3, side, side], pixels: batch.pixels, labels }
    }
}

impl Batches for RaceBatches {
    async fn training(&mut self, seed: u64, step: usize) -> Result<Batch, TrainError> {
        self.loader.set_seed(seed);
        let batch = self.loader.train_batch(step).await.map_err(pictures_failed)?;
        Ok(self.batch(batch))
    }

    async fn validation(&mut self, index: usize) -> Result<Batch, TrainError> {
        let batch = self.loader.validation_batch(index).await.map_err(pictures_failed)?;
        if index + 1 == self.loader.validation_batches() {
            self.loader.check_classes().await.map_err(pictures_failed)?;
        }
        Ok(self.batch(batch))
    }

    fn validation_batches(&self) -> usize {
        self.loader.validation_batches()
    }

    fn steps_per_epoch(&self) -> f64 {
        self.loader.train_len() as f64 / self.loader.settings().batch as f64
    }
}

fn pictures_failed(error: DataError) -> TrainError {
    TrainError::Source(error.to_string())
}
