//! Which layers of stitched models meet, and the ways through them (SN-Net; docs/methods.md, section 4).

mod configurations;
mod pairs;

pub use configurations::{Configuration, StitchError, stitch_configurations};
pub use pairs::{Pair, Slide, slide};
