//! What can be said without a device and without files: configurations of models, the arithmetic of the methods, plans,
//! accounts and settings, and everything page and engine say to each other.
//!
//! The page links this crate and no other of the engine's, so nothing here may name burn.

pub mod cluster;
pub mod config;
pub mod descendant;
pub mod drops;
pub mod forecast;
pub mod journal;
pub mod layers;
pub mod pool;
pub mod protocol;
pub mod queue;
pub mod rank;
pub mod resample;
pub mod schedule;
pub mod settings;
pub mod stitch;
pub mod threads;
pub mod tied;
pub mod weights;
