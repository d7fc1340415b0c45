//! From shapes, and whatever is said beside them, to a configuration.
//!
//! Shapes are facts and win over descriptions; what they cannot tell (heads, epsilon) is taken from the description,
//! and where that is silent assumed, in a sentence that the person gets to read.

mod bounds;
mod options;
mod places;

pub use bounds::check_config;

use super::description::Hints;
use super::error::CheckpointError;
use super::infer_cnn::{self, CnnReader};
use super::infer_mobilenet::{numbered_blocks, timm_blocks};
use super::naming::{Style, layer_of};
use super::nearest::nearest;
use super::timm_names;
use bounds::check_bounds;
use heirloom_plan::config::{ModelConfig, Pool, RopeGrid, VitConfig, VitOptions};
use std::collections::BTreeMap;

/// Channels of a head in ViT, DeiT, DINO and DINOv2 up to size L.
const USUAL_HEAD_DIM: usize = 64;

/// Sizes with other heads: width of all heads, heads (ViT-H, ViT-g, ViT-G).
const UNUSUAL_HEADS: [(usize, usize); 3] = [(1280, 16), (1408, 16), (1664, 16)];

/// Shapes by key.
pub(super) type Shapes = BTreeMap<String, Vec<usize>>;

/// What came out.
#[derive(Debug)]
pub(super) struct Inferred {
    /// The configuration.
    pub config: ModelConfig,
    /// What was assumed or left out, as sentences.
    pub assumptions: Vec<String>,
    /// Keys that are left out on purpose.
    pub left_out: Vec<String>,
    /// Modules that are called otherwise here: the file's name and ours.
    pub renamed: Vec<(String, String)>,
    /// Whether `pos_embed` has rows for the register tokens, which are then added to `reg_token`.
    pub registers_have_positions: bool,
}

impl Inferred {
    /// Nothing left out or called otherwise.
    pub(super) fn plain(config: ModelConfig, assumptions: Vec<String>) -> Self {
        let (left_out, renamed) = (Vec::new(), Vec::new());
        Self { config, assumptions, left_out, renamed, registers_have_positions: false }
    }
}

/// What the keys tell besides the shapes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    /// Who named the tensors.
    pub style: Style,
    /// Whether queries and values have biases and keys have none.
    pub is_keyless: bool,
}

struct Reader<'a> {
    file: &'a str,
    shapes: &'a Shapes,
    hints: &'a Hints,
    found: Found,
    assumptions: Vec<String>,
    left_out: Vec<String>,
}

/// Infers the configuration. `file` names the weights in errors.
pub(super) fn infer(file: &str, shapes: &Shapes, hints: &Hints, found: Found) -> Result<Inferred, CheckpointError> {
    let (style, own) = (found.style, hints.own.as_ref().map(|own| &own.config));
    match (own, style) {
        (Some(config), _) => {
            check_config(file, config)?;
            Ok(Inferred::plain(config.clone(), Vec::new()))
        }
        (None, Style::Stitched) => {
            let found = "two Vision Transformers stitched together, without the `config.json` that says where".into();
            Err(CheckpointError::OtherModel { name: file.into(), found })
        }
        (None, Style::ResNet | Style::HuggingFaceResNet) => {
            CnnReader { file, shapes, hints, assumptions: Vec::new() }.resnet()
        }
        (None, Style::Vgg) => CnnReader { file, shapes, hints, assumptions: Vec::new() }.vgg(),
        (None, Style::MobileNet | Style::NumberedMobileNet) => {
            let blocks = if style == Style::MobileNet { timm_blocks(shapes) } else { numbered_blocks(shapes) };
            CnnReader { file, shapes, hints, assumptions: Vec::new() }.mobilenet(&blocks)
        }
        (
            None,
            Style::Timm
            | Style::HuggingFace
            | Style::Dinov3
            | Style::Clip
            | Style::OpenAiClip
            | Style::Mmpretrain
            | Style::Torchvision,
        ) => {
            let mut reader = Reader { file, shapes, hints, found, assumptions: Vec::new(), left_out: Vec::new() };
            let (config, registers_have_positions) = reader.config()?;
            check_bounds(file, &config)?;
            let Reader { assumptions, left_out, .. } = reader;
            Ok(Inferred { left_out, registers_have_positions, ..Inferred::plain(config.into(), assumptions) })
        }
    }
}

impl Reader<'_> {
    fn config(&mut self) -> Result<(VitConfig, bool), CheckpointError> {
        let [embed_dim, channels, patch_size] = self.patch_embedding()?;
        let depth = 1 + self.shapes.keys().filter_map(|key| Some(layer_of(key, "blocks.")?.0)).max().unwrap_or(0);
        let [qkv_rows, _] = self.of_any_block("attn.qkv.weight")?;
        let [fc1_rows, _] = self.of_any_block("mlp.fc1.weight")?;
        let qk_norm = self.any_block("attn.q_norm.weight").is_some();
        let (num_heads, head_dim) = self.heads(qkv_rows / 3)?;
        let (pool, final_norm) = self.pool_and_norm()?;
        let mut options = self.options(final_norm);
        options.rope = self.rope(&options);
        options.attn_pool = self.attn_pool(num_heads)?;
        let register_tokens = self.shapes.get("reg_token").and_then(|shape| shape.get(1)).copied().unwrap_or(0);
        let (cls_token, distilled) = (self.has("cls_token"), self.has("dist_token"));
        // transformers' DeiT may have one classifier that reads CLS, beside the distillation token.
        options.dist_head = !distilled || self.has("head_dist.weight") || self.found.style != Style::HuggingFace;
        let prefix = usize::from(cls_token) + usize::from(distilled);
        if self.has("reg_token") && register_tokens == 0 {
            self.left_out.push("reg_token".into());
        }
        let (grid, rows) = self.grid(&options, [prefix, register_tokens], patch_size)?;
        self.refuse_what_looks_alike(&options, rows)?;
        let config = VitConfig {
            image_size: grid.saturating_mul(patch_size),
            patch_size,
            channels,
            embed_dim,
            depth,
            num_heads,
            head_dim,
            mlp_dim: if options.gated { fc1_rows / 2 } else { fc1_rows },
            qkv_bias: self.any_block("attn.qkv.bias").is_some(),
            qk_norm,
            layer_scale: self.any_block("ls1.gamma").is_some(),
            cls_token,
            distilled,
            register_tokens,
            pos_embed_prefix: rows > 0,
            pool,
            options,
            norm_eps: self.norm_eps(&options),
            classes: self.classes(
                embed_dim.saturating_mul(1 + usize::from(pool == Pool::ClsAvg)),
                pool,
                distilled && options.dist_head,
            ),
        };
        Ok((config, rows > prefix))
    }

    fn has(&self, key: &str) -> bool {
        self.shapes.contains_key(key)
    }

    fn any_block(&self, tail: &str) -> Option<(&String, &Vec<usize>)> {
        self.shapes.iter().find(|(key, _)| layer_of(key, "blocks.").is_some_and(|(_, rest)| rest == tail))
    }

    fn of_any_block(&self, tail: &str) -> Result<[usize; 2], CheckpointError> {
        let (key, shape) = self.any_block(tail).ok_or_else(|| self.missing(&format!("blocks.0.{tail}")))?;
        shape
            .as_slice()
            .try_into()
            .map_err(|_| self.unfit(format!("`{key}` of shape {shape:?}, where a matrix is expected")))
    }

    fn missing(&self, key: &str) -> CheckpointError {
        let nearest = nearest(key, self.shapes.keys().map(String::as_str)).map(String::from);
        CheckpointError::Missing { key: key.into(), nearest }
    }

    fn unfit(&self, found: String) -> CheckpointError {
        CheckpointError::OtherModel { name: self.file.into(), found }
    }

    /// Width, channels and patch side.
    fn patch_embedding(&self) -> Result<[usize; 3], CheckpointError> {
        let key = "patch_embed.proj.weight";
        match self.shapes.get(key).map(Vec::as_slice) {
            Some(&[width, channels, high, wide]) if high == wide => Ok([width, channels, high]),
            Some(shape) => {
                Err(self
                    .unfit(format!("a patch embedding of shape {shape:?} instead of [width, channels, side, side]")))
            }
            None => Err(self.missing(key)),
        }
    }

    /// Heads and channels of each.
    fn heads(&mut self, all: usize) -> Result<(usize, usize), CheckpointError> {
        let exact = self.any_block("attn.q_norm.weight").and_then(|(_, shape)| shape.first().copied());
        if let Some(head_dim) = exact.filter(|&head_dim| head_dim > 0 && all.is_multiple_of(head_dim)) {
            return Ok((all / head_dim, head_dim));
        }
        // A column for each head, or frequencies for each.
        let named = ["attn.relative_position_bias_table", "attn.rope_freqs"].into_iter();
        let counted = named.filter_map(|tail| self.any_block(tail)?.1.get(1).copied()).next();
        if let Some(heads) = counted.filter(|&heads| heads > 0 && all.is_multiple_of(heads)) {
            return Ok((heads, all / heads));
        }
        if let Some(heads) = self.hints.num_heads {
            if heads == 0 || !all.is_multiple_of(heads) {
                let problem = format!("it says {heads} heads, which cannot share {all} channels evenly");
                return Err(CheckpointError::Description { name: self.hints.source.clone(), problem });
            }
            return Ok((heads, all / heads));
        }
        let named = self.hints.architecture.as_deref().and_then(timm_names::head_dim);
        if let Some(head_dim) = named.filter(|&head_dim| all.is_multiple_of(head_dim)) {
            return Ok((all / head_dim, head_dim));
        }
        let unusual = UNUSUAL_HEADS.iter().find(|(width, _)| *width == all).map(|(width, heads)| width / heads);
        let usual = (1..=USUAL_HEAD_DIM).rev().find(|&size| all.is_multiple_of(size));
        let head_dim = unusual.or(usual).unwrap_or(1);
        let heads = all / head_dim;
        self.assumptions.push(format!(
            "{heads} heads of {head_dim} channels, the habit of this size: the file does not say how many heads there \
             are (a `config.json` dropped with it would)"
        ));
        Ok((heads, head_dim))
    }

    fn norm_eps(&mut self, options: &VitOptions) -> f64 {
        let name = self.hints.architecture.as_deref();
        let is_dinov3 = Self::is_dinov3(options);
        match (self.hints.norm_eps.or_else(|| timm_names::norm_eps(name?)), self.hints.model_type.as_deref()) {
            (Some(said), _) => said,
            (None, None) if options.pre_norm && name.is_none() => {
                let said = "layer norms with epsilon 1e-5, the habit of models with a norm before their layers";
                self.assumptions.push(said.into());
                1e-5
            }
            (None, None) if options.rms_norm && name.is_none() => {
                self.assumptions.push("norms with epsilon 1e-6, the habit of RMS norms (AIMv2 has 1e-5)".into());
                1e-6
            }
            (None, None) if is_dinov3 && name.is_none() => {
                self.assumptions.push("layer norms with epsilon 1e-5, as DINOv3 has them".into());
                1e-5
            }
            // What transformers takes when a `config.json` is silent.
            (None, Some("vit" | "deit" | "vit_mae" | "ijepa" | "beit" | "data2vec-vision")) => 1e-12,
            (None, Some("dinov3_vit" | "clip" | "clip_vision_model")) => 1e-5,
            (None, Some(_)) => 1e-6,
            (None, None) => {
                if self.found.style == Style::HuggingFace {
                    let said = "layer norms with epsilon 1e-6, because no `config.json` says another (older ViT files \
                                have 1e-12)";
                    self.assumptions.push(said.into());
                }
                1e-6
            }
        }
    }

    /// Classes of the classifier; one that this model cannot run is left out, with a sentence.
    fn classes(&mut self, width: usize, pool: Pool, distilled: bool) -> Option<usize> {
        let shape = self.shapes.get("head.weight")?.clone();
        let pool_said = self.hints.global_pool.as_deref().filter(|&said| !matches!(said, "" | "token"));
        let why = if let Some(&wide) = shape.get(1).filter(|&&wide| wide != width) {
            Some(format!("it reads {wide} channels, the model gives {width}"))
        } else if self.shapes.keys().any(|key| key.starts_with("pre_logits.")) {
            Some("it reads through `pre_logits`, which this model does not have".into())
        } else if distilled && !self.has("head_dist.weight") {
            Some("it has no `head_dist` for the distillation token".into())
        } else if pool == Pool::Cls && self.has("fc_norm.weight") {
            Some("it reads through `norm` and `fc_norm` one after the other".into())
        } else {
            pool_said
                .filter(|&said| pool == Pool::Cls || said != if pool == Pool::Map { "map" } else { "avg" })
                .map(|said| format!("it pools by `{said}` after `norm`, this model reads the CLS token"))
        };
        let Some(why) = why else { return shape.first().copied() };
        self.assumptions.push(format!("the classifier is left out: {why}"));
        let belongs =
            |key: &&String| ["head.", "head_dist.", "pre_logits.", "fc_norm."].iter().any(|part| key.starts_with(part));
        self.left_out.extend(self.shapes.keys().filter(belongs).cloned());
        None
    }
}

/// Family and naming style in words, e.g. `DINOv2 with registers (Hugging Face names)`.
pub(super) fn family(config: &ModelConfig, hints: &Hints, style: Style, has_mask_token: bool) -> String {
    let config = match config {
        ModelConfig::Vit(config) => config,
        ModelConfig::Stitched(_) => return "stitched ViT (made here, timm names)".into(),
        ModelConfig::Cnn(config) => return infer_cnn::family(config, hints, style),
    };
    if hints.own.is_some() {
        return "ViT (made here, timm names)".into();
    }
    let model_type = hints.model_type.as_deref().unwrap_or("");
    let dinov2 = model_type.starts_with("dinov2") || has_mask_token && config.layer_scale;
    let centred = config.options.rope.map(|rope| rope.grid == RopeGrid::Centred);
    let known = match (centred, style, config.options.relative_bias) {
        _ if config.options.rms_norm && config.options.patch_norm => Some("AIMv2"),
        (Some(true), ..) if config.options.rms_norm => Some("Sapiens2"),
        (Some(true), ..) => Some("DINOv3"),
        (Some(false), ..) if config.options.gated => Some("EVA-02"),
        (Some(false), ..) => Some("ViT with rotary positions"),
        (None, Style::OpenAiClip, _) => Some("CLIP"),
        (None, Style::Clip, _) => Some(if config.cls_token { "CLIP" } else { "SigLIP" }),
        (None, _, true) => Some("BEiT"),
        _ => None,
    };
    let mut family = match (dinov2, config.distilled || model_type == "deit") {
        _ if known.is_some() => known.unwrap_or_default().to_string(),
        (true, _) => "DINOv2".to_string(),
        (_, true) => "DeiT".to_string(),
        _ => "ViT".to_string(),
    };
    if config.distilled {
        family += ", distilled";
    }
    if config.register_tokens > 0 {
        family += " with registers";
    }
    match &hints.architecture {
        Some(architecture) => format!("{family} `{architecture}` ({})", style.words()),
        None => format!("{family} ({})", style.words()),
    }
}
