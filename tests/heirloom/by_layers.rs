//! Tests of Learngene by layers.
mod inherit;
