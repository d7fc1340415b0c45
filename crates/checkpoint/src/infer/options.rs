//! What a Vision Transformer is besides its sizes: activation, gates, and which norms stand where.
//!
//! Keys tell which norms there are; what leaves no trace in them (the activation, how tokens are pooled) is taken from
//! the description or, of timm's models, from the architecture's name. Where all are silent it is said what was assumed.

use super::super::error::CheckpointError;
use super::super::naming::Style;
use super::super::timm_names;
use super::Reader;
use heirloom_plan::config::{Activation, AttentionPoolConfig, FinalNorm, Pool, VitOptions};

impl Reader<'_> {
    /// What the classifier sees, and how.
    pub(super) fn pool_and_norm(&mut self) -> Result<(Pool, FinalNorm), CheckpointError> {
        let said = self.hints.global_pool.as_deref();
        let cls = self.has("cls_token");
        if self.has("attn_pool.latent") {
            return self.norm_before_pool();
        }
        match (self.has("norm.weight"), self.has("fc_norm.weight")) {
            (true, false) if cls && self.has_double_classifier() => Ok((Pool::ClsAvg, FinalNorm::Usual)),
            (false, true) => Ok((Pool::Avg, FinalNorm::Usual)),
            (true, false) if said == Some("avg") => Ok((Pool::Avg, FinalNorm::Tokens)),
            (false, false) if self.hints.final_norm == Some(false) => {
                Ok((if cls && said != Some("avg") { Pool::Cls } else { Pool::Avg }, FinalNorm::None))
            }
            (true, false) if !cls => self.mean_of_tokens(said),
            _ if cls => Ok((Pool::Cls, FinalNorm::Usual)),
            _ => Err(self.unfit("a Vision Transformer with neither `cls_token` nor `norm` nor `fc_norm`".into())),
        }
    }

    /// Whether the classifier reads CLS and mean side by side: transformers' DINOv2.
    fn has_double_classifier(&self) -> bool {
        let wide = |key: &str| self.shapes.get(key).and_then(|shape| shape.get(1)).copied();
        let width = self.shapes.get("norm.weight").and_then(|shape| shape.first()).copied();
        let is_plain = self.found.style == Style::HuggingFace && !self.has("dist_token");
        is_plain && wide("head.weight").is_some() && wide("head.weight") == width.and_then(|width| width.checked_mul(2))
    }

    /// A learned query asks the tokens.
    fn norm_before_pool(&mut self) -> Result<(Pool, FinalNorm), CheckpointError> {
        match (self.has("norm.weight"), self.has("fc_norm.weight")) {
            (_, true) => Err(self.unfit("a Vision Transformer with a norm behind its attention pooling".into())),
            (true, false) => Ok((Pool::Map, FinalNorm::Usual)),
            (false, false) => Ok((Pool::Map, FinalNorm::None)),
        }
    }

    /// Sizes of the attention pooling, if there is one, in a model of so many heads.
    pub(super) fn attn_pool(&mut self, heads: usize) -> Result<Option<AttentionPoolConfig>, CheckpointError> {
        if !self.has("attn_pool.latent") {
            return Ok(None);
        }
        let name = self.hints.architecture.as_deref();
        if self.is_nameless() {
            if self.has("norm_pre.weight") {
                let found = "a Vision Transformer with a norm before its layers and attention pooling, which has rotary \
                             positions if it is a Perception Encoder; the `config.json` saved with it would tell";
                return Err(self.unfit(found.into()));
            }
            self.assumptions.push(format!("{heads} heads of the attention pooling, as many as in the layers"));
            if self.has("cls_token") || self.has("reg_token") {
                self.assumptions.push("an attention pooling that sees the patches alone".into());
            }
        }
        let heads = name.and_then(timm_names::pool_heads).unwrap_or(heads);
        let key = "attn_pool.mlp.fc1.weight";
        let mlp_dim = self.shapes.get(key).and_then(|shape| shape.first()).copied();
        Ok(Some(AttentionPoolConfig { heads, mlp_dim: mlp_dim.ok_or_else(|| self.missing(key))? }))
    }

    /// Without a CLS token the classifier can see the mean only, unless another pooling is said.
    fn mean_of_tokens(&mut self, said: Option<&str>) -> Result<(Pool, FinalNorm), CheckpointError> {
        match said {
            None if self.hints.model_type.is_none() => {
                let assumed = "the mean of the patches is what the classifier sees: there is no CLS token, and nothing \
                               says how the tokens are pooled";
                self.assumptions.push(assumed.into());
            }
            None | Some("") => {}
            Some(other) => {
                return Err(self.unfit(format!("a Vision Transformer without `cls_token` that pools by `{other}`")));
            }
        }
        Ok((Pool::Avg, FinalNorm::Tokens))
    }

    /// Everything else, but for rotary positions and the sizes of the pooling, which follow from it.
    pub(super) fn options(&mut self, final_norm: FinalNorm) -> VitOptions {
        let rows = |tail: &str, axis: usize| self.any_block(tail).and_then(|(_, shape)| shape.get(axis).copied());
        let (fc1, fc2) = (rows("mlp.fc1.weight", 0), rows("mlp.fc2.weight", 1));
        let gated = fc2.and_then(|width| width.checked_mul(2)).is_some_and(|both| fc1 == Some(both));
        let (pre_norm, patch_bias) = (self.has("norm_pre.weight"), self.has("patch_embed.proj.bias"));
        let is_open = pre_norm || final_norm != FinalNorm::Usual || self.has("attn_pool.latent");
        let activation = self.activation(gated, is_open);
        let rms_norm = self.rms_norm();
        let biases = ["attn.proj.bias", "mlp.fc1.bias", "mlp.fc2.bias"];
        // A usual model that lacks its bias is damaged, not another one.
        VitOptions {
            activation,
            gated,
            pre_norm,
            patch_bias: patch_bias || !pre_norm,
            final_norm,
            pos_embed: self.has("pos_embed"),
            rms_norm,
            patch_norm: self.has("patch_embed.norm.weight"),
            proj_bias: biases.iter().any(|bias| self.any_block(bias).is_some()),
            attn_only_layer_scale: self.any_block("ls1.gamma").is_some() && self.any_block("ls2.gamma").is_none(),
            rope: None,
            relative_bias: self.any_block("attn.relative_position_bias_table").is_some(),
            attn_norm: self.any_block("attn.norm.weight").is_some(),
            mlp_norm: self.any_block("mlp.norm.weight").is_some(),
            dist_head: true,
            attn_pool: None,
        }
    }

    /// Whether norms have no biases, which RMS norms do not have.
    fn rms_norm(&mut self) -> bool {
        if self.any_block("norm1.weight").is_none() || self.any_block("norm1.bias").is_some() {
            return false;
        }
        if !self.hints.architecture.as_deref().is_some_and(timm_names::has_rms_norm) {
            self.assumptions.push("RMS norms: the file's norms have no biases, and nothing says more of them".into());
        }
        true
    }

    /// `is_open`: whether models of this form are known with several activations.
    fn activation(&mut self, gated: bool, is_open: bool) -> Activation {
        let is_dinov2 = self.hints.model_type.as_deref().is_some_and(|kind| kind.starts_with("dinov2"));
        if gated && is_dinov2 {
            // transformers gates by SiLU whatever `hidden_act` says.
            return Activation::Silu;
        }
        let name = self.hints.architecture.as_deref();
        if let Some(said) = self.hints.activation.or_else(|| name.and_then(timm_names::activation)) {
            return said;
        }
        if let Some(usual) = self.usual_of_clip() {
            return usual;
        }
        let (usual, words) = match gated {
            true => (Activation::Silu, "SiLU"),
            false => (Activation::Gelu, "GELU in its erf form"),
        };
        if self.hints.architecture.is_none() && self.hints.model_type.is_none() && (gated || is_open) {
            self.assumptions
                .push(format!("{words} as the activation: the file does not say which it was trained with"));
        }
        usual
    }

    /// What CLIP and SigLIP have where nothing says it.
    fn usual_of_clip(&mut self) -> Option<Activation> {
        match (self.found.style, self.hints.model_type.as_deref()) {
            (Style::Clip, Some("clip" | "clip_vision_model")) => return Some(Activation::QuickGelu),
            (Style::Clip, Some("siglip" | "siglip_vision_model")) => return Some(Activation::GeluTanh),
            (Style::Clip | Style::OpenAiClip, _) => {}
            _ => return None,
        }
        let (usual, words) = match self.has("cls_token") {
            true => (Activation::QuickGelu, "QuickGELU as the activation, as in OpenAI's CLIP: later towers have GELU"),
            false => (Activation::GeluTanh, "GELU by tanh as the activation, as in SigLIP"),
        };
        self.assumptions.push(words.into());
        Some(usual)
    }
}
