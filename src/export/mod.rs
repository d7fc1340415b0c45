//! Step 7: files to keep.

pub mod view;
