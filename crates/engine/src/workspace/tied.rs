//! Learned tied layers, from which descendants are read off.

use burn::module::Module;
use burn::tensor::Device;

use super::id::Id;
use crate::saved::SavedTied;
use heirloom_nn::vit::{RandomWeights, Vit};
use heirloom_plan::protocol::TiedReport;
use heirloom_train::{SavedTensors, TrainError, load_model};

/// A learngene of tied layers.
pub struct LearnedTied {
    pub id: Id,
    pub report: TiedReport,
    /// Stem, stored layers, norm, and the head that the auxiliary model learned.
    pub stored: Vit,
}

impl LearnedTied {
    /// Makes it again of what was saved; the device is one without autodiff.
    ///
    /// # Errors
    /// When the weights are not those of its configuration.
    pub async fn restore<T: SavedTensors>(
        saved: &SavedTied,
        tensors: &mut T,
        device: &Device,
    ) -> Result<Self, TrainError> {
        let Ok(blank) = Vit::load(&saved.config, &mut RandomWeights { seed: 0 }, device).await;
        let stored = load_model(blank, &tensors.take("").await?)?.valid();
        Ok(Self { id: Id::default(), report: saved.report.clone(), stored })
    }
}
