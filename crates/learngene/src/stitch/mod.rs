//! Stitching (SN-Net, Pan et al. 2023): models of several sizes joined by linear layers into many of the sizes between.
//!
//! [`slide`] says which layers meet, [`StitchNet`] holds the models and the stitch layers as one module that trains,
//! and cuts any of its configurations out as an ordinary model. The pool (`learngene::pool`) is such a net, too; only
//! where its models come from and how its stitch layers start is another matter.

mod least_squares;
mod net;
mod stitching;

pub use heirloom_plan::stitch::{Configuration, Pair, Slide, StitchError, slide, stitch_configurations};
pub use least_squares::{AffineFit, StitchFit, Sums};
pub use net::StitchNet;
pub use stitching::{draw_configuration, stitching_loss};
