//! Page and engine, and what they say to each other. The page's end of the wire, `link`, belongs to the page's program alone.

mod bench;
mod descendant;
mod export;
mod heads;
pub mod journal;
mod layers;
mod open;
mod pace;
mod pictures;
mod pool;
mod predict;
pub mod protocol;
mod race;
mod runner;
#[cfg(target_arch = "wasm32")]
pub mod serve;

pub use bench::bench;
pub use descendant::PlannedStart;
pub use export::{curves, weights};
pub use heads::cluster_report;
pub use open::normalise;
pub use pool::{PoolJobHeader, PoolJobState};
pub use race::{RaceBatches, RaceStarts, loader_settings, run_settings};
pub use runner::{Outlet, Request, Runner};
