//! Projects: which one is open, when it was saved, and what the person does with them.

pub mod actions;
pub mod state;
pub mod view;
