//! A Vision Transformer, line by line what `heirloom_nn` computes of one picture.

use std::ops::Range;

use heirloom_plan::config::{Pool, VitConfig};

use super::PlayerError;
use super::attention::{Attention, AttentionPool};
use super::layers::{Linear, Mlp, Norm, add_branch};
use super::weights::Weights;

/// A picture to tokens: patches, the tokens before them, positions.
pub(crate) struct Embedding {
    patches: Linear,
    /// Tokens before the patches, `[prefix, embed_dim]`, positions included.
    front: Vec<f32>,
    /// Positions of the patches, `[patches, embed_dim]`, if they have any.
    positions: Option<Vec<f32>>,
    norm: Option<Norm>,
    config: VitConfig,
}

impl Embedding {
    pub(crate) fn load(weights: &mut Weights<'_>, config: &VitConfig) -> Result<Self, PlayerError> {
        let VitConfig { embed_dim: width, patch_size, channels, register_tokens, options, .. } = *config;
        let mut front = Vec::new();
        for (key, is_there) in [("cls_token", config.cls_token), ("dist_token", config.distilled)] {
            if is_there {
                front.extend(weights.take(key, &[1, 1, width])?);
            }
        }
        let prefix = config.pos_embed_prefix_rows();
        let mut positions = None;
        if options.pos_embed {
            let rows = prefix + config.grid() * config.grid();
            let mut all = weights.take("pos_embed", &[1, rows, width])?;
            positions = Some(all.split_off(prefix * width));
            // Nothing is left of them where the tokens before the patches have no positions.
            front.iter_mut().zip(all).for_each(|(token, position)| *token += position);
        }
        if register_tokens > 0 {
            front.extend(weights.take("reg_token", &[1, register_tokens, width])?);
        }
        let sizes = [width, channels, patch_size];
        let patches = Linear::load_patches(weights, "patch_embed.proj", sizes, options.patch_bias)?;
        let norm = options.pre_norm.then(|| Norm::load(weights, "norm_pre", width, config.norm_eps)).transpose()?;
        Ok(Self { patches, front, positions, norm, config: config.clone() })
    }

    /// A prepared picture `[channels, image_size, image_size]` to `[tokens, embed_dim]`.
    pub(crate) fn forward(&self, image: &[f32]) -> Vec<f32> {
        let (side, patch, grid) = (self.config.image_size, self.config.patch_size, self.config.grid());
        let mut cut = Vec::with_capacity(image.len());
        for at in 0..grid * grid {
            let (top, left) = (at / grid * patch, at % grid * patch);
            for plane in image.chunks_exact(side * side) {
                cut.extend((top..top + patch).flat_map(|row| &plane[row * side + left..][..patch]));
            }
        }
        let mut patches = self.patches.forward(&cut);
        if let Some(positions) = &self.positions {
            add_branch(&mut patches, positions, None);
        }
        let tokens = [&self.front[..], &patches].concat();
        self.norm.as_ref().map(|norm| norm.forward(&tokens)).unwrap_or(tokens)
    }
}

/// One layer.
pub(crate) struct Block {
    norm1: Norm,
    attn: Attention,
    ls1: Option<Vec<f32>>,
    norm2: Norm,
    mlp: Mlp,
    ls2: Option<Vec<f32>>,
}

impl Block {
    pub(crate) fn load_all(
        weights: &mut Weights<'_>,
        config: &VitConfig,
        layers: Range<usize>,
    ) -> Result<Vec<Self>, PlayerError> {
        layers.map(|layer| Self::load(weights, config, &format!("blocks.{layer}"))).collect()
    }

    fn load(weights: &mut Weights<'_>, config: &VitConfig, key: &str) -> Result<Self, PlayerError> {
        let VitConfig { embed_dim: width, mlp_dim, norm_eps, options, .. } = *config;
        let named = |part: &str| format!("{key}.{part}");
        let mlp_norm =
            options.mlp_norm.then(|| Norm::load(weights, &named("mlp.norm"), mlp_dim, norm_eps)).transpose()?;
        let mlp = Mlp {
            fc1: Linear::load(weights, &named("mlp.fc1"), [width, config.fc1_rows()], true)?,
            norm: mlp_norm,
            fc2: Linear::load(weights, &named("mlp.fc2"), [mlp_dim, width], true)?,
            activation: options.activation,
            gated: options.gated,
        };
        let mut scale = |part: &str| {
            config.layer_scale.then(|| weights.take(&named(&format!("{part}.gamma")), &[width])).transpose()
        };
        let (ls1, ls2) = (scale("ls1")?, scale("ls2")?);
        Ok(Self {
            norm1: Norm::load(weights, &named("norm1"), width, norm_eps)?,
            attn: Attention::load(weights, &named("attn"), config)?,
            ls1,
            norm2: Norm::load(weights, &named("norm2"), width, norm_eps)?,
            mlp,
            ls2,
        })
    }

    /// `x + attn(norm1(x))`, then `x + mlp(norm2(x))`; returns what the tokens attended to, the mean over the heads
    /// `[tokens, tokens]`.
    pub(crate) fn forward(&self, tokens: &mut [f32], count: usize) -> Vec<f32> {
        let (branch, attended) = self.attn.forward(&self.norm1.forward(tokens), count);
        add_branch(tokens, &branch, self.ls1.as_deref());
        let branch = self.mlp.forward(&self.norm2.forward(tokens));
        add_branch(tokens, &branch, self.ls2.as_deref());
        attended
    }
}

/// Everything after the layers: the last norm, what pools the tokens, and the classifier.
pub(crate) struct Ending {
    norm: Option<Norm>,
    fc_norm: Option<Norm>,
    attn_pool: Option<AttentionPool>,
    head: Linear,
    head_dist: Option<Linear>,
    config: VitConfig,
}

impl Ending {
    pub(crate) fn load(weights: &mut Weights<'_>, config: &VitConfig) -> Result<Self, PlayerError> {
        let classes = config.classes.ok_or(PlayerError::NoClasses)?;
        let (width, sizes) = (config.embed_dim, [config.pooled_dim(), classes]);
        let mut norm =
            |key: &str, is_there: bool| is_there.then(|| Norm::load(weights, key, width, config.norm_eps)).transpose();
        let (all, mean) = (norm("norm", config.has_norm())?, norm("fc_norm", config.has_fc_norm())?);
        let attn_pool = config.options.attn_pool.map(|pool| AttentionPool::load(weights, config, pool)).transpose()?;
        let head = Linear::load(weights, "head", sizes, true)?;
        let head_dist = config.has_dist_head().then(|| Linear::load(weights, "head_dist", sizes, true)).transpose()?;
        Ok(Self { norm: all, fc_norm: mean, attn_pool, head, head_dist, config: config.clone() })
    }

    /// Class scores `[classes]` of the tokens that leave the last layer.
    pub(crate) fn forward(&self, tokens: Vec<f32>) -> Vec<f32> {
        let features = self.norm.as_ref().map(|norm| norm.forward(&tokens)).unwrap_or(tokens);
        let mut scores = self.head.forward(&self.pooled(&features));
        if let Some(head_dist) = &self.head_dist {
            let width = self.config.embed_dim;
            let distilled = head_dist.forward(&features[width..2 * width]);
            scores.iter_mut().zip(distilled).for_each(|(score, other)| *score = (*score + other) / 2.0);
        }
        scores
    }

    /// What the classifier sees, `[pooled_dim]`.
    fn pooled(&self, features: &[f32]) -> Vec<f32> {
        if let Some(pool) = &self.attn_pool {
            return pool.forward(features);
        }
        let width = self.config.embed_dim;
        let cls = &features[..width];
        match self.config.pool {
            Pool::Cls | Pool::Map => cls.to_vec(),
            Pool::ClsAvg => [cls, &self.mean(features)].concat(),
            Pool::Avg => {
                let mean = self.mean(features);
                self.fc_norm.as_ref().map(|norm| norm.forward(&mean)).unwrap_or(mean)
            }
        }
    }

    /// The mean of the patch tokens, `[embed_dim]`.
    fn mean(&self, features: &[f32]) -> Vec<f32> {
        let width = self.config.embed_dim;
        let patches = features[self.config.prefix_tokens() * width..].chunks_exact(width);
        let count = patches.len() as f32;
        let mut mean = vec![0.0; width];
        patches.for_each(|patch| add_branch(&mut mean, patch, None));
        mean.iter_mut().for_each(|value| *value /= count);
        mean
    }
}
