//! The CPU engine's own inner loops: slices in, slices out.
//!
//! Nothing here knows a tensor, a device or a file, and nothing is generic: a generic function is compiled where it is
//! called, and the crates around are built for size, which turns every one of these loops into a scalar one. This
//! crate is built at opt-level 3 in every profile, so that its loops become SIMD in WebAssembly (`simd128`) as well as
//! natively. Public loops are `#[inline(never)]` for the same reason.
//!
//! Numbers far too small to matter are cut to 0 where they arise ([`softmax_rows`], [`gelu`]): wasm cannot switch
//! denormal numbers off, and on many processors one of them costs a hundred times a normal number in every product
//! that it meets later.

mod adamw;
mod distance;
mod exp;
mod gelu;
mod gemm;
mod layer_norm;
mod normalise;
pub mod relaxed;
mod resize;
mod softmax;
mod sums;
#[cfg(test)]
mod testing;
mod wide;

pub use adamw::{AdamwNumbers, AdamwState, adamw};
pub use distance::{DistanceTable, entropy_from_lse};
pub use exp::exp_in_place;
pub use gelu::{gelu, gelu_gradient, gelu_with_bias};
pub use gemm::{Kernel, Matrix, Onto, Tiles, gemm, prefer_plain, use_kernel};
pub use layer_norm::{LayerNorm, LayerNormGradients, layer_norm, layer_norm_gradient};
pub use normalise::{ChannelScale, mirror_rows, normalise};
pub use resize::{FRACTION_BITS, RowTaps, weigh_rows};
pub use softmax::{
    probabilities_from_lse, softmax_gradient_rows, softmax_rows, softmax_rows_with_entropies, softmax_rows_with_lse,
};
pub use sums::{add_in_place, add_rows, column_sums, dot, square_sum, sum};
