//! The initial module of a descendant of whole layers: stem, chosen layers in order, random layers on top, norm and a
//! fresh classifier.
//!
//! The final norm was trained on what the ancestor's last layer gives. It comes along where that layer ends the
//! descendant too, and starts afresh where anything else does.

use burn::module::Module;

use super::{LayersError, LayersPlan, descendant_config};
use crate::copy::{assemble_vit, detached_block, detached_norm};
use crate::descendant::parameters;
use crate::{Descendant, InitError, Initializer};
use heirloom_nn::model::{Model, ModelConfig};
use heirloom_nn::vit::{Block, LayerNorm, RandomWeights, Vit, VitConfig};

/// Whole layers of an ancestor with random ones on top. The arms first-k, last-k, random-k and whole are other plans.
#[derive(Clone, Debug)]
pub struct WholeLayers {
    ancestor: Model,
    plan: LayersPlan,
    config: ModelConfig,
}

impl WholeLayers {
    /// A starting point.
    ///
    /// # Errors
    /// When the plan does not fit the ancestor or its layers each other, or the picture is no whole number of patches.
    pub fn new(ancestor: Model, plan: LayersPlan, classes: usize, image_size: usize) -> Result<Self, LayersError> {
        let config = descendant_config(&ancestor.config(), &plan, classes, image_size)?;
        Ok(Self { ancestor: ancestor.valid(), plan, config })
    }

    /// The plan.
    pub fn plan(&self) -> &LayersPlan {
        &self.plan
    }
}

impl Initializer for WholeLayers {
    fn config(&self) -> ModelConfig {
        self.config.clone()
    }

    async fn start(&self, seed: u64) -> Result<Descendant, InitError> {
        let (classes, image_size) = (self.config.outputs(), self.config.image_size());
        match &self.ancestor {
            Model::Vit(ancestor) => {
                let Some(config) = self.config.vit() else { return Err(LayersError::Stitched.into()) };
                start_vit(ancestor, &self.plan, config, RandomWeights { seed }).await
            }
            Model::Cnn(ancestor) => {
                let units = self.plan.units(&ancestor.config);
                let cnn = ancestor.from_units(&units, classes, image_size, seed).await.map_err(LayersError::from)?;
                // Parts of a convolutional network are inherited with their ids.
                let own = parameters(ancestor);
                let fresh = parameters(&cnn).into_iter().filter(|id| !own.contains(id)).collect();
                Ok(Descendant::from_layers(cnn, self.plan.chosen.len(), fresh))
            }
            Model::Stitched(_) => Err(LayersError::Stitched.into()),
        }
    }
}

async fn start_vit(
    ancestor: &Vit,
    plan: &LayersPlan,
    config: &VitConfig,
    mut random: RandomWeights,
) -> Result<Descendant, InitError> {
    let device = ancestor.device();
    let mut blocks = Vec::with_capacity(config.depth);
    for &layer in &plan.chosen {
        let block = &ancestor.blocks[layer];
        if block.mlp.is_none() {
            return Err(InitError::NoFeedForward { layer });
        }
        blocks.push(detached_block(block));
    }
    for layer in plan.chosen.len()..config.depth {
        let Ok(block) = Block::load(config, layer, &mut random, &device).await;
        blocks.push(block);
    }
    let ends_alike = plan.layers == plan.chosen.len() && plan.chosen.last() == Some(&(ancestor.blocks.len() - 1));
    let norm = |norm: &LayerNorm| match ends_alike {
        true => detached_norm(norm),
        false => norm.fresh(),
    };
    let vit = assemble_vit(ancestor, config, random, blocks, norm).await?;
    let mut fresh: Vec<_> = vit.blocks[plan.chosen.len()..].iter().flat_map(parameters).collect();
    if !ends_alike {
        fresh.extend(parameters(&(vit.norm.clone(), vit.fc_norm.clone())));
    }
    Ok(Descendant::from_layers(vit, plan.chosen.len(), fresh))
}
