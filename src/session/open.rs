//! Opening an ancestor.

use super::protocol::{AncestorSummary, Event, JobKind};
use super::runner::Runner;
use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::data::Normalise;
use crate::model::{Model, ModelConfig};
use crate::platform::clock::yield_now;
use crate::platform::file::FileHandle;
use crate::vit::{HostTensor, Vit, Weights};

/// The opened ancestor.
pub(super) struct Ancestor {
    /// Its model, on the device.
    pub model: Model,
    /// How its pictures are prepared.
    pub normalise: Normalise,
    /// The files it was opened from.
    pub files: Vec<FileHandle>,
}

impl Ancestor {
    /// The Vision Transformer it must be for what looks at heads.
    ///
    /// # Errors
    /// Says that it is something else.
    pub fn vit(&self) -> Result<&Vit, &'static str> {
        self.model
            .vit()
            .ok_or("this ancestor has no attention heads; open a Vision Transformer, or choose another method")
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
            Ok((ancestor, summary)) => {
                self.ancestor = Some(ancestor);
                self.keeper.ancestor_changed();
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
    ) -> Result<(Ancestor, AncestorSummary), OpenError> {
        let checkpoint = Checkpoint::open(files).await?;
        checkpoint.check_complete()?;
        let total = checkpoint.config.tensors().len();
        let mut counting = Counting { checkpoint: &checkpoint, runner: self, done: 0, total };
        let config = ModelConfig::from(checkpoint.config.clone());
        let model = Model::load(&config, &mut counting, device).await?;
        let normalise = normalise(&checkpoint);
        let summary = summary(&checkpoint);
        Ok((Ancestor { model, normalise, files: files.to_vec() }, summary))
    }
}

/// The file's own mean and deviation, else ImageNet's.
pub fn normalise(checkpoint: &Checkpoint) -> Normalise {
    let said = checkpoint.preprocessing.as_ref();
    said.map_or_else(Normalise::default, |said| Normalise { mean: said.mean, std: said.std })
}

fn summary(checkpoint: &Checkpoint) -> AncestorSummary {
    let config = &checkpoint.config;
    AncestorSummary {
        name: checkpoint.name.clone(),
        family: checkpoint.family.clone(),
        depth: config.depth,
        num_heads: config.num_heads,
        embed_dim: config.embed_dim,
        head_dim: config.head_dim,
        image_size: config.image_size,
        patch_size: config.patch_size,
        classes: config.classes,
        parameters: checkpoint.parameters,
        dtype: checkpoint.dtype.clone(),
        missing: checkpoint.missing.clone(),
        unexpected: checkpoint.unexpected.clone(),
        assumptions: checkpoint.assumptions.clone(),
    }
}
