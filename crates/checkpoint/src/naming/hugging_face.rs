//! Names of Hugging Face transformers: those of its files, and those that `state_dict()` has since transformers 5.

use super::keys::BIAS_TABLE;
use super::{Role, layer_of};

/// What stands before the number of a layer.
const LAYERS: [&str; 2] = ["encoder.layer.", "layers."];
/// Query, key and value.
const PARTS: [[&str; 2]; 3] = [
    ["attention.attention.query", "attention.q_proj"],
    ["attention.attention.key", "attention.k_proj"],
    ["attention.attention.value", "attention.v_proj"],
];

/// What a key without its prefix is to the model.
pub(super) fn hugging_face(key: &str) -> Role {
    let whole = match key {
        "embeddings.cls_token" => "cls_token",
        "embeddings.distillation_token" => "dist_token",
        "embeddings.register_tokens" => "reg_token",
        "embeddings.position_embeddings" => "pos_embed",
        "embeddings.patch_embeddings.projection.weight" => "patch_embed.proj.weight",
        "embeddings.patch_embeddings.projection.bias" => "patch_embed.proj.bias",
        "layernorm.weight" => "norm.weight",
        "layernorm.bias" => "norm.bias",
        "pooler.layernorm.weight" => "fc_norm.weight",
        "pooler.layernorm.bias" => "fc_norm.bias",
        "encoder.relative_position_bias.relative_position_bias_table" => return Role::EveryLayer(BIAS_TABLE.into()),
        _ if key.ends_with("relative_position_index") => return Role::Unused,
        "embeddings.mask_token" | "pooler.dense.weight" | "pooler.dense.bias" => return Role::Unused,
        _ => "",
    };
    if !whole.is_empty() {
        return Role::Whole(whole.into());
    }
    let Some((layer, rest)) = LAYERS.iter().find_map(|before| layer_of(key, before)) else { return Role::Unknown };
    match rest {
        "lambda_1" => return Role::Whole(format!("blocks.{layer}.ls1.gamma")),
        "lambda_2" => return Role::Whole(format!("blocks.{layer}.ls2.gamma")),
        "attention.attention.relative_position_bias.relative_position_bias_table" => {
            return Role::Whole(format!("blocks.{layer}.{BIAS_TABLE}"));
        }
        _ => {}
    }
    let Some((module, kind)) = rest.rsplit_once('.') else { return Role::Unknown };
    if let Some(part) = PARTS.iter().position(|names| names.contains(&module)) {
        return Role::Part(format!("blocks.{layer}.attn.qkv.{kind}"), part);
    }
    let module = match (module, kind) {
        ("layer_scale1", "lambda1") => return Role::Whole(format!("blocks.{layer}.ls1.gamma")),
        ("layer_scale2", "lambda1") => return Role::Whole(format!("blocks.{layer}.ls2.gamma")),
        ("attention.output.dense" | "attention.o_proj", _) => "attn.proj",
        ("intermediate.dense" | "mlp.fc1" | "mlp.weights_in", _) => "mlp.fc1",
        ("output.dense" | "mlp.fc2" | "mlp.weights_out", _) => "mlp.fc2",
        ("layernorm_before" | "norm1", _) => "norm1",
        ("layernorm_after" | "norm2", _) => "norm2",
        _ => return Role::Unknown,
    };
    Role::Whole(format!("blocks.{layer}.{module}.{kind}"))
}

/// What a key of a ResNet without its prefix is to the model, which has torchvision's names.
pub(super) fn hugging_face_resnet(key: &str) -> Role {
    let Some((module, kind)) = key.rsplit_once('.') else { return Role::Unknown };
    if kind == "num_batches_tracked" {
        return Role::Unused;
    }
    let Some((module, part)) = module.rsplit_once('.') else { return Role::Unknown };
    let is_norm = match part {
        "convolution" => false,
        "normalization" => true,
        _ => return Role::Unknown,
    };
    let numbered = |at: usize| format!("{}{}.{kind}", if is_norm { "bn" } else { "conv" }, at + 1);
    if module == "embedder.embedder" {
        return Role::Whole(numbered(0));
    }
    let layer = layer_of(module, "encoder.stages.").and_then(|(stage, rest)| Some((stage, layer_of(rest, "layers.")?)));
    let Some((stage, (layer, rest))) = layer else { return Role::Unknown };
    let part = match rest.strip_prefix("layer.").and_then(|at| at.parse::<usize>().ok()) {
        Some(at) if at < 3 => numbered(at),
        None if rest == "shortcut" => format!("downsample.{}.{kind}", usize::from(is_norm)),
        // A part that no ResNet has, under a name that tells so.
        _ => format!("{rest}.{part}.{kind}"),
    };
    Role::Whole(format!("layer{}.{layer}.{part}", stage + 1))
}
