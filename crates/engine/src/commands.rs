//! What is answered at once: functions over the workspace and an emitter. None of them knows a job or the store.

pub mod bench;
pub mod classify;
pub mod clusters;
pub mod descendant;
pub mod device;
pub mod evaluate;
pub mod explain;
pub mod export;
pub mod open;
pub mod pictures;
pub mod pools;

use crate::emitter::Emitter;
use crate::workspace::{Change, Missing, Workspace};
use heirloom_checkpoint::OnnxError;
use heirloom_data::{DataError, Normalise};
use heirloom_learngene::StartError;
use heirloom_nn::device::ReadError;
use heirloom_plan::protocol::JobKind;
use heirloom_platform::image::RgbImage8;

/// Why a command leads to nothing; a sentence each.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    #[error(transparent)]
    Missing(#[from] Missing),
    #[error("the deviation of every colour must be a number above 0, its mean a number")]
    Preparation,
    #[error("heads were measured, but there is no ancestor that has any")]
    HeadsOfNone,
    #[error("the measured heads are not those of the ancestor")]
    HeadsOfOther,
    #[error("there is no such head, picture or patch; choose one from the chart")]
    NoSuchHead,
    #[error("the classes of the pictures are not those that this model learned; train a descendant on them")]
    OtherClasses,
    #[error("configuration `{0}` is not there; choose one that is ready")]
    NotReady(usize),
    #[error(transparent)]
    Data(#[from] DataError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Onnx(#[from] OnnxError),
    #[error(transparent)]
    Package(#[from] std::io::Error),
}

/// The end of what changed the workspace: it is saved at once, and the page hears of it.
pub fn end(workspace: &Workspace, emitter: &Emitter, job: JobKind, finished: bool) {
    workspace.note(Change::Now);
    emitter.ended(job, finished);
}

/// `[3, side, side]`, normalised.
pub fn pixels(image: &RgbImage8, normalise: &Normalise) -> Vec<f32> {
    let mut pixels = vec![0.0; 3 * image.width * image.height];
    normalise.write(image, false, &mut pixels);
    pixels
}
