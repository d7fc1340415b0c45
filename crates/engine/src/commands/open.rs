//! Opening an ancestor.

use burn::tensor::Device;

use super::end;
use crate::emitter::Emitter;
use crate::error::EngineError;
use crate::workspace::{Ancestor, Id, Workspace};
use heirloom_checkpoint::Checkpoint;
use heirloom_data::Normalise;
use heirloom_nn::model::Model;
use heirloom_plan::protocol::{AncestorSummary, Event, JobKind, Preparation};
use heirloom_plan::weights::{HostTensor, Weights};
use heirloom_platform::clock::yield_now;
use heirloom_platform::file::FileHandle;

/// A checkpoint that counts the tensors it gives and lets messages in between two of them.
struct Counting<'a> {
    checkpoint: &'a Checkpoint,
    emitter: &'a Emitter,
    done: usize,
    total: usize,
}

impl Weights for Counting<'_> {
    type Error = EngineError;

    async fn tensor(&mut self, key: &str, _shape: &[usize]) -> Result<HostTensor, EngineError> {
        let tensor = self.checkpoint.tensor(key).await?;
        self.done += 1;
        self.emitter.progress(JobKind::Open, self.done, self.total, key);
        yield_now().await;
        match self.emitter.flow().is_break() {
            true => Err(EngineError::Stopped),
            false => Ok(tensor),
        }
    }
}

/// Opens an ancestor in place of the one before; what was measured of that one is gone.
pub async fn open_ancestor(workspace: &mut Workspace, emitter: &Emitter, files: &[FileHandle]) {
    let Ok(acquired) = workspace.acquired() else { return };
    emitter.pace().begin(0);
    let ancestor = emitter.notify_failure(read_ancestor(files, &acquired.device, emitter).await);
    let finished = ancestor.is_some();
    if let Some(ancestor) = ancestor {
        let summary = ancestor.summary.clone();
        workspace.ancestor = Some(ancestor);
        (workspace.condensed, workspace.heads, workspace.planned) = (None, None, None);
        emitter.emit(Event::Ancestor(summary));
    }
    end(workspace, emitter, JobKind::Open, finished);
}

async fn read_ancestor(files: &[FileHandle], device: &Device, emitter: &Emitter) -> Result<Ancestor, EngineError> {
    let checkpoint = Checkpoint::open(files).await?;
    checkpoint.check_complete()?;
    let total = checkpoint.config.tensors().len();
    let mut counting = Counting { checkpoint: &checkpoint, emitter, done: 0, total };
    let model = Model::load(&checkpoint.config, &mut counting, device).await?;
    Ok(Ancestor {
        id: Id::default(),
        model,
        normalise: normalise(&checkpoint),
        summary: summary(&checkpoint),
        labels: checkpoint.labels,
        files: checkpoint.sources,
    })
}

/// What was measured on pictures prepared otherwise no longer counts.
pub fn set_preparation(workspace: &mut Workspace, preparation: Preparation) -> Result<Event, EngineError> {
    let Preparation { mean, std } = preparation;
    let ancestor = workspace.ancestor.as_mut().ok_or(EngineError::NoAncestor)?;
    if !mean.iter().all(|mean| mean.is_finite()) || !std.iter().all(|std| std.is_finite() && *std > 0.0) {
        return Err(EngineError::Preparation);
    }
    ancestor.prepare(preparation);
    (workspace.heads, workspace.planned) = (None, None);
    Ok(Event::Ancestor(ancestor.summary.clone()))
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
