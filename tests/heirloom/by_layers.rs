//! Tests of Learngene by layers.
mod cka;
mod freeze;
mod inherit;
