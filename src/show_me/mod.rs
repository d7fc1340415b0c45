//! Show me: the whole story by itself.

pub mod actions;
mod conduct;
pub mod state;
pub mod view;
