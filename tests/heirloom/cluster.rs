//! Tests of `cluster`.

pub mod inherit;
mod maps;
