//! The four systems: given an ancestor, what is the descendant's initial module?

pub mod cluster;
