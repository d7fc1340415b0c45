//! Key names: whatever the file calls its tensors, inside they carry timm's names.

mod beside;
mod hugging_face;

use super::error::CheckpointError;
use super::foreign;
use beside::classifier_beside;
use hugging_face::hugging_face;

/// Who named the tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// timm, which DeiT's, DINO's and DINOv2's own files share.
    Timm,
    /// Hugging Face transformers.
    HuggingFace,
    /// torchvision's `vit_b_16` and its like.
    Torchvision,
    /// A stitched model of ours: timm's names behind `front.` and `end.`, and `stitch`.
    Stitched,
    /// A ResNet: torchvision's names, which timm shares and CIFAR's writers vary a little.
    ResNet,
    /// A VGG: torchvision's names, with or without its numbers.
    Vgg,
    /// A MobileNetV2 under timm's names, which are ours too.
    MobileNet,
    /// A MobileNetV2 under torchvision's numbers.
    NumberedMobileNet,
}

/// All of them.
const STYLES: [Style; 8] = [
    Style::Timm,
    Style::HuggingFace,
    Style::Torchvision,
    Style::Stitched,
    Style::ResNet,
    Style::Vgg,
    Style::MobileNet,
    Style::NumberedMobileNet,
];

impl Style {
    /// The key every file of this style has, and that no other style has.
    fn anchor(self) -> &'static str {
        match self {
            Self::Timm => "patch_embed.proj.weight",
            Self::HuggingFace => "embeddings.patch_embeddings.projection.weight",
            Self::Torchvision => "conv_proj.weight",
            Self::Stitched => "stitch.weight",
            Self::ResNet => "layer1.0.conv1.weight",
            Self::Vgg => "features.0.weight",
            Self::MobileNet => "conv_stem.weight",
            Self::NumberedMobileNet => "features.0.0.weight",
        }
    }

    /// In words.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Timm | Self::Stitched | Self::MobileNet => "timm names",
            Self::HuggingFace => "Hugging Face names",
            Self::Torchvision | Self::ResNet | Self::Vgg | Self::NumberedMobileNet => "torchvision names",
        }
    }
}

/// The style, and what stands before the keys of the model (`vit.`, `module.`, `model.`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Naming {
    /// Who named the tensors.
    pub style: Style,
    /// What stands before them.
    pub prefix: String,
    /// What stands before the classifier: the prefix without `vit.` and its like.
    pub head_prefix: String,
    /// Other prefixes that hold a whole model too, e.g. `student.`.
    pub others: Vec<String>,
    /// A classifier that stands beside the network and not in it: the file's name of the layer, and ours.
    pub beside: Option<(String, String)>,
}

/// What a key of the file is to the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// The tensor with this timm key.
    Whole(String),
    /// The tensor with this key, a convolution over all there is, which is written as a matrix here.
    Flat(String),
    /// The first, second or third part of the fused tensor with this timm key.
    Part(String, usize),
    /// A tensor of the same family that this model has no use for.
    Unused,
    /// A tensor nobody knows.
    Unknown,
    /// Something outside the model: an optimiser's state, another copy.
    Outside,
}

/// Finds out who named the tensors. `name` is the file, for the refusal.
pub(super) fn recognise(name: &str, keys: &[&str]) -> Result<Naming, CheckpointError> {
    if let Some(found) = foreign::recognise(keys) {
        return Err(CheckpointError::OtherModel { name: name.into(), found });
    }
    let mut found: Vec<(Style, String)> = Vec::new();
    for key in keys {
        for style in STYLES {
            if let Some(prefix) = key.strip_suffix(style.anchor()).filter(|p| p.is_empty() || p.ends_with('.')) {
                found.push((style, prefix.to_string()));
            }
        }
    }
    // The front of a stitched model looks like a whole one.
    if found.iter().any(|(style, _)| *style == Style::Stitched) {
        found.retain(|(style, _)| *style == Style::Stitched);
    }
    // Training files hold several copies; the averaged one and the teacher are the ones meant for use.
    let rank = |prefix: &str| match prefix {
        p if p.contains("ema") => 0,
        p if p.contains("teacher") => 1,
        p if p.contains("student") => 3,
        _ => 2,
    };
    found.sort_by_key(|(_, prefix)| (rank(prefix), prefix.len(), prefix.clone()));
    if found.is_empty() {
        return Err(unknown(name, keys));
    }
    let (style, prefix) = found.remove(0);
    let inner = ["vit.", "deit.", "ijepa.", "dinov2.", "dinov2_with_registers."];
    let head_prefix = inner.iter().find_map(|inner| prefix.strip_suffix(inner)).unwrap_or(&prefix).to_string();
    let beside = classifier_beside(style, &prefix, keys);
    Ok(Naming { style, prefix, head_prefix, others: found.into_iter().map(|(_, prefix)| prefix).collect(), beside })
}

fn unknown(name: &str, keys: &[&str]) -> CheckpointError {
    if keys.is_empty() {
        return CheckpointError::OtherModel { name: name.into(), found: "no tensors at all".into() };
    }
    let some = keys.iter().take(3).map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
    let found = format!("{} tensors of an unknown model ({some}, …)", keys.len());
    CheckpointError::OtherModel { name: name.into(), found }
}

impl Naming {
    /// What a key of the file is to the model.
    pub(super) fn role(&self, key: &str) -> Role {
        let head = key.strip_prefix(&self.head_prefix).and_then(|key| self.head(key));
        if let Some(role) = head {
            return role;
        }
        if let Some((theirs, ours)) = &self.beside
            && let Some(kind @ (".weight" | ".bias")) = key.strip_prefix(theirs.as_str())
        {
            return Role::Whole(format!("{ours}{kind}"));
        }
        let Some(key) = key.strip_prefix(&self.prefix) else {
            // Beside `vit.` there is only the head, so anything else is a surprise; beside `model.` there may be
            // thousands of an optimiser's tensors.
            let beside = self.head_prefix != self.prefix && key.starts_with(&self.head_prefix);
            return if beside { Role::Unknown } else { Role::Outside };
        };
        match self.style {
            Style::Timm => timm(key),
            Style::HuggingFace => hugging_face(key),
            Style::Torchvision => torchvision(key),
            Style::Stitched => Role::Whole(key.into()),
            Style::Vgg => vgg(key),
            Style::ResNet | Style::MobileNet | Style::NumberedMobileNet => convolutional(key),
        }
    }

    fn head(&self, key: &str) -> Option<Role> {
        if self.style != Style::HuggingFace {
            return None;
        }
        let (module, kind) = key.rsplit_once('.')?;
        let module = match module {
            "classifier" | "cls_classifier" => "head",
            "distillation_classifier" => "head_dist",
            _ => return None,
        };
        Some(Role::Whole(format!("{module}.{kind}")))
    }
}

fn timm(key: &str) -> Role {
    match key {
        "mask_token" => return Role::Unused,
        "register_tokens" => return Role::Whole("reg_token".into()),
        _ => {}
    }
    if let Some((layer, rest)) = layer_of(key, "blocks.") {
        return match rest {
            "gamma_1" => Role::Whole(format!("blocks.{layer}.ls1.gamma")),
            "gamma_2" => Role::Whole(format!("blocks.{layer}.ls2.gamma")),
            // DINOv2's own names of its gated networks, gate first.
            _ if rest.starts_with("mlp.w12.") => Role::Whole(format!("blocks.{layer}.{}", rest.replace("w12", "fc1"))),
            _ if rest.starts_with("mlp.w3.") => Role::Whole(format!("blocks.{layer}.{}", rest.replace("w3", "fc2"))),
            _ => Role::Whole(key.into()),
        };
    }
    Role::Whole(key.into())
}

fn torchvision(key: &str) -> Role {
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

/// The steps that a batch norm has counted are of no use: its momentum is fixed.
fn convolutional(key: &str) -> Role {
    if key.ends_with("num_batches_tracked") {
        return Role::Unused;
    }
    match key.strip_prefix("linear.") {
        Some(kind) => Role::Whole(format!("fc.{kind}")),
        None => Role::Whole(key.replace(".shortcut.", ".downsample.")),
    }
}

/// timm has VGG's three last layers as convolutions under names of their own; here they have torchvision's numbers.
fn vgg(key: &str) -> Role {
    let layers =
        [("pre_logits.fc1.", "classifier.0."), ("pre_logits.fc2.", "classifier.3."), ("head.fc.", "classifier.6.")];
    match layers.into_iter().find_map(|(theirs, ours)| Some((ours, key.strip_prefix(theirs)?))) {
        Some((ours, kind)) => Role::Flat(format!("{ours}{kind}")),
        None => convolutional(key),
    }
}

/// Splits `blocks.3.attn.qkv.bias` into `3` and `attn.qkv.bias`. Numbers that no model has are no numbers.
pub(super) fn layer_of<'a>(key: &'a str, before: &str) -> Option<(usize, &'a str)> {
    let (layer, rest) = key.strip_prefix(before)?.split_once('.')?;
    Some((layer.parse().ok().filter(|&layer: &usize| layer < 1 << 20)?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_classifier_stands_outside_the_models_own_prefix() {
        let keys = ["vit.embeddings.patch_embeddings.projection.weight", "classifier.weight"];
        let naming = recognise("m", &keys).unwrap();
        assert_eq!(naming.role("classifier.weight"), Role::Whole("head.weight".into()));
        assert_eq!(
            naming.role("vit.encoder.layer.3.attention.attention.key.bias"),
            Role::Part("blocks.3.attn.qkv.bias".into(), 1)
        );
        assert_eq!(naming.role("lm_head.bias"), Role::Unknown);
    }

    #[test]
    fn the_teacher_is_taken_before_the_student() {
        let keys = ["student.backbone.patch_embed.proj.weight", "teacher.backbone.patch_embed.proj.weight"];
        let naming = recognise("m", &keys).unwrap();
        assert_eq!((naming.prefix.as_str(), naming.others.len()), ("teacher.backbone.", 1));
        assert_eq!(naming.role("optimizer.state.0.exp_avg"), Role::Outside);
    }
}
