//! Step 5: races and experiments of several races.

pub mod actions;
mod curves;
mod experiment;
mod heat;
mod points;
pub mod runs;
pub mod small;
mod starts;
pub mod state;
mod verdict;
pub mod view;
