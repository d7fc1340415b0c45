//! Tests of `train`.

mod counts;
pub mod gradients;
mod memory;
pub mod models;
mod optimiser;
mod pure;
mod race;
mod relative;
mod run;
