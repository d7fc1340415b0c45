//! Vision Transformers.

mod config;
mod init;
mod layers;
mod model;
mod state;
mod stitched;
mod weights;

pub use config::{Pool, VitConfig};
pub use init::{RandomWeights, StateError};
pub use layers::{Attention, Block, LayerScale, Mlp, PatchEmbed, Seen};
pub use model::{Hooks, SeeHeads, SeeTokens, Vit};
pub use state::Weights;
pub use stitched::{End, Stitched, StitchedConfig, StitchedError};
pub use weights::HostTensor;
