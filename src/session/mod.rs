//! Page and engine, and what they say to each other.

pub mod protocol;
