//! Hyper-parameters of every family of models: what a checkpoint describes, what a plan makes, what the page counts.

mod cnn;
mod cnn_layout;
mod cnn_units;
mod cut;
mod model;
mod relative;
mod rope;
mod stitched;
mod vit;
mod vit_options;

pub use cnn::{BlockKind, CnnConfig, Shortcut, StageConfig, StemConfig};
pub use cnn_layout::{Convolution, Pair, head_conv_keys, projection_keys, sides};
use cnn_layout::{Part, Placed, layout};
pub use cnn_units::{SeamError, Unit};
pub use model::ModelConfig;
pub use relative::relative_index;
pub use rope::{Rope, RopeGrid};
pub use stitched::{StitchedConfig, StitchedError};
pub use vit::{Pool, VitConfig};
pub use vit_options::{Activation, AttentionPoolConfig, FinalNorm, VitOptions};
