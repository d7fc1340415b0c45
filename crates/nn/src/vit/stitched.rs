//! Two Vision Transformers stitched together (SN-Net, Pan et al. 2023): the first layers of one, a linear layer, the
//! last layers of the other. An ordinary model: it trains, exports and reloads as any other.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{Device, Tensor};

use super::model::{classify, encode, pooled};
use super::state::{Ending, load_blocks, load_linear, state};
use super::{AttentionPool, Block, Hooks, HostTensor, LayerNorm, StitchedConfig, Vit, Weights};
use crate::device::ReadError;
use crate::kernels::linear;

/// The part of a stitched model behind the stitch.
#[derive(Module, Debug)]
pub struct End {
    /// Layers, from `end_layer` on.
    pub blocks: Vec<Block>,
    /// Norm of all tokens, unless the classifier sees their mean.
    pub norm: Option<LayerNorm>,
    /// Norm of the mean token, if the classifier sees that.
    pub fc_norm: Option<LayerNorm>,
    /// What pools the tokens, if a learned query does.
    pub attn_pool: Option<AttentionPool>,
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
        let (norm, fc_norm, attn_pool) = (end.norm.clone(), end.fc_norm.clone(), end.attn_pool.clone());
        let end = End { blocks, norm, fc_norm, attn_pool, head: end.head.clone(), head_dist: end.head_dist.clone() };
        let front = Vit {
            blocks: front.blocks[..=config.front_layer].to_vec(),
            norm: None,
            fc_norm: None,
            attn_pool: None,
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
        let Ending { norm, fc_norm, attn_pool, head, head_dist } = Ending::load(&config.end, &mut part, device).await?;
        let end = End { blocks, norm, fc_norm, attn_pool, head, head_dist };
        Ok(Self { front, stitch, end, config: config.clone() })
    }

    /// Class scores `[batch, classes]` of pictures `[batch, channels, image_size, image_size]`; without a classifier
    /// the pooled features. Hooks count the layers through: those of the end follow those of the front.
    pub fn logits(&self, images: Tensor<4>, hooks: &mut Hooks<'_>) -> Tensor<2> {
        let End { blocks, norm, fc_norm, attn_pool, head, head_dist } = &self.end;
        let tokens = self.front.encode(self.front.embed(images), hooks);
        let tokens = encode(blocks, self.front.blocks.len(), linear(&self.stitch, tokens), hooks);
        let features = norm.as_ref().map_or(tokens.clone(), |norm| norm.forward(tokens));
        let pooled = pooled(&self.config.end, fc_norm.as_ref(), attn_pool.as_ref(), features.clone());
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
