//! Learngene by layers (arXiv 2305.02279): condense an ancestor to a few whole layers, then stack random ones on them.
//!
//! What is certain of the paper is its abstract; the rest is this project's reading, and the page says so. A pseudo
//! descendant ([`pseudo_config`]) is trained briefly; [`cka`] compares its layers with the ancestor's on what [`features`]
//! collects, and [`Score`] makes the choice. Without a pseudo descendant [`influence`] says what each layer changes. [`LayersPlan`] says which layers a descendant takes, [`inherit`] makes the module.

pub mod cka;
pub mod features;
pub mod influence;
pub mod inherit;
mod matching;

pub use cka::{Cka, CkaError, Estimator};
pub use features::layer_features;
pub use heirloom_plan::layers::{
    LayersError, LayersPlan, Score, best, descendant_config, layer_names, layer_parameters, pseudo_config, ranking,
};
pub use influence::Influence;
pub use inherit::WholeLayers;
pub use matching::Matching;
