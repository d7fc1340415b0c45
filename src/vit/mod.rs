//! Vision Transformers.

mod config;
mod weights;

pub use config::{Pool, VitConfig};
pub use weights::HostTensor;
