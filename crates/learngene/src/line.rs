//! Layers on a line: every tensor of a layer is a line in the layer's index, `θ_l = θ_B + (l / L) · θ_A`, fitted to the
//! ancestor's layers by least squares, so that two layers' worth of numbers start a descendant of any depth. Afterwards
//! every layer trains on its own. TLEG (Xia et al., AAAI 2024) has the form, but learns `θ_A` and `θ_B` by distillation.

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::Tensor;

use super::cluster::ExpandError;
use super::copy::{assemble_vit, detached_norm};
use super::{Descendant, InitError, Initializer};
use heirloom_nn::model::ModelConfig;
use heirloom_nn::vit::{Attention, Block, LayerNorm, LayerScale, Mlp, RandomWeights, Vit, VitConfig};

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
        let line = |layer| Line {
            blocks: &ancestor.blocks,
            weights: line_weights(layer, config.depth, ancestor.blocks.len()),
        };
        let blocks = (0..config.depth).filter_map(|layer| line(layer).block()).collect();
        let vit = assemble_vit(ancestor, config, random, blocks, detached_norm).await?;
        Ok(vit.into())
    }
}

/// All layers of the ancestor, and how much of each is wanted.
struct Line<'a> {
    blocks: &'a [Block],
    weights: Vec<f64>,
}

impl Line<'_> {
    /// The weighted sum of one parameter over the layers; `None` where they do not have it.
    fn param<const D: usize>(&self, pick: impl Fn(&Block) -> Option<&Param<Tensor<D>>>) -> Option<Param<Tensor<D>>> {
        let mut sum: Option<Tensor<D>> = None;
        for (block, &weight) in self.blocks.iter().zip(&self.weights) {
            let part = pick(block)?.val().inner().mul_scalar(weight);
            sum = Some(match sum {
                Some(sum) => sum + part,
                None => part,
            });
        }
        sum.map(Param::from_tensor)
    }

    fn linear(&self, pick: impl Fn(&Block) -> Option<&Linear>) -> Option<Linear> {
        let weight = self.param(|block| Some(&pick(block)?.weight))?;
        Some(Linear { weight, bias: self.param(|block| pick(block)?.bias.as_ref()) })
    }

    fn norm(&self, pick: impl Fn(&Block) -> Option<&LayerNorm>) -> Option<LayerNorm> {
        let epsilon = pick(self.blocks.first()?)?.epsilon;
        let gamma = self.param(|block| Some(&pick(block)?.gamma))?;
        Some(LayerNorm { gamma, beta: self.param(|block| pick(block)?.beta.as_ref()), epsilon })
    }

    fn scale(&self, pick: impl Fn(&Block) -> Option<&LayerScale>) -> Option<LayerScale> {
        Some(LayerScale { gamma: self.param(|block| Some(&pick(block)?.gamma))? })
    }

    /// `None` when the ancestor has no layers.
    fn block(&self) -> Option<Block> {
        let first = self.blocks.first()?;
        let form = first.mlp.as_ref()?;
        Some(Block {
            norm1: self.norm(|block| Some(&block.norm1))?,
            attn: Attention {
                qkv: self.linear(|block| Some(&block.attn.qkv))?,
                q_norm: self.norm(|block| block.attn.q_norm.as_ref()),
                k_norm: self.norm(|block| block.attn.k_norm.as_ref()),
                relative_position_bias_table: self.param(|block| block.attn.relative_position_bias_table.as_ref()),
                rope_freqs: self.param(|block| block.attn.rope_freqs.as_ref()),
                norm: self.norm(|block| block.attn.norm.as_ref()),
                proj: self.linear(|block| Some(&block.attn.proj))?,
                ..first.attn.clone()
            },
            ls1: self.scale(|block| block.ls1.as_ref()),
            norm2: self.norm(|block| Some(&block.norm2))?,
            mlp: Some(Mlp {
                fc1: self.linear(|block| Some(&block.mlp.as_ref()?.fc1))?,
                norm: self.norm(|block| block.mlp.as_ref()?.norm.as_ref()),
                fc2: self.linear(|block| Some(&block.mlp.as_ref()?.fc2))?,
                activation: form.activation,
                gated: form.gated,
            }),
            ls2: self.scale(|block| block.ls2.as_ref()),
        })
    }
}
