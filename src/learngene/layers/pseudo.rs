//! The pseudo descendant: the ancestor's shape with fewer layers, from random numbers, briefly trained.

use super::LayersError;
use super::inherit::image_fits;
use crate::model::ModelConfig;
use crate::vit::VitConfig;

/// Its configuration: as wide as the ancestor, `layers` layers.
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
    }
}
