//! Step 6: show a model pictures, and see where it is wrong.

pub mod actions;
pub mod answer;
mod camera;
mod confusion;
mod gallery;
mod look;
pub mod model;
mod pad;
pub mod state;
mod strokes;
pub mod view;
