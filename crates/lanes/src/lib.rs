//! Loops over slices: no tensors, no device. Built for speed in every profile, because what is hot in the browser's
//! CPU engine lies here.

mod gemm;
mod wide;

pub use gemm::{Matrix, Onto, gemm};
