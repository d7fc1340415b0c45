//! The four systems: given an ancestor, what is the descendant's initial module?

pub mod cluster;
mod copy;
mod descendant;
mod eigen;
mod ffn_maps;
pub mod layers;
mod line;
mod matrix;
pub mod pool;
pub mod pretrain;
mod selection;
pub mod stitch;
pub mod tied;
mod weighted;
pub mod yardstick;

pub use descendant::{Descendant, InitError, Initializer, Scratch};
pub use eigen::Eigen;
pub use ffn_maps::SharedFfn;
pub use line::{LayersOnALine, line_weights};
pub use matrix::Matrix;
pub use selection::{WeightSelection, evenly};
