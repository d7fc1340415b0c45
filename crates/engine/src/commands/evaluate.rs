//! Evaluating a model on the validation pictures: what it mixes up, and its worst mistakes.

use burn::tensor::{Tensor, TensorData};

use super::classify::Classifier;
use crate::emitter::Emitter;
use crate::error::EngineError;
use crate::workspace::Workspace;
use heirloom_data::{Loader, LoaderSettings};
use heirloom_nn::device::read;
use heirloom_plan::protocol::{Confusion, Event, JobKind, Judged};
use heirloom_platform::clock::yield_now;
use heirloom_train::host_cross_entropy;

/// Pictures listed in a cell of the matrix.
const LISTED: usize = 24;
/// Mistakes listed.
const WORST: usize = 20;
/// Pictures evaluated at a time.
const BATCH: usize = 16;

/// Counts what a model mixes up among the validation pictures.
pub async fn evaluate_validation(workspace: &Workspace, emitter: &Emitter, run: Option<usize>) {
    emitter.pace().begin(0);
    let confusion = emitter.notify_failure(evaluate_run(workspace, emitter, run).await).flatten();
    let finished = confusion.is_some();
    if let Some(confusion) = confusion {
        emitter.emit(Event::Confusion(confusion));
    }
    emitter.ended(JobKind::Evaluate, finished);
}

/// What a model mixes up among the validation pictures; `None` when it was stopped.
///
/// # Errors
/// When there is no such model, no pictures to check with, or they are of other classes.
pub async fn evaluate_run(
    workspace: &Workspace,
    emitter: &Emitter,
    run: Option<usize>,
) -> Result<Option<Confusion>, EngineError> {
    let Classifier { model, classes, normalise } = Classifier::of_run(workspace, run)?;
    let set = &workspace.dataset.set;
    let split = workspace.dataset.split.as_ref().ok_or(EngineError::NothingToCheckWith)?;
    if classes != split.classes {
        return Err(EngineError::OtherClasses);
    }
    let side = model.config().image_size();
    let settings = LoaderSettings { image_size: side, batch: BATCH, normalise, augment: None, ..Default::default() };
    let mut loader = Loader::new(set, split, settings)?;
    let batches = loader.validation_batches();
    let mut judged = Vec::new();
    for index in 0..batches {
        let batch = loader.validation_batch(index).await?;
        if !batch.labels.is_empty() {
            let shape = [batch.labels.len(), 3, side, side];
            let images = Tensor::<4>::from_data(TensorData::new(batch.pixels, shape), &model.device());
            let logits = read(model.logits(images, None)).await?;
            let rows = logits.chunks(classes.len()).zip(batch.labels.iter().zip(&batch.pictures));
            judged.extend(
                rows.map(|(row, (&label, &picture))| {
                    evaluate(row, label as usize, set.pictures()[picture].path.clone())
                }),
            );
        }
        emitter.progress(JobKind::Evaluate, index + 1, batches, "judging pictures");
        yield_now().await;
        if emitter.flow().is_break() {
            return Ok(None);
        }
    }
    Ok(Some(confusion(classes, judged)))
}

/// What a row of logits says of a picture; the lowest class wins a tie.
pub fn evaluate(logits: &[f32], truth: usize, path: String) -> Judged {
    let said = (0..logits.len()).fold(0, |best, class| if logits[class] > logits[best] { class } else { best });
    let share = |class| (-host_cross_entropy(logits, class)).exp() as f32;
    let loss = host_cross_entropy(logits, truth) as f32;
    Judged { path, truth, said, sure: share(said), truth_share: share(truth), loss }
}

/// Counts the answers and sorts out what is worth looking at.
pub fn confusion(classes: Vec<String>, mut judged: Vec<Judged>) -> Confusion {
    // By path where two are alike, so that the order never depends on that of the batches.
    judged.sort_by(|a, b| b.loss.total_cmp(&a.loss).then_with(|| a.path.cmp(&b.path)));
    let worst = judged.iter().filter(|one| one.said != one.truth).take(WORST).cloned().collect();
    let count = classes.len();
    let mut counts = vec![vec![0; count]; count];
    let mut pictures = vec![vec![Vec::new(); count]; count];
    for one in judged {
        counts[one.truth][one.said] += 1;
        pictures[one.truth][one.said].push(one);
    }
    for (truth, row) in pictures.iter_mut().enumerate() {
        for (said, cell) in row.iter_mut().enumerate() {
            // Right answers already stand with the least sure first: that is the largest loss.
            if said != truth {
                cell.sort_by(|a: &Judged, b: &Judged| b.sure.total_cmp(&a.sure).then_with(|| a.path.cmp(&b.path)));
            }
            cell.truncate(LISTED);
        }
    }
    Confusion { classes, counts, pictures, worst }
}
