//! Vision Transformers.

mod attention;
mod config;
mod init;
mod layers;
mod model;
mod state;

pub use crate::weights::{HostTensor, StateError, Weights};
pub use config::{Pool, VitConfig};
pub use init::RandomWeights;
pub use layers::{Attention, Block, LayerScale, Mlp, PatchEmbed};
pub use model::{Hooks, SeeHeads, SeeTokens, Vit};
