//! Models that are not ours, told by their keys, so that a refusal can name what was dropped.

/// A pattern that gives a model away: all needles must occur, each in some key.
type Pattern = (&'static [&'static str], &'static str);

/// In order: the first that fits is named. A needle that begins with `^` must stand at a key's beginning or after a dot.
const PATTERNS: &[Pattern] = &[
    (&["^blocks_token_only."], "a CaiT (talking heads and class attention)"),
    (&["attn.proj_l."], "a CaiT (talking heads and class attention)"),
    (&["attn.cpb_mlp"], "a Swin Transformer V2"),
    (&["relative_position_bias_table", "^layers."], "a Swin Transformer"),
    (&["relative_position_bias_table", "encoder.layers."], "a Swin Transformer"),
    (&["lora_A"], "a LoRA adapter, which is only a change to another model's weights"),
    (&["lora_down"], "a LoRA adapter, which is only a change to another model's weights"),
    (&["model.diffusion_model."], "a Stable Diffusion model"),
    (&["visual.trunk."], "a CLIP model"),
    (&["attn.gate."], "a Vision Transformer with gated attention"),
    (&["visual.layer1.0."], "a CLIP model whose tower is a ResNet"),
    (&["attn.rel_pos_h"], "a Vision Transformer with relative positions (SAM or ViTDet)"),
    (&["word_embeddings"], "a language model (BERT)"),
    (&["embed_tokens."], "a language model"),
    (&["^wte."], "a language model (GPT)"),
    (&["^token_embd."], "a language model"),
    (&["^downsample_layers."], "a ConvNeXt"),
    (&["^stages.", "conv_dw."], "a ConvNeXt"),
    (&["encoder.stages.", "dwconv."], "a ConvNeXt"),
    (&["^features.0.0.", "block.0.", "layer_scale"], "a ConvNeXt"),
    (&["^layer1.0.se."], "a squeeze-and-excitation ResNet"),
    (&["^conv1.0.", "^layer1.0.conv1."], "a ResNet with several convolutions in its stem"),
    (&[".se.conv_reduce.", "conv_pw"], "an EfficientNet or MobileNetV3"),
    (&["_depthwise_conv."], "an EfficientNet"),
    (&[".block.0.0.", "^features.0.0."], "an EfficientNet or MobileNetV3"),
    (&["^features.3.squeeze."], "a SqueezeNet"),
    (&["^patch_embed.backbone."], "a hybrid of ResNet and Vision Transformer"),
    (&["^patch_embed.conv1."], "a Vision Transformer with a convolutional stem (XCiT or LeViT)"),
    (&["^blocks.0.in_proj."], "a Vision Transformer whose attention and feed-forward networks are parallel"),
    (&["^blocks.0.attns.0."], "a Vision Transformer with parallel branches"),
    (&["^blocks.0.attn.lambda_"], "a Vision Transformer with differential attention"),
    (&["^blocks.0.0.", ".attn."], "a Vision Transformer whose blocks are nested in chunks"),
];

/// What the keys belong to, with the key that gave it away; `None` when nothing foreign is known of them.
pub(super) fn recognise(keys: &[&str]) -> Option<String> {
    let find = |needle: &str| match needle.strip_prefix('^') {
        Some(start) => keys.iter().find(|key| key.starts_with(start) || key.contains(&format!(".{start}"))),
        None => keys.iter().find(|key| key.contains(needle)),
    };
    let (needles, what) = PATTERNS.iter().find(|(needles, _)| needles.iter().all(|needle| find(needle).is_some()))?;
    let key = find(needles[0]).copied().unwrap_or_default();
    Some(format!("{what} (`{key}`)"))
}

/// What a tensor of a layer belongs to that no Vision Transformer here has.
pub(super) fn part(key: &str) -> Option<&'static str> {
    const PARTS: [(&str, &str); 7] = [
        ("relative_position_bias", "a Vision Transformer with relative positions of another form than BEiT's"),
        ("rel_pos", "a Vision Transformer with relative positions of another form than BEiT's"),
        ("rope", "a Vision Transformer with rotary positions of a form that is not known here"),
        ("attn_pool", "a Vision Transformer with attention pooling of a form that is not known here"),
        ("_norm.", "a Vision Transformer with norms where none stand here"),
        (".norm", "a Vision Transformer with norms where none stand here"),
        ("adapter", "a Vision Transformer with adapters"),
    ];
    PARTS.iter().find(|(part, _)| key.contains(part)).map(|(_, what)| *what)
}

/// Models that a Hugging Face `config.json` may name although their keys look like a ViT's.
pub(super) fn recognise_model_type(model_type: &str) -> Option<String> {
    let ours = [
        "vit",
        "deit",
        "dinov2",
        "dinov2_with_registers",
        "dinov3_vit",
        "beit",
        "data2vec-vision",
        "clip",
        "clip_vision_model",
        "siglip",
        "siglip_vision_model",
        "vit_msn",
        "vit_mae",
        "ijepa",
        "resnet",
    ];
    (!ours.contains(&model_type)).then(|| format!("a model of type `{model_type}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cait_is_named_although_its_keys_look_like_a_vit_with_layer_scale() {
        let keys = ["model.module.blocks.0.gamma_1", "model.module.blocks_token_only.0.gamma_1"];
        let found = recognise(&keys).unwrap();
        assert!(found.starts_with("a CaiT") && found.contains("`model.module.blocks_token_only.0.gamma_1`"), "{found}");
        assert_eq!(recognise(&keys[..1]), None);
    }
}
