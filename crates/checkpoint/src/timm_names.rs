//! What the name of one of timm's architectures says that its weights do not: sizes of heads, activations, epsilons.

use heirloom_plan::config::Activation;

/// Channels of a head where they are not 64. The first part that occurs in the name decides.
const HEAD_DIMS: [(&str, usize); 9] = [
    ("_giantopt_", 96),
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
    let known = ["vit_", "deit", "flexivit_", "test_vit", "eva_large"].iter().any(|front| name.starts_with(front));
    let unusual = HEAD_DIMS.iter().find(|(part, _)| name.contains(part)).map(|(_, size)| *size);
    known.then(|| unusual.unwrap_or(64))
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
    bare(name).contains("_clip_").then_some(1e-5)
}

/// Whether there is a norm behind the last layer, where there is none.
pub(super) fn final_norm(name: &str) -> Option<bool> {
    let name = bare(name);
    (name.contains("_radio_") || name.starts_with("vit_intern300m")).then_some(false)
}

/// Architectures whose keys are those of a usual Vision Transformer, but which compute something else.
pub(super) fn other(name: &str) -> Option<String> {
    let name = bare(name);
    name.contains("_rpn_").then(|| format!("a Vision Transformer whose norms follow its branches (`{name}`)"))
}
