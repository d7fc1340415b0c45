//! Everything that the engine says instead of doing it, a sentence each.

use heirloom_checkpoint::{CheckpointError, OnnxError, SealedError};
use heirloom_data::DataError;
use heirloom_learngene::InitError;
use heirloom_learngene::cluster::ExpandError;
use heirloom_learngene::layers::{CkaError, LayersError};
use heirloom_learngene::pool::AuxiliaryError;
use heirloom_learngene::stitch::StitchError;
use heirloom_nn::device::{DeviceError, ReadError};
use heirloom_platform::file::FileError;
use heirloom_platform::storage::StorageError;
use heirloom_train::TrainError;

/// Why something is not done, or broke off.
#[derive(Debug, thiserror::Error)]
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
    #[error("the classes of the pictures are not those that this model learned; train a descendant on them")]
    OtherClasses,
    #[error("configuration `{0}` is not there; choose one that is ready")]
    NotReady(usize),
    #[error(
        "weight selection and TLEG need layers of one shape, as a Vision Transformer has them; leave these two starts out"
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

    // What is wrong with a saved project.
    #[error("no saved state of this project can be read: {0}")]
    NoneIntact(String),
    #[error("heads were measured, but there is no ancestor that has any")]
    HeadsOfNone,
    #[error("the measured heads are not those of the ancestor")]
    HeadsOfOther,
    #[error("the saved pool was made with other classes or pictures; bring those back first")]
    OtherPool,
    #[error("{0}")]
    Unfit(String),

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
    Onnx(#[from] OnnxError),
    #[error(transparent)]
    Package(#[from] std::io::Error),
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
