//! What each library calls its tensors, and what they are here.

use super::{Role, layer_of};

/// The biases of relative places of a layer.
pub(super) const BIAS_TABLE: &str = "attn.relative_position_bias_table";
/// A layer's frequencies of rotary positions.
const ROPE_FREQS: &str = "attn.rope_freqs";

/// timm's names, those of the models' own files that timm's are made of (BEiT, EVA, DINOv2, DINOv3), and timm's older
/// ones.
pub(super) fn timm(key: &str) -> Role {
    match key {
        "mask_token" | "rope_embed.periods" | "local_cls_norm.weight" | "local_cls_norm.bias" => return Role::Unused,
        "register_tokens" | "storage_tokens" => return Role::Whole("reg_token".into()),
        "rope.freqs" => return Role::ByLayer(ROPE_FREQS.into()),
        "rel_pos_bias.relative_position_bias_table" => return Role::EveryLayer(BIAS_TABLE.into()),
        _ if key.ends_with("relative_position_index") || key.starts_with("rope.freqs_") => return Role::Unused,
        _ => {}
    }
    let Some((layer, rest)) = layer_of(key, "blocks.") else { return Role::Whole(key.into()) };
    let whole = |rest: &str| Role::Whole(format!("blocks.{layer}.{rest}"));
    let part = |module: &str, kind: &str, part| Role::Part(format!("blocks.{layer}.{module}.{kind}"), part);
    match rest {
        "gamma_1" => return whole("ls1.gamma"),
        "gamma_2" => return whole("ls2.gamma"),
        "attn.q_bias" => return part("attn.qkv", "bias", 0),
        "attn.k_bias" => return part("attn.qkv", "bias", 1),
        "attn.v_bias" => return part("attn.qkv", "bias", 2),
        "attn.qkv.bias_mask" => return Role::KeyMask(format!("blocks.{layer}.attn.qkv.bias")),
        _ if rest.starts_with("attn.rope.freqs_") => return Role::Unused,
        _ => {}
    }
    let Some((module, kind)) = rest.rsplit_once('.') else { return Role::Whole(key.into()) };
    match module {
        "attn.q_proj" => part("attn.qkv", kind, 0),
        "attn.k_proj" => part("attn.qkv", kind, 1),
        "attn.v_proj" => part("attn.qkv", kind, 2),
        "attn.inner_attn_ln" => whole(&format!("attn.norm.{kind}")),
        // Gates first, in one tensor (DINOv2) or in two.
        "mlp.w12" => whole(&format!("mlp.fc1.{kind}")),
        "mlp.fc1_g" | "mlp.w1" => part("mlp.fc1", kind, 0),
        "mlp.fc1_x" | "mlp.w2" => part("mlp.fc1", kind, 1),
        "mlp.w3" => whole(&format!("mlp.fc2.{kind}")),
        "mlp.ffn_ln" => whole(&format!("mlp.norm.{kind}")),
        _ => Role::Whole(key.into()),
    }
}

pub(super) fn torchvision(key: &str) -> Role {
    let whole = match key {
        "class_token" => "cls_token",
        "encoder.pos_embedding" => "pos_embed",
        "conv_proj.weight" => "patch_embed.proj.weight",
        "conv_proj.bias" => "patch_embed.proj.bias",
        "encoder.ln.weight" => "norm.weight",
        "encoder.ln.bias" => "norm.bias",
        "heads.head.weight" => "head.weight",
        "heads.head.bias" => "head.bias",
        _ => "",
    };
    if !whole.is_empty() {
        return Role::Whole(whole.into());
    }
    let Some((layer, rest)) = layer_of(key, "encoder.layers.encoder_layer_") else { return Role::Unknown };
    let rest = match rest {
        "self_attention.in_proj_weight" => "attn.qkv.weight",
        "self_attention.in_proj_bias" => "attn.qkv.bias",
        "self_attention.out_proj.weight" => "attn.proj.weight",
        "self_attention.out_proj.bias" => "attn.proj.bias",
        "ln_1.weight" => "norm1.weight",
        "ln_1.bias" => "norm1.bias",
        "ln_2.weight" => "norm2.weight",
        "ln_2.bias" => "norm2.bias",
        "mlp.0.weight" | "mlp.linear_1.weight" => "mlp.fc1.weight",
        "mlp.0.bias" | "mlp.linear_1.bias" => "mlp.fc1.bias",
        "mlp.3.weight" | "mlp.linear_2.weight" => "mlp.fc2.weight",
        "mlp.3.bias" | "mlp.linear_2.bias" => "mlp.fc2.bias",
        _ => return Role::Unknown,
    };
    Role::Whole(format!("blocks.{layer}.{rest}"))
}

/// transformers' DINOv3.
pub(super) fn dinov3(key: &str) -> Role {
    let whole = match key {
        "embeddings.cls_token" => "cls_token",
        "embeddings.register_tokens" => "reg_token",
        "embeddings.patch_embeddings.weight" => "patch_embed.proj.weight",
        "embeddings.patch_embeddings.bias" => "patch_embed.proj.bias",
        "norm.weight" | "norm.bias" => key,
        "embeddings.mask_token" => return Role::Unused,
        _ => "",
    };
    if !whole.is_empty() {
        return Role::Whole(whole.into());
    }
    let Some((layer, rest)) = layer_of(key.strip_prefix("model.").unwrap_or(key), "layer.") else {
        return Role::Unknown;
    };
    let Some((module, kind)) = rest.rsplit_once('.') else { return Role::Unknown };
    let part = |module: &str, part| Role::Part(format!("blocks.{layer}.{module}.{kind}"), part);
    let module = match module {
        "attention.q_proj" => return part("attn.qkv", 0),
        "attention.k_proj" => return part("attn.qkv", 1),
        "attention.v_proj" => return part("attn.qkv", 2),
        // Alone it is the first layer of a usual network; beside a gate it becomes the second half.
        "mlp.up_proj" => return part("mlp.fc1", 1),
        "mlp.gate_proj" => return part("mlp.fc1", 0),
        "layer_scale1" if kind == "lambda1" => return Role::Whole(format!("blocks.{layer}.ls1.gamma")),
        "layer_scale2" if kind == "lambda1" => return Role::Whole(format!("blocks.{layer}.ls2.gamma")),
        "attention.o_proj" => "attn.proj",
        "mlp.down_proj" => "mlp.fc2",
        "norm1" | "norm2" => module,
        _ => return Role::Unknown,
    };
    Role::Whole(format!("blocks.{layer}.{module}.{kind}"))
}

/// The pictures' towers of transformers' CLIP and SigLIP.
pub(super) fn clip(key: &str) -> Role {
    let whole = match key {
        "embeddings.class_embedding" => return Role::Lifted("cls_token".into()),
        "embeddings.position_embedding.weight" => return Role::Lifted("pos_embed".into()),
        "embeddings.position_ids" => return Role::Unused,
        "embeddings.patch_embedding.weight" => "patch_embed.proj.weight",
        "embeddings.patch_embedding.bias" => "patch_embed.proj.bias",
        // transformers' own spelling.
        "pre_layrnorm.weight" | "pre_layernorm.weight" => "norm_pre.weight",
        "pre_layrnorm.bias" | "pre_layernorm.bias" => "norm_pre.bias",
        "post_layernorm.weight" => "norm.weight",
        "post_layernorm.bias" => "norm.bias",
        "head.probe" => "attn_pool.latent",
        "head.layernorm.weight" => "attn_pool.norm.weight",
        "head.layernorm.bias" => "attn_pool.norm.bias",
        "head.attention.out_proj.weight" => "attn_pool.proj.weight",
        "head.attention.out_proj.bias" => "attn_pool.proj.bias",
        "head.attention.in_proj_weight" => return pool_rows("weight"),
        "head.attention.in_proj_bias" => return pool_rows("bias"),
        _ => "",
    };
    if !whole.is_empty() {
        return Role::Whole(whole.into());
    }
    if let Some(rest) = key.strip_prefix("head.mlp.") {
        return Role::Whole(format!("attn_pool.mlp.{rest}"));
    }
    let Some((layer, rest)) = layer_of(key, "encoder.layers.") else { return Role::Unknown };
    let Some((module, kind)) = rest.rsplit_once('.') else { return Role::Unknown };
    let part = |part| Role::Part(format!("blocks.{layer}.attn.qkv.{kind}"), part);
    let module = match module {
        "self_attn.q_proj" => return part(0),
        "self_attn.k_proj" => return part(1),
        "self_attn.v_proj" => return part(2),
        "self_attn.out_proj" => "attn.proj",
        "layer_norm1" => "norm1",
        "layer_norm2" => "norm2",
        "mlp.fc1" | "mlp.fc2" => module,
        _ => return Role::Unknown,
    };
    Role::Whole(format!("blocks.{layer}.{module}.{kind}"))
}

fn pool_rows(kind: &str) -> Role {
    Role::Rows(vec![(format!("attn_pool.q.{kind}"), 1), (format!("attn_pool.kv.{kind}"), 2)])
}

/// The pictures' tower of OpenAI's CLIP; `key` is without the prefix of the whole model.
pub(super) fn openai_clip(key: &str) -> Role {
    let Some(key) = key.strip_prefix("visual.") else { return Role::Outside };
    let whole = match key {
        "class_embedding" => return Role::Lifted("cls_token".into()),
        "positional_embedding" => return Role::Lifted("pos_embed".into()),
        "conv1.weight" => "patch_embed.proj.weight",
        "ln_pre.weight" => "norm_pre.weight",
        "ln_pre.bias" => "norm_pre.bias",
        "ln_post.weight" => "norm.weight",
        "ln_post.bias" => "norm.bias",
        // From the feature to the space that pictures and texts share.
        "proj" => return Role::Unused,
        _ => "",
    };
    if !whole.is_empty() {
        return Role::Whole(whole.into());
    }
    let Some((layer, rest)) = layer_of(key, "transformer.resblocks.") else { return Role::Unknown };
    let rest = match rest {
        "attn.in_proj_weight" => "attn.qkv.weight",
        "attn.in_proj_bias" => "attn.qkv.bias",
        "attn.out_proj.weight" => "attn.proj.weight",
        "attn.out_proj.bias" => "attn.proj.bias",
        "ln_1.weight" => "norm1.weight",
        "ln_1.bias" => "norm1.bias",
        "ln_2.weight" => "norm2.weight",
        "ln_2.bias" => "norm2.bias",
        "mlp.c_fc.weight" => "mlp.fc1.weight",
        "mlp.c_fc.bias" => "mlp.fc1.bias",
        "mlp.c_proj.weight" => "mlp.fc2.weight",
        "mlp.c_proj.bias" => "mlp.fc2.bias",
        _ => return Role::Unknown,
    };
    Role::Whole(format!("blocks.{layer}.{rest}"))
}

/// The steps that a batch norm has counted are of no use: its momentum is fixed.
pub(super) fn convolutional(key: &str) -> Role {
    if key.ends_with("num_batches_tracked") {
        return Role::Unused;
    }
    match key.strip_prefix("linear.") {
        Some(kind) => Role::Whole(format!("fc.{kind}")),
        None => Role::Whole(key.replace(".shortcut.", ".downsample.")),
    }
}

/// timm has VGG's three last layers as convolutions under names of their own; here they have torchvision's numbers.
pub(super) fn vgg(key: &str) -> Role {
    let layers =
        [("pre_logits.fc1.", "classifier.0."), ("pre_logits.fc2.", "classifier.3."), ("head.fc.", "classifier.6.")];
    match layers.into_iter().find_map(|(theirs, ours)| Some((ours, key.strip_prefix(theirs)?))) {
        Some((ours, kind)) => Role::Flat(format!("{ours}{kind}")),
        None => convolutional(key),
    }
}
