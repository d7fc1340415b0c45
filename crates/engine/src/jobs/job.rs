//! What a job is.

use futures::FutureExt;
use futures::future::LocalBoxFuture;

use crate::emitter::Emitter;
use crate::error::EngineError;
use crate::saved::{SavedInputs, SavedWork};
use crate::workspace::{Id, Workspace};
use heirloom_plan::protocol::JobKind;
use heirloom_train::{DeviceTensor, HostTensors, SavedTensors, TrainError};

/// A job under way.
pub trait Job {
    /// What the page calls it.
    fn kind(&self) -> JobKind;

    /// Emits what there is to say at its beginning, and when it is there again after a reload.
    fn announce(&mut self, emitter: &Emitter) {
        emitter.pace().begin(0);
    }

    /// Does one piece of work. A paused job is not asked to.
    fn advance<'a>(&'a mut self, workspace: &'a mut Workspace, emitter: &'a Emitter) -> LocalBoxFuture<'a, Step>;

    /// Ends before its time; what it has so far goes into the workspace.
    fn stop(&mut self, _workspace: &mut Workspace, _emitter: &Emitter) {}

    /// Waits, or goes on.
    fn pause(&mut self, _is_paused: bool, _emitter: &Emitter) {}

    /// Takes steps in parts of so many pictures from now on, if it takes any that can be divided.
    fn set_micro_batch(&mut self, _pictures: usize) {}

    /// Whether it numbers the trained models, so that nobody else may add any meanwhile.
    fn numbers_models(&self) -> bool {
        false
    }

    /// What is there of it if the store keeps it, so that it goes on after a reload.
    fn lasting(&self) -> Option<&Lasting> {
        None
    }

    /// See [`Job::lasting`].
    fn lasting_mut(&mut self) -> Option<&mut Lasting> {
        None
    }

    fn is_paused(&self) -> bool {
        self.lasting().is_some_and(|lasting| lasting.is_paused)
    }

    /// Whole passes over the pictures that it made.
    fn passes(&self) -> usize {
        0
    }

    /// Writes into `work` where it stands, and hands out its tensors; possible between any two pieces of work.
    ///
    /// # Errors
    /// When an earlier step broke off half-way.
    fn snapshot(&self, _work: &mut SavedWork) -> Result<JobTensors, TrainError> {
        Ok(JobTensors::default())
    }
}

/// What a piece of work led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// More is to be done.
    Worked,
    /// It is over.
    Ended {
        /// Whether it came to its planned end.
        is_finished: bool,
    },
}

/// What every job has that goes on after a reload.
pub struct Lasting {
    pub is_paused: bool,
    /// What it was started with, once the person has changed something.
    pub inputs: Option<SavedInputs>,
    /// Names the weights that never change again, by their number in [`JobTensors::parts`].
    pub parts: Vec<Id>,
}

impl Lasting {
    /// A job at its start that will have so many models.
    pub fn new(models: usize) -> Self {
        Self { is_paused: false, inputs: None, parts: (0..models).map(|_| Id::default()).collect() }
    }

    /// What it was started with, where that is something else than what is there now.
    pub fn earlier_inputs(&self, now: &SavedInputs) -> Option<SavedInputs> {
        self.inputs.clone().filter(|inputs| inputs != now)
    }
}

/// The tensors of a job, still on the device.
#[derive(Default)]
pub struct JobTensors {
    /// What changes with every step.
    pub live: Vec<DeviceTensor>,
    /// What never changes again.
    pub parts: Vec<(usize, Vec<DeviceTensor>)>,
}

/// Where the tensors of a saved job come from.
pub trait TensorSource {
    /// As [`SavedTensors::take`].
    fn read<'a>(&'a mut self, prefix: &'a str) -> LocalBoxFuture<'a, Result<HostTensors, TrainError>>;
}

impl SavedTensors for &mut dyn TensorSource {
    async fn take(&mut self, prefix: &str) -> Result<HostTensors, TrainError> {
        self.read(prefix).await
    }
}

/// A job in the making; `None` when another kind is meant.
pub type Making<'a> = Option<LocalBoxFuture<'a, Result<Box<dyn Job>, EngineError>>>;

/// What is made of `job` once it is asked for.
pub fn making<'a, J: Job + 'static>(job: impl Future<Output = Result<J, EngineError>> + 'a) -> Making<'a> {
    Some(async { Ok(Box::new(job.await?) as Box<dyn Job>) }.boxed_local())
}
