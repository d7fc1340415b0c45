//! The CPU engine's own inner loops: slices in, slices out.
//!
//! Nothing here knows a tensor, a device or a file, and nothing is generic: a generic function is compiled where it is
//! called, and the crates around are built for size, which turns every one of these loops into a scalar one. This
//! crate is built at opt-level 3 in every profile, so that its loops become SIMD in WebAssembly (`simd128`) as well as
//! natively. Public loops are `#[inline(never)]` for the same reason.
//!
//! Numbers far too small to matter are cut to 0 where they arise ([`softmax_rows_with_lse`], [`gelu`]): wasm cannot switch
//! denormal numbers off, and a processor takes longer over them in every product that they meet later (1.5 to 2.5 times
//! as long in these loops on the AMD that they were measured on, far more where each one interrupts the pipeline).

mod adamw;
mod convolution;
mod depthwise;
mod distance;
mod epilogue;
mod exp;
mod gelu;
mod gemm;
mod layer_norm;
mod logistic;
mod module;
mod normalise;
mod pack;
mod resize;
mod softmax;
mod sums;
#[cfg(test)]
mod testing;
mod wide;

pub use adamw::{AdamwNumbers, AdamwState, adamw};
pub use convolution::{Convolution, convolution, convolution_input_gradient, convolution_weight_gradient};
pub use depthwise::{Depthwise, depthwise, depthwise_input_gradient, depthwise_weight_gradient};
pub use distance::DistanceTable;
pub use epilogue::Epilogue;
pub use gelu::{gelu, gelu_gradient, gelu_with_bias};
pub use gemm::{COLUMNS, Kernel, Matrix, Onto, ROWS, Row, Tiles, gemm, use_kernel};
pub use layer_norm::{LayerNorm, LayerNormGradients, layer_norm, layer_norm_gradient};
pub use logistic::logistic_loss;
pub use module::{EXPORTS, MEMORY, MODULE, module};
pub use normalise::{ChannelScale, mirror_rows, normalise};
pub use resize::{
    FRACTION_BITS, Resizer, RowTaps, Window, evaluation_side, evaluation_window, shorter_side, weigh_rows,
};
pub use softmax::{probabilities_from_lse, softmax_gradient_rows, softmax_rows_with_entropies, softmax_rows_with_lse};
pub use sums::{add_rows, column_sums, square_sum};
