//! The engine: what is open, the jobs on it, and the store that keeps it. It takes commands and says events
//! (`heirloom_plan::protocol`) and knows nothing of workers: the page's worker, the native tests and the command line
//! drive the same one.

mod arms;
mod bench;
mod descendant;
mod experiment;
mod export;
mod heads;
mod judge;
mod keep;
mod layers;
mod look;
mod open;
mod pace;
mod pictures;
mod pool;
mod predict;
mod race;
mod runner;

pub use arms::{Arm, RaceStarts};
pub use bench::bench;
pub use descendant::PlannedStart;
pub use export::{curves, weights};
pub use heirloom_plan::cluster::cluster_report;
pub use judge::{judge, sum_up};
pub use open::normalise;
pub use race::{RaceBatches, loader_settings, run_settings};
pub use runner::{Outlet, Request, Runner};
