//! Models and what they run on: the device, our kernels, Vision Transformers and convolutional networks.
//!
//! Configurations are `heirloom_plan`'s and come without a device; here they get weights.

pub mod cnn;
pub mod device;
pub mod kernels;
pub mod model;
pub mod vit;
