//! What of a workspace is kept, as it stands in the metadata of a generation: a format, which knows neither workspace nor
//! store. Tensors lie beside it, in the same file (those of a job under way) or in parts of their own (trained models,
//! which never change again).

mod check;

use serde::{Deserialize, Serialize};

use heirloom_learngene::pool::PoolHeader;
use heirloom_learngene::tied::TiedHeader;
use heirloom_nn::model::ModelConfig;
use heirloom_nn::vit::VitConfig;
use heirloom_plan::protocol::{
    ClusterSettings, CondenseReport, CutReport, DescendantPlan, HeadsReport, Init, LearnTied, PoolReport, PoolSettings,
    Preparation, RaceReport, SplitSettings, TiedReport,
};
use heirloom_plan::queue::Queue;
use heirloom_train::{RaceHeader, Standard};

/// Version of what is written; another one is refused.
pub const VERSION: u32 = 1;

/// Everything an [`Engine`](crate::Engine) must get back to go on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SavedWork {
    /// [`VERSION`].
    pub version: u32,
    /// Counts the saves of a project.
    pub generation: u64,
    /// When, ms since 1970.
    pub saved_at: f64,
    /// Settings of the page, as they stand in the address.
    pub page: String,
    /// What the person brought and measured.
    pub inputs: SavedInputs,
    /// The descendant as last planned.
    pub descendant: Option<DescendantPlan>,
    /// The race under way.
    pub race: Option<SavedRace>,
    /// The last race's models, one per run; `None` where it diverged.
    pub models: Vec<Option<SavedModel>>,
    /// The last race as it ended.
    pub last_race: Option<RaceReport>,
    /// The last experiment, as far as it got; `None` where the last race stood alone.
    pub last_queue: Option<Queue>,
    /// The pool under way.
    #[serde(default)]
    pub pool_job: Option<SavedPoolJob>,
    /// What was made last of pools, at most one per method.
    #[serde(default)]
    pub pools: Vec<SavedPool>,
    /// Tied layers in learning.
    #[serde(default)]
    pub tied_job: Option<SavedTiedJob>,
    /// The tied layers that were learned last.
    #[serde(default)]
    pub tied: Option<SavedTied>,
    /// Floating-point operations per second that training reached.
    pub flops_per_second: Option<f64>,
}

/// What the person brought and measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SavedInputs {
    /// The files of the ancestor, as they were handed over.
    pub ancestor: Vec<StoredFile>,
    /// The pictures, in the order they came.
    pub pictures: Vec<StoredPicture>,
    /// Files that are no pictures: path and reason.
    pub refused: Vec<(String, String)>,
    /// How the pictures are divided.
    pub split: SplitSettings,
    /// How pictures are prepared for the ancestor.
    pub preparation: Option<Preparation>,
    /// The comparison of layers, once made.
    pub condensed: Option<CondenseReport>,
    /// The heads, once measured.
    pub heads: Option<SavedHeads>,
}

/// A file whose bytes lie in the store under their checksum, or could not be stored and are known by it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct StoredFile {
    /// Path it was handed over under.
    pub path: String,
    /// Bytes.
    pub len: u64,
    /// SHA-256 in hexadecimal.
    pub sha256: String,
}

/// A picture of the set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredPicture {
    /// Its bytes.
    pub file: StoredFile,
    /// Its class.
    pub class: String,
}

/// Measured heads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SavedHeads {
    /// The numbers.
    pub report: HeadsReport,
    /// Which pictures they were measured on; empty when these are gone from the set.
    pub shown: Vec<usize>,
    /// How they are clustered.
    pub clusters: ClusterSettings,
}

/// A race under way. Its tensors are `live.{arm}.…`, `head.{number}.…` and `fit.{kind}.{part}` in the generation's own file
/// and one part per trained run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SavedRace {
    /// The experiment it is part of, with the reports of the races before it.
    pub queue: Queue,
    /// Whether it waits for `Continue`.
    pub is_paused: bool,
    /// Where it stands.
    pub header: RaceHeader,
    /// What it was started with, where the person has changed something since.
    pub inputs: Option<SavedInputs>,
    /// Models of its finished runs.
    pub trained: Vec<(usize, Part)>,
    /// Classifiers that were fitted to the ancestor as it is.
    #[serde(default)]
    pub fits: SavedFits,
}

/// Classifiers fitted to features that do not change, and the features of the fit under way.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SavedFits {
    /// Those that are fitted; their weights are `head.{number}.weight` and `head.{number}.bias`.
    pub heads: Vec<SavedHead>,
    /// The fit under way, where its features are small enough to be kept.
    pub under_way: Option<SavedFeatures>,
}

/// A fitted classifier besides its weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SavedHead {
    /// A checksum of what it is fitted to.
    pub key: String,
    /// Which kind of features.
    pub kind: usize,
    /// The penalty that was chosen.
    pub penalty: f64,
    /// What was held out, as in [`heirloom_train::LinearHead`].
    #[serde(default)]
    pub held_out: Option<[usize; 2]>,
}

/// Features besides their values, which are `fit.{kind}.{part}`, `[pictures, width]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SavedFeatures {
    /// As in [`SavedHead`].
    pub key: String,
    /// Batches of pictures that were looked at; `None` once all were, and the fit began.
    pub next: Option<usize>,
    /// Numbers of a picture.
    pub width: usize,
    /// Classes that there may be.
    pub classes: usize,
    /// Classes of the pictures, part by part.
    pub labels: Vec<Vec<usize>>,
    /// How each kind was standardised, once it was.
    pub standards: Vec<Option<Standard>>,
}

/// A pool under way. Its tensors are `head.…`, `live.…` and `net.…` in the generation's own file and one part per
/// distilled model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SavedPoolJob {
    /// Where it stands.
    pub header: PoolJobHeader,
    /// What it was started with, where the person has changed something since.
    pub inputs: Option<SavedInputs>,
    /// Its distilled models.
    pub distilled: Vec<(usize, Part)>,
}

/// What a pool under way says besides its tensors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PoolJobHeader {
    /// How the pool is made.
    pub settings: PoolSettings,
    /// How far it is.
    pub pool: PoolHeader,
    /// Milliseconds of a picture, by configuration, as far as timed.
    pub times: Vec<f64>,
    /// Whether it waits for `Continue`.
    pub is_paused: bool,
}

/// A pool that ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SavedPool {
    /// The numbers, with every configuration.
    pub report: PoolReport,
    /// Mean and deviation of its pictures' channels.
    pub mean: [f32; 3],
    /// See `mean`.
    pub std: [f32; 3],
    /// Its models, smallest first; fewer than planned when it was stopped before they were stitched.
    pub configs: Vec<VitConfig>,
    /// Whether they are stitched.
    pub is_net: bool,
    /// Their weights; written before the generation is.
    pub part: Option<Part>,
}

/// Tied layers in learning. Their tensors are `head.…` and `live.…` in the generation's own file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SavedTiedJob {
    /// How they are learned.
    pub settings: LearnTied,
    /// Where it stands.
    pub header: TiedHeader,
    /// Whether it waits for `Continue`.
    pub is_paused: bool,
    /// What it was started with, where the person has changed something since.
    pub inputs: Option<SavedInputs>,
}

/// Learned tied layers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SavedTied {
    /// The numbers.
    pub report: TiedReport,
    /// The learngene: stem, stored layers, norm and head.
    pub config: VitConfig,
    /// Its weights; written before the generation is.
    pub part: Option<Part>,
}

/// A trained descendant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SavedModel {
    /// Its weights, by the names of its family; written before the generation is.
    pub part: Option<Part>,
    /// Its configuration.
    pub config: ModelConfig,
    /// Its classes.
    pub classes: Vec<String>,
    /// Mean and deviation of its pictures' channels.
    pub mean: [f32; 3],
    /// See `mean`.
    pub std: [f32; 3],
    /// What it started from.
    pub arm: Init,
    /// Its seed.
    pub seed: u64,
    /// Where it was cut from a pool.
    #[serde(default)]
    pub cut: Option<CutReport>,
}

/// A sealed file of a project beside its generations; it never changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Name below the project's folder of parts.
    pub name: String,
    /// Bytes.
    pub len: u64,
    /// Its seal in hexadecimal.
    pub sha256: String,
}

/// What the store must know of the job under way, of whatever kind it is.
pub struct SavedJob<'a> {
    /// What it was started with, where that is something else than what is there now.
    pub inputs: &'a Option<SavedInputs>,
    /// Weights of it that never change again, by their number.
    pub parts: &'a [(usize, Part)],
    /// What the names of their files begin with.
    pub file_name: &'static str,
    /// What the names of their tensors begin with, before the number.
    pub prefix: &'static str,
}

impl SavedWork {
    /// Whether there is anything worth a place on the disk.
    pub fn is_empty(&self) -> bool {
        self.inputs.ancestor.is_empty()
            && self.inputs.pictures.is_empty()
            && self.race.is_none()
            && self.models.is_empty()
            && self.last_race.is_none()
            && self.pool_job.is_none()
            && self.pools.is_empty()
            && self.tied_job.is_none()
            && self.tied.is_none()
    }

    /// The job under way.
    pub fn job(&self) -> Option<SavedJob<'_>> {
        let (inputs, parts, file_name, prefix): (_, &[_], _, _) = match (&self.race, &self.pool_job, &self.tied_job) {
            (Some(race), ..) => (&race.inputs, &race.trained, "run", "trained"),
            (None, Some(pool), _) => (&pool.inputs, &pool.distilled, "distilled", "distilled"),
            (None, None, Some(tied)) => (&tied.inputs, &[], "", ""),
            (None, None, None) => return None,
        };
        Some(SavedJob { inputs, parts, file_name, prefix })
    }

    /// Where the parts of the job under way stand.
    pub fn job_parts_mut(&mut self) -> Option<&mut Vec<(usize, Part)>> {
        let of_race = self.race.as_mut().map(|race| &mut race.trained);
        of_race.or(self.pool_job.as_mut().map(|pool| &mut pool.distilled))
    }

    /// All parts it needs.
    pub fn parts(&self) -> impl Iterator<Item = &Part> {
        let of_job = self.job().into_iter().flat_map(|job| job.parts).map(|(_, part)| part);
        let models = self.models.iter().flatten().filter_map(|model| model.part.as_ref());
        let learned = self.tied.iter().filter_map(|tied| tied.part.as_ref());
        of_job.chain(models).chain(self.pools.iter().filter_map(|pool| pool.part.as_ref())).chain(learned)
    }

    /// What the job under way was started with, where that is something else than what is there now.
    pub fn earlier_inputs(&self) -> Option<&SavedInputs> {
        self.job().and_then(|job| job.inputs.as_ref())
    }

    /// All files it needs, those of a job that was started with others included.
    pub fn files(&self) -> impl Iterator<Item = &StoredFile> {
        [&self.inputs].into_iter().chain(self.earlier_inputs()).flat_map(SavedInputs::files)
    }
}

impl SavedInputs {
    fn files(&self) -> impl Iterator<Item = &StoredFile> {
        self.ancestor.iter().chain(self.pictures.iter().map(|picture| &picture.file))
    }
}

/// Bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// 64 hexadecimal digits as a checksum.
pub fn from_hex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(bytes)
}
