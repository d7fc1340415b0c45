//! Hyper-parameters of a Vision Transformer, with timm's words.

use serde::{Deserialize, Serialize};

use super::vit_options::{Activation, AttentionPoolConfig, FinalNorm, VitOptions};

/// What the classifier sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pool {
    /// The CLS token after `norm`.
    Cls,
    /// The mean of the patch tokens, then `fc_norm` (and no `norm`), as timm's `global_pool="avg"`; other norms are
    /// [`FinalNorm`]'s.
    Avg,
    /// The CLS token and the mean of the patch tokens side by side, after `norm`, as in transformers' DINOv2.
    ClsAvg,
    /// The answer of a learned query to the tokens after `norm` (`attn_pool`, sizes in [`VitOptions::attn_pool`]), as
    /// timm's `global_pool="map"`.
    Map,
}

/// Hyper-parameters of a Vision Transformer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VitConfig {
    /// Side of the input picture, px.
    pub image_size: usize,
    /// Side of a patch, px.
    pub patch_size: usize,
    /// Colour channels.
    pub channels: usize,
    /// Width of the tokens.
    pub embed_dim: usize,
    /// Layers.
    pub depth: usize,
    /// Heads per layer. `num_heads * head_dim` need not equal `embed_dim` (descendants).
    pub num_heads: usize,
    /// Channels of one head.
    pub head_dim: usize,
    /// Width of the feed-forward network.
    pub mlp_dim: usize,
    /// Whether q, k and v have biases.
    pub qkv_bias: bool,
    /// Whether q and k are layer-normed per head (`attn.q_norm`, `attn.k_norm`).
    pub qk_norm: bool,
    /// Whether the residual branches are scaled (`ls1.gamma`, `ls2.gamma`).
    pub layer_scale: bool,
    /// Whether there is a CLS token.
    pub cls_token: bool,
    /// Whether there is a distillation token (`dist_token`); it usually has a classifier (`head_dist`).
    pub distilled: bool,
    /// Register tokens (`reg_token`), without positions, between CLS and patches.
    pub register_tokens: usize,
    /// Whether the position embedding has rows for CLS and distillation tokens (`pos_embed`).
    pub pos_embed_prefix: bool,
    /// What the classifier sees.
    pub pool: Pool,
    /// Activation, gates, and where norms stand.
    #[serde(default, skip_serializing_if = "VitOptions::is_usual")]
    pub options: VitOptions,
    /// Epsilon of the layer norms.
    pub norm_eps: f64,
    /// Classes of the classifier; `None` = no classifier.
    pub classes: Option<usize>,
}

impl VitConfig {
    /// Patches along one side.
    pub fn grid(&self) -> usize {
        self.image_size / self.patch_size
    }

    /// Tokens before the patches: CLS, distillation, registers.
    pub fn prefix_tokens(&self) -> usize {
        usize::from(self.cls_token) + usize::from(self.distilled) + self.register_tokens
    }

    /// Rows of `pos_embed` before those of the patches.
    pub fn pos_embed_prefix_rows(&self) -> usize {
        let is_there = self.options.pos_embed && self.pos_embed_prefix;
        if is_there { usize::from(self.cls_token) + usize::from(self.distilled) } else { 0 }
    }

    /// Rows of `attn.relative_position_bias_table`: every step between two patches, then CLS to patch, patch to CLS and
    /// CLS to itself.
    pub fn relative_rows(&self) -> usize {
        let steps = (2 * self.grid()).saturating_sub(1);
        steps * steps + 3
    }

    /// All tokens: prefix and patches.
    pub fn tokens(&self) -> usize {
        self.prefix_tokens() + self.grid() * self.grid()
    }

    /// Width of all heads together.
    pub fn attention_dim(&self) -> usize {
        self.num_heads * self.head_dim
    }

    /// Whether all tokens are normed behind the last layer (`norm`).
    pub fn has_norm(&self) -> bool {
        match self.options.final_norm {
            FinalNorm::Usual => self.pool != Pool::Avg,
            FinalNorm::Tokens => true,
            FinalNorm::None => false,
        }
    }

    /// Whether the mean of the tokens is normed (`fc_norm`).
    pub fn has_fc_norm(&self) -> bool {
        self.pool == Pool::Avg && self.options.final_norm == FinalNorm::Usual
    }

    /// The same model whose classifier sees the mean of the patches instead of the class token, or the other way round;
    /// `None` where that is no other reading of the same tensors: no class token, a distillation token beside it, or a
    /// norm of its own behind the mean.
    pub fn other_pool(&self) -> Option<Self> {
        let norm = self.options.final_norm;
        let (pool, final_norm) = match (self.pool, norm) {
            _ if !self.cls_token || self.distilled => return None,
            (Pool::Avg, FinalNorm::Usual) | (Pool::ClsAvg | Pool::Map, _) => return None,
            (Pool::Cls, FinalNorm::None) => (Pool::Avg, FinalNorm::None),
            (Pool::Cls, _) => (Pool::Avg, FinalNorm::Tokens),
            (Pool::Avg, FinalNorm::None) => (Pool::Cls, FinalNorm::None),
            (Pool::Avg, FinalNorm::Tokens) => (Pool::Cls, FinalNorm::Usual),
        };
        Some(Self { pool, options: VitOptions { final_norm, ..self.options }, ..self.clone() })
    }

    /// Whether the attention pooling sees the tokens before the patches too: of rotary models it does.
    pub fn pool_sees_prefix(&self) -> bool {
        self.options.rope.is_some()
    }

    /// Activation of the attention pooling: that of the layers, but for rotary models, where it is GELU.
    pub fn pool_activation(&self) -> Activation {
        if self.options.rope.is_some() { Activation::Gelu } else { self.options.activation }
    }

    /// Whether a second classifier reads the distillation token (`head_dist`).
    pub fn has_dist_head(&self) -> bool {
        self.distilled && self.options.dist_head
    }

    /// Channels that the classifier sees.
    pub fn pooled_dim(&self) -> usize {
        if self.pool == Pool::ClsAvg { 2 * self.embed_dim } else { self.embed_dim }
    }

    /// Rows of `mlp.fc1`: two halves where a gate multiplies.
    pub fn fc1_rows(&self) -> usize {
        if self.options.gated { 2 * self.mlp_dim } else { self.mlp_dim }
    }

    /// Every tensor of the model with its timm key and PyTorch shape (`[out, in]` for linear weights).
    pub fn tensors(&self) -> Vec<(String, Vec<usize>)> {
        let (width, options) = (self.embed_dim, &self.options);
        let mut list = TensorList { all: Vec::new(), has_norm_bias: !options.rms_norm };
        if self.cls_token {
            list.add("cls_token", &[1, 1, width]);
        }
        if self.distilled {
            list.add("dist_token", &[1, 1, width]);
        }
        if self.register_tokens > 0 {
            list.add("reg_token", &[1, self.register_tokens, width]);
        }
        if options.pos_embed {
            list.add("pos_embed", &[1, self.pos_embed_prefix_rows() + self.grid() * self.grid(), width]);
        }
        list.add("patch_embed.proj.weight", &[width, self.channels, self.patch_size, self.patch_size]);
        if options.patch_bias {
            list.add("patch_embed.proj.bias", &[width]);
        }
        if options.patch_norm {
            list.norm("patch_embed.norm", width);
        }
        if options.pre_norm {
            list.norm("norm_pre", width);
        }
        for layer in 0..self.depth {
            self.add_layer(&format!("blocks.{layer}"), &mut list);
        }
        if self.has_norm() {
            list.norm("norm", width);
        }
        if self.has_fc_norm() {
            list.norm("fc_norm", width);
        }
        if let Some(AttentionPoolConfig { mlp_dim, .. }) = options.attn_pool {
            list.add("attn_pool.latent", &[1, 1, width]);
            for (key, shape) in [
                ("q", [width, width]),
                ("kv", [2 * width, width]),
                ("proj", [width, width]),
                ("mlp.fc1", [mlp_dim, width]),
                ("mlp.fc2", [width, mlp_dim]),
            ] {
                list.linear(&format!("attn_pool.{key}"), shape, true);
            }
            list.norm("attn_pool.norm", width);
        }
        if let Some(classes) = self.classes {
            for head in if self.has_dist_head() { &["head", "head_dist"][..] } else { &["head"] } {
                list.linear(head, [classes, self.pooled_dim()], true);
            }
        }
        list.all
    }

    /// The tensors of a layer, `blocks.{layer}`.
    fn add_layer(&self, layer: &str, list: &mut TensorList) {
        let (width, attention, options) = (self.embed_dim, self.attention_dim(), &self.options);
        let key = |part: &str| format!("{layer}.{part}");
        list.norm(&key("norm1"), width);
        list.linear(&key("attn.qkv"), [3 * attention, width], self.qkv_bias);
        if self.qk_norm {
            list.norm(&key("attn.q_norm"), self.head_dim);
            list.norm(&key("attn.k_norm"), self.head_dim);
        }
        if options.relative_bias {
            list.add(&key("attn.relative_position_bias_table"), &[self.relative_rows(), self.num_heads]);
        }
        if options.has_rope_freqs() {
            list.add(&key("attn.rope_freqs"), &[2, self.num_heads, self.head_dim / 2]);
        }
        if options.attn_norm {
            list.norm(&key("attn.norm"), attention);
        }
        list.linear(&key("attn.proj"), [width, attention], options.proj_bias);
        if self.layer_scale {
            list.add(&key("ls1.gamma"), &[width]);
        }
        list.norm(&key("norm2"), width);
        list.linear(&key("mlp.fc1"), [self.fc1_rows(), width], options.proj_bias);
        if options.mlp_norm {
            list.norm(&key("mlp.norm"), self.mlp_dim);
        }
        list.linear(&key("mlp.fc2"), [width, self.mlp_dim], options.proj_bias);
        if self.has_ls2() {
            list.add(&key("ls2.gamma"), &[width]);
        }
    }

    /// Whether the branch of the feed-forward network is scaled (`ls2`).
    pub fn has_ls2(&self) -> bool {
        self.layer_scale && !self.options.attn_only_layer_scale
    }

    /// Parameters in all.
    pub fn parameters(&self) -> u64 {
        self.tensors().iter().map(|(_, shape)| shape.iter().map(|&axis| axis as u64).product::<u64>()).sum()
    }

    /// Floating-point operations of one forward pass on one picture; a multiply-add counts as two.
    pub fn flops(&self) -> u64 {
        let (tokens, width, attention) = (self.tokens() as u64, self.embed_dim as u64, self.attention_dim() as u64);
        let patches = (self.grid() as u64).pow(2);
        let embed = patches * self.channels as u64 * (self.patch_size as u64).pow(2) * width;
        let projections = tokens * width * attention * 4;
        let scores = tokens * tokens * attention * 2;
        let mlp = tokens * width * (self.fc1_rows() + self.mlp_dim) as u64;
        let head = self.classes.unwrap_or(0) as u64 * self.pooled_dim() as u64;
        2 * (embed + self.depth as u64 * (projections + scores + mlp) + head)
    }
}

/// Keys and shapes, in their order.
struct TensorList {
    all: Vec<(String, Vec<usize>)>,
    /// Whether norms have biases.
    has_norm_bias: bool,
}

impl TensorList {
    fn add(&mut self, key: &str, shape: &[usize]) {
        self.all.push((key.to_string(), shape.to_vec()));
    }

    fn norm(&mut self, key: &str, width: usize) {
        self.add(&format!("{key}.weight"), &[width]);
        if self.has_norm_bias {
            self.add(&format!("{key}.bias"), &[width]);
        }
    }

    fn linear(&mut self, key: &str, [output, input]: [usize; 2], has_bias: bool) {
        self.add(&format!("{key}.weight"), &[output, input]);
        if has_bias {
            self.add(&format!("{key}.bias"), &[output]);
        }
    }
}
