//! The engine as the page sees it: a worker at the end of a wire that may die and is then replaced.

pub mod bench;
pub mod cores;
pub mod link;
mod program;
pub mod restart;
pub mod send;
