//! Tests of `train`.

mod optimiser;
mod pure;
