//! Learngene by layers, as far as it is arithmetic (docs/methods.md, section 3).

mod config;
mod plan;
mod pseudo;
mod score;

pub use config::{descendant_config, layer_names, layer_parameters};
pub use plan::{LayersError, LayersPlan};
pub use pseudo::pseudo_config;
pub use score::{Score, best, ranking};
