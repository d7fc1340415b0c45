//! Opening an ancestor.

use super::runner::Runner;
use heirloom_checkpoint::{Checkpoint, CheckpointError};
use heirloom_data::Normalise;
use heirloom_nn::model::Model;
use heirloom_nn::vit::Vit;
use heirloom_plan::descendant::NO_HEADS;
use heirloom_plan::protocol::{AncestorSummary, Event, JobKind, Preparation};
use heirloom_plan::weights::{HostTensor, Weights};
use heirloom_platform::clock::yield_now;
use heirloom_platform::file::FileHandle;

/// The opened ancestor.
pub(super) struct Ancestor {
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

impl Ancestor {
    /// The Vision Transformer it must be for what looks at heads.
    ///
    /// # Errors
    /// Says that it is something else.
    pub fn vit(&self) -> Result<&Vit, &'static str> {
        self.model.vit().ok_or(NO_HEADS)
    }
}

/// A checkpoint that counts the tensors it gives and lets messages in between two of them.
struct Counting<'a> {
    checkpoint: &'a Checkpoint,
    runner: &'a mut Runner,
    done: usize,
    total: usize,
}

/// Why an ancestor was not opened.
#[derive(Debug, thiserror::Error)]
enum OpenError {
    /// The person stopped it.
    #[error("opening was stopped; the ancestor from before is still there")]
    Stopped,
    /// The files do not serve.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
}

impl Weights for Counting<'_> {
    type Error = OpenError;

    async fn tensor(&mut self, key: &str, _shape: &[usize]) -> Result<HostTensor, OpenError> {
        let tensor = self.checkpoint.tensor(key).await?;
        self.done += 1;
        self.runner.progress(JobKind::Open, self.done, self.total, key);
        yield_now().await;
        match self.runner.flow().is_break() {
            true => Err(OpenError::Stopped),
            false => Ok(tensor),
        }
    }
}

impl Runner {
    pub(super) async fn open_ancestor(&mut self, files: &[FileHandle]) {
        let Some(device) = self.acquired.as_ref().map(|acquired| acquired.device.clone()) else { return };
        self.pace.begin(0);
        match self.read_ancestor(files, &device).await {
            Ok(ancestor) => {
                let summary = ancestor.summary.clone();
                self.ancestor = Some(ancestor);
                self.keeper.ancestor_changed();
                self.condensed = None;
                (self.heads, self.planned) = (None, None);
                self.say(Event::Ancestor(summary));
                self.end(JobKind::Open, true);
            }
            Err(error) => {
                self.fail(error);
                self.end(JobKind::Open, false);
            }
        }
    }

    async fn read_ancestor(
        &mut self,
        files: &[FileHandle],
        device: &burn::tensor::Device,
    ) -> Result<Ancestor, OpenError> {
        let checkpoint = Checkpoint::open(files).await?;
        checkpoint.check_complete()?;
        let total = checkpoint.config.tensors().len();
        let mut counting = Counting { checkpoint: &checkpoint, runner: self, done: 0, total };
        let model = Model::load(&checkpoint.config, &mut counting, device).await?;
        Ok(Ancestor {
            model,
            normalise: normalise(&checkpoint),
            summary: summary(&checkpoint),
            labels: checkpoint.labels,
            files: files.to_vec(),
        })
    }

    /// What was measured on pictures prepared otherwise no longer counts.
    pub(super) fn set_preparation(&mut self, preparation: Preparation) {
        let Preparation { mean, std } = preparation;
        let usable = mean.iter().all(|mean| mean.is_finite()) && std.iter().all(|std| std.is_finite() && *std > 0.0);
        match &mut self.ancestor {
            None => self.fail("no ancestor is open yet; open a checkpoint first"),
            _ if self.job.is_some() => self.fail("another job is running; stop it first"),
            _ if !usable => self.fail("the deviation of every colour must be a number above 0, its mean a number"),
            Some(ancestor) => {
                ancestor.normalise = Normalise { mean, std };
                ancestor.summary.preparation = preparation;
                let summary = ancestor.summary.clone();
                (self.heads, self.planned) = (None, None);
                self.say(Event::Ancestor(summary));
            }
        }
    }
}

/// The file's own mean and deviation, else ImageNet's.
pub fn normalise(checkpoint: &Checkpoint) -> Normalise {
    let said = checkpoint.preprocessing.as_ref();
    said.map_or_else(Normalise::default, |said| Normalise { mean: said.mean, std: said.std })
}

fn summary(checkpoint: &Checkpoint) -> AncestorSummary {
    let Normalise { mean, std } = normalise(checkpoint);
    AncestorSummary {
        name: checkpoint.name.clone(),
        family: checkpoint.family.clone(),
        config: checkpoint.config.clone(),
        preparation: Preparation { mean, std },
        parameters: checkpoint.parameters,
        dtype: checkpoint.dtype.clone(),
        missing: checkpoint.missing.clone(),
        unexpected: checkpoint.unexpected.clone(),
        assumptions: checkpoint.assumptions.clone(),
    }
}
