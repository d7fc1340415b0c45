//! Learngene by layers (arXiv 2305.02279): condense an ancestor to a few whole layers, then stack random ones on them.
//!
//! What is certain of the paper is its abstract; the rest is this project's reading, and the page says so. [`plan`]
//! says which layers a descendant takes, [`inherit`] makes the module.

pub mod inherit;
pub mod plan;

pub use inherit::{WholeLayers, layer_names, layer_parameters};
pub use plan::{LayersError, LayersPlan};
