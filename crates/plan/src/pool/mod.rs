//! Learngene Pool as arithmetic (docs/methods.md, section 2).

mod budget;

pub use budget::{Budget, Candidate, best_within, milliseconds};
