//! Two Vision Transformers stitched together (SN-Net, Pan et al. 2023): the first layers of one, a linear layer, the
//! last layers of the other. An ordinary model: it trains, exports and reloads as any other.

use burn::module::Module;
use burn::nn::{LayerNorm, Linear};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::model::{classify, encode, pooled};
use super::state::{Ending, load_blocks, load_linear, state};
use super::{Block, Hooks, HostTensor, Vit, VitConfig, Weights};
use crate::device::ReadError;

/// Hyper-parameters of a stitched model: both models it is cut from, and where they are cut.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StitchedConfig {
    /// The model that sees the picture; its layers after `front_layer`, its norm and its classifier are not used.
    pub front: VitConfig,
    /// The model that answers; its embedding and its layers before `end_layer` are not used.
    pub end: VitConfig,
    /// Last layer of the front that is used, `j`.
    pub front_layer: usize,
    /// First layer of the end that is used, `k`.
    pub end_layer: usize,
}

/// Why two models cannot be stitched.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StitchedError {
    /// No such layer.
    #[error("the {part} model has `{depth}` layers, but the stitch is at layer `{layer}` (from 0): choose one it has")]
    Layer {
        /// `front` or `end`.
        part: &'static str,
        /// Layer asked for.
        layer: usize,
        /// Layers there are.
        depth: usize,
    },
    /// Other tokens.
    #[error(
        "the front model gives `{front}` tokens ({front_prefix} before the patches), the end model takes `{end}` \
         ({end_prefix} before the patches): stitch models with the same tokens"
    )]
    Tokens {
        /// Tokens of the front.
        front: usize,
        /// Those before the patches.
        front_prefix: usize,
        /// Tokens of the end.
        end: usize,
        /// Those before the patches.
        end_prefix: usize,
    },
}

impl StitchedConfig {
    /// Whether the parts fit.
    ///
    /// # Errors
    /// When a layer does not exist or the tokens of the two models differ.
    pub fn check(&self) -> Result<(), StitchedError> {
        let Self { front, end, front_layer, end_layer } = self;
        for (part, layer, depth) in [("front", *front_layer, front.depth), ("end", *end_layer, end.depth)] {
            if layer >= depth {
                return Err(StitchedError::Layer { part, layer, depth });
            }
        }
        let kinds = |config: &VitConfig| (config.cls_token, config.distilled, config.register_tokens, config.grid());
        if kinds(front) != kinds(end) {
            return Err(StitchedError::Tokens {
                front: front.tokens(),
                front_prefix: front.prefix_tokens(),
                end: end.tokens(),
                end_prefix: end.prefix_tokens(),
            });
        }
        Ok(())
    }

    /// Layers on the way: `j + 1 + (n − k)`.
    pub fn depth(&self) -> usize {
        self.front_layer + 1 + self.end.depth.saturating_sub(self.end_layer)
    }

    /// The front alone, ending with its last used layer.
    fn front_part(&self) -> VitConfig {
        VitConfig { depth: self.front_layer + 1, classes: None, ..self.front.clone() }
    }

    /// Every tensor with its key and PyTorch shape: timm's keys behind `front.` and `end.` (layers keep their numbers),
    /// and `stitch`.
    pub fn tensors(&self) -> Vec<(String, Vec<usize>)> {
        let is_ending = |key: &str| key.starts_with("norm.") || key.starts_with("fc_norm.") || key.starts_with("head");
        let layer = |key: &str| key.strip_prefix("blocks.")?.split('.').next()?.parse::<usize>().ok();
        let front = self.front_part().tensors().into_iter().filter(|(key, _)| !is_ending(key));
        let end = self.end.tensors().into_iter();
        let end = end.filter(|(key, _)| layer(key).map_or(is_ending(key), |layer| layer >= self.end_layer));
        let (input, output) = (self.front.embed_dim, self.end.embed_dim);
        let stitch = [("stitch.weight".to_string(), vec![output, input]), ("stitch.bias".to_string(), vec![output])];
        let named = |part: &'static str| move |(key, shape): (String, Vec<usize>)| (format!("{part}.{key}"), shape);
        front.map(named("front")).chain(stitch).chain(end.map(named("end"))).collect()
    }

    /// Parameters in all.
    pub fn parameters(&self) -> u64 {
        self.tensors().iter().map(|(_, shape)| shape.iter().map(|&axis| axis as u64).product::<u64>()).sum()
    }

    /// Floating-point operations of one forward pass on one picture; a multiply-add counts as two.
    pub fn flops(&self) -> u64 {
        let (front, end) = (&self.front, &self.end);
        let layers = end.depth.saturating_sub(self.end_layer);
        let embedding = VitConfig { depth: 0, classes: None, ..end.clone() }.flops();
        let ending = VitConfig { depth: layers, ..end.clone() }.flops() - embedding;
        let stitch = 2 * (front.tokens() * front.embed_dim * end.embed_dim) as u64;
        self.front_part().flops() + stitch + ending
    }
}

/// The part of a stitched model behind the stitch.
#[derive(Module, Debug)]
pub struct End {
    /// Layers, from `end_layer` on.
    pub blocks: Vec<Block>,
    /// Norm of all tokens, unless the classifier sees their mean.
    pub norm: Option<LayerNorm>,
    /// Norm of the mean token, if the classifier sees that.
    pub fc_norm: Option<LayerNorm>,
    /// Classifier.
    pub head: Option<Linear>,
    /// Classifier on the distillation token.
    pub head_dist: Option<Linear>,
}

/// A stitched model; see [`StitchedConfig::tensors`] for the keys of its weights.
#[derive(Module, Debug)]
pub struct Stitched {
    /// Embedding and first layers; it has neither norm nor classifier.
    pub front: Vit,
    /// `[D_front, D_end]` with bias.
    pub stitch: Linear,
    /// Last layers, norm and classifier.
    pub end: End,
    /// Hyper-parameters.
    #[module(skip)]
    pub config: StitchedConfig,
}

impl Stitched {
    /// Cuts two models at `config` and joins them with `stitch`. The parts share their tensors with the models.
    ///
    /// # Panics
    /// When the models have fewer layers than `config` says; [`StitchedConfig::check`] tells before.
    pub fn cut(front: &Vit, stitch: &Linear, end: &Vit, config: &StitchedConfig) -> Self {
        let blocks = end.blocks[config.end_layer..].to_vec();
        let (norm, fc_norm) = (end.norm.clone(), end.fc_norm.clone());
        let end = End { blocks, norm, fc_norm, head: end.head.clone(), head_dist: end.head_dist.clone() };
        let front = Vit {
            blocks: front.blocks[..=config.front_layer].to_vec(),
            norm: None,
            fc_norm: None,
            head: None,
            head_dist: None,
            config: config.front_part(),
            ..front.clone()
        };
        Self { front, stitch: stitch.clone(), end, config: config.clone() }
    }

    /// Builds a model from weights, asking for one tensor at a time.
    ///
    /// # Errors
    /// The first error of `weights`.
    pub async fn load<W: Weights>(config: &StitchedConfig, weights: &mut W, device: &Device) -> Result<Self, W::Error> {
        let mut part = Part { prefix: "front.", weights };
        let front = Vit::load_front(&config.front_part(), &mut part, device).await?;
        let widths = [config.front.embed_dim, config.end.embed_dim];
        let stitch = load_linear(widths, &config.end, part.weights, device).await?;
        part.prefix = "end.";
        let blocks = load_blocks(&config.end, config.end_layer..config.end.depth, &mut part, device).await?;
        let Ending { norm, fc_norm, head, head_dist } = Ending::load(&config.end, &mut part, device).await?;
        let end = End { blocks, norm, fc_norm, head, head_dist };
        Ok(Self { front, stitch, end, config: config.clone() })
    }

    /// Class scores `[batch, classes]` of pictures `[batch, channels, image_size, image_size]`; without a classifier
    /// the pooled features. Hooks count the layers through: those of the end follow those of the front.
    pub fn logits(&self, images: Tensor<4>, hooks: &mut Hooks<'_>) -> Tensor<2> {
        let End { blocks, norm, fc_norm, head, head_dist } = &self.end;
        let tokens = self.front.encode(self.front.embed(images), hooks);
        let tokens = encode(blocks, self.front.blocks.len(), self.stitch.forward(tokens), hooks);
        let features = norm.as_ref().map_or(tokens.clone(), |norm| norm.forward(tokens));
        let pooled = pooled(&self.config.end, fc_norm.as_ref(), features.clone());
        classify([head.as_ref(), head_dist.as_ref()], features, pooled)
    }

    /// All weights by key in PyTorch's shape, on the host.
    ///
    /// # Errors
    /// When the device cannot be read.
    pub async fn state(&self) -> Result<Vec<(String, HostTensor)>, ReadError> {
        let mut state = state(self, &self.config.front).await?;
        for (key, _) in &mut state {
            // The module counts its layers from 0, the key is that of the model the layer came from.
            let Some((layer, rest)) = key.strip_prefix("end.blocks.").and_then(|rest| rest.split_once('.')) else {
                continue;
            };
            let Ok(layer) = layer.parse::<usize>() else { continue };
            *key = format!("end.blocks.{}.{rest}", layer + self.config.end_layer);
        }
        Ok(state)
    }
}

/// The weights of one part.
struct Part<'a, W> {
    prefix: &'static str,
    weights: &'a mut W,
}

impl<W: Weights> Weights for Part<'_, W> {
    type Error = W::Error;

    async fn tensor(&mut self, key: &str, shape: &[usize]) -> Result<HostTensor, W::Error> {
        self.weights.tensor(&format!("{}{key}", self.prefix), shape).await
    }
}
