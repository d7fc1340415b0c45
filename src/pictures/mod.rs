//! Step 2: pictures, by class.

pub mod actions;
pub mod samples;
pub mod view;
