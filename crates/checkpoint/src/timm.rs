//! What timm must be told to build the same model, as arguments in Python and as its own `config.json`.

use serde_json::{Map, Value, json};

use super::timm_eva;
use heirloom_plan::config::{Activation, AttentionPoolConfig, FinalNorm, Pool, VitConfig};
use heirloom_plan::weights::HostTensor;

/// Epsilon of timm's layer norms.
const USUAL_EPS: f64 = 1e-6;
/// Epsilon of its CLIP towers.
const CLIP_EPS: f64 = 1e-5;

/// The model of timm that differs from this one in numbers only.
pub(super) fn architecture(config: &VitConfig) -> &'static str {
    match (config.distilled, config.options.pre_norm) {
        (true, _) => "deit_base_distilled_patch16_224",
        // It brings its epsilon of 1e-5 with it, which no description can hold.
        (false, true) if config.norm_eps == CLIP_EPS => "vit_base_patch16_clip_224",
        _ => "vit_base_patch16_224",
    }
}

/// Whether words and numbers can tell timm what to build: heads that are together as wide as the tokens, no gates, and
/// biases where it has them. A descendant may be otherwise.
pub(super) fn is_usual(config: &VitConfig) -> bool {
    timm_eva::class(config).is_none()
        && matches!(config.pool, Pool::Cls | Pool::Avg)
        && config.has_dist_head() == config.distilled
        && has_usual_heads(config)
        && !config.options.gated
        && !config.options.rms_norm
        && !config.options.patch_norm
        && has_usual_bias(config)
}

pub(super) fn has_usual_heads(config: &VitConfig) -> bool {
    config.attention_dim() == config.embed_dim
}

/// timm's patch embedding has biases unless a norm follows it.
fn has_usual_bias(config: &VitConfig) -> bool {
    config.options.patch_bias != config.options.pre_norm
}

/// Arguments of `timm.create_model`: those without which it would be another model.
pub(super) fn arguments(config: &VitConfig) -> Map<String, Value> {
    // A descendant's own attention replaces that of the constructor, which wants heads that divide the width.
    let heads = if has_usual_heads(config) { config.num_heads } else { 1 };
    let pool = pool_name(config);
    let mut all = Map::new();
    let mut add = |key: &str, value: Value| all.insert(key.to_string(), value);
    add("img_size", json!(config.image_size));
    add("patch_size", json!(config.patch_size));
    add("embed_dim", json!(config.embed_dim));
    add("depth", json!(config.depth));
    add("num_heads", json!(heads));
    add("mlp_ratio", json!(mlp_ratio(config)));
    add("num_classes", json!(config.classes.unwrap_or(0)));
    let unusual = [
        ("in_chans", config.channels != 3, json!(config.channels)),
        ("qkv_bias", !config.qkv_bias, json!(false)),
        ("qk_norm", config.qk_norm, json!(true)),
        ("init_values", config.layer_scale, json!(1e-5)),
        ("class_token", !config.cls_token, json!(false)),
        ("no_embed_class", config.cls_token && !config.pos_embed_prefix, json!(true)),
        ("reg_tokens", config.register_tokens > 0, json!(config.register_tokens)),
        ("global_pool", pool != "token", json!(pool)),
        ("fc_norm", config.pool == Pool::Avg && config.options.final_norm == FinalNorm::Tokens, json!(false)),
        ("final_norm", config.options.final_norm == FinalNorm::None, json!(false)),
        ("pre_norm", config.options.pre_norm, json!(true)),
        ("proj_bias", !config.options.proj_bias, json!(false)),
        (
            "act_layer",
            !config.options.gated && config.options.activation != Activation::Gelu,
            json!(config.options.activation.name()),
        ),
    ];
    for (key, _, value) in unusual.into_iter().filter(|(_, is_needed, _)| *is_needed) {
        add(key, value);
    }
    all
}

/// timm rounds `embed_dim * mlp_ratio` down; half a channel more keeps it from losing one.
fn mlp_ratio(config: &VitConfig) -> f64 {
    let (hidden, width) = (config.fc1_rows() as f64, config.embed_dim as f64);
    let ratio = hidden / width;
    if ratio.fract() == 0.0 { ratio } else { (hidden + 0.5) / width }
}

/// Lines of Python that load `file` into timm; `model` is then ready to use.
pub(super) fn python(config: &VitConfig, file: &str) -> String {
    let build = timm_eva::class(config).map_or_else(|| build(config), |class| timm_eva::build(class, config));
    let partial = if build.contains("partial(") { "from functools import partial\n" } else { "" };
    let torch = if build.contains("torch.") { "import torch\n" } else { "" };
    format!(
        "import timm\n{torch}{partial}from safetensors.torch import load_file\n\n{build}\
         model.load_state_dict(load_file(\"{file}\"), strict=True)\nmodel.eval()\n"
    )
}

/// Lines that build timm's `VisionTransformer`.
fn build(config: &VitConfig) -> String {
    let mut norms = String::new();
    if !has_usual_norms(config) {
        norms = format!(", norm_layer={}", norm_layer(config));
    }
    if config.options.patch_norm {
        norms += &format!(", embed_norm_layer={}", norm_layer(config));
    }
    let attention = if has_usual_heads(config) { String::new() } else { own_attention(config) };
    format!(
        "model = timm.create_model(\"{}\", {}{}{})\n{}{attention}",
        architecture(config),
        arguments_in_python(&arguments(config)),
        norms,
        if config.options.gated { gated(config.options.activation) } else { String::new() },
        own_bias(config) + &own_pool(config),
    )
}

/// timm's name of the pooling.
pub(super) fn pool_name(config: &VitConfig) -> &'static str {
    match config.pool {
        Pool::Cls | Pool::ClsAvg => "token",
        Pool::Avg => "avg",
        Pool::Map => "map",
    }
}

/// An attention pooling of its own sizes, or what timm does not have: CLS and mean side by
/// side, a distillation token without a classifier.
pub(super) fn own_pool(config: &VitConfig) -> String {
    if config.distilled && !config.has_dist_head() {
        let one = "model.head_dist = torch.nn.Identity()\nmodel.forward_head = lambda x, **_: model.head(x[:, 0])\n";
        return one.to_string();
    }
    if config.pool == Pool::ClsAvg {
        let head = match config.classes {
            Some(classes) => format!("model.head = torch.nn.Linear({}, {classes})\n", config.pooled_dim()),
            None => String::new(),
        };
        let prefix = config.prefix_tokens();
        return format!("model.pool = lambda x, *_: torch.cat([x[:, 0], x[:, {prefix}:].mean(1)], 1)\n{head}");
    }
    let Some(AttentionPoolConfig { heads, mlp_dim }) = config.options.attn_pool else { return String::new() };
    let (width, norm) = (config.embed_dim, norm_layer(config));
    let ratio = (mlp_dim as f64 + 0.5) / width as f64;
    let activation = config.pool_activation().name();
    format!(
        "model.attn_pool = timm.layers.AttentionPoolLatent({width}, num_heads={heads}, mlp_ratio={ratio}, \
         norm_layer={norm}, act_layer=timm.layers.get_act_layer(\"{activation}\"))\n"
    )
}

fn has_usual_norms(config: &VitConfig) -> bool {
    config.norm_eps == USUAL_EPS && !config.options.rms_norm
}

/// A norm of the model's kind and epsilon.
pub(super) fn norm_layer(config: &VitConfig) -> String {
    let kind = if config.options.rms_norm { "RmsNorm" } else { "LayerNorm" };
    format!("partial(timm.layers.{kind}, eps={:e})", config.norm_eps)
}

/// Words of a call in Python.
pub(super) fn arguments_in_python(all: &Map<String, Value>) -> String {
    all.iter().map(|(key, value)| format!("{key}={}", literal(value))).collect::<Vec<_>>().join(", ")
}

/// The feed-forward networks of which half is a gate.
fn gated(activation: Activation) -> String {
    let layer = format!("timm.layers.get_act_layer(\"{}\")", activation.name());
    format!(", mlp_layer=partial(timm.layers.GluMlp, act_layer={layer}, gate_last=False), act_layer={layer}")
}

/// A patch embedding with biases before a norm, or without them where there is none.
pub(super) fn own_bias(config: &VitConfig) -> String {
    if has_usual_bias(config) {
        return String::new();
    }
    let bias = match config.options.patch_bias {
        true => format!("torch.nn.Parameter(torch.zeros({}))", config.embed_dim),
        false => "None".to_string(),
    };
    format!("model.patch_embed.proj.bias = {bias}\n")
}

/// Heads that are together narrower or wider than the tokens.
fn own_attention(config: &VitConfig) -> String {
    let VitConfig { embed_dim, num_heads, head_dim, .. } = *config;
    let bias = if config.qkv_bias { "True" } else { "False" };
    let proj = if config.options.proj_bias { "" } else { ", proj_bias=False" };
    let norm = match (config.qk_norm, has_usual_norms(config)) {
        (false, _) => "",
        (true, true) => ", qk_norm=True, norm_layer=timm.layers.LayerNorm",
        (true, false) => &format!(", qk_norm=True, norm_layer={}", norm_layer(config)),
    };
    format!(
        "for block in model.blocks:\n    block.attn = timm.layers.Attention({embed_dim}, num_heads={num_heads}, \
         attn_head_dim={head_dim}, qkv_bias={bias}{proj}{norm})\n"
    )
}

/// A JSON value as Python writes it.
fn literal(value: &Value) -> String {
    match value {
        Value::Bool(true) => "True".to_string(),
        Value::Bool(false) => "False".to_string(),
        other => other.to_string(),
    }
}

/// timm's own description, with which `timm.create_model("local-dir:…", pretrained=True)` builds and fills the model.
/// `None` where timm has no such model.
pub(super) fn description(config: &VitConfig, labels: Option<&[String]>) -> Option<Map<String, Value>> {
    if !is_usual(config) {
        return None;
    }
    let classifier = if config.distilled { json!(["head", "head_dist"]) } else { json!("head") };
    let size = config.image_size;
    let mut all = Map::new();
    all.insert("architecture".into(), json!(architecture(config)));
    all.insert("num_classes".into(), json!(config.classes.unwrap_or(0)));
    if let Some(labels) = labels {
        all.insert("label_names".into(), json!(labels));
    }
    all.insert("model_args".into(), Value::Object(arguments(config)));
    let picture = json!({
        "input_size": [config.channels, size, size], "fixed_input_size": true,
        "first_conv": "patch_embed.proj", "classifier": classifier,
    });
    all.insert("pretrained_cfg".into(), picture);
    Some(all)
}

/// The same function in the form that timm can hold, under the names that it has there.
///
/// timm has no model whose CLS token has a position but whose registers have none; there the positions of CLS and
/// distillation token become part of the tokens themselves.
pub fn timm_form(config: &VitConfig, tensors: Vec<(String, HostTensor)>) -> (VitConfig, Vec<(String, HostTensor)>) {
    let (config, tensors) = with_positions_in_tokens(config, tensors);
    match timm_eva::class(&config) {
        Some(class) => {
            let tensors = timm_eva::renamed(class, &config, tensors);
            (config, tensors)
        }
        None => (config, tensors),
    }
}

fn with_positions_in_tokens(
    config: &VitConfig,
    mut tensors: Vec<(String, HostTensor)>,
) -> (VitConfig, Vec<(String, HostTensor)>) {
    let rows = config.pos_embed_prefix_rows();
    if config.register_tokens == 0 || rows == 0 {
        return (config.clone(), tensors);
    }
    let width = config.embed_dim;
    let mut front = Vec::new();
    if let Some((_, positions)) = tensors.iter_mut().find(|(key, _)| key == "pos_embed") {
        front = positions.values.drain(..rows * width).collect();
        positions.shape[1] -= rows;
    }
    let tokens = [("cls_token", config.cls_token), ("dist_token", config.distilled)];
    let present = tokens.into_iter().filter(|(_, is_there)| *is_there);
    for ((token, _), position) in present.zip(front.chunks(width)) {
        if let Some((_, tensor)) = tensors.iter_mut().find(|(key, _)| key == token) {
            tensor.values.iter_mut().zip(position).for_each(|(value, position)| *value += position);
        }
    }
    (VitConfig { pos_embed_prefix: false, ..config.clone() }, tensors)
}
