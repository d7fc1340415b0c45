//! Convolutional networks: CIFAR ResNets, torchvision's ResNets, VGGs with batch norm, and MobileNetV2.
//!
//! One family instead of four: all are a stem, stages and a classifier, and the stage is the unit that Learngene by
//! layers chooses. Batch norm shaped the rest: running statistics belong to the model and change only when a caller
//! says so ([`Cnn::update_running_stats`]).

mod init;
mod layers;
mod model;
mod norm;
mod state;
mod units;

pub use crate::kernels::Activation;
pub use heirloom_plan::config::{
    BlockKind, CnnConfig, Convolution, Pair, SeamError, Shortcut, StageConfig, StemConfig, Unit, head_conv_keys,
    projection_keys, sides,
};
pub use init::RandomWeights;
pub use layers::{Block, ConvNorm, Hidden, Stage, Stem};
pub use model::{Cnn, Hooks, OnBlock, OnStage};
pub use norm::{BatchNorm, Statistics};
