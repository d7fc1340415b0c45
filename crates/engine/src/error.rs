//! Everything that the engine says instead of doing it, a sentence each.

use heirloom_checkpoint::{CheckpointError, OnnxError, PageError, SealedError};
use heirloom_data::{DataError, PictureError};
use heirloom_learngene::InitError;
use heirloom_learngene::cluster::{ExpandError, MeasuredError};
use heirloom_learngene::layers::{CkaError, LayersError};
use heirloom_learngene::pool::AuxiliaryError;
use heirloom_learngene::stitch::StitchError;
use heirloom_nn::device::{DeviceError, ReadError};
use heirloom_platform::file::FileError;
use heirloom_platform::storage::StorageError;
use heirloom_player::PlayerError;
use heirloom_train::TrainError;

/// Why something is not done, or broke off.
#[derive(Debug, thiserror::Error, serde::Serialize)]
pub enum EngineError {
    // What is not there yet.
    #[error("the engine has no device yet")]
    NoDevice,
    #[error("no ancestor is open yet; open a checkpoint first")]
    NoAncestor,
    #[error("this ancestor has no attention heads; open a Vision Transformer, or choose another method")]
    NoAttention,
    #[error("this ancestor has no classifier, so it cannot name pictures; train a descendant")]
    NoClassifier,
    #[error("there are too few pictures; at least two classes with two pictures each are needed")]
    FewPictures,
    #[error("there are no pictures yet; add some, for heads are measured on pictures")]
    NothingToMeasureOn,
    #[error(
        "block influence compares what enters a layer with what leaves it, and the stages of a convolutional network change \
         its width; compare the layers by CKA or by learned weights"
    )]
    NoInfluence,
    #[error("there are no pictures to check with; add some, at least two classes with two each")]
    NothingToCheckWith,
    #[error("this picture is no longer among the pictures; choose another one")]
    NoPicture,
    #[error("no heads are measured yet; measure them first")]
    NoHeads,
    #[error("no heads are clustered yet; measure the heads first")]
    NoClusters,
    #[error("no descendant is planned yet; plan one first")]
    NoPlan,
    #[error("there is no trained descendant yet; train one first")]
    NoModel,
    #[error("there are no curves yet; train first")]
    NoCurves,
    #[error("there is no pool yet; make one first")]
    NoPool,
    #[error("there is nothing to export yet; open an ancestor or add pictures first")]
    NothingToExport,

    // What may not be at the moment.
    #[error("another job is running; stop it first")]
    Busy,
    #[error("a race is running; cut the model out when it is over")]
    Racing,
    #[error("opening was stopped; the ancestor from before is still there")]
    Stopped,

    // What does not fit.
    #[error("the deviation of every colour must be a number above 0, its mean a number")]
    Preparation,
    #[error("there is no such head, picture or patch; choose one from the chart")]
    NoSuchHead,
    #[error("an ancestor of {blocks} blocks cannot end after block {wanted}; choose from 1 to {blocks}")]
    NoSuchDepth { wanted: usize, blocks: usize },
    #[error("the classes of the pictures are not those that this model learned; train a descendant on them")]
    OtherClasses,
    #[error("configuration `{0}` is not there; choose one that is ready")]
    NotReady(usize),
    #[error(
        "weight selection and layers on a line need layers of one shape, as a Vision Transformer has them; leave these two starts out"
    )]
    NotOneShape,
    #[error("a race needs at least one arm, one seed and one step")]
    EmptyRace,
    #[error("no race is left to run")]
    NoRace,
    #[error("there is no class `{0}` among the pictures; choose among those there are")]
    NoClass(String),
    #[error("the pseudo descendant needs at least one step and two classes to learn; choose more")]
    NothingToLearn,
    #[error("the method `{0}` makes no pool; choose `pool` or `stitch`")]
    NoPoolMethod(&'static str),
    #[error("a pool needs at least 2 small models, but `{0}` was chosen; add one")]
    FewModels(usize),
    #[error("a pool needs at least one picture a step and one step of everything")]
    EmptyPool,
    #[error("tied layers need at least one picture a step, one step of everything and a temperature above 0")]
    EmptyTied,
    #[error("no tied layers of this rule and ancestor are learned yet; learn them first")]
    NoTied,

    // What is wrong with a saved project.
    #[error("no saved state of this project can be read: {0}")]
    NoneIntact(String),
    #[error("heads were measured, but there is no ancestor that has any")]
    HeadsOfNone,
    #[error("the measured heads are not those of the ancestor")]
    HeadsOfOther,
    #[error("the saved pool was made with other classes or pictures; bring those back first")]
    OtherPool,
    #[error("the saved layers were learned with other classes or pictures; bring those back first")]
    OtherTied,
    #[error("{0}")]
    Unfit(String),
    #[error(
        "this project has {files} files and {bytes} bytes, a zip takes {most_files} files and {most_bytes} bytes; \
             export the models one by one instead"
    )]
    LargeZip { files: usize, bytes: u64, most_files: u16, most_bytes: u64 },
    #[error("`{path}` cannot be kept for later: {reason}")]
    NotCopied { path: String, reason: PictureError },
    #[error("the project `{name}` could not be opened ({reason}). It stays as it is; a new one was begun")]
    NotOpened { name: String, reason: Box<EngineError> },

    // What went wrong in work that goes on.
    #[error("{0}")]
    RunFailed(String),
    #[error("{0}")]
    Bench(String),
    #[error("the engine does not know the command `{0}`")]
    Unknown(String),

    // What others say.
    #[error(transparent)]
    Auxiliary(#[from] AuxiliaryError),
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    #[error(transparent)]
    Cka(#[from] CkaError),
    #[error(transparent)]
    Data(#[from] DataError),
    #[error(transparent)]
    Device(#[from] DeviceError),
    #[error(transparent)]
    Expand(#[from] ExpandError),
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Layers(#[from] LayersError),
    #[error(transparent)]
    Measured(#[from] MeasuredError),
    #[error(transparent)]
    Onnx(#[from] OnnxError),
    #[error(transparent)]
    #[serde(serialize_with = "as_text")]
    Package(#[from] std::io::Error),
    #[error(transparent)]
    Page(#[from] PageError),
    #[error(transparent)]
    Player(#[from] PlayerError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Sealed(#[from] SealedError),
    #[error(transparent)]
    Start(#[from] InitError),
    #[error(transparent)]
    Stitch(#[from] StitchError),
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(transparent)]
    Train(#[from] TrainError),
}

/// A foreign error, which is only text to us.
fn as_text<S: serde::Serializer>(error: &std::io::Error, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(error)
}
