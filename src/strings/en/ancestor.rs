//! Words of the step `ancestor`.

use super::plural;
use crate::strings::{Ancestor, Heading};

pub(super) const ANCESTOR: Ancestor = Ancestor {
    heading: Heading {
        title: "Ancestor",
        term: "the trained model to inherit from",
        intro: "Choose a Vision Transformer, a ResNet, a MobileNetV2 or a VGG: a .safetensors or .pth file with timm, \
                torchvision or Hugging Face names. Several parts of one model can be chosen together, or its whole folder \
                dropped.",
    },
    input: "Choose a model file",
    hint: "ViT, DeiT, DINOv2 and 3, EVA, BEiT, CLIP, SigLIP, ResNet, MobileNetV2 or VGG · .safetensors, .pth, or a .zip package saved here",
    again: "Choose another model",
    layers: "Layers",
    heads: "Heads per layer",
    width: "Width",
    width_value: |width, head| format!("{width} ({head} per head)"),
    picture: "Picture size",
    picture_value: |size, patch| format!("{size} × {size} px, patches of {patch} px"),
    parameters: "Parameters",
    classes: "Classes it knows",
    no_classes: "none (no classifier inside)",
    stored_as: "Stored as",
    assumptions: "Assumed",
    missing: |count| format!("{} the model needs and the file lacks", plural(count, "key", "keys")),
    unexpected: |count| format!("{} in the file that the model does not know", plural(count, "key", "keys")),
    nearest: |key| format!("nearest: {key}"),
    all_keys: "Every key was recognised.",
    spoken: |family, layers, heads| format!("Ancestor recognised: {family}, {layers} layers, {heads} heads per layer."),
};
