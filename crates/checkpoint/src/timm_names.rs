//! What the name of one of timm's architectures says that its weights do not: sizes of heads, activations, epsilons.

use heirloom_plan::config::{Activation, Rope, RopeGrid};

/// DINOv3's rotary positions.
pub(super) const DINOV3: Rope =
    Rope { grid: RopeGrid::Centred, temperature: 100.0, columns_first: false, halves: true };
/// EVA-02's, trained on 16 × 16 patches.
pub(super) const EVA02: Rope = Rope {
    grid: RopeGrid::Index { reference: Some(16), offset: 0.0 },
    temperature: 10_000.0,
    columns_first: false,
    halves: false,
};

/// RoPE-Mixed's.
pub(super) const ROPE_MIXED: Rope =
    Rope { grid: RopeGrid::Learned, temperature: 10.0, columns_first: true, halves: false };

/// Channels of a head where they are not 64. The first part that occurs in the name decides.
const HEAD_DIMS: [(&str, usize); 16] = [
    ("aimv2_", 128),
    ("_giantopt_", 96),
    ("eva02_enormous_", 112),
    ("vit_7b_", 128),
    ("vit_giant_patch16_lingbot", 64),
    ("vit_pe_core_gigantic_", 96),
    ("vit_pe_lang_gigantic_", 96),
    ("vit_pe_spatial_gigantic_", 96),
    ("vit_giant_patch14_dinov2", 64),
    ("vit_giant_patch14_reg", 64),
    ("_giant_", 88),
    ("_gigantic_", 104),
    ("_huge_", 80),
    ("_so400m_", 72),
    ("vit_base_patch16_gap_224", 48),
    ("test_vit", 32),
];

/// Architectures with GELU by its tanh formula.
const TANH: [&str; 5] = [
    "_giantopt_patch16_siglip",
    "_so400m_patch16_siglip",
    "vit_base_patch32_siglip",
    "vit_large_patch16_siglip_512",
    "vit_large_patch16_siglip_gap_512",
];

/// The name without the tag of its weights (`.openai`).
fn bare(name: &str) -> &str {
    name.split('.').next().unwrap_or(name)
}

/// Channels of a head of a Vision Transformer, as far as the name says them.
pub(super) fn head_dim(name: &str) -> Option<usize> {
    let name = bare(name);
    let known =
        ["vit_", "deit", "flexivit_", "test_vit", "eva", "beit", "aimv2_"].iter().any(|front| name.starts_with(front));
    let unusual = HEAD_DIMS.iter().find(|(part, _)| name.contains(part)).map(|(_, size)| *size);
    known.then(|| unusual.unwrap_or(64))
}

/// Heads of the attention pooling, where they are not as many as in the layers.
pub(super) fn pool_heads(name: &str) -> Option<usize> {
    bare(name).starts_with("vit_pe_").then_some(8)
}

/// The activation, where it is not GELU by erf.
pub(super) fn activation(name: &str) -> Option<Activation> {
    let name = bare(name);
    if name.contains("_quickgelu") {
        return Some(Activation::QuickGelu);
    }
    if TANH.iter().any(|part| name.contains(part)) {
        return Some(Activation::GeluTanh);
    }
    let is_gated = ["vit_giant_patch14_dinov2", "vit_giant_patch14_reg"].iter().any(|front| name.starts_with(front));
    is_gated.then_some(Activation::Silu)
}

/// Epsilon of the layer norms, where it is not 1e-6.
pub(super) fn norm_eps(name: &str) -> Option<f64> {
    let name = bare(name);
    let is_clip = name.contains("_clip_") && !name.starts_with("eva");
    let is_wide = ["vit_pe_", "aimv2_", "beit3_"].iter().any(|front| name.starts_with(front));
    (is_clip || is_wide || is_dinov3(name) && !name.contains("_sapiens2")).then_some(1e-5)
}

/// Whether norms are RMS norms.
pub(super) fn has_rms_norm(name: &str) -> bool {
    let name = bare(name);
    name.starts_with("aimv2_") || name.contains("_sapiens2") || name == "test_vit4"
}

/// DINOv3 and what was trained in its form.
fn is_dinov3(name: &str) -> bool {
    ["_dinov3", "_lingbot", "_eupe", "_sapiens2"].iter().any(|part| name.contains(part))
}

/// How queries and keys are turned by their places, if they are.
pub(super) fn rope(name: &str) -> Option<Rope> {
    let name = bare(name);
    let index = |reference, offset| RopeGrid::Index { reference, offset };
    if is_dinov3(name) {
        return Some(DINOV3);
    }
    if name.starts_with("eva02_") || name.contains("_rope_reg") {
        return Some(EVA02);
    }
    if name.contains("_rope_mixed_") {
        return Some(ROPE_MIXED);
    }
    if name.contains("_rope_") {
        // RoPE-ViT (Heo et al. 2024).
        return Some(Rope { grid: index(None, 0.0), temperature: 100.0, columns_first: true, ..EVA02 });
    }
    name.starts_with("vit_pe_").then(|| {
        let reference = match name {
            _ if name.contains("_core_base_") => 14,
            _ if name.contains("_core_") && !name.contains("_gigantic_") => 24,
            _ => 32,
        };
        let offset = if name.contains("_gigantic_") { 0.0 } else { 1.0 };
        Rope { grid: index(Some(reference), offset), columns_first: true, ..EVA02 }
    })
}

/// Whether there is a norm behind the last layer, where there is none.
pub(super) fn final_norm(name: &str) -> Option<bool> {
    let name = bare(name);
    let is_bare = ["vit_intern300m", "vit_pe_lang_", "vit_pe_spatial_"].iter().any(|front| name.starts_with(front));
    (name.contains("_radio_") || is_bare).then_some(false)
}

/// Architectures whose keys are those of a usual Vision Transformer, but which compute something else.
pub(super) fn other(name: &str) -> Option<String> {
    let name = bare(name);
    let what = match name {
        _ if name.contains("_rpn_") || name.starts_with("eva02_enormous_") => "whose norms follow its branches",
        "test_vit3" => "whose attention pooling sees the tokens before the patches",
        _ => return None,
    };
    Some(format!("a Vision Transformer {what} (`{name}`)"))
}
