//! Work that takes its time, in pieces of milliseconds to seconds, so that the engine hears the page between any two.
//!
//! A kind of job is one file that implements [`Job`] and one line in [`KINDS`]: the engine and the store know jobs only
//! by the trait. (What is kept of a job beyond the program's end is, besides, part of the format in `saved.rs`.)

mod condense;
mod features;
mod job;
mod measure;
mod pool;
mod race;
mod survival;
mod teaching;
mod tied;

use self::job::Making;
pub use self::job::{Job, JobTensors, Step, TensorSource};
pub use self::race::arms::{Arm, RaceInitializers};
pub use self::race::set_up::{loader_settings, run_settings};
use crate::error::EngineError;
use crate::saved::SavedWork;
use crate::workspace::Workspace;
use heirloom_plan::protocol::Command;

/// What is open, and what is being done with it.
#[derive(Default)]
pub struct Session {
    pub workspace: Workspace,
    pub job: Option<Box<dyn Job>>,
}

impl Session {
    /// Whether a job is under way that the store keeps.
    pub fn is_kept(&self) -> bool {
        self.job.as_ref().is_some_and(|job| job.lasting().is_some())
    }

    /// As [`Job::passes`].
    pub fn passes(&self) -> usize {
        self.job.as_ref().map_or(0, |job| job.passes())
    }
}

/// How a kind of job comes to be.
struct Kind {
    /// By a command.
    start: for<'a> fn(&'a Command, &'a mut Workspace) -> Making<'a>,
    /// Of what was saved, with the tensors that were saved with it.
    resume: for<'a> fn(&'a SavedWork, &'a Workspace, &'a mut dyn TensorSource) -> Making<'a>,
}

/// All kinds of jobs.
const KINDS: [Kind; 6] = [
    Kind { start: measure::start, resume: |_, _, _| None },
    Kind { start: condense::start, resume: |_, _, _| None },
    Kind { start: survival::start, resume: |_, _, _| None },
    Kind { start: race::start, resume: race::resume },
    Kind { start: pool::start, resume: pool::resume },
    Kind { start: tied::start, resume: tied::resume },
];

/// The job that a command asks for; `None` when it asks for none.
pub async fn start(command: &Command, workspace: &mut Workspace) -> Option<Result<Box<dyn Job>, EngineError>> {
    for kind in KINDS {
        if let Some(job) = (kind.start)(command, workspace) {
            return Some(job.await);
        }
    }
    None
}

/// The job that was under way when `work` was saved.
///
/// # Errors
/// When it does not belong to what is open.
pub async fn resume(
    work: &SavedWork,
    workspace: &Workspace,
    tensors: &mut dyn TensorSource,
) -> Result<Option<Box<dyn Job>>, EngineError> {
    for kind in KINDS {
        if let Some(job) = (kind.resume)(work, workspace, tensors) {
            return job.await.map(Some);
        }
    }
    Ok(None)
}
