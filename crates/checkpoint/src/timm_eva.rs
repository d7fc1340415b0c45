//! Vision Transformers that know places by their attention, or norm inside their branches: timm keeps them in classes of
//! their own, `Eva` and `Beit`, under names of their own.

use std::fmt::Write;

use serde_json::{Map, Value, json};

use super::timm::{arguments_in_python, has_usual_heads, norm_layer, own_bias, own_pool, pool_name};
use heirloom_plan::config::{Activation, FinalNorm, Rope, RopeGrid, VitConfig};
use heirloom_plan::weights::HostTensor;

use super::naming::layer_of;

/// timm's class of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Rotary positions, norms inside the branches.
    Eva,
    /// Biases of relative places.
    Beit,
}

/// The class that a model needs, if it is none of timm's `VisionTransformer`.
pub(super) fn class(config: &VitConfig) -> Option<Class> {
    let options = &config.options;
    if options.relative_bias {
        return Some(Class::Beit);
    }
    let is_eva = options.rope.is_some() || options.attn_norm || options.mlp_norm || !options.pos_embed;
    let is_eva = is_eva || options.attn_only_layer_scale;
    is_eva.then_some(Class::Eva)
}

/// The tensors under the names of that class.
pub(super) fn renamed(
    class: Class,
    config: &VitConfig,
    tensors: Vec<(String, HostTensor)>,
) -> Vec<(String, HostTensor)> {
    let has_split_gate = config.options.gated && (class == Class::Beit || config.options.mlp_norm);
    let mut renamed = Vec::with_capacity(tensors.len());
    // Those of all layers side by side: `[2, layers, heads, head_dim / 2]`.
    let mut freqs = vec![0.0; config.depth * config.num_heads * config.head_dim];
    for (key, tensor) in tensors {
        if let Some((layer, "attn.rope_freqs")) = layer_of(&key, "blocks.") {
            let one = tensor.values.len() / 2;
            for (axis, values) in tensor.values.chunks(one).enumerate() {
                let first = (axis * config.depth + layer) * one;
                freqs[first..first + one].copy_from_slice(values);
            }
            continue;
        }
        if class == Class::Beit && key.ends_with("attn.qkv.bias") {
            // Without effect is the key's: it adds the same to all scores of a query.
            let module = key.trim_end_matches("qkv.bias");
            let [query, _, value] = &parts::<3>(tensor)[..] else { continue };
            renamed.push((format!("{module}q_bias"), query.clone()));
            renamed.push((format!("{module}v_bias"), value.clone()));
        } else if let (true, Some((module, kind))) =
            (has_split_gate && key.starts_with("blocks."), key.rsplit_once(".fc1."))
        {
            let halves = ["fc1_g", "fc1_x"].into_iter().zip(parts::<2>(tensor));
            renamed.extend(halves.map(|(half, tensor)| (format!("{module}.{half}.{kind}"), tensor)));
        } else {
            let key = key.replace(".ls1.gamma", ".gamma_1").replace(".ls2.gamma", ".gamma_2");
            renamed.push((key, tensor));
        }
    }
    if config.options.has_rope_freqs() {
        let shape = vec![2, config.depth, config.num_heads, config.head_dim / 2];
        renamed.push(("rope.freqs".into(), HostTensor { shape, values: freqs }));
    }
    renamed
}

/// A tensor cut along its first axis.
fn parts<const COUNT: usize>(tensor: HostTensor) -> Vec<HostTensor> {
    let HostTensor { mut shape, values } = tensor;
    shape[0] /= COUNT;
    let part = (values.len() / COUNT).max(1);
    values.chunks(part).map(|values| HostTensor { shape: shape.clone(), values: values.to_vec() }).collect()
}

/// Lines of Python that build the model, before its weights are loaded.
pub(super) fn build(class: Class, config: &VitConfig) -> String {
    let name = match class {
        Class::Eva => "eva.Eva",
        Class::Beit => "beit.Beit",
    };
    let mut lines =
        format!("model = timm.models.{name}({}, norm_layer={})\n", arguments(class, config), norm_layer(config));
    if class == Class::Eva {
        lines.push_str(&own_bias(config));
        lines.push_str(&own_pool(config));
    }
    if !has_usual_heads(config) {
        lines.push_str(&own_heads(class, config));
    }
    let usual = if config.options.gated { Activation::Silu } else { Activation::Gelu };
    if config.options.activation != usual {
        let activation = config.options.activation.name();
        _ = writeln!(
            lines,
            "for block in model.blocks:\n    block.mlp.act = timm.layers.get_act_layer(\"{activation}\")()"
        );
    }
    lines
}

fn arguments(class: Class, config: &VitConfig) -> String {
    let options = &config.options;
    let heads = if has_usual_heads(config) { config.num_heads } else { 1 };
    // timm rounds `embed_dim * mlp_ratio` down.
    let ratio = (config.mlp_dim as f64 + if config.mlp_dim.is_multiple_of(config.embed_dim) { 0.0 } else { 0.5 })
        / config.embed_dim as f64;
    let pool = pool_name(config);
    let mut all = Map::new();
    let mut add = |key: &str, value: Value| all.insert(key.to_string(), value);
    add("img_size", json!(config.image_size));
    add("patch_size", json!(config.patch_size));
    add("in_chans", json!(config.channels));
    add("embed_dim", json!(config.embed_dim));
    add("depth", json!(config.depth));
    add("num_heads", json!(heads));
    add("mlp_ratio", json!(ratio));
    add("num_classes", json!(config.classes.unwrap_or(0)));
    add("qkv_bias", json!(config.qkv_bias));
    add("swiglu_mlp", json!(options.gated));
    add("scale_mlp", json!(options.mlp_norm));
    add("global_pool", json!(pool));
    add("use_abs_pos_emb", json!(options.pos_embed));
    add("use_fc_norm", json!(config.has_fc_norm()));
    if config.layer_scale {
        add("init_values", json!(1e-5));
    }
    if class == Class::Beit {
        add("use_rel_pos_bias", json!(true));
        return arguments_in_python(&all);
    }
    add("attn_type", json!("rope"));
    if options.attn_only_layer_scale {
        add("attn_only_layer_scale", json!(true));
    }
    add("qk_norm", json!(config.qk_norm));
    add("scale_attn_inner", json!(options.attn_norm));
    add("class_token", json!(config.cls_token));
    add("num_reg_tokens", json!(config.register_tokens));
    add("no_embed_class", json!(!config.pos_embed_prefix));
    add("use_pre_transformer_norm", json!(options.pre_norm));
    add("use_post_transformer_norm", json!(config.has_norm() && options.final_norm != FinalNorm::None));
    if let Some(rope) = &options.rope {
        add("use_rot_pos_emb", json!(true));
        add("rope_type", json!(kind(rope)));
        for (key, value) in numbers(rope) {
            let key = if key == "ref_feat_shape" { key.to_string() } else { format!("rope_{key}") };
            add(&key, value);
        }
    }
    arguments_in_python(&all)
}

fn kind(rope: &Rope) -> &'static str {
    match rope.grid {
        RopeGrid::Index { .. } => "cat",
        RopeGrid::Centred => "dinov3",
        RopeGrid::Learned => "mixed",
    }
}

/// How queries and keys are turned, in timm's words.
fn numbers(rope: &Rope) -> Vec<(&'static str, Value)> {
    let mut all = vec![
        ("temperature", json!(rope.temperature)),
        ("grid_indexing", json!(if rope.columns_first { "xy" } else { "ij" })),
    ];
    if rope.grid != RopeGrid::Learned {
        all.push(("rotate_half", json!(rope.halves)));
    }
    if let RopeGrid::Index { reference, offset } = rope.grid {
        all.push(("grid_offset", json!(offset)));
        all.extend(reference.map(|side| ("ref_feat_shape", json!([side, side]))));
    }
    all
}

/// Heads that are together narrower or wider than the tokens.
fn own_heads(class: Class, config: &VitConfig) -> String {
    let VitConfig { embed_dim, num_heads, head_dim, qkv_bias, .. } = *config;
    let (side, options) = (config.grid(), &config.options);
    let mut words = Map::new();
    words.insert("num_heads".into(), json!(num_heads));
    words.insert("attn_head_dim".into(), json!(head_dim));
    words.insert("qkv_bias".into(), json!(qkv_bias));
    if class == Class::Beit {
        words.insert("window_size".into(), json!([side, side]));
        let words = arguments_in_python(&words);
        let bias = if qkv_bias { "torch.cat((self.q_bias, self.k_bias, self.v_bias))" } else { "None" };
        // timm's own takes heads for as wide as the tokens where it joins them again.
        return format!(
            "def attend(self, x, shared_rel_pos_bias=None):\n    \
             qkv = torch.nn.functional.linear(x, self.qkv.weight, {bias})\n    \
             q, k, v = qkv.unflatten(2, (3, self.num_heads, -1)).permute(2, 0, 3, 1, 4)\n    \
             bias = self._get_rel_pos_bias()\n    \
             x = torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=bias)\n    \
             return self.proj(x.transpose(1, 2).flatten(2))\n\n\
             timm.models.beit.Attention.forward = attend\n\
             for block in model.blocks:\n    block.attn = timm.models.beit.Attention({embed_dim}, {words})\n"
        );
    }
    words.insert("num_prefix_tokens".into(), json!(config.prefix_tokens()));
    words.insert("qk_norm".into(), json!(config.qk_norm));
    words.insert("scale_norm".into(), json!(options.attn_norm));
    words.insert("rotate_half".into(), json!(options.rope.is_some_and(|rope| rope.halves)));
    let words = arguments_in_python(&words);
    let norm = norm_layer(config);
    let mut lines = format!(
        "for block in model.blocks:\n    block.attn = timm.layers.AttentionRope({embed_dim}, {words}, norm_layer={norm})\n"
    );
    if let Some(rope) = &options.rope {
        let mut words = Map::new();
        let is_learned = rope.grid == RopeGrid::Learned;
        let heads = if is_learned { num_heads } else { 1 };
        words.insert("dim".into(), json!(heads * head_dim));
        words.insert("num_heads".into(), json!(heads));
        words.insert("feat_shape".into(), json!([side, side]));
        if is_learned {
            words.insert("depth".into(), json!(config.depth));
        }
        if kind(rope) == "cat" {
            words.insert("in_pixels".into(), json!(false));
        }
        words.extend(numbers(rope).into_iter().map(|(key, value)| (key.to_string(), value)));
        _ = writeln!(
            lines,
            "model.rope = timm.layers.create_rope_embed(\"{}\", {})",
            kind(rope),
            arguments_in_python(&words)
        );
    }
    lines
}
