//! Key names: whatever the file calls its tensors, inside they carry timm's names.

mod beside;
mod hugging_face;
mod keys;
mod mmpretrain;

use super::error::CheckpointError;
use super::foreign;
use beside::classifier_beside;
use hugging_face::{hugging_face, hugging_face_resnet};
use keys::{clip, convolutional, dinov3, openai_clip, timm, torchvision, vgg};
use mmpretrain::mmpretrain;

/// Who named the tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// timm, which DeiT's, DINO's and DINOv2's own files share.
    Timm,
    /// Hugging Face transformers.
    HuggingFace,
    /// transformers' DINOv3.
    Dinov3,
    /// The pictures' towers of transformers' CLIP and SigLIP.
    Clip,
    /// That of OpenAI's CLIP, which OpenCLIP shares.
    OpenAiClip,
    /// mmpretrain.
    Mmpretrain,
    /// torchvision's `vit_b_16` and its like.
    Torchvision,
    /// A stitched model of ours: timm's names behind `front.` and `end.`, and `stitch`.
    Stitched,
    /// A ResNet: torchvision's names, which timm shares and CIFAR's writers vary a little.
    ResNet,
    /// transformers' ResNet.
    HuggingFaceResNet,
    /// A VGG: torchvision's names, with or without its numbers.
    Vgg,
    /// A MobileNetV2 under timm's names, which are ours too.
    MobileNet,
    /// A MobileNetV2 under torchvision's numbers.
    NumberedMobileNet,
}

/// All of them.
const STYLES: [Style; 13] = [
    Style::Timm,
    Style::HuggingFace,
    Style::Dinov3,
    Style::Clip,
    Style::OpenAiClip,
    Style::Mmpretrain,
    Style::Torchvision,
    Style::Stitched,
    Style::ResNet,
    Style::HuggingFaceResNet,
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
            Self::Dinov3 => "embeddings.patch_embeddings.weight",
            Self::Clip => "embeddings.patch_embedding.weight",
            Self::OpenAiClip => "visual.conv1.weight",
            Self::Mmpretrain => "patch_embed.projection.weight",
            Self::Torchvision => "conv_proj.weight",
            Self::Stitched => "stitch.weight",
            Self::ResNet => "layer1.0.conv1.weight",
            Self::HuggingFaceResNet => "embedder.embedder.convolution.weight",
            Self::Vgg => "features.0.weight",
            Self::MobileNet => "conv_stem.weight",
            Self::NumberedMobileNet => "features.0.0.weight",
        }
    }

    /// In words.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Timm | Self::Stitched | Self::MobileNet => "timm names",
            Self::HuggingFace | Self::Dinov3 | Self::Clip | Self::HuggingFaceResNet => "Hugging Face names",
            Self::OpenAiClip => "OpenAI names",
            Self::Mmpretrain => "mmpretrain names",
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
    /// The same, with axes of length 1 in front.
    Lifted(String),
    /// The first, second or third part of the fused tensor with this timm key.
    Part(String, usize),
    /// Several tensors one below the other, each with the share of rows it takes.
    Rows(Vec<(String, usize)>),
    /// The tensor that every layer has under this key.
    EveryLayer(String),
    /// All layers' tensors of this key, side by side along the second axis.
    ByLayer(String),
    /// Says that the key's part of the fused biases with this timm key counts for nothing.
    KeyMask(String),
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
    let inner =
        ["vit.", "deit.", "ijepa.", "dinov2.", "dinov2_with_registers.", "beit.", "data2vec_vision.", "resnet."];
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
        // mmpretrain has a second one called alike.
        if let Some((theirs, ours)) = &self.beside
            && let Some(kind @ (".weight" | ".bias" | "_dist.weight" | "_dist.bias")) =
                key.strip_prefix(theirs.as_str())
        {
            return Role::Whole(format!("{ours}{kind}"));
        }
        let Some(key) = key.strip_prefix(&self.prefix) else {
            // transformers 5 saves the layers of a ViT-MSN beside `vit.`.
            let layers = key.strip_prefix(&self.head_prefix).filter(|key| key.starts_with("encoder.layer."));
            if let (Style::HuggingFace, Some(key)) = (self.style, layers) {
                return hugging_face(key);
            }
            // Beside `vit.` there is only the head, so anything else is a surprise; beside `model.` there may be
            // thousands of an optimiser's tensors.
            let rest = key.strip_prefix(&self.head_prefix).filter(|_| self.head_prefix != self.prefix);
            // But for a MAE's decoder.
            return if rest.is_some_and(|rest| !rest.starts_with("decoder.")) { Role::Unknown } else { Role::Outside };
        };
        match self.style {
            Style::Timm => timm(key),
            Style::HuggingFace => hugging_face(key),
            Style::Dinov3 => dinov3(key),
            Style::Clip => clip(key),
            Style::OpenAiClip => openai_clip(key),
            Style::Mmpretrain => mmpretrain(key),
            Style::Torchvision => torchvision(key),
            Style::Stitched => Role::Whole(key.into()),
            Style::HuggingFaceResNet => hugging_face_resnet(key),
            Style::Vgg => vgg(key),
            Style::ResNet | Style::MobileNet | Style::NumberedMobileNet => convolutional(key),
        }
    }

    /// Whether a tensor would be of the stem, a layer, a norm or the classifier, and not something that was saved beside
    /// them.
    pub(super) fn is_part(&self, key: &str) -> bool {
        const PARTS: [&str; 23] = [
            "layers",
            "ln1",
            "ln2",
            "blocks",
            "encoder",
            "layer",
            "model",
            "embeddings",
            "patch_embed",
            "conv_proj",
            "head",
            "heads",
            "head_dist",
            "classifier",
            "norm",
            "fc_norm",
            "norm_pre",
            "layernorm",
            "attn_pool",
            "rope",
            "rel_pos_bias",
            "visual",
            "pos_embed",
        ];
        let key = key.strip_prefix(&self.prefix).unwrap_or(key);
        let first = key.split('.').next().unwrap_or(key);
        PARTS.contains(&first)
            || ["cls_", "dist_", "reg_", "pos_", "pre_", "post_"].iter().any(|part| key.starts_with(part))
    }

    fn head(&self, key: &str) -> Option<Role> {
        if !matches!(self.style, Style::HuggingFace | Style::Dinov3 | Style::HuggingFaceResNet) {
            return None;
        }
        let (module, kind) = key.rsplit_once('.')?;
        let module = match module {
            "classifier.1" if self.style == Style::HuggingFaceResNet => "fc",
            "classifier" | "cls_classifier" => "head",
            "distillation_classifier" => "head_dist",
            _ => return None,
        };
        Some(Role::Whole(format!("{module}.{kind}")))
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
