//! Vision Transformers.

mod attention;
mod config;
mod init;
mod layers;
mod model;
mod spread;
mod state;
mod stitched;

pub use crate::weights::{HostTensor, StateError, Weights};
pub use attention::probabilities;
pub use config::{Pool, VitConfig};
pub use init::RandomWeights;
pub use layers::{Attention, Block, LayerScale, Mlp, PatchEmbed, Seen};
pub use model::{Hooks, SeeHeads, SeeTokens, Vit};
pub use spread::SpreadHeads;
pub use stitched::{End, Stitched, StitchedConfig, StitchedError};
