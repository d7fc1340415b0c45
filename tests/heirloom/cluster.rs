//! Tests of `cluster`.

mod compensate;
pub mod inherit;
mod maps;
