//! What the ancestor is built of, where other steps depend on it.

use crate::prelude::*;
use heirloom_plan::config::VitConfig;
use heirloom_plan::layers::layer_names;

/// Whether there is an ancestor, and one without attention heads.
pub fn has_no_heads(store: Store) -> bool {
    store.ancestor.with(|ancestor| ancestor.as_ref().is_some_and(|ancestor| ancestor.config.vit().is_none()))
}

/// A size of the ancestor, if that is a Vision Transformer.
pub fn of_vit(store: Store, otherwise: usize, size: fn(&VitConfig) -> usize) -> usize {
    store.ancestor.with(|ancestor| ancestor.as_ref().and_then(|ancestor| ancestor.config.vit()).map_or(otherwise, size))
}

/// Layers that the ancestor offers.
pub fn layer_count(store: Store) -> usize {
    store.ancestor.with(|ancestor| ancestor.as_ref().map_or(0, |ancestor| layer_names(&ancestor.config).len()))
}

/// Side of a patch of the ancestor, px; 1 where it has none.
pub fn patch_size(store: Store) -> usize {
    store.ancestor.with(|ancestor| ancestor.as_ref().map_or(16, |ancestor| ancestor.config.patch_size()))
}
