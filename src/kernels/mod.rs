//! Compute kernels, one family a file.

pub mod adamw;
