//! What timm must be told to build the same model, as arguments in Python and as its own `config.json`.

use serde_json::{Map, Value, json};

use heirloom_plan::config::{Pool, VitConfig};
use heirloom_plan::weights::HostTensor;

/// Epsilon of timm's layer norms.
const USUAL_EPS: f64 = 1e-6;

/// The model of timm that differs from this one in numbers only.
pub(super) fn architecture(config: &VitConfig) -> &'static str {
    if config.distilled { "deit_base_distilled_patch16_224" } else { "vit_base_patch16_224" }
}

/// Whether the heads together are as wide as the tokens, as timm's models have it. A descendant may be otherwise.
pub(super) fn is_usual(config: &VitConfig) -> bool {
    config.attention_dim() == config.embed_dim
}

/// Arguments of `timm.create_model`: those without which it would be another model.
pub(super) fn arguments(config: &VitConfig) -> Map<String, Value> {
    // A descendant's own attention replaces that of the constructor, which wants heads that divide the width.
    let heads = if is_usual(config) { config.num_heads } else { 1 };
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
        ("global_pool", config.pool == Pool::Avg, json!("avg")),
    ];
    for (key, _, value) in unusual.into_iter().filter(|(_, is_needed, _)| *is_needed) {
        add(key, value);
    }
    all
}

/// timm rounds `embed_dim * mlp_ratio` down; half a channel more keeps it from losing one.
fn mlp_ratio(config: &VitConfig) -> f64 {
    let (hidden, width) = (config.mlp_dim as f64, config.embed_dim as f64);
    let ratio = hidden / width;
    if ratio.fract() == 0.0 { ratio } else { (hidden + 0.5) / width }
}

/// Lines of Python that load `file` into timm; `model` is then ready to use.
pub(super) fn python(config: &VitConfig, file: &str) -> String {
    let words: Vec<String> = arguments(config).iter().map(|(key, value)| format!("{key}={}", literal(value))).collect();
    let eps = (config.norm_eps != USUAL_EPS)
        .then(|| format!(", norm_layer=partial(timm.layers.LayerNorm, eps={:e})", config.norm_eps));
    let build = format!(
        "model = timm.create_model(\"{}\", {}{})\n",
        architecture(config),
        words.join(", "),
        eps.as_deref().unwrap_or_default()
    );
    let partial = if eps.is_some() { "from functools import partial\n" } else { "" };
    let attention = if is_usual(config) { String::new() } else { own_attention(config) };
    format!(
        "import timm\n{partial}from safetensors.torch import load_file\n\n{build}{attention}\
         model.load_state_dict(load_file(\"{file}\"), strict=True)\nmodel.eval()\n"
    )
}

/// Heads that are together narrower or wider than the tokens.
fn own_attention(config: &VitConfig) -> String {
    let VitConfig { embed_dim, num_heads, head_dim, .. } = *config;
    let bias = if config.qkv_bias { "True" } else { "False" };
    let norm = match (config.qk_norm, config.norm_eps == USUAL_EPS) {
        (false, _) => "",
        (true, true) => ", qk_norm=True, norm_layer=timm.layers.LayerNorm",
        (true, false) => {
            &format!(", qk_norm=True, norm_layer=partial(timm.layers.LayerNorm, eps={:e})", config.norm_eps)
        }
    };
    format!(
        "for block in model.blocks:\n    block.attn = timm.layers.Attention({embed_dim}, num_heads={num_heads}, \
         attn_head_dim={head_dim}, qkv_bias={bias}{norm})\n"
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

/// The same function in the form that timm can hold. It has no model whose CLS token has a position but whose registers
/// have none; there the positions of CLS and distillation token become part of the tokens themselves.
pub fn timm_form(config: &VitConfig, mut tensors: Vec<(String, HostTensor)>) -> (VitConfig, Vec<(String, HostTensor)>) {
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
