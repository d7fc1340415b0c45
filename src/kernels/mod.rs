//! Compute kernels, one family a file: the `#[cube]` function, its launch, and the CPU engine's twin.

pub mod adamw;
pub mod attention_distance;
mod exp;

pub use attention_distance::{AttentionDistance, PatchGeometry, attention_distance, attention_distance_launches};
