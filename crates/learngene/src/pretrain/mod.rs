//! Training an ancestor that is to be inherited from; only the command line does that.

mod apart;
mod run;

pub use apart::{WANTED_GAP, closeness};
pub use run::{AncestorPlan, AncestorRun, ChannelStatistics, MapTeacher, Student};
