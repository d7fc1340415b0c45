//! Vision Transformers.

mod attention;
mod init;
mod layers;
mod model;
mod norm;
mod spread;
mod state;
mod stitched;

pub use attention::probabilities;
pub use heirloom_plan::config::{Activation, FinalNorm, Pool, StitchedConfig, StitchedError, VitConfig, VitOptions};
pub use heirloom_plan::weights::{HostTensor, StateError, Weights};
pub use init::RandomWeights;
pub use layers::{Attention, Block, LayerScale, Look, Mlp, OnLayerDistance, OnLayerHeads, PatchEmbed};
pub use model::{Hooks, OnDistance, OnHeads, OnTokens, Vit};
pub use norm::LayerNorm;
pub use spread::SpreadHeads;
pub use stitched::{End, Stitched};
