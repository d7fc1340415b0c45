//! What is open: plain data, of which nothing computes, is emitted or stored by itself. Commands and jobs change it, the
//! store takes snapshots of it; it knows none of them.

mod dataset;
mod id;
mod planned;
mod pools;
mod tied;

use std::cell::Cell;
use std::rc::Rc;

use burn::tensor::Tensor;

pub use self::dataset::Dataset;
pub use self::id::Id;
pub use self::planned::{Planned, PlannedInit};
pub use self::pools::{FinishedPool, Pools};
pub use self::tied::LearnedTied;
use crate::crew::{Cores, Helpers};
use crate::error::EngineError;
use crate::saved::SavedHeads;
use heirloom_data::{Normalise, Split};
use heirloom_learngene::cluster::Clusters;
use heirloom_nn::device::Acquired;
use heirloom_nn::model::Model;
use heirloom_nn::vit::Vit;
use heirloom_plan::protocol::{AncestorSummary, CondenseReport, CutReport, Init, Preparation, RaceReport};
use heirloom_plan::queue::Queue;
use heirloom_platform::file::FileHandle;
use heirloom_platform::image::RgbImage8;
use heirloom_train::Crew;

/// Everything that is open, measured and trained.
#[derive(Default)]
pub struct Workspace {
    pub acquired: Option<Acquired>,
    /// Other threads of the CPU engine, once a job has use for them.
    pub helpers: Helpers,
    /// Threads that may compute.
    pub cores: Cores,
    /// Floating-point operations per second that training reached on this machine.
    pub flops_per_second: Option<f64>,
    pub ancestor: Option<Ancestor>,
    pub dataset: Dataset,
    pub heads: Option<Heads>,
    pub planned: Option<Planned>,
    /// One per run of the last experiment, then those cut from pools; `None` where a run diverged.
    pub trained: Vec<Option<Trained>>,
    /// The last race, as it ended.
    pub last_race: Option<RaceReport>,
    /// The last experiment, as far as it got; `None` where the last race stood alone.
    pub last_queue: Option<Queue>,
    /// How alike layers of the ancestor and of a small model are.
    pub condensed: Option<CondenseReport>,
    /// What was made last, by method.
    pub pools: Pools,
    /// The tied layers that were learned last.
    pub tied: Option<LearnedTied>,
    /// What was classified last.
    pub classified: Classified,
    /// How much of it is not in the store yet.
    pub unsaved: Cell<Change>,
}

/// How much there is to save.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// Nothing.
    #[default]
    None,
    /// Something that can wait for the next save of a running job.
    Soon,
    /// The end of a job, a pause: at once.
    Now,
}

/// The opened ancestor.
pub struct Ancestor {
    pub id: Id,
    /// Its model, on the device.
    pub model: Model,
    /// How its pictures are prepared.
    pub normalise: Normalise,
    /// What the page was told of it.
    pub summary: AncestorSummary,
    /// Names of its classes, where the file has them.
    pub labels: Option<Vec<String>>,
    /// The files it was opened from.
    pub files: Vec<FileHandle>,
}

/// What was measured, and how it is clustered now.
pub struct Heads {
    /// Mean over the pictures, px, `[layers, heads]`, on the device.
    pub distance: Tensor<2>,
    pub pictures: Vec<RgbImage8>,
    /// As last clustered.
    pub clusters: Clusters,
    /// What the page was told, and how `clusters` came about.
    pub saved: SavedHeads,
}

/// A trained descendant, with what it needs to be used.
pub struct Trained {
    pub id: Id,
    pub model: Model,
    pub classes: Vec<String>,
    pub normalise: Normalise,
    pub arm: Init,
    pub seed: u64,
    /// Where it was cut from a pool; `None` for a descendant of a race.
    pub cut: Option<CutReport>,
}

/// The files that were classified last, so that they can be looked at more closely.
#[derive(Default)]
pub struct Classified {
    pub files: Vec<FileHandle>,
    /// The last camera's frame or drawing.
    pub frame: Option<FileHandle>,
}

impl Workspace {
    /// Nothing is open, measured or trained any more; of the machine everything stays known.
    pub fn forget(&mut self) {
        let (acquired, flops_per_second) = (self.acquired.take(), self.flops_per_second);
        let (helpers, cores) = (self.helpers.clone(), self.cores);
        *self = Self { acquired, helpers, cores, flops_per_second, ..Self::default() };
    }

    /// Notes that there is something to save.
    pub fn note(&self, change: Change) {
        self.unsaved.set(self.unsaved.get().max(change));
    }

    /// Other threads of the CPU engine; `None` with another engine, or where one thread is to compute.
    pub fn crew(&self) -> Option<Rc<dyn Crew>> {
        let is_cpu = self.acquired.as_ref().is_some_and(|acquired| !acquired.is_webgpu);
        (is_cpu && self.cores.0 > 1).then(|| Rc::new(self.helpers.clone()) as Rc<dyn Crew>)
    }

    pub fn acquired(&self) -> Result<&Acquired, EngineError> {
        self.acquired.as_ref().ok_or(EngineError::NoDevice)
    }

    pub fn ancestor(&self) -> Result<&Ancestor, EngineError> {
        self.ancestor.as_ref().ok_or(EngineError::NoAncestor)
    }

    /// The ancestor as the Vision Transformer it must be for what looks at heads.
    pub fn vit(&self) -> Result<&Vit, EngineError> {
        self.ancestor()?.model.vit().ok_or(EngineError::NoAttention)
    }

    /// The division, with pictures on both of its sides: accuracy of nothing would be shown as 0 %.
    pub fn split(&self) -> Result<&Split, EngineError> {
        let split = self.dataset.split.as_ref().ok_or(EngineError::FewPictures)?;
        if split.validation.is_empty() { Err(EngineError::NothingToCheckWith) } else { Ok(split) }
    }

    pub fn trained(&self, run: usize) -> Result<&Trained, EngineError> {
        self.trained.get(run).and_then(Option::as_ref).ok_or(EngineError::NoModel)
    }
}

impl Ancestor {
    /// Prepares its pictures otherwise.
    pub fn prepare(&mut self, preparation: Preparation) {
        self.normalise = Normalise { mean: preparation.mean, std: preparation.std };
        self.summary.preparation = preparation;
    }
}
