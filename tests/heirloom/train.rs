//! Tests of `train`.

mod gradients;
mod memory;
mod models;
mod optimiser;
mod pure;
mod race;
mod run;
