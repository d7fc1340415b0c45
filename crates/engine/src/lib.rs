//! The engine: what is open, the jobs on it, and the store that keeps it. It takes commands and emits events
//! (`heirloom_plan::protocol`) and knows nothing of workers: the page's worker, the native tests and the command line
//! drive the same one.
//!
//! | module | what it is | stands on |
//! | --- | --- | --- |
//! | `emitter`, `pace`, `error`, `remark` | what the page hears, how often, and in which words | |
//! | `saved` | the format of what is kept | |
//! | `workspace` | what is open, plain data | `saved` |
//! | `commands` | what is answered at once, one file a topic | `workspace`, `emitter` |
//! | `jobs` | what takes its time: `trait Job`, one file and one line a kind | `commands` |
//! | `store` | snapshots of workspace and job, written and restored | `jobs`, `commands` |
//! | `engine` | the inbox, and the one `match` over commands | all |
//!
//! ```no_run
//! use heirloom_engine::Engine;
//! use heirloom_plan::protocol::{Command, Said};
//!
//! # async fn example() {
//! let outlet = |said: Said, _bytes: Option<Vec<u8>>| println!("{:?}", said.event);
//! let mut engine = Engine::new(Box::new(outlet), Default::default());
//! engine.handle(Command::Start { engine: None }, Vec::new()).await;
//! // Between two commands the job under way moves on by one piece, until nothing is left to do.
//! while engine.work().await {}
//! # }
//! ```

mod batches;
mod commands;
pub mod crew;
mod emitter;
mod engine;
mod error;
mod fits;
mod fitted;
mod frozen;
mod jobs;
mod pace;
mod plain_pictures;
mod remark;
mod saved;
mod store;
mod workspace;

pub use batches::RaceBatches;
pub use commands::bench::bench;
pub use commands::evaluate::{confusion, evaluate};
pub use commands::export::{curves, weights};
pub use commands::open::normalise;
pub use emitter::Outlet;
pub use engine::{Engine, Request};
pub use jobs::{Arm, RaceInitializers, loader_settings, run_settings};
pub use workspace::PlannedInit;
