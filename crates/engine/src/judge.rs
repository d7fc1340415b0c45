//! Judging a model on the validation pictures: what it mixes up, and its worst mistakes.

use burn::tensor::{Tensor, TensorData};

use super::predict::PredictError;
use super::runner::Runner;
use heirloom_data::{Loader, LoaderSettings};
use heirloom_nn::device::read;
use heirloom_plan::protocol::{Confusion, Event, JobKind, Judged};
use heirloom_platform::clock::yield_now;
use heirloom_train::host_cross_entropy;

/// Pictures listed in a cell of the matrix.
const LISTED: usize = 24;
/// Mistakes listed.
const WORST: usize = 20;
/// Pictures judged at a time.
const BATCH: usize = 16;

impl Runner {
    pub(super) async fn confusion(&mut self, run: Option<usize>) {
        self.pace.begin(0);
        match self.judge_all(run).await {
            Ok(Some(confusion)) => {
                self.say(Event::Confusion(confusion));
                self.end(JobKind::Evaluate, true);
            }
            Ok(None) => self.end(JobKind::Evaluate, false),
            Err(error) => {
                self.fail(error);
                self.end(JobKind::Evaluate, false);
            }
        }
    }

    /// `None` when it was stopped, or there is nothing to judge.
    async fn judge_all(&mut self, run: Option<usize>) -> Result<Option<Confusion>, PredictError> {
        let namer = match (self.namer(run), &self.pictures.split) {
            (Err(reason), _) => Err(reason),
            (_, None) => Err("there are no pictures to check with; add some, at least two classes with two each"),
            (Ok(namer), Some(split)) if namer.classes != split.classes => {
                Err("the classes of the pictures are not those that this model learned; train a descendant on them")
            }
            (Ok(namer), Some(split)) => Ok((namer, split)),
        };
        let (namer, split) = match namer {
            Ok(both) => both,
            Err(reason) => {
                self.fail(reason);
                return Ok(None);
            }
        };
        let side = namer.model.config().image_size();
        let settings = LoaderSettings {
            image_size: side,
            batch: BATCH,
            normalise: namer.normalise,
            augment: None,
            ..Default::default()
        };
        let mut loader = Loader::new(&self.pictures.set, split, settings)?;
        let device = namer.model.device();
        let (count, batches) = (namer.classes.len(), loader.validation_batches());
        let mut judged = Vec::new();
        for index in 0..batches {
            let batch = loader.validation_batch(index).await?;
            if !batch.labels.is_empty() {
                let shape = [batch.labels.len(), 3, side, side];
                let images = Tensor::<4>::from_data(TensorData::new(batch.pixels, shape), &device);
                let logits = read(namer.model.logits(images, None)).await?;
                let rows = logits.chunks(count).zip(batch.labels.iter().zip(&batch.pictures));
                judged.extend(rows.map(|(row, (&label, &picture))| {
                    judge(row, label as usize, self.pictures.set.pictures()[picture].path.clone())
                }));
            }
            self.progress(JobKind::Evaluate, index + 1, batches, "judging pictures");
            yield_now().await;
            if self.flow().is_break() {
                return Ok(None);
            }
        }
        Ok(Some(sum_up(namer.classes, judged)))
    }
}

/// What a row of logits says of a picture; the lowest class wins a tie.
pub fn judge(logits: &[f32], truth: usize, path: String) -> Judged {
    let said = (0..logits.len()).fold(0, |best, class| if logits[class] > logits[best] { class } else { best });
    let share = |class| (-host_cross_entropy(logits, class)).exp() as f32;
    let loss = host_cross_entropy(logits, truth) as f32;
    Judged { path, truth, said, sure: share(said), truth_share: share(truth), loss }
}

/// Counts the answers and sorts out what is worth looking at.
pub fn sum_up(classes: Vec<String>, mut judged: Vec<Judged>) -> Confusion {
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
