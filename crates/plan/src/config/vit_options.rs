//! What Vision Transformers of equal sizes differ in: their activation, gates, where norms stand, and how attention knows
//! places.

use serde::{Deserialize, Serialize};

use super::rope::{Rope, RopeGrid};

/// What bends the numbers between the two layers of a feed-forward network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// `x · Φ(x)`, by erf.
    #[default]
    Gelu,
    /// GELU by its tanh formula, which is up to 5e-4 away from it.
    GeluTanh,
    /// `x · σ(1.702 x)`.
    QuickGelu,
    /// `x · σ(x)`.
    Silu,
    /// `max(x, 0)`.
    Relu,
}

impl Activation {
    /// By the name that timm (`act_layer`) or Hugging Face (`hidden_act`) gives it.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "gelu" => Self::Gelu,
            "gelu_tanh" | "gelu_new" | "gelu_pytorch_tanh" => Self::GeluTanh,
            "quick_gelu" | "quickgelu" => Self::QuickGelu,
            "silu" | "swish" => Self::Silu,
            "relu" => Self::Relu,
            _ => return None,
        })
    }

    /// timm's name of it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gelu => "gelu",
            Self::GeluTanh => "gelu_tanh",
            Self::QuickGelu => "quick_gelu",
            Self::Silu => "silu",
            Self::Relu => "relu",
        }
    }
}

/// The norm behind the last layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FinalNorm {
    /// Of all tokens (`norm`) where the classifier sees CLS, of the mean (`fc_norm`) where it sees that.
    #[default]
    Usual,
    /// Of all tokens (`norm`), also where the classifier sees their mean.
    Tokens,
    /// None at all.
    None,
}

/// A learned query and what follows its answer (`attn_pool`; Lee et al. 2019, SigLIP).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttentionPoolConfig {
    /// Heads; together they are as wide as the tokens.
    pub heads: usize,
    /// Width of its feed-forward network.
    pub mlp_dim: usize,
}

/// What a Vision Transformer is besides its sizes (docs/methods.md, section 6.10); the usual one is the default.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct VitOptions {
    /// Activation of the feed-forward networks.
    pub activation: Activation,
    /// Whether `mlp.fc1` has two halves, `[gate, value]`, and the activated gate multiplies the value (SwiGLU). It then
    /// has `2 * mlp_dim` rows.
    pub gated: bool,
    /// Whether the tokens are normed before the first layer (`norm_pre`), as in CLIP.
    pub pre_norm: bool,
    /// Whether the patch embedding has biases.
    pub patch_bias: bool,
    /// The norm behind the last layer.
    pub final_norm: FinalNorm,
    /// Whether tokens get a position embedding (`pos_embed`).
    pub pos_embed: bool,
    /// Whether norms divide by the root of the mean square and have no biases (RMS norms; Zhang and Sennrich 2019).
    pub rms_norm: bool,
    /// Whether patches are normed before they get their places (`patch_embed.norm`).
    pub patch_norm: bool,
    /// Whether `attn.proj`, `mlp.fc1` and `mlp.fc2` have biases.
    pub proj_bias: bool,
    /// Whether layer scale is that of the attention alone (no `ls2`).
    pub attn_only_layer_scale: bool,
    /// How queries and keys are turned by their places, if they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rope: Option<Rope>,
    /// Whether each layer's scores get a bias by head and relative place (`attn.relative_position_bias_table`), as in
    /// BEiT; then CLS is the only token before the patches.
    pub relative_bias: bool,
    /// Whether what the heads gave is normed before the projection (`attn.norm`).
    pub attn_norm: bool,
    /// Whether the hidden channels of the feed-forward network are normed before `mlp.fc2` (`mlp.norm`).
    pub mlp_norm: bool,
    /// Whether the distillation token, where there is one, has a classifier of its own.
    pub dist_head: bool,
    /// What pools the tokens, of [`Pool::Map`](super::Pool::Map).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attn_pool: Option<AttentionPoolConfig>,
}

impl Default for VitOptions {
    fn default() -> Self {
        Self {
            activation: Activation::Gelu,
            gated: false,
            pre_norm: false,
            patch_bias: true,
            final_norm: FinalNorm::Usual,
            pos_embed: true,
            rms_norm: false,
            patch_norm: false,
            proj_bias: true,
            attn_only_layer_scale: false,
            rope: None,
            relative_bias: false,
            attn_norm: false,
            mlp_norm: false,
            dist_head: true,
            attn_pool: None,
        }
    }
}

impl VitOptions {
    /// Whether queries and keys are turned by learned frequencies (`attn.rope_freqs`).
    pub fn has_rope_freqs(&self) -> bool {
        self.rope.is_some_and(|rope| rope.grid == RopeGrid::Learned)
    }

    /// Whether this is the usual Vision Transformer.
    pub fn is_usual(&self) -> bool {
        *self == Self::default()
    }
}
