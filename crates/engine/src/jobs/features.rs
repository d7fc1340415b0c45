//! What the ancestor said of every picture, in memory, up to a bound.

use heirloom_learngene::pool::{FeatureKey, Features, MemoryFeatures};
use heirloom_train::TrainError;

/// Numbers that are kept at most (1 GiB); a tab has 4 GiB for everything. Pictures beyond are looked at again.
const MOST: usize = 1 << 28;

/// Keeps features in memory while there is room.
pub struct BoundedFeatures {
    features: MemoryFeatures,
    /// `false` with augmentation: no picture is seen twice.
    keeps: bool,
    room: usize,
}

impl BoundedFeatures {
    pub fn new(keeps: bool) -> Self {
        Self { features: MemoryFeatures::default(), keeps, room: MOST }
    }
}

impl Features for BoundedFeatures {
    fn keeps(&self) -> bool {
        self.keeps
    }

    async fn get(&mut self, key: &FeatureKey) -> Result<Option<Vec<f32>>, TrainError> {
        self.features.get(key).await
    }

    async fn put(&mut self, key: FeatureKey, features: Vec<f32>) -> Result<(), TrainError> {
        if let Some(room) = self.room.checked_sub(features.len()) {
            self.room = room;
            self.features.put(key, features).await?;
        }
        Ok(())
    }
}
