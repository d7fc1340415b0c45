//! Learngene by layers (arXiv 2305.02279): condense an ancestor to a few whole layers, then stack random ones on them.
//!
//! What is certain of the paper is its abstract; the rest is this project's reading, and the page says so. A pseudo
//! descendant ([`pseudo`]) is trained briefly; [`cka`] compares its layers with the ancestor's on what [`features`]
//! collects, and [`score`] makes the choice. [`plan`] says which layers a descendant takes, [`inherit`] makes the module.

pub mod cka;
pub mod features;
pub mod inherit;
pub mod plan;
pub mod pseudo;
pub mod score;

pub use cka::{Cka, CkaError, Estimator};
pub use features::layer_features;
pub use inherit::{WholeLayers, layer_names, layer_parameters};
pub use plan::{LayersError, LayersPlan};
pub use pseudo::pseudo_config;
pub use score::{Score, best, ranking};
