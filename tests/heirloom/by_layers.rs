//! Tests of Learngene by layers.
mod cka;
mod inherit;
