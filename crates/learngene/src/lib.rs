//! The four systems: given an ancestor, what is the descendant's initial module?

pub mod cluster;
mod copy;
mod descendant;
mod ffn_maps;
pub mod layers;
mod matrix;
pub mod pool;
pub mod pretrain;
mod selection;
pub mod stitch;
mod tleg;
pub mod yardstick;

pub use descendant::{Descendant, InitError, Initializer, Scratch};
pub use ffn_maps::SharedFfn;
pub use matrix::Matrix;
pub use selection::{WeightSelection, evenly};
pub use tleg::{Tleg, line_weights};
