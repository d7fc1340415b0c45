//! Page and engine, and what they say to each other. The page's end of the wire, `link`, belongs to the page's program alone.

mod arms;
mod bench;
mod descendant;
mod experiment;
mod export;
pub mod forecast;
mod heads;
pub mod journal;
mod judge;
mod keep;
mod layers;
mod look;
mod open;
mod pace;
mod pictures;
mod pool;
mod predict;
pub mod protocol;
mod queue;
mod race;
mod runner;
#[cfg(target_arch = "wasm32")]
pub mod serve;

pub use arms::{Arm, RaceStarts};
pub use bench::bench;
pub use descendant::PlannedStart;
pub use export::{curves, weights};
pub use heads::cluster_report;
pub use judge::{judge, sum_up};
pub use open::normalise;
pub use queue::Queue;
pub use race::{RaceBatches, loader_settings, run_settings};
pub use runner::{Outlet, Request, Runner};
