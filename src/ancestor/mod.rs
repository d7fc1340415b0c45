//! Step 1: the model to inherit from.

pub mod actions;
pub mod fetching;
mod preparation;
pub mod shape;
pub mod shipped;
pub mod shipped_view;
pub mod view;
