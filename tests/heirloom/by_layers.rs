//! Tests of Learngene by layers.
mod cka;
mod freeze;
mod influence;
mod inherit;
#[cfg(not(target_arch = "wasm32"))]
mod matching;
mod stages;
