//! Configurations of descendants of whole layers, and the layers there are to choose from.

use super::{LayersError, LayersPlan};
use crate::config::{CnnConfig, ModelConfig, StageConfig, Unit, VitConfig};

/// Names of the layers a descendant may take, from the input on.
pub fn layer_names(config: &ModelConfig) -> Vec<String> {
    match config {
        ModelConfig::Vit(config) => (0..config.depth).map(|layer| format!("blocks.{layer}")).collect(),
        ModelConfig::Stitched(_) => Vec::new(),
        // A VGG numbers its convolutions, not its stages.
        ModelConfig::Cnn(config) => {
            let name = |stage: usize| match config.stem {
                Some(_) if config.is_mobile() => format!("blocks.{stage}"),
                Some(_) => format!("layer{}", stage + 1),
                None => format!("stage {}", stage + 1),
            };
            (0..config.stages.len()).map(name).collect()
        }
    }
}

/// Parameters of each of these layers.
pub fn layer_parameters(config: &ModelConfig) -> Vec<u64> {
    match config {
        ModelConfig::Vit(config) => {
            let inside = |layer: usize| move |key: &str| key.starts_with(&format!("blocks.{layer}."));
            let count = |shape: Vec<usize>| shape.iter().map(|&axis| axis as u64).product::<u64>();
            let tensors = |is_inside: &dyn Fn(&str) -> bool| {
                config.tensors().into_iter().filter(|(key, _)| is_inside(key)).map(|(_, shape)| count(shape)).sum()
            };
            (0..config.depth).map(|layer| tensors(&inside(layer))).collect()
        }
        ModelConfig::Stitched(_) => Vec::new(),
        ModelConfig::Cnn(config) => {
            let up_to = |stages: usize| {
                let stages = config.stages[..stages].to_vec();
                CnnConfig { stages, conv_head: None, classes: None, ..config.clone() }.parameters()
            };
            (0..config.stages.len()).map(|stage| up_to(stage + 1) - up_to(stage)).collect()
        }
    }
}

/// The configuration of a descendant of whole layers.
///
/// # Errors
/// When the plan does not fit the ancestor or its layers each other, or the picture is no whole number of patches.
pub fn descendant_config(
    ancestor: &ModelConfig,
    plan: &LayersPlan,
    classes: usize,
    image_size: usize,
) -> Result<ModelConfig, LayersError> {
    if classes == 0 {
        return Err(LayersError::Zero { name: "classes" });
    }
    let config = match ancestor {
        ModelConfig::Vit(config) => vit_config(config, plan, classes, image_size)?.into(),
        ModelConfig::Stitched(_) => return Err(LayersError::Stitched),
        ModelConfig::Cnn(config) => config.from_units(&plan.units(config), classes, image_size)?.into(),
    };
    plan.check(layer_names(ancestor).len())?;
    Ok(config)
}

impl LayersPlan {
    /// Stages of a CNN: the chosen ones, and on top random ones that go on where the last of these left off in the ancestor.
    /// Beyond its last stage more of that one follow, which keep width and size of the map.
    pub fn units(&self, ancestor: &CnnConfig) -> Vec<Unit> {
        let mut units: Vec<Unit> = self.chosen.iter().copied().map(Unit::Inherited).collect();
        let next = self.chosen.last().map_or(0, |last| last + 1);
        let last = ancestor.stages.last().map(|last| StageConfig { input: last.width, stride: 1, ..*last });
        let stage = |at: usize| ancestor.stages.get(at).copied().or(last);
        units.extend((next..next + self.layers - self.chosen.len()).filter_map(stage).map(Unit::Random));
        units
    }
}

/// The layers of a Vision Transformer are equally wide, so that any two fit.
fn vit_config(
    ancestor: &VitConfig,
    plan: &LayersPlan,
    classes: usize,
    image_size: usize,
) -> Result<VitConfig, LayersError> {
    image_fits(ancestor, image_size)?;
    Ok(VitConfig { image_size, depth: plan.layers, classes: Some(classes), ..ancestor.clone() })
}

/// Whether pictures can be cut into whole patches.
pub(super) fn image_fits(config: &VitConfig, image_size: usize) -> Result<(), LayersError> {
    let patch_size = config.patch_size;
    match image_size == 0 || !image_size.is_multiple_of(patch_size) {
        true => Err(LayersError::ImageSize { image_size, patch_size }),
        false => Ok(()),
    }
}
