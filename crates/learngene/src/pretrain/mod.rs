//! Training an ancestor that is to be inherited from; only the command line does that.

mod apart;
mod run;

pub use apart::{WANTED_GAP, head_separation_loss};
pub use run::{AncestorPlan, AncestorRun, ChannelStatistics, MapTeacher, Student};
