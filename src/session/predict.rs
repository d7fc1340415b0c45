//! Trying a trained descendant on new pictures, and on those it was judged by.

use burn::tensor::activation::softmax;
use burn::tensor::{Tensor, TensorData};

use super::heads::pixels;
use super::protocol::{Confusion, Event, JobKind, Prediction};
use super::race::Trained;
use super::runner::Runner;
use crate::data::{DataError, Loader, LoaderSettings, evaluation_picture, open, thumbnail};
use crate::device::{ReadError, read};
use crate::platform::clock::yield_now;
use crate::platform::file::FileHandle;

/// Side of the shown picture, px.
const SHOWN: usize = 160;
/// Paths listed in a cell of the matrix.
const LISTED: usize = 24;
/// Pictures judged at a time.
const BATCH: usize = 16;

/// Why a picture was not named.
#[derive(Debug, thiserror::Error)]
enum PredictError {
    #[error(transparent)]
    Data(#[from] DataError),
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl Runner {
    pub(super) async fn predict(&mut self, run: usize, files: &[FileHandle]) {
        self.pace.begin(0);
        for (done, file) in files.iter().enumerate() {
            let Some(Some(trained)) = self.trained.get(run) else {
                self.fail("there is no trained descendant yet; train one first");
                return self.end(JobKind::Evaluate, false);
            };
            match name(trained, file).await {
                Ok(prediction) => self.say(Event::Prediction(prediction)),
                Err(error) => self.fail(error),
            }
            self.progress(JobKind::Evaluate, done + 1, files.len(), "naming pictures");
            yield_now().await;
            if self.flow().is_break() {
                return self.end(JobKind::Evaluate, false);
            }
        }
        self.end(JobKind::Evaluate, true);
    }

    pub(super) async fn confusion(&mut self, run: usize) {
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
    async fn judge_all(&mut self, run: usize) -> Result<Option<Confusion>, PredictError> {
        let (Some(Some(trained)), Some(split)) = (self.trained.get(run), &self.pictures.split) else {
            self.fail("there is no trained descendant yet; train one first");
            return Ok(None);
        };
        if trained.classes != split.classes {
            self.fail("the classes have changed since this descendant was trained; train it again");
            return Ok(None);
        }
        let (model, classes) = (trained.model.clone(), trained.classes.clone());
        let side = model.config().image_size();
        let settings = LoaderSettings {
            image_size: side,
            batch: BATCH,
            normalise: trained.normalise,
            augment: None,
            ..Default::default()
        };
        let mut loader = Loader::new(&self.pictures.set, split, settings)?;
        let device = model.device();
        let (count, batches) = (classes.len(), loader.validation_batches());
        let mut confusion =
            Confusion { classes, counts: vec![vec![0; count]; count], pictures: vec![vec![Vec::new(); count]; count] };
        for index in 0..batches {
            let batch = loader.validation_batch(index).await?;
            if batch.labels.is_empty() {
                continue;
            }
            let shape = [batch.labels.len(), 3, side, side];
            let images = Tensor::<4>::from_data(TensorData::new(batch.pixels, shape), &device);
            let logits = read(model.logits(images, None)).await?;
            for ((row, &label), &picture) in logits.chunks(count).zip(&batch.labels).zip(&batch.pictures) {
                let predicted = (0..count).fold(0, |best, class| if row[class] > row[best] { class } else { best });
                confusion.counts[label as usize][predicted] += 1;
                let cell = &mut confusion.pictures[label as usize][predicted];
                if cell.len() < LISTED {
                    cell.push(self.pictures.set.pictures()[picture].path.clone());
                }
            }
            self.progress(JobKind::Evaluate, index + 1, batches, "judging pictures");
            yield_now().await;
            if self.flow().is_break() {
                return Ok(None);
            }
        }
        Ok(Some(confusion))
    }
}

async fn name(trained: &Trained, file: &FileHandle) -> Result<Prediction, PredictError> {
    let source = open(file).await?;
    let side = trained.model.config().image_size();
    let image = evaluation_picture(file.path(), &source, side).await?;
    let device = trained.model.device();
    let data = TensorData::new(pixels(&image, &trained.normalise), [1, 3, side, side]);
    let logits = trained.model.logits(Tensor::from_data(data, &device), None);
    let shares = read(softmax(logits, 1)).await?;
    let mut classes: Vec<_> = trained.classes.iter().cloned().zip(shares).collect();
    classes.sort_by(|a, b| b.1.total_cmp(&a.1));
    let thumbnail = thumbnail(file.path(), &source, SHOWN).await?;
    Ok(Prediction { name: file.name().to_string(), thumbnail, classes })
}
