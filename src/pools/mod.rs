//! Steps 3 to 5 of pools and stitched anchors.

pub mod actions;
pub mod chosen;
pub mod compare;
mod grid;
pub mod losses;
mod scatter;
pub mod small_models;
pub mod state;
pub mod view;
