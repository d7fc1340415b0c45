//! Step 7: files to keep.

mod actions;
pub mod view;
