//! The initial module of a descendant of whole layers: stem, chosen layers in order, random layers on top, norm and a
//! fresh classifier.
//!
//! The final norm was trained on what the ancestor's last layer gives. It comes along where that layer ends the
//! descendant too, and starts afresh where anything else does.

use burn::module::Module;
use burn::nn::{LayerNorm, LayerNormConfig};

use super::{LayersError, LayersPlan};
use crate::cnn::{CnnConfig, StageConfig, Unit};
use crate::learngene::copy::{around, fresh_block, fresh_norm};
use crate::learngene::{Descendant, StartError, StartingPoint};
use crate::model::{Model, ModelConfig};
use crate::vit::{Block, RandomWeights, Vit, VitConfig};

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
        if classes == 0 {
            return Err(LayersError::Zero { name: "classes" });
        }
        let config = match &ancestor.config() {
            ModelConfig::Vit(config) => vit_config(config, &plan, classes, image_size)?.into(),
            ModelConfig::Stitched(_) => return Err(LayersError::Stitched),
            ModelConfig::Cnn(config) => config.from_units(&units(config, &plan), classes, image_size)?.into(),
        };
        plan.check(layer_names(&ancestor.config()).len())?;
        Ok(Self { ancestor: ancestor.valid(), plan, config })
    }

    /// The plan.
    pub fn plan(&self) -> &LayersPlan {
        &self.plan
    }
}

impl StartingPoint for WholeLayers {
    fn config(&self) -> ModelConfig {
        self.config.clone()
    }

    async fn start(&self, seed: u64) -> Result<Descendant, StartError> {
        let (classes, image_size) = (self.config.outputs(), self.config.image_size());
        match &self.ancestor {
            Model::Vit(ancestor) => {
                let config = vit_config(&ancestor.config, &self.plan, classes, image_size)?;
                start_vit(ancestor, &self.plan, &config, RandomWeights { seed }).await
            }
            Model::Cnn(ancestor) => {
                let units = units(&ancestor.config, &self.plan);
                let cnn = ancestor.from_units(&units, classes, image_size, seed).await.map_err(LayersError::from)?;
                Ok(Descendant::of_layers(cnn, self.plan.chosen.len()))
            }
            Model::Stitched(_) => Err(LayersError::Stitched.into()),
        }
    }
}

/// Names of the layers a descendant may take, from the input on.
pub fn layer_names(config: &ModelConfig) -> Vec<String> {
    match config {
        ModelConfig::Vit(config) => (0..config.depth).map(|layer| format!("blocks.{layer}")).collect(),
        ModelConfig::Stitched(_) => Vec::new(),
        // A VGG numbers its convolutions, not its stages.
        ModelConfig::Cnn(config) => {
            let kind = if config.stem.is_some() { "layer" } else { "stage " };
            (1..=config.stages.len()).map(|stage| format!("{kind}{stage}")).collect()
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
                CnnConfig { stages, classes: None, ..config.clone() }.parameters()
            };
            (0..config.stages.len()).map(|stage| up_to(stage + 1) - up_to(stage)).collect()
        }
    }
}

/// Stages of a CNN: the chosen ones, and on top random ones that go on where the last of these left off in the ancestor.
/// Beyond its last stage more of that one follow, which keep width and size of the map.
fn units(ancestor: &CnnConfig, plan: &LayersPlan) -> Vec<Unit> {
    let mut units: Vec<Unit> = plan.chosen.iter().copied().map(Unit::Inherited).collect();
    let next = plan.chosen.last().map_or(0, |last| last + 1);
    let last = ancestor.stages.last().map(|last| StageConfig { input: last.width, stride: 1, ..*last });
    let stage = |at: usize| ancestor.stages.get(at).copied().or(last);
    units.extend((next..next + plan.layers - plan.chosen.len()).filter_map(stage).map(Unit::Random));
    units
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

async fn start_vit(
    ancestor: &Vit,
    plan: &LayersPlan,
    config: &VitConfig,
    mut random: RandomWeights,
) -> Result<Descendant, StartError> {
    let device = ancestor.pos_embed.val().device();
    let mut blocks = Vec::with_capacity(config.depth);
    for &layer in &plan.chosen {
        let block = &ancestor.blocks[layer];
        if block.mlp.is_none() {
            return Err(StartError::NoFeedForward { layer });
        }
        blocks.push(fresh_block(block));
    }
    for layer in plan.chosen.len()..config.depth {
        let Ok(block) = Block::load(config, layer, &mut random, &device).await;
        blocks.push(block);
    }
    let ends_alike = plan.layers == plan.chosen.len() && plan.chosen.last() == Some(&(ancestor.blocks.len() - 1));
    let norm = |norm: &LayerNorm| match ends_alike {
        true => fresh_norm(norm),
        false => LayerNormConfig::new(config.embed_dim).with_epsilon(config.norm_eps).init(&device),
    };
    let vit = around(ancestor, config, random, blocks, norm).await?;
    Ok(Descendant::of_layers(vit, plan.chosen.len()))
}
