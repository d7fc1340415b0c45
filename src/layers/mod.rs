//! Step 3 of Learngene by layers: which layers of the ancestor are worth inheriting.

pub mod actions;
mod chart;
pub mod state;
pub mod view;
