//! Heirloom: small vision models that inherit from a big one, grown in a browser tab.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod checkpoint;
pub mod cnn;
pub mod data;
pub mod device;
pub mod kernels;
pub mod learngene;
pub mod model;
pub mod platform;
pub mod session;
pub mod train;
pub mod vit;
pub mod weights;
