//! Weight selection (Xu et al., ICLR 2024): a smaller model starts from the first layers of a larger one, of whose
//! channels it takes evenly spaced ones.
//!
//! A head is taken whole or not at all when the head size stays, so a descendant that keeps the ancestor's width and
//! has fewer heads takes evenly spaced heads of the first layers. Nothing is rescaled: that is the method's letter.

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::{Device, Int, Tensor, TensorData};

use super::cluster::ExpandError;
use super::copy::{classifier, detached_clone, detached_pos_embed, fit_relative_bias};
use super::{Descendant, InitError, Initializer};
use heirloom_nn::model::ModelConfig;
use heirloom_nn::vit::{
    Attention, AttentionPool, Block, LayerNorm, LayerScale, Mlp, PatchEmbed, RandomWeights, Vit, VitConfig,
};

/// `count` evenly spaced places of `available`: place `i` is `⌊i · available / count⌋`. With more wanted than there are,
/// places repeat.
pub fn evenly(count: usize, available: usize) -> Vec<usize> {
    (0..count).map(|place| place * available / count).collect()
}

/// The first layers of an ancestor with evenly spaced channels and heads, and a fresh classifier.
#[derive(Clone, Debug)]
pub struct WeightSelection {
    ancestor: Vit,
    config: VitConfig,
}

impl WeightSelection {
    /// A descendant of any width, feed-forward width, heads, head size and depth; everything else (tokens, pooling,
    /// biases) must be as in the ancestor.
    ///
    /// # Errors
    /// When it is deeper than the ancestor, its heads are of another size although they are turned by their places, the
    /// heads of an attention pooling cannot share its width, or the picture is no whole number of patches.
    pub fn new(ancestor: Vit, config: VitConfig) -> Result<Self, ExpandError> {
        let VitConfig { image_size, patch_size, depth: layers, .. } = config;
        let available = ancestor.config.depth;
        if layers > available {
            return Err(ExpandError::TooDeep { layers, available });
        }
        let (heads, available) = (config.head_dim, ancestor.config.head_dim);
        if config.options.rope.is_some() && heads != available {
            return Err(ExpandError::TurnedHeads { channels: heads, available });
        }
        if let Some(pool) = config.options.attn_pool.filter(|pool| !config.embed_dim.is_multiple_of(pool.heads)) {
            return Err(ExpandError::PooledHeads { heads: pool.heads, width: config.embed_dim });
        }
        if image_size == 0 || patch_size != ancestor.config.patch_size || !image_size.is_multiple_of(patch_size) {
            return Err(ExpandError::ImageSize { image_size, patch_size });
        }
        Ok(Self { ancestor: ancestor.valid(), config })
    }

    fn chosen(&self) -> Chosen {
        let (from, to) = (&self.ancestor.config, &self.config);
        let device = self.ancestor.device();
        let heads = evenly(to.num_heads, from.num_heads);
        let channels = evenly(to.head_dim, from.head_dim);
        let row = |head: usize| channels.iter().map(move |channel| head * from.head_dim + channel);
        let attention: Vec<usize> = heads.iter().flat_map(|&head| row(head)).collect();
        let part = |part: usize| attention.iter().map(move |row| part * from.attention_dim() + row);
        let qkv = (0..3).flat_map(part).collect();
        let (width, hidden) = (evenly(to.embed_dim, from.embed_dim), evenly(to.mlp_dim, from.mlp_dim));
        // A gate keeps the channels of its value.
        let halves = 0..from.fc1_rows() / from.mlp_dim.max(1);
        Chosen {
            width: Places::new(width.clone(), from.embed_dim, &device),
            kv: Places::new(
                (0..2).flat_map(|half| width.iter().map(move |at| half * from.embed_dim + at)).collect(),
                2 * from.embed_dim,
                &device,
            ),
            mlp: Places::new(hidden.clone(), from.mlp_dim, &device),
            fc1: Places::new(
                halves.flat_map(|half| hidden.iter().map(move |at| half * from.mlp_dim + at)).collect(),
                from.fc1_rows(),
                &device,
            ),
            head: Places::new(channels, from.head_dim, &device),
            heads: Places::new(heads, from.num_heads, &device),
            qkv: Places::new(qkv, 3 * from.attention_dim(), &device),
            attention: Places::new(attention, from.attention_dim(), &device),
        }
    }
}

impl Initializer for WeightSelection {
    fn config(&self) -> ModelConfig {
        self.config.clone().into()
    }

    async fn start(&self, seed: u64) -> Result<Descendant, InitError> {
        let (ancestor, config, random) = (&self.ancestor, &self.config, RandomWeights { seed });
        let (chosen, device) = (self.chosen(), ancestor.device());
        let width = &chosen.width;
        let token = |token: &Param<Tensor<3>>| width.of(token, 2);
        // Positions are resampled in the ancestor's width, then thinned out.
        let as_wide = VitConfig { embed_dim: ancestor.config.embed_dim, ..config.clone() };
        let blocks = ancestor.blocks[..config.depth].iter().enumerate();
        let mut blocks =
            blocks.map(|(layer, block)| chosen.block(block, layer, config)).collect::<Result<Vec<_>, _>>()?;
        fit_relative_bias(&mut blocks, ancestor.config.grid(), config.grid()).await?;
        let proj = &ancestor.patch_embed.proj;
        let head_dist = || classifier(config, "head_dist", random, &device);
        let vit = Vit {
            patch_embed: PatchEmbed {
                proj: Linear {
                    weight: width.of(&proj.weight, 1),
                    bias: proj.bias.as_ref().map(|bias| width.of(bias, 0)),
                },
                norm: ancestor.patch_embed.norm.as_ref().map(|norm| width.norm(norm)),
                patch_size: config.patch_size,
            },
            cls_token: ancestor.cls_token.as_ref().map(token),
            dist_token: ancestor.dist_token.as_ref().map(token),
            reg_token: ancestor.reg_token.as_ref().map(token),
            pos_embed: detached_pos_embed(ancestor, &as_wide).await?.as_ref().map(token),
            norm_pre: ancestor.norm_pre.as_ref().map(|norm| width.norm(norm)),
            blocks,
            norm: ancestor.norm.as_ref().map(|norm| width.norm(norm)),
            fc_norm: ancestor.fc_norm.as_ref().map(|norm| width.norm(norm)),
            attn_pool: ancestor.attn_pool.as_ref().map(|pool| chosen.attn_pool(pool)),
            head: classifier(config, "head", random, &device),
            head_dist: if config.has_dist_head() { head_dist() } else { None },
            config: config.clone(),
        };
        Ok(vit.into())
    }
}

/// Places taken along one kind of axis; `None` = all of them.
struct Places(Option<Tensor<1, Int>>);

impl Places {
    fn new(places: Vec<usize>, available: usize, device: &Device) -> Self {
        if places.iter().copied().eq(0..available) {
            return Self(None);
        }
        let count = places.len();
        let places: Vec<i32> = places.into_iter().map(|place| place as i32).collect();
        Self(Some(Tensor::from_data(TensorData::new(places, [count]), device)))
    }

    /// A parameter with these places of an axis.
    fn of<const D: usize>(&self, param: &Param<Tensor<D>>, axis: usize) -> Param<Tensor<D>> {
        let own = detached_clone(param);
        match &self.0 {
            None => own,
            Some(places) => Param::from_tensor(own.val().select(axis, places.clone())),
        }
    }

    fn norm(&self, norm: &LayerNorm) -> LayerNorm {
        norm.map(|vector| self.of(vector, 0))
    }
}

/// A linear layer with some of its inputs and outputs.
fn linear(linear: &Linear, inputs: &Places, outputs: &Places) -> Linear {
    Linear {
        weight: outputs.of(&inputs.of(&linear.weight, 0), 1),
        bias: linear.bias.as_ref().map(|bias| outputs.of(bias, 0)),
    }
}

/// The places taken along every kind of axis.
struct Chosen {
    width: Places,
    mlp: Places,
    /// Rows of `mlp.fc1`, `[gate, value][channel]` where there is a gate.
    fc1: Places,
    /// Channels inside a head.
    head: Places,
    /// Heads.
    heads: Places,
    /// Channels of all heads together.
    attention: Places,
    /// Rows `[q, k, v][head][channel]`.
    qkv: Places,
    /// Keys and values as wide as the tokens, one below the other.
    kv: Places,
}

impl Chosen {
    /// All its heads and hidden channels, of the tokens' channels that are taken.
    fn attn_pool(&self, pool: &AttentionPool) -> AttentionPool {
        let (width, all) = (&self.width, Places(None));
        AttentionPool {
            latent: width.of(&pool.latent, 2),
            q: linear(&pool.q, width, width),
            kv: linear(&pool.kv, width, &self.kv),
            proj: linear(&pool.proj, width, width),
            norm: width.norm(&pool.norm),
            mlp: Mlp {
                fc1: linear(&pool.mlp.fc1, width, &all),
                norm: None,
                fc2: linear(&pool.mlp.fc2, &all, width),
                activation: pool.mlp.activation,
                gated: pool.mlp.gated,
            },
            num_heads: pool.num_heads,
        }
    }

    fn block(&self, block: &Block, layer: usize, config: &VitConfig) -> Result<Block, InitError> {
        let mlp = block.mlp.as_ref().ok_or(InitError::NoFeedForward { layer })?;
        let (width, attn) = (&self.width, &block.attn);
        let scale = |scale: &LayerScale| LayerScale { gamma: width.of(&scale.gamma, 0) };
        Ok(Block {
            norm1: width.norm(&block.norm1),
            attn: Attention {
                qkv: linear(&attn.qkv, width, &self.qkv),
                q_norm: attn.q_norm.as_ref().map(|norm| self.head.norm(norm)),
                k_norm: attn.k_norm.as_ref().map(|norm| self.head.norm(norm)),
                relative_position_bias_table: attn
                    .relative_position_bias_table
                    .as_ref()
                    .map(|table| self.heads.of(table, 0)),
                rope_freqs: attn.rope_freqs.as_ref().map(|freqs| self.heads.of(freqs, 1)),
                norm: attn.norm.as_ref().map(|norm| self.attention.norm(norm)),
                proj: linear(&attn.proj, &self.attention, width),
                num_heads: config.num_heads,
                head_dim: config.head_dim,
                ..attn.clone()
            },
            ls1: block.ls1.as_ref().map(scale),
            norm2: width.norm(&block.norm2),
            mlp: Some(Mlp {
                fc1: linear(&mlp.fc1, width, &self.fc1),
                norm: mlp.norm.as_ref().map(|norm| self.mlp.norm(norm)),
                fc2: linear(&mlp.fc2, &self.mlp, width),
                activation: mlp.activation,
                gated: mlp.gated,
            }),
            ls2: block.ls2.as_ref().map(scale),
        })
    }
}
