//! What a learngene weighs (docs/methods.md, section 1.4).
//!
//! Counted from the ancestor's own list of tensors, so that biases, layer scale, registers and q/k norms are counted
//! exactly when the ancestor has them.

use super::{ClusterSettings, Clusters, ExpansionPlan};
use crate::config::VitConfig;
use crate::protocol::ClusterReport;

/// What people are told of clusters.
pub fn cluster_report(ancestor: &VitConfig, clusters: &Clusters, settings: ClusterSettings) -> ClusterReport {
    let without_classifier = VitConfig { classes: None, ..ancestor.clone() };
    ClusterReport {
        settings,
        layers: clusters.layers.clone(),
        ffn_groups: clusters.ffn_groups.clone(),
        kept_heads: clusters.kept_heads(),
        total_heads: clusters.total_heads(),
        kept_ffns: clusters.kept_ffns(),
        stored_parameters: learngene_parameters(ancestor, clusters),
        ancestor_parameters: without_classifier.parameters(),
    }
}

/// Parameters the learngene stores: everything but the classifiers, of the attention weights the kept heads' share, of
/// the feed-forward networks the kept ones.
pub fn learngene_parameters(ancestor: &VitConfig, clusters: &Clusters) -> u64 {
    let share = |layer: usize| Share {
        heads: clusters.layers.get(layer).map_or(0, Vec::len),
        ffn: clusters.ffn_layer(layer) == layer,
        norms: true,
    };
    let kept = ancestor.depth.min(clusters.layers.len());
    stored(ancestor, |layer| (layer < kept).then(|| share(layer)))
}

/// Parameters that one descendant takes of a learngene: of the attention weights those of the heads that it has a copy
/// of, of the feed-forward networks those that one of its layers starts from, and the norms of the layers it comes from.
/// Embeddings and final norm are its own in any case.
pub fn taken_parameters(ancestor: &VitConfig, plan: &ExpansionPlan) -> u64 {
    stored(ancestor, |layer| {
        let own = plan.layers.iter().filter(|own| own.source_layer == layer);
        let mut heads: Vec<usize> = own.flat_map(|own| own.heads.iter().map(|source| source.head)).collect();
        heads.sort_unstable();
        heads.dedup();
        let norms = !heads.is_empty();
        let ffn = plan.layers.iter().any(|own| own.ffn_layer == layer);
        Some(Share { heads: heads.len(), ffn, norms })
    })
}

/// Parameters of the first `layers` whole layers with embeddings and final norm, without the classifiers: what the
/// paper compares a learngene with.
pub fn whole_layers_parameters(ancestor: &VitConfig, layers: usize) -> u64 {
    stored(ancestor, |layer| (layer < layers).then_some(Share { heads: ancestor.num_heads, ffn: true, norms: true }))
}

/// What is stored of one layer.
struct Share {
    heads: usize,
    ffn: bool,
    /// Norms, layer scales and the projection's bias.
    norms: bool,
}

fn stored(ancestor: &VitConfig, share: impl Fn(usize) -> Option<Share>) -> u64 {
    let mut total = 0_u64;
    for (key, shape) in ancestor.tensors() {
        let elements = shape.iter().map(|&axis| axis as u64).product::<u64>();
        total += match block_key(&key) {
            Some((layer, part)) => share(layer).map_or(0, |share| stored_of_block(ancestor, part, elements, &share)),
            None if key.starts_with("head") => 0,
            None => elements,
        };
    }
    total
}

fn stored_of_block(ancestor: &VitConfig, part: &str, elements: u64, share: &Share) -> u64 {
    if part.starts_with("attn.qkv.") || part == "attn.proj.weight" {
        elements / ancestor.num_heads as u64 * share.heads as u64
    } else {
        let is_stored = if part.starts_with("mlp.") { share.ffn } else { share.norms };
        if is_stored { elements } else { 0 }
    }
}

/// Splits `blocks.3.attn.qkv.weight` into `3` and `attn.qkv.weight`.
fn block_key(key: &str) -> Option<(usize, &str)> {
    let (layer, part) = key.strip_prefix("blocks.")?.split_once('.')?;
    Some((layer.parse().ok()?, part))
}
