//! The pseudo descendant: the ancestor's shape with fewer layers, from random numbers, briefly trained.

use super::LayersError;
use super::config::image_fits;
use crate::config::{ModelConfig, StageConfig, Unit, VitConfig};

/// Its configuration: as wide as the ancestor, with `layers` layers; a CNN keeps its stages, with `layers` blocks in each,
/// but fewer than the ancestor has where that has more than one.
///
/// # Errors
/// When there are no layers or classes, or the picture is no whole number of patches.
pub fn pseudo_config(
    ancestor: &ModelConfig,
    layers: usize,
    classes: usize,
    image_size: usize,
) -> Result<ModelConfig, LayersError> {
    for (name, count) in [("layers", layers), ("classes", classes)] {
        if count == 0 {
            return Err(LayersError::Zero { name });
        }
    }
    match ancestor {
        ModelConfig::Vit(config) => {
            image_fits(config, image_size)?;
            let depth = layers.min(config.depth);
            Ok(VitConfig { image_size, depth, classes: Some(classes), ..config.clone() }.into())
        }
        ModelConfig::Stitched(_) => Err(LayersError::Stitched),
        ModelConfig::Cnn(config) => {
            let thin = |stage: &StageConfig| StageConfig { depth: layers.min(stage.depth - 1).max(1), ..*stage };
            let units: Vec<Unit> = config.stages.iter().map(|stage| Unit::Random(thin(stage))).collect();
            Ok(config.from_units(&units, classes, image_size)?.into())
        }
    }
}
