//! Everything page and engine say to each other.
//!
//! The page sends [`Command`]s, the engine answers with [`Event`]s; both travel as JSON beside handles of files
//! (page to engine) and byte buffers (engine to page), so nothing here names a tensor, a browser type or a closure.
//! Indices are 0-based here and 1-based on the screen. Lengths are px, times s, sizes bytes unless a name says otherwise.

mod descendant;
mod experiment;
mod inputs;
mod layers;
mod method;
mod notice;
mod paired;
mod points;
mod pool;
mod projects;
mod small;
pub mod statistics;
mod survival;
mod tied;
mod training;
mod trial;
mod wire;

use serde::{Deserialize, Serialize};

pub use descendant::*;
pub use experiment::*;
pub use inputs::*;
pub use layers::*;
pub use method::*;
pub use notice::*;
pub use points::*;
pub use pool::*;
pub use projects::*;
pub use small::*;
pub use survival::*;
pub use tied::*;
pub use training::*;
pub use trial::*;
pub use wire::*;

/// Which engine computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// WebGPU through burn-wgpu.
    WebGpu,
    /// burn-flex with SIMD, one thread.
    Cpu,
}

impl Engine {
    /// Its name in addresses.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::WebGpu => "webgpu",
        }
    }

    /// The engine of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Cpu, Self::WebGpu].into_iter().find(|engine| engine.name() == name)
    }
}

/// A file the page hands over. `index` counts the handles that travel with the command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRef {
    /// Position among the handles of the message.
    pub index: usize,
    /// Path inside the dropped folder with `/`, or the plain file name.
    pub path: String,
    /// Bytes.
    pub size: u64,
}

/// What the page asks of the engine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// First message: acquire a device. `None` lets the engine choose.
    Start {
        /// Forced by `?engine=`.
        engine: Option<Engine>,
    },
    /// Compute with so many threads on the CPU engine, from the next race on; this is one of them.
    SetCores(usize),
    /// Checkpoint files (one file, several shards, optionally a `config.json`).
    OpenAncestor {
        /// The dropped files.
        files: Vec<FileRef>,
    },
    /// Prepare pictures otherwise than the ancestor's file says; answered with [`Event::Ancestor`], and what was measured
    /// is forgotten.
    SetPreparation(Preparation),
    /// Pictures: folder files, zips, single files. They are added to those already there.
    AddPictures {
        /// The dropped files.
        files: Vec<FileRef>,
        /// Class for files that come without a folder.
        class: Option<String>,
    },
    /// Take another of the folders around each picture for its class; answered with [`Event::Pictures`].
    ReadFolders(FolderLevel),
    /// Forget all pictures.
    ClearPictures,
    /// Split again, with another seed or share.
    SetSplit(SplitSettings),
    /// Measure every head on some training pictures (Cluster-Learngene, equation of mean attention distance).
    MeasureHeads(MeasureSettings),
    /// Cluster the measured heads again; answered at once with [`Event::Clusters`].
    SetClusters(ClusterSettings),
    /// Attention of one head on one measured picture, answered with [`Event::Attention`].
    ShowAttention {
        /// Layer of the ancestor.
        layer: usize,
        /// Head within the layer.
        head: usize,
        /// Which of the measured pictures.
        picture: usize,
        /// From which patch, counted row by row from 0; without it from the middle.
        patch: Option<usize>,
    },
    /// See how much of the ancestor is left in descendants of a plan, for several sizes of the learngene; answered with
    /// [`Event::Survival`].
    Survive(DescendantSettings),
    /// Compare the ancestor's layers with a pseudo descendant's (Learngene); answered with [`Event::Condensed`].
    Condense(CondenseSettings),
    /// Plan a descendant; answered at once with [`Event::Descendant`].
    PlanDescendant(DescendantPlan),
    /// Start a race of arms on the planned descendant.
    Train(TrainSettings),
    /// Make a pool of small models, or stitch anchors; answered with [`Event::Pool`].
    MakePool(PoolSettings),
    /// Learn tied layers; answered with [`Event::Tied`].
    LearnTied(LearnTied),
    /// Cut a configuration out of a pool; answered with [`Event::Cut`]. From then on it is a trained model like any
    /// other.
    CutOut {
        /// [`Method::Pool`] or [`Method::Stitch`].
        method: Method,
        /// Which configuration.
        configuration: usize,
    },
    /// Start several races one after the other; answered like [`Command::Train`], and with [`Event::Experiment`].
    Experiment(ExperimentSettings),
    /// Pause the running job after its current step.
    Pause,
    /// Continue a paused job.
    Continue,
    /// End the running job and keep what it has.
    Stop,
    /// Name pictures; each is answered with [`Event::Prediction`].
    Predict {
        /// Which trained model: index into the finished arms; `None` is the ancestor itself.
        run: Option<usize>,
        /// The pictures.
        files: Vec<FileRef>,
    },
    /// Name some of the validation pictures, one class after the other, as if they had been handed over; each is answered
    /// with [`Event::Prediction`].
    PredictValidation {
        /// As in [`Command::Predict`].
        run: Option<usize>,
        /// How many come before the first one; past the last picture it begins again.
        skip: usize,
        /// How many are named, at most.
        count: usize,
    },
    /// Name one picture on the way (a camera's frame, a drawing), without the ceremony of a job; always answered with
    /// one [`Event::Glance`], so that the page never has two on the way.
    Glance {
        /// As in [`Command::Predict`].
        run: Option<usize>,
        /// One picture.
        files: Vec<FileRef>,
    },
    /// Judge a model on the validation pictures; answered with [`Event::Confusion`].
    Confusion {
        /// As in [`Command::Predict`].
        run: Option<usize>,
    },
    /// What a model looks at in a picture, answered with [`Event::Look`].
    Look {
        /// As in [`Command::Predict`].
        run: Option<usize>,
        /// The picture.
        picture: PictureAt,
        /// Which attention.
        at: LookAt,
    },
    /// Small pictures of the set, each answered with [`Event::Thumbnail`].
    Thumbnails {
        /// Their paths.
        paths: Vec<String>,
    },
    /// Write a trained descendant as safetensors; answered with [`Event::File`].
    ExportSafetensors {
        /// Which trained model; `None` exports the untrained descendant as planned.
        run: Option<usize>,
    },
    /// Write a trained descendant as ONNX; answered with [`Event::File`].
    ExportOnnx {
        /// Which trained model; `None` exports the untrained descendant as planned.
        run: Option<usize>,
    },
    /// Write a trained descendant as a zip of weights, description, labels and instructions; answered with
    /// [`Event::File`].
    ExportPackage {
        /// Which trained model; `None` exports the untrained descendant as planned.
        run: Option<usize>,
    },
    /// Write a trained descendant as one web page that names pictures; answered with [`Event::File`], and with
    /// [`Event::JobEnded`] because it is checked on the validation pictures first.
    ExportPage {
        /// Which trained model.
        run: usize,
        /// The player: the site's own page without a model.
        files: Vec<FileRef>,
    },
    /// The curves as CSV; answered with [`Event::File`].
    ExportCurves,
    /// Keep, open, and hand on projects.
    Project(ProjectCommand),
    /// Run one workload of the peer benchmark; answered with [`Event::Bench`].
    Bench {
        /// `MM`, `W0` to `W4`, or another that `heirloom_engine` knows; with `-plain` behind it without relaxed SIMD.
        work: String,
        /// Untimed runs first.
        warm: usize,
        /// Timed runs.
        reps: usize,
        /// Time budget, ms.
        budget: f64,
    },
}

/// What the engine tells the page.
#[allow(clippy::large_enum_variant, reason = "an event is written as JSON at once; few are held")]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// The device is ready (answer to [`Command::Start`]).
    Engine(EngineReport),
    /// An ancestor was recognised.
    Ancestor(AncestorSummary),
    /// The picture set changed.
    Pictures(PicturesSummary),
    /// A long job moved on. At most about four a second.
    Progress(Progress),
    /// A long job ended (finished, stopped, or failed).
    JobEnded {
        /// Which job.
        job: JobKind,
        /// Whether it ran to its end.
        finished: bool,
    },
    /// All heads are measured.
    Heads(HeadsReport),
    /// The heads of each layer are clustered.
    Clusters(ClusterReport),
    /// Attention of one head on one picture.
    Attention(AttentionMap),
    /// How like each ancestor layer is to the pseudo descendant's.
    Condensed(CondenseReport),
    /// What is left of the ancestor before any training.
    Survival(SurvivalReport),
    /// The planned descendant.
    Descendant(DescendantSummary),
    /// Where the race stands; sent when it starts, after each measured point, and when it ends.
    Race(RaceReport),
    /// Where a pool stands; sent when it starts, at every stage, now and then between, and when it ends.
    Pool(Box<PoolReport>),
    /// Where the learning of tied layers stands; sent as [`Event::Pool`] is.
    Tied(Box<TiedReport>),
    /// A configuration was cut out.
    Cut(CutReport),
    /// Where an experiment of several races stands; sent when it starts and after each race.
    Experiment(ExperimentReport),
    /// Floating-point operations a second that this machine reaches, as newly measured or kept.
    Speed(f64),
    /// A picture was named.
    Prediction(Prediction),
    /// The answer to [`Command::Glance`]; nothing where the picture could not be named (a notice says why).
    Glance(Option<Prediction>),
    /// How a model named the validation pictures.
    Confusion(Confusion),
    /// What a model looks at.
    Look(Look),
    /// A small picture of the set.
    Thumbnail {
        /// Its path.
        path: String,
        /// `data:` URL; nothing where the picture is gone or does not decode.
        url: Option<String>,
    },
    /// A file to save; its bytes are the message's attachment.
    File {
        /// Suggested name.
        name: String,
        /// MIME type.
        mime: String,
    },
    /// Projects: opened, saved, listed.
    Project(ProjectEvent),
    /// A sentence for the person: what was found, what was expected, what to do.
    Notice(Notice),
    /// Result of a benchmark, as the peers' harness expects it.
    Bench {
        /// The workload.
        work: String,
        /// JSON text of the result.
        json: String,
    },
}

/// The device the engine runs on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EngineReport {
    /// Which engine.
    pub engine: Engine,
    /// Adapter name and driver, or what kind of CPU engine.
    pub name: String,
    /// Why WebGPU is not used, when it is not and was not ruled out by the person.
    pub fallback: Option<String>,
    /// What the start-up self-test measured, one line per check.
    pub self_test: Vec<String>,
}

/// Long jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum JobKind {
    /// Reading a checkpoint.
    Open,
    /// Looking through pictures.
    Pictures,
    /// Measuring heads.
    Measure,
    /// Condensing to whole layers.
    Condense,
    /// Seeing what is left of the ancestor.
    Survival,
    /// Training a race.
    Train,
    /// Making a pool.
    Pool,
    /// Learning tied layers.
    Tied,
    /// Naming pictures or filling the confusion matrix.
    Evaluate,
}

/// How far a job is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Which job.
    pub job: JobKind,
    /// Steps done.
    pub done: usize,
    /// Steps in all.
    pub total: usize,
    /// Predicted time left, s; `None` while unknown.
    pub seconds_left: Option<f64>,
    /// What is happening, in words.
    pub note: String,
    /// Whether the first steps are under way, which compile and fill caches: their pace says little.
    #[serde(default)]
    pub is_warming_up: bool,
    /// Whether something is made ready before the first step: `done` and `total` are then no steps, but pieces of that.
    #[serde(default)]
    pub is_preparing: bool,
}
