//! Compute kernels, one family a folder: `mod.rs` says what it computes and composes it of tensor operations where
//! that is worth a comparison, `cpu.rs` computes it on the CPU engine, `gpu.rs` holds the `#[cube]` function and its
//! launch. The last is there with the feature `webgpu` only.

pub mod adamw;
pub mod attention;
pub mod attention_distance;
pub mod cka;
pub mod convolution;
pub mod density;
pub mod expand_heads;
pub mod ffn_map;
mod flex;
pub mod gelu;
#[cfg(feature = "webgpu")]
mod launch;
pub mod layer_norm;
pub mod linear;
pub mod square_sums;

pub use attention::{attention, attention_composed, attention_measured};
pub use attention_distance::{
    AttentionDistance, PatchGeometry, attention_distance, attention_distance_composed, attention_distance_launches,
    distance_of,
};
pub use cka::{gram, own_squares, pair_squares};
pub use convolution::{Activation, Affine, convolution, convolution_affine};
pub use density::{Density, density};
pub use expand_heads::{HeadWeights, expand_heads};
pub use ffn_map::ffn_map;
pub use gelu::gelu;
pub use layer_norm::{layer_norm, layer_norm_composed};
pub use linear::{linear, linear_gelu};
pub use square_sums::SquareSums;
