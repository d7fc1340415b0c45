//! Steps 3 and 4 of tied layers (TLEG, SWS): learning the stored layers, and the depth of what is read off them.

pub mod actions;
pub mod view;
