//! Vision Transformers.

mod attention;
mod config;
mod init;
mod layers;
mod model;
mod state;
mod weights;

pub use config::{Pool, VitConfig};
pub use init::{RandomWeights, StateError};
pub use layers::{Attention, Block, LayerScale, Mlp, PatchEmbed};
pub use model::{Hooks, SeeHeads, SeeTokens, Vit};
pub use state::Weights;
pub use weights::HostTensor;
