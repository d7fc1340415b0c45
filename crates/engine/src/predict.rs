//! Naming pictures with a trained descendant, or with an ancestor that has a classifier.

use burn::tensor::activation::softmax;
use burn::tensor::{Tensor, TensorData};

use super::heads::pixels;
use super::runner::Runner;
use heirloom_data::{DataError, Normalise, Source, evaluation_picture, open, thumbnail};
use heirloom_nn::device::{ReadError, read};
use heirloom_nn::model::Model;
use heirloom_plan::protocol::{Event, JobKind, PictureAt, Prediction};
use heirloom_platform::clock::yield_now;
use heirloom_platform::file::FileHandle;

/// Side of the shown picture, px.
const SHOWN: usize = 160;

/// Why a picture was not named.
#[derive(Debug, thiserror::Error)]
pub(super) enum PredictError {
    #[error(transparent)]
    Data(#[from] DataError),
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// A model that names pictures, and what it needs for that.
pub(super) struct Namer {
    pub model: Model,
    pub classes: Vec<String>,
    pub normalise: Normalise,
}

/// The files that were named last, so that they can be looked at more closely.
#[derive(Default)]
pub(super) struct Named {
    pub files: Vec<FileHandle>,
    pub glanced: Option<FileHandle>,
}

impl Runner {
    /// The model of a run, or the ancestor itself; otherwise says why there is none.
    pub(super) fn namer(&self, run: Option<usize>) -> Result<Namer, &'static str> {
        match run {
            Some(run) => {
                let trained = self.trained.get(run).and_then(Option::as_ref);
                let trained = trained.ok_or("there is no trained descendant yet; train one first")?;
                let (model, classes) = (trained.model.clone(), trained.classes.clone());
                Ok(Namer { model, classes, normalise: trained.normalise })
            }
            None => {
                let ancestor = self.ancestor.as_ref().ok_or("no ancestor is open yet; open a checkpoint first")?;
                let count = ancestor.model.config().classes();
                let count =
                    count.ok_or("this ancestor has no classifier, so it cannot name pictures; train a descendant")?;
                let numbered = || (1..=count).map(|class| format!("class {class}")).collect();
                let classes = ancestor.labels.clone().unwrap_or_else(numbered);
                Ok(Namer { model: ancestor.model.clone(), classes, normalise: ancestor.normalise })
            }
        }
    }

    pub(super) async fn predict(&mut self, run: Option<usize>, files: Vec<FileHandle>) {
        self.pace.begin(0);
        let namer = match self.namer(run) {
            Ok(namer) => namer,
            Err(reason) => {
                self.fail(reason);
                return self.end(JobKind::Evaluate, false);
            }
        };
        self.named.files = files;
        let total = self.named.files.len();
        for done in 0..total {
            match name_file(&namer, &self.named.files[done], PictureAt::Named(done)).await {
                Ok(prediction) => self.say(Event::Prediction(prediction)),
                Err(error) => self.fail(error),
            }
            self.progress(JobKind::Evaluate, done + 1, total, "naming pictures");
            yield_now().await;
            if self.flow().is_break() {
                return self.end(JobKind::Evaluate, false);
            }
        }
        self.end(JobKind::Evaluate, true);
    }

    pub(super) async fn predict_validation(&mut self, run: Option<usize>, skip: usize, count: usize) {
        self.pace.begin(0);
        let finished = match self.name_validation(run, skip, count).await {
            Ok(finished) => finished,
            Err(reason) => {
                self.fail(reason);
                false
            }
        };
        self.end(JobKind::Evaluate, finished);
    }

    /// Whether it came to the end.
    async fn name_validation(&mut self, run: Option<usize>, skip: usize, count: usize) -> Result<bool, String> {
        let namer = self.namer(run)?;
        let split = self.pictures.split.as_ref();
        let split = split.ok_or("there are no pictures to check with; add some, at least two classes with two each")?;
        let chosen = split.spread_validation(skip, count).into_iter();
        let chosen: Vec<_> = chosen.map(|one| (one.picture, split.classes[one.label].clone())).collect();
        for (done, (index, truth)) in chosen.iter().enumerate() {
            let picture = &self.pictures.set.pictures()[*index];
            let (path, source) = (picture.path.clone(), picture.source.clone());
            let at = PictureAt::Path(path.clone());
            match name(&namer, &path, &source, at).await {
                Ok(said) => self.say(Event::Prediction(Prediction { truth: Some(truth.clone()), ..said })),
                Err(error) => self.fail(error),
            }
            self.progress(JobKind::Evaluate, done + 1, chosen.len(), "naming pictures");
            yield_now().await;
            if self.flow().is_break() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    pub(super) async fn glance(&mut self, run: Option<usize>, files: Vec<FileHandle>) {
        let prediction = match (self.namer(run), files.into_iter().next()) {
            (Ok(namer), Some(file)) => {
                let prediction = name_file(&namer, &file, PictureAt::Glanced).await;
                self.named.glanced = Some(file);
                prediction.map_err(|error| self.fail(error)).ok()
            }
            (Err(reason), _) => {
                self.fail(reason);
                None
            }
            (Ok(_), None) => None,
        };
        self.say(Event::Glance(prediction));
    }
}

async fn name_file(namer: &Namer, file: &FileHandle, picture: PictureAt) -> Result<Prediction, PredictError> {
    name(namer, file.path(), &open(file).await?, picture).await
}

async fn name(namer: &Namer, path: &str, source: &Source, picture: PictureAt) -> Result<Prediction, PredictError> {
    let side = namer.model.config().image_size();
    let image = evaluation_picture(path, source, side).await?;
    let device = namer.model.device();
    let data = TensorData::new(pixels(&image, &namer.normalise), [1, 3, side, side]);
    let logits = namer.model.logits(Tensor::from_data(data, &device), None);
    let shares = read(softmax(logits, 1)).await?;
    let mut classes: Vec<_> = namer.classes.iter().cloned().zip(shares).collect();
    classes.sort_by(|a, b| b.1.total_cmp(&a.1));
    let thumbnail = thumbnail(path, source, SHOWN).await?;
    let name = path.rsplit('/').next().unwrap_or(path).to_owned();
    Ok(Prediction { name, picture, thumbnail, classes, truth: None })
}
