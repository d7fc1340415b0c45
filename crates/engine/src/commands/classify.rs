//! Classifying pictures with a trained descendant, or with an ancestor that has a classifier.

use burn::tensor::activation::softmax;
use burn::tensor::{Tensor, TensorData};

use super::pixels;
use crate::emitter::Emitter;
use crate::error::EngineError;
use crate::workspace::Workspace;
use heirloom_data::{DataError, Normalise, Source, evaluation_and_thumbnail, evaluation_picture, open};
use heirloom_nn::device::read;
use heirloom_nn::model::Model;
use heirloom_plan::protocol::{Event, JobKind, PictureAt, Prediction};
use heirloom_platform::clock::yield_now;
use heirloom_platform::file::FileHandle;
use heirloom_platform::image::RgbImage8;

/// Side of the shown picture, px.
const SHOWN: usize = 160;

/// A model that classifies pictures, and what it needs for that.
pub struct Classifier {
    pub model: Model,
    pub classes: Vec<String>,
    pub normalise: Normalise,
}

impl Classifier {
    /// The model of a run, or the ancestor itself; otherwise says why there is none.
    pub fn of_run(workspace: &Workspace, run: Option<usize>) -> Result<Self, EngineError> {
        if let Some(run) = run {
            let trained = workspace.trained(run)?;
            let (model, classes) = (trained.model.clone(), trained.classes.clone());
            return Ok(Self { model, classes, normalise: trained.normalise });
        }
        let ancestor = workspace.ancestor()?;
        let count = ancestor.model.config().classes().ok_or(EngineError::NoClassifier)?;
        let numbered = || (1..=count).map(|class| format!("class {class}")).collect();
        let classes = ancestor.labels.clone().unwrap_or_else(numbered);
        Ok(Self { model: ancestor.model.clone(), classes, normalise: ancestor.normalise })
    }

    /// A picture as the model takes it, `[1, 3, side, side]`.
    pub async fn image(&self, path: &str, source: &Source) -> Result<(RgbImage8, Tensor<4>), DataError> {
        let side = self.model.config().image_size();
        let picture = evaluation_picture(path, source, side).await?;
        let image = self.tensor(&picture);
        Ok((picture, image))
    }

    fn tensor(&self, picture: &RgbImage8) -> Tensor<4> {
        let side = self.model.config().image_size();
        let data = TensorData::new(pixels(picture, &self.normalise), [1, 3, side, side]);
        Tensor::from_data(data, &self.model.device())
    }

    async fn classify(&self, path: &str, source: &Source, at: PictureAt) -> Result<Prediction, EngineError> {
        let side = self.model.config().image_size();
        let (picture, thumbnail) = evaluation_and_thumbnail(path, source, side, SHOWN).await?;
        self.say(path, self.tensor(&picture), at, Some(thumbnail)).await
    }

    async fn classify_file(&self, file: &FileHandle, at: PictureAt) -> Result<Prediction, EngineError> {
        self.classify(file.path(), &open(file).await?, at).await
    }

    async fn glance(&self, file: &FileHandle) -> Result<Prediction, EngineError> {
        let (_, image) = self.image(file.path(), &open(file).await?).await?;
        self.say(file.path(), image, PictureAt::Glanced, None).await
    }

    async fn say(
        &self,
        path: &str,
        image: Tensor<4>,
        picture: PictureAt,
        thumbnail: Option<String>,
    ) -> Result<Prediction, EngineError> {
        let shares = read(softmax(self.model.logits(image, None), 1)).await?;
        let mut classes: Vec<_> = self.classes.iter().cloned().zip(shares).collect();
        classes.sort_by(|a, b| b.1.total_cmp(&a.1));
        let name = path.rsplit('/').next().unwrap_or(path).to_owned();
        Ok(Prediction { name, picture, thumbnail, classes, truth: None })
    }
}

/// Classifies files that were handed over, which stay there to be looked at more closely.
pub async fn classify_files(workspace: &mut Workspace, emitter: &Emitter, run: Option<usize>, files: Vec<FileHandle>) {
    emitter.pace().begin(0);
    let Some(classifier) = emitter.notify_failure(Classifier::of_run(workspace, run)) else {
        return emitter.ended(JobKind::Evaluate, false);
    };
    workspace.classified.files = files;
    let files = &workspace.classified.files;
    for (done, file) in files.iter().enumerate() {
        emitter.answer(classifier.classify_file(file, PictureAt::Named(done)).await.map(Event::Prediction));
        if has_stopped(emitter, done + 1, files.len()).await {
            return emitter.ended(JobKind::Evaluate, false);
        }
    }
    emitter.ended(JobKind::Evaluate, true);
}

/// Classifies some of the validation pictures, as if they had been handed over.
pub async fn classify_validation(workspace: &Workspace, emitter: &Emitter, run: Option<usize>, chosen: [usize; 2]) {
    emitter.pace().begin(0);
    let finished = emitter.notify_failure(try_validation(workspace, emitter, run, chosen).await);
    emitter.ended(JobKind::Evaluate, finished == Some(true));
}

/// Whether it came to the end.
async fn try_validation(
    workspace: &Workspace,
    emitter: &Emitter,
    run: Option<usize>,
    [skip, count]: [usize; 2],
) -> Result<bool, EngineError> {
    let classifier = Classifier::of_run(workspace, run)?;
    let split = workspace.dataset.split.as_ref().ok_or(EngineError::NothingToCheckWith)?;
    let chosen = split.spread_validation(skip, count);
    for (done, one) in chosen.iter().enumerate() {
        let picture = &workspace.dataset.set.pictures()[one.picture];
        let (path, truth) = (&picture.path, Some(split.classes[one.label].clone()));
        let said = classifier.classify(path, &picture.source, PictureAt::Path(path.clone())).await;
        emitter.answer(said.map(|said| Event::Prediction(Prediction { truth, ..said })));
        if has_stopped(emitter, done + 1, chosen.len()).await {
            return Ok(false);
        }
    }
    Ok(true)
}

/// After each picture: tells how far it is, lets messages in, and asks whether to break off.
async fn has_stopped(emitter: &Emitter, done: usize, total: usize) -> bool {
    emitter.progress(JobKind::Evaluate, done, total, "naming pictures");
    yield_now().await;
    emitter.flow().is_break()
}

/// Classifies a camera's frame or a drawing; answers in any case, so that the page may send the next.
pub async fn classify_frame(workspace: &mut Workspace, emitter: &Emitter, run: Option<usize>, files: Vec<FileHandle>) {
    let classifier = emitter.notify_failure(Classifier::of_run(workspace, run));
    let mut prediction = None;
    if let (Some(classifier), Some(file)) = (classifier, files.into_iter().next()) {
        prediction = emitter.notify_failure(classifier.glance(&file).await);
        workspace.classified.frame = Some(file);
    }
    emitter.emit(Event::Glance(prediction));
}
