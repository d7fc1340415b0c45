//! Names of mmpretrain, formerly mmcls, of which a checkpoint holds `backbone.` and `head.layers.`.

use super::{Role, layer_of};

/// What a key without its prefix is to the model.
pub(super) fn mmpretrain(key: &str) -> Role {
    let whole = match key {
        "cls_token" | "dist_token" | "pos_embed" => return Role::Whole(key.into()),
        "patch_embed.projection.weight" => "patch_embed.proj.weight",
        "patch_embed.projection.bias" => "patch_embed.proj.bias",
        "pre_norm.weight" => "norm_pre.weight",
        "pre_norm.bias" => "norm_pre.bias",
        "ln1.weight" => "norm.weight",
        "ln1.bias" => "norm.bias",
        // Of the mean of the patches.
        "ln2.weight" => "fc_norm.weight",
        "ln2.bias" => "fc_norm.bias",
        _ => "",
    };
    if !whole.is_empty() {
        return Role::Whole(whole.into());
    }
    let Some((layer, rest)) = layer_of(key, "layers.") else { return Role::Unknown };
    let Some((module, kind)) = rest.rsplit_once('.') else { return Role::Unknown };
    let module = match module {
        "attn.gamma1" => return Role::Whole(format!("blocks.{layer}.ls1.gamma")),
        "ffn.gamma2" => return Role::Whole(format!("blocks.{layer}.ls2.gamma")),
        "attn.qkv" | "attn.proj" => module,
        "ln1" => "norm1",
        "ln2" => "norm2",
        "ffn.layers.0.0" | "ffn.w12" => "mlp.fc1",
        "ffn.layers.1" | "ffn.w3" => "mlp.fc2",
        _ => return Role::Unknown,
    };
    Role::Whole(format!("blocks.{layer}.{module}.{kind}"))
}
