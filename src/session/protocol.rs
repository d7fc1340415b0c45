//! Everything page and engine say to each other.
//!
//! The page sends [`Command`]s, the engine answers with [`Event`]s; both travel as JSON beside handles of files
//! (page to engine) and byte buffers (engine to page), so nothing here names a tensor, a browser type or a closure.
//! Indices are 0-based here and 1-based on the screen. Lengths are px, times s, sizes bytes unless a name says otherwise.

use serde::{Deserialize, Serialize};

/// Which engine computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// WebGPU through burn-wgpu.
    WebGpu,
    /// burn-flex with SIMD, one thread.
    Cpu,
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
    /// Checkpoint files (one file, several shards, optionally a `config.json`).
    OpenAncestor {
        /// The dropped files.
        files: Vec<FileRef>,
    },
    /// Pictures: folder files, zips, single files. They are added to those already there.
    AddPictures {
        /// The dropped files.
        files: Vec<FileRef>,
        /// Class for files that come without a folder.
        class: Option<String>,
    },
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
    },
    /// Plan a descendant; answered at once with [`Event::Descendant`].
    PlanDescendant(DescendantSettings),
    /// Start a race of arms on the planned descendant.
    Train(TrainSettings),
    /// Pause the running job after its current step.
    Pause,
    /// Continue a paused job.
    Continue,
    /// End the running job and keep what it has.
    Stop,
    /// Name pictures with a trained descendant.
    Predict {
        /// Which trained model: index into the finished arms.
        run: usize,
        /// The pictures.
        files: Vec<FileRef>,
    },
    /// Confusion of a trained descendant on the validation pictures.
    Confusion {
        /// Which trained model.
        run: usize,
    },
    /// Write a trained descendant as safetensors; answered with [`Event::File`].
    ExportSafetensors {
        /// Which trained model; `None` exports the untrained descendant as planned.
        run: Option<usize>,
    },
    /// The curves as CSV; answered with [`Event::File`].
    ExportCurves,
    /// Run one workload of the peer benchmark; answered with [`Event::Bench`].
    Bench {
        /// `MM`, `W0`, `W1`, `W2` or `W3`.
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
    /// The planned descendant.
    Descendant(DescendantSummary),
    /// Where the race stands; sent when it starts, after each measured point, and when it ends.
    Race(RaceReport),
    /// A picture was named.
    Prediction(Prediction),
    /// Confusion matrix of a trained model.
    Confusion(Confusion),
    /// A file to save; its bytes are the message's attachment.
    File {
        /// Suggested name.
        name: String,
        /// MIME type.
        mime: String,
    },
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

/// A sentence for the person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// Whether something failed, or is only good to know.
    pub level: NoticeLevel,
    /// Full sentences: found, expected, what to do.
    pub text: String,
}

/// How serious a [`Notice`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NoticeLevel {
    /// Good to know.
    Info,
    /// Something did not work.
    Error,
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
    /// Training a race.
    Train,
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
}

/// What was recognised in a checkpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AncestorSummary {
    /// Name of the file it came from.
    pub name: String,
    /// Family and naming style, e.g. `ViT (Hugging Face names)`.
    pub family: String,
    /// Layers.
    pub depth: usize,
    /// Heads per layer.
    pub num_heads: usize,
    /// Width.
    pub embed_dim: usize,
    /// Channels of one head.
    pub head_dim: usize,
    /// Side of the input picture, px.
    pub image_size: usize,
    /// Side of a patch, px.
    pub patch_size: usize,
    /// Classes of its classifier, if it has one.
    pub classes: Option<usize>,
    /// All parameters.
    pub parameters: u64,
    /// Stored element type, e.g. `F16`.
    pub dtype: String,
    /// Keys the model needs and the file lacks, each with the nearest present name if there is one.
    pub missing: Vec<(String, Option<String>)>,
    /// Keys the file has and the model does not know, each with the nearest known name if there is one.
    pub unexpected: Vec<(String, Option<String>)>,
    /// What was assumed, e.g. the number of heads when the file does not say it.
    pub assumptions: Vec<String>,
}

/// How pictures are divided.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SplitSettings {
    /// Share of each class that goes to validation, 0..1. Ignored where folders say `train` / `val` / `test`.
    pub validation_share: f32,
    /// Seed of the shuffle.
    pub seed: u64,
}

impl Default for SplitSettings {
    fn default() -> Self {
        Self { validation_share: 0.2, seed: 1 }
    }
}

/// The picture set as it stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PicturesSummary {
    /// Classes in alphabetical order.
    pub classes: Vec<ClassCount>,
    /// Files that could not be read: path and reason (at most 100 are listed).
    pub unreadable: Vec<(String, String)>,
    /// How many files could not be read in all.
    pub unreadable_count: usize,
    /// Groups of identical files: the paths of each group (at most 100 groups).
    pub duplicates: Vec<Vec<String>>,
    /// Whether train / val folders decided the split.
    pub split_by_folder: bool,
    /// How the rest was divided.
    pub split: Option<SplitSettings>,
}

/// One class of pictures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassCount {
    /// Name of its folder.
    pub name: String,
    /// Pictures to train on.
    pub train: usize,
    /// Pictures to judge on.
    pub validation: usize,
    /// A few small pictures as `data:` URLs.
    pub thumbnails: Vec<String>,
}

/// How heads are measured.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MeasureSettings {
    /// How many training pictures (evenly over the classes).
    pub pictures: usize,
    /// Divide each row by its sum over patches (off in the paper's definition).
    pub renormalise: bool,
}

impl Default for MeasureSettings {
    fn default() -> Self {
        Self { pictures: 8, renormalise: false }
    }
}

/// What was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeadsReport {
    /// Mean attention distance, px, `[layer][head]`.
    pub distance: Vec<Vec<f32>>,
    /// Standard deviation of the distance over the pictures, px, `[layer][head]`.
    pub deviation: Vec<Vec<f32>>,
    /// Mean attention entropy, nats, `[layer][head]`.
    pub entropy: Vec<Vec<f32>>,
    /// The measured pictures as `data:` URLs.
    pub pictures: Vec<String>,
    /// Side of the picture, px (the largest possible distance is its diagonal).
    pub image_size: usize,
    /// What it took, s.
    pub seconds: f64,
}

/// How heads are clustered (Cluster-Learngene, sections 1.2 and 1.3 of the method notes).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClusterSettings {
    /// Largest gap inside a cluster, px, at the ancestor's image size.
    pub eps: f32,
    /// Heads that make a core point.
    pub min_heads: usize,
    /// Largest mean difference of matched centroids for layers to share a feed-forward network, px.
    pub eps_ffn: f32,
    /// How centroids of adjacent layers are matched.
    pub matching: FfnMatching,
}

/// How centroids of two adjacent layers are matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FfnMatching {
    /// Without singleton clusters, sorted by distance.
    Sorted,
    /// All centroids, in priority order.
    Strict,
}

/// The clusters of all layers and what the learngene keeps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClusterReport {
    /// The settings that gave it.
    pub settings: ClusterSettings,
    /// Clusters of each layer in priority order.
    pub layers: Vec<Vec<HeadCluster>>,
    /// Runs of adjacent layers that share the first one's feed-forward network; layers alone are not listed.
    pub ffn_groups: Vec<Vec<usize>>,
    /// Heads kept.
    pub kept_heads: usize,
    /// Heads in all.
    pub total_heads: usize,
    /// Feed-forward networks kept.
    pub kept_ffns: usize,
    /// Parameters the learngene stores, without the classifier.
    pub stored_parameters: u64,
    /// Parameters of the ancestor, without the classifier.
    pub ancestor_parameters: u64,
}

/// One cluster of heads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeadCluster {
    /// Head that stands for the cluster.
    pub centroid: usize,
    /// All heads of the cluster, ascending.
    pub members: Vec<usize>,
}

/// Attention of one head.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AttentionMap {
    /// Layer.
    pub layer: usize,
    /// Head.
    pub head: usize,
    /// Picture it was computed on (index into [`HeadsReport::pictures`]).
    pub picture: usize,
    /// Patches along one side.
    pub grid: usize,
    /// Mean attention each patch receives from all patches, `[grid * grid]`, sums to at most 1.
    pub received: Vec<f32>,
    /// Attention of the CLS token, `[grid * grid]`; empty when the model has none.
    pub from_cls: Vec<f32>,
}

/// What the descendant is to look like.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct DescendantSettings {
    /// Heads per layer.
    pub heads: usize,
    /// Layers.
    pub layers: usize,
    /// Side of the pictures it is trained on, px (a multiple of the patch size).
    pub image_size: usize,
    /// Which layers it starts from.
    pub depth: DepthChoice,
    /// Scale the output projection by members / copies.
    pub scale_projection: bool,
    /// Let layers of one group start from the shared feed-forward network through a learnable map.
    pub ffn_maps: bool,
}

/// Which ancestor layers a shallower descendant takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DepthChoice {
    /// The first ones.
    First,
    /// Evenly spaced ones.
    Even,
}

/// The descendant as planned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DescendantSummary {
    /// The settings that gave it.
    pub settings: DescendantSettings,
    /// Ancestor layer of each descendant layer.
    pub source_layers: Vec<usize>,
    /// For each layer and head: which cluster (in priority order) it starts from.
    pub sources: Vec<Vec<HeadSource>>,
    /// Parameters with the new classifier.
    pub parameters: u64,
    /// Floating-point operations of one forward pass on one picture (a multiply-add counts as two).
    pub flops: u64,
    /// Bytes as f32.
    pub bytes: u64,
    /// Estimated memory while training, bytes.
    pub training_bytes: u64,
    /// Predicted seconds for one epoch on this machine; `None` before the machine was measured.
    pub seconds_per_epoch: Option<f64>,
}

/// Where a descendant's head comes from.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeadSource {
    /// Cluster in priority order.
    pub cluster: usize,
    /// Head of the ancestor layer.
    pub head: usize,
    /// Members of that cluster (darker = larger).
    pub members: usize,
}

/// What an arm of a race starts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StartValue {
    /// Random weights.
    Scratch,
    /// The learngene, expanded.
    Inherited,
}

/// How a race is trained. All arms and seeds see the same pictures, batches, augmentation draws and steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainSettings {
    /// The descendant.
    pub descendant: DescendantSettings,
    /// Arms.
    pub arms: Vec<StartValue>,
    /// Seeds per arm.
    pub seeds: usize,
    /// Optimiser steps per arm and seed.
    pub steps: usize,
    /// Pictures per step.
    pub batch: usize,
    /// Peak learning rate.
    pub lr: f64,
    /// Steps of linear warm-up.
    pub warmup_steps: usize,
    /// AdamW weight decay.
    pub weight_decay: f64,
    /// Label smoothing, 0..1.
    pub label_smoothing: f64,
    /// Highest drop-path rate (rises linearly with depth).
    pub drop_path: f64,
    /// Largest gradient norm; 0 switches clipping off.
    pub clip_norm: f64,
    /// Flip and random resized crop.
    pub augment: bool,
    /// Validate every so many steps; 0 = once per epoch.
    pub validate_every: usize,
}

/// Where a race stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RaceReport {
    /// The settings.
    pub settings: TrainSettings,
    /// One run per arm and seed, in the order they are trained.
    pub runs: Vec<RunReport>,
    /// Names of the classes.
    pub classes: Vec<String>,
    /// Whether it is running, paused, or done.
    pub state: RaceState,
}

/// State of a race.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RaceState {
    /// Steps are being taken.
    Running,
    /// Waiting for `Continue`.
    Paused,
    /// Stopped by the person before its end.
    Stopped,
    /// All steps done.
    Finished,
}

/// One arm with one seed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunReport {
    /// What it started from.
    pub arm: StartValue,
    /// Its seed.
    pub seed: u64,
    /// Steps taken.
    pub step: usize,
    /// Measured points.
    pub points: Vec<CurvePoint>,
    /// Steps per second over the last few steps; 0 before the second step.
    pub steps_per_second: f64,
}

/// One point of a curve.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CurvePoint {
    /// Steps taken before it was measured.
    pub step: usize,
    /// Epochs (full passes over the training pictures), fractional.
    pub epoch: f32,
    /// Mean training loss since the last point.
    pub train_loss: f32,
    /// Loss on the validation pictures.
    pub validation_loss: f32,
    /// Share of validation pictures named rightly, 0..1.
    pub validation_accuracy: f32,
}

/// What a model says of a picture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// The file.
    pub name: String,
    /// Small picture as `data:` URL.
    pub thumbnail: String,
    /// Class names with probabilities, largest first.
    pub classes: Vec<(String, f32)>,
}

/// Confusion matrix.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Confusion {
    /// Class names.
    pub classes: Vec<String>,
    /// Counts `[true][predicted]`.
    pub counts: Vec<Vec<usize>>,
    /// Paths behind each cell, `[true][predicted][..]`, at most 24 a cell.
    pub pictures: Vec<Vec<Vec<String>>>,
}
