//! A model's weights in and out, by timm key and PyTorch shape. Loading takes one tensor at a time, so that a large
//! checkpoint never lies in memory beside its model.

use burn::module::{Module, ModuleVisitor, Param};
use burn::nn::Linear;
use burn::tensor::{Device, Tensor, TensorData};
use std::ops::Range;

use super::{
    Attention, AttentionPool, AttentionPoolConfig, Block, LayerNorm, LayerScale, Mlp, PatchEmbed, Vit, VitConfig,
};
use crate::device::{ReadError, read};
use heirloom_plan::weights::{HostTensor, Weights, transpose};

struct Loader<'a, W> {
    weights: &'a mut W,
    device: &'a Device,
    config: &'a VitConfig,
}

impl<W: Weights> Loader<'_, W> {
    async fn param<const D: usize>(&mut self, key: &str, shape: [usize; D]) -> Result<Param<Tensor<D>>, W::Error> {
        let host = self.weights.tensor(key, &shape).await?;
        Ok(Param::from_data(TensorData::new(host.values, shape), self.device))
    }

    async fn linear(&mut self, key: &str, input: usize, output: usize, bias: bool) -> Result<Linear, W::Error> {
        let host = self.weights.tensor(&format!("{key}.weight"), &[output, input]).await?;
        let weight = TensorData::new(transpose(&host.values, output, input), [input, output]);
        let bias = match bias {
            true => Some(self.param(&format!("{key}.bias"), [output]).await?),
            false => None,
        };
        Ok(Linear { weight: Param::from_data(weight, self.device), bias })
    }

    async fn norm(&mut self, key: &str, width: usize) -> Result<LayerNorm, W::Error> {
        let gamma = self.param(&format!("{key}.weight"), [width]).await?;
        let beta = match self.config.options.rms_norm {
            false => Some(self.param(&format!("{key}.bias"), [width]).await?),
            true => None,
        };
        Ok(LayerNorm { gamma, beta, epsilon: self.config.norm_eps })
    }

    async fn patch_embed(&mut self) -> Result<PatchEmbed, W::Error> {
        let VitConfig { embed_dim, channels, patch_size, .. } = *self.config;
        let key = "patch_embed.proj";
        let shape = [embed_dim, channels, patch_size, patch_size];
        let host = self.weights.tensor(&format!("{key}.weight"), &shape).await?;
        let input = channels * patch_size * patch_size;
        let weight = TensorData::new(transpose(&host.values, embed_dim, input), [input, embed_dim]);
        let bias = match self.config.options.patch_bias {
            true => Some(self.param(&format!("{key}.bias"), [embed_dim]).await?),
            false => None,
        };
        let norm = match self.config.options.patch_norm {
            true => Some(self.norm("patch_embed.norm", embed_dim).await?),
            false => None,
        };
        Ok(PatchEmbed { proj: Linear { weight: Param::from_data(weight, self.device), bias }, norm, patch_size })
    }

    async fn attention(&mut self, key: &str) -> Result<Attention, W::Error> {
        let VitConfig { embed_dim, num_heads, head_dim, qkv_bias, qk_norm, options, .. } = *self.config;
        let all = self.config.attention_dim();
        let qkv = self.linear(&format!("{key}.qkv"), embed_dim, 3 * all, qkv_bias).await?;
        let (q_norm, k_norm) = match qk_norm {
            true => (
                Some(self.norm(&format!("{key}.q_norm"), head_dim).await?),
                Some(self.norm(&format!("{key}.k_norm"), head_dim).await?),
            ),
            false => (None, None),
        };
        let relative_position_bias_table = match options.relative_bias {
            true => Some(self.bias_table(&format!("{key}.relative_position_bias_table")).await?),
            false => None,
        };
        let rope_freqs = match options.has_rope_freqs() {
            true => Some(self.param(&format!("{key}.rope_freqs"), [2, num_heads, head_dim / 2]).await?),
            false => None,
        };
        let norm = match options.attn_norm {
            true => Some(self.norm(&format!("{key}.norm"), all).await?),
            false => None,
        };
        let proj = self.linear(&format!("{key}.proj"), all, embed_dim, options.proj_bias).await?;
        let (rope, prefix_tokens) = (options.rope, self.config.prefix_tokens());
        Ok(Attention {
            qkv,
            q_norm,
            k_norm,
            relative_position_bias_table,
            norm,
            proj,
            num_heads,
            head_dim,
            rope_freqs,
            rope,
            prefix_tokens,
        })
    }

    /// Turned as the weights of a linear layer are: `[heads, rows]`.
    async fn bias_table(&mut self, key: &str) -> Result<Param<Tensor<2>>, W::Error> {
        let (rows, heads) = (self.config.relative_rows(), self.config.num_heads);
        let host = self.weights.tensor(key, &[rows, heads]).await?;
        let table = TensorData::new(transpose(&host.values, rows, heads), [heads, rows]);
        Ok(Param::from_data(table, self.device))
    }

    async fn attn_pool(&mut self, pool: AttentionPoolConfig) -> Result<AttentionPool, W::Error> {
        let (width, AttentionPoolConfig { heads, mlp_dim }) = (self.config.embed_dim, pool);
        Ok(AttentionPool {
            latent: self.param("attn_pool.latent", [1, 1, width]).await?,
            q: self.linear("attn_pool.q", width, width, true).await?,
            kv: self.linear("attn_pool.kv", width, 2 * width, true).await?,
            proj: self.linear("attn_pool.proj", width, width, true).await?,
            norm: self.norm("attn_pool.norm", width).await?,
            mlp: Mlp {
                fc1: self.linear("attn_pool.mlp.fc1", width, mlp_dim, true).await?,
                norm: None,
                fc2: self.linear("attn_pool.mlp.fc2", mlp_dim, width, true).await?,
                activation: self.config.pool_activation(),
                gated: false,
            },
            num_heads: heads,
        })
    }

    async fn layer_scale(&mut self, key: &str, is_there: bool) -> Result<Option<LayerScale>, W::Error> {
        Ok(match is_there {
            true => Some(LayerScale { gamma: self.param(&format!("{key}.gamma"), [self.config.embed_dim]).await? }),
            false => None,
        })
    }

    async fn block(&mut self, layer: usize) -> Result<Block, W::Error> {
        let VitConfig { embed_dim, mlp_dim, options, .. } = *self.config;
        let key = |part: &str| format!("blocks.{layer}.{part}");
        let mlp_norm = match options.mlp_norm {
            true => Some(self.norm(&key("mlp.norm"), mlp_dim).await?),
            false => None,
        };
        Ok(Block {
            norm1: self.norm(&key("norm1"), embed_dim).await?,
            attn: self.attention(&key("attn")).await?,
            ls1: self.layer_scale(&key("ls1"), self.config.layer_scale).await?,
            norm2: self.norm(&key("norm2"), embed_dim).await?,
            mlp: Some(Mlp {
                fc1: self.linear(&key("mlp.fc1"), embed_dim, self.config.fc1_rows(), options.proj_bias).await?,
                norm: mlp_norm,
                fc2: self.linear(&key("mlp.fc2"), mlp_dim, embed_dim, options.proj_bias).await?,
                activation: options.activation,
                gated: options.gated,
            }),
            ls2: self.layer_scale(&key("ls2"), self.config.has_ls2()).await?,
        })
    }
}

/// Everything after the layers: the last norm and the classifier.
pub(super) struct Ending {
    pub norm: Option<LayerNorm>,
    pub fc_norm: Option<LayerNorm>,
    pub attn_pool: Option<AttentionPool>,
    pub head: Option<Linear>,
    pub head_dist: Option<Linear>,
}

impl Ending {
    pub(super) async fn load<W: Weights>(
        config: &VitConfig,
        weights: &mut W,
        device: &Device,
    ) -> Result<Self, W::Error> {
        let (mut loader, width) = (Loader { weights, device, config }, config.embed_dim);
        let norm = match config.has_norm() {
            true => Some(loader.norm("norm", width).await?),
            false => None,
        };
        let fc_norm = match config.has_fc_norm() {
            true => Some(loader.norm("fc_norm", width).await?),
            false => None,
        };
        let attn_pool = match config.options.attn_pool {
            Some(pool) => Some(loader.attn_pool(pool).await?),
            None => None,
        };
        let (mut head, mut head_dist) = (None, None);
        if let Some(classes) = config.classes {
            head = Some(loader.linear("head", config.pooled_dim(), classes, true).await?);
            if config.has_dist_head() {
                head_dist = Some(loader.linear("head_dist", config.pooled_dim(), classes, true).await?);
            }
        }
        Ok(Self { norm, fc_norm, attn_pool, head, head_dist })
    }
}

/// Some layers.
pub(super) async fn load_blocks<W: Weights>(
    config: &VitConfig,
    layers: Range<usize>,
    weights: &mut W,
    device: &Device,
) -> Result<Vec<Block>, W::Error> {
    let mut blocks = Vec::with_capacity(layers.len());
    for layer in layers {
        blocks.push(Block::load(config, layer, weights, device).await?);
    }
    Ok(blocks)
}

/// A linear layer of its own, outside any model.
pub(super) async fn load_linear<W: Weights>(
    [input, output]: [usize; 2],
    config: &VitConfig,
    weights: &mut W,
    device: &Device,
) -> Result<Linear, W::Error> {
    Loader { weights, device, config }.linear("stitch", input, output, true).await
}

impl Block {
    /// One layer of a model, as [`Vit::load`] builds it.
    ///
    /// # Errors
    /// The first error of `weights`.
    pub async fn load<W: Weights>(
        config: &VitConfig,
        layer: usize,
        weights: &mut W,
        device: &Device,
    ) -> Result<Self, W::Error> {
        Loader { weights, device, config }.block(layer).await
    }
}

impl Vit {
    /// Builds a model from weights, asking for one tensor at a time.
    ///
    /// # Errors
    /// The first error of `weights`.
    pub async fn load<W: Weights>(config: &VitConfig, weights: &mut W, device: &Device) -> Result<Self, W::Error> {
        let front = Self::load_front(config, weights, device).await?;
        let Ending { norm, fc_norm, attn_pool, head, head_dist } = Ending::load(config, weights, device).await?;
        Ok(Self { norm, fc_norm, attn_pool, head, head_dist, ..front })
    }

    /// A model that ends with its last layer: no norm, no classifier.
    pub(super) async fn load_front<W: Weights>(
        config: &VitConfig,
        weights: &mut W,
        device: &Device,
    ) -> Result<Self, W::Error> {
        let width = config.embed_dim;
        let rows = config.pos_embed_prefix_rows() + config.grid() * config.grid();
        let mut loader = Loader { weights, device, config };
        let cls_token = match config.cls_token {
            true => Some(loader.param("cls_token", [1, 1, width]).await?),
            false => None,
        };
        let dist_token = match config.distilled {
            true => Some(loader.param("dist_token", [1, 1, width]).await?),
            false => None,
        };
        let reg_token = match config.register_tokens {
            0 => None,
            count => Some(loader.param("reg_token", [1, count, width]).await?),
        };
        let pos_embed = match config.options.pos_embed {
            true => Some(loader.param("pos_embed", [1, rows, width]).await?),
            false => None,
        };
        let patch_embed = loader.patch_embed().await?;
        let norm_pre = match config.options.pre_norm {
            true => Some(loader.norm("norm_pre", width).await?),
            false => None,
        };
        let blocks = load_blocks(config, 0..config.depth, loader.weights, device).await?;
        let (norm, fc_norm, head, head_dist, config) = (None, None, None, None, config.clone());
        Ok(Self {
            patch_embed,
            cls_token,
            dist_token,
            reg_token,
            pos_embed,
            norm_pre,
            blocks,
            norm,
            fc_norm,
            attn_pool: None,
            head,
            head_dist,
            config,
        })
    }

    /// All weights by timm key in PyTorch's shape, on the host.
    ///
    /// # Errors
    /// When the device cannot be read.
    pub async fn state(&self) -> Result<Vec<(String, HostTensor)>, ReadError> {
        state(self, &self.config).await
    }
}

/// All weights of a module made of this Vision Transformer's parts, by path with timm's words, in PyTorch's shape.
pub(super) async fn state<M: Module>(module: &M, config: &VitConfig) -> Result<Vec<(String, HostTensor)>, ReadError> {
    let mut collector = Collector::default();
    module.visit(&mut collector);
    let mut state = Vec::with_capacity(collector.found.len());
    for (mut key, tensor, mut shape) in collector.found {
        if key.ends_with("patch_embed.proj.weight") {
            shape = vec![shape[0], config.channels, config.patch_size, config.patch_size];
        }
        if key.contains("norm") {
            key = key.replace(".gamma", ".weight").replace(".beta", ".bias");
        }
        let values = read(tensor).await?;
        state.push((key, HostTensor { shape, values }));
    }
    Ok(state)
}

/// Collects parameters with their paths; linear weights are turned to PyTorch's `[out, in]`.
#[derive(Default)]
struct Collector {
    path: Vec<String>,
    found: Vec<(String, Tensor<1>, Vec<usize>)>,
}

impl ModuleVisitor for Collector {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_string());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let tensor = param.val();
        let tensor = if D == 2 { tensor.swap_dims(0, 1) } else { tensor };
        let shape = tensor.dims().to_vec();
        self.found.push((self.path.join("."), tensor.flatten::<1>(0, D - 1), shape));
    }
}
