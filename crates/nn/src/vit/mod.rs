//! Vision Transformers.

mod attention;
mod attn_pool;
mod init;
mod layers;
mod look;
mod model;
mod norm;
pub mod places;
mod spread;
mod state;
mod stitched;

pub use attention::Attention;
pub use attn_pool::AttentionPool;
pub use heirloom_plan::config::{
    Activation, AttentionPoolConfig, FinalNorm, Pool, Rope, RopeGrid, StitchedConfig, StitchedError, VitConfig,
    VitOptions,
};
pub use heirloom_plan::weights::{HostTensor, StateError, Weights};
pub use init::RandomWeights;
pub use layers::{Block, LayerScale, Look, Mlp, OnLayerDistance, OnLayerHeads, PatchEmbed};
pub use look::probabilities;
pub use model::{Hooks, OnDistance, OnHeads, OnTokens, Vit};
pub use norm::LayerNorm;
pub use spread::SpreadHeads;
pub use stitched::{End, Stitched};
