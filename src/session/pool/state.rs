//! A pool in the making on the host and back, as a race's: a header to serialise beside tensors.

use serde::{Deserialize, Serialize};

use super::PoolJob;
use super::features::BoundedFeatures;
use crate::session::protocol::PoolSettings;
use crate::session::runner::{Job, Runner};
use crate::train::{HostTensors, PoolHeader, PoolState, Pooling, TrainError};

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

/// A whole job on the host.
#[derive(Clone, Debug, PartialEq)]
pub struct PoolJobState {
    /// Everything that is not a tensor.
    pub header: PoolJobHeader,
    /// As [`PoolState::tensors`].
    pub tensors: HostTensors,
}

impl Runner {
    /// The pool in the making, if there is one; possible between any two calls of [`Runner::work`].
    ///
    /// # Errors
    /// When the device does not answer.
    pub async fn save_pool(&self) -> Result<Option<PoolJobState>, TrainError> {
        let Some(Job::Pool(job)) = &self.job else { return Ok(None) };
        let PoolState { header: pool, tensors } = job.pool.save().await?;
        let (settings, times, is_paused) = (job.frame.settings.clone(), job.times.clone(), job.is_paused);
        Ok(Some(PoolJobState { header: PoolJobHeader { settings, pool, times, is_paused }, tensors }))
    }

    /// Takes a saved pool up where it stood, with the same ancestor and pictures.
    ///
    /// # Errors
    /// A sentence: another job is running, or ancestor, pictures and state do not belong together.
    pub async fn restore_pool(&mut self, state: PoolJobState) -> Result<(), String> {
        if self.job.is_some() {
            return Err("another job is running; stop it first".into());
        }
        let PoolJobState { header: PoolJobHeader { settings, pool, times, is_paused }, tensors } = state;
        let frame = self.frame(settings)?;
        if frame.plan() != *pool.plan() {
            return Err("the saved pool was made with other classes or pictures; bring those back first".into());
        }
        let (ancestor, batches) = self.pool_inputs(&frame).await?;
        let features = BoundedFeatures::new(!frame.settings.augment);
        let state = PoolState { header: pool, tensors };
        let pool = Pooling::restore(state, ancestor, batches, features).await.map_err(|error| error.to_string())?;
        let mut job = PoolJob { pool, frame, times, judged: 0, told: (0, super::PoolStage::Head), is_paused };
        job.judged = job.judged_before();
        job.told = (job.pool.progress().0, job.stage());
        self.begin_pool(job);
        Ok(())
    }
}
