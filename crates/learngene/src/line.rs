//! Layers on a line: every tensor of a layer is a line in the layer's index, `θ_l = θ_B + (l / L) · θ_A`, fitted to the
//! ancestor's layers by least squares, so that two layers' worth of numbers start a descendant of any depth. Afterwards
//! every layer trains on its own. TLEG has the form, but learns `θ_A` and `θ_B` by distillation: [`tied`](super::tied).

use burn::module::Module;

use super::cluster::ExpandError;
use super::copy::{assemble_vit, detached_block, detached_norm};
use super::weighted::weighted_block;
use super::{Descendant, InitError, Initializer};
use heirloom_nn::model::ModelConfig;
use heirloom_nn::vit::{RandomWeights, Vit, VitConfig};

/// A descendant with the ancestor's heads and any number of layers, which lie on the ancestor's lines.
#[derive(Clone, Debug)]
pub struct LayersOnALine {
    ancestor: Vit,
    config: VitConfig,
}

impl LayersOnALine {
    /// A starting point of `layers` layers.
    ///
    /// # Errors
    /// When there are no layers or classes, or the picture is no whole number of patches.
    pub fn new(ancestor: Vit, layers: usize, classes: usize, image_size: usize) -> Result<Self, ExpandError> {
        let patch_size = ancestor.config.patch_size;
        for (name, value) in [("layers", layers), ("classes", classes)] {
            if value == 0 {
                return Err(ExpandError::Zero { name });
            }
        }
        if image_size == 0 || !image_size.is_multiple_of(patch_size) {
            return Err(ExpandError::ImageSize { image_size, patch_size });
        }
        let config = VitConfig { image_size, depth: layers, classes: Some(classes), ..ancestor.config.clone() };
        Ok(Self { ancestor: ancestor.valid(), config })
    }
}

/// How much of each of `from` layers is in layer `layer` of `to`: the least-squares line through the former, read at the
/// latter's place.
pub fn line_weights(layer: usize, to: usize, from: usize) -> Vec<f64> {
    let place = |layer: usize, layers: usize| layer as f64 / layers as f64;
    let mean = (0..from).map(|layer| place(layer, from)).sum::<f64>() / from as f64;
    let square: f64 = (0..from).map(|layer| (place(layer, from) - mean).powi(2)).sum();
    let off = place(layer, to) - mean;
    // A single layer has no slope.
    let slope = |layer: usize| if square > 0.0 { off * (place(layer, from) - mean) / square } else { 0.0 };
    (0..from).map(|layer| 1.0 / from as f64 + slope(layer)).collect()
}

impl Initializer for LayersOnALine {
    fn config(&self) -> ModelConfig {
        self.config.clone().into()
    }

    async fn start(&self, seed: u64) -> Result<Descendant, InitError> {
        let (ancestor, config, random) = (&self.ancestor, &self.config, RandomWeights { seed });
        if let Some(layer) = ancestor.blocks.iter().position(|block| block.mlp.is_none()) {
            return Err(InitError::NoFeedForward { layer });
        }
        let weights = |layer| line_weights(layer, config.depth, ancestor.blocks.len());
        let layers = (0..config.depth).filter_map(|layer| weighted_block(&ancestor.blocks, &weights(layer)));
        let blocks = layers.map(|block| detached_block(&block)).collect();
        let vit = assemble_vit(ancestor, config, random, blocks, detached_norm).await?;
        Ok(vit.into())
    }
}
