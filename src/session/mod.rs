//! Page and engine, and what they say to each other.

pub mod journal;
#[cfg(target_arch = "wasm32")]
pub mod link;
pub mod protocol;
