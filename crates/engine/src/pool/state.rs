//! A pool in the making on the host and back, as a race's: a header to serialise beside tensors.

use serde::{Deserialize, Serialize};

use super::PoolJob;
use super::features::BoundedFeatures;
use crate::keep::work::Kept;
use crate::runner::Runner;
use heirloom_learngene::pool::{PoolHeader, PoolParts, Pooling};
use heirloom_plan::protocol::PoolSettings;
use heirloom_train::{SavedTensors, TrainError};

/// What a saved job says besides its tensors; serialise it as JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PoolJobHeader {
    settings: PoolSettings,
    pool: PoolHeader,
    times: Vec<f64>,
    is_paused: bool,
}

impl PoolJobHeader {
    /// How the pool is made.
    pub fn settings(&self) -> &PoolSettings {
        &self.settings
    }
}

/// What keeping a pool in the making needs of it.
impl PoolJob {
    /// Whole passes over the pictures, over all models.
    pub fn passes(&self) -> usize {
        let (steps, _) = self.pool.progress();
        steps * self.frame.settings.batch / self.frame.pictures[0].max(1)
    }

    /// Whether and where a distilled model is kept.
    pub fn kept(&self, model: usize) -> Kept {
        self.kept.get(model).cloned().unwrap_or_default()
    }

    pub fn all_kept(&self) -> Vec<Kept> {
        self.kept.clone()
    }

    /// Everything there is of it, its tensors still on the device; possible between any two pieces of work.
    ///
    /// # Errors
    /// When an earlier step broke off half-way.
    pub fn parts(&self) -> Result<(PoolJobHeader, PoolParts), TrainError> {
        let parts = self.pool.parts()?;
        let (settings, pool, times) = (self.frame.settings.clone(), parts.header.clone(), self.times.clone());
        Ok((PoolJobHeader { settings, pool, times, is_paused: self.is_paused }, parts))
    }
}

impl Runner {
    /// A saved pool where it stood, with the same ancestor and pictures.
    ///
    /// # Errors
    /// A sentence: ancestor, pictures and state do not belong together.
    pub(crate) async fn resume_pool<T: SavedTensors>(
        &self,
        header: PoolJobHeader,
        tensors: &mut T,
    ) -> Result<PoolJob, String> {
        let PoolJobHeader { settings, pool: header, times, is_paused } = header;
        let frame = self.frame(settings)?;
        if frame.plan() != *header.plan() {
            return Err("the saved pool was made with other classes or pictures; bring those back first".into());
        }
        let (ancestor, batches) = self.pool_inputs(&frame).await?;
        let features = BoundedFeatures::new(!frame.settings.augment);
        let fresh = Pooling::new(frame.plan(), ancestor, batches, features).map_err(|error| error.to_string())?;
        let pool = fresh.resume(header, tensors).await.map_err(|error| error.to_string())?;
        let mut job = PoolJob { times, is_paused, ..PoolJob::new(pool, frame) };
        job.judged = job.judged_before();
        job.told = (job.pool.progress().0, job.stage());
        Ok(job)
    }
}
