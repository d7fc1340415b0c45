//! Condensing an ancestor to whole layers: a pseudo descendant is trained step by step, then compared with the ancestor
//! batch by batch, so that the page can follow and stop it.

use super::open::Ancestor;
use super::race::RaceBatches;
use super::runner::{Job, Runner};
use heirloom_data::{DataError, Loader, LoaderSettings, Normalise, PictureSet, Split};
use heirloom_learngene::layers::Matching;
use heirloom_learngene::layers::{
    Cka, CkaError, Estimator, LayersError, LayersPlan, Score, WholeLayers, layer_features, layer_names, pseudo_config,
    ranking,
};
use heirloom_learngene::{Descendant, Scratch, StartError, StartingPoint};
use heirloom_nn::model::Model;
use heirloom_plan::protocol::{CondenseReport, CondenseSettings, Event, JobKind, LayerScores, Likeness};
use heirloom_platform::clock::now_ms;
use heirloom_train::{AdamWSettings, Batches, Run, RunSettings, Schedule, TrainError};

/// Pictures compared at a time: their features in every layer lie in memory together.
const PROBED: usize = 4;
/// Steps over which the last training loss is averaged.
const LAST: usize = 10;

/// Condensing, step by step.
pub(super) struct CondenseJob {
    settings: CondenseSettings,
    ancestor: Model,
    pseudo_layers: Vec<String>,
    work: Work,
    training: RaceBatches,
    probe: RaceBatches,
    losses: Vec<f32>,
    started: f64,
}

/// The way to a similarity.
enum Work {
    /// Training first, then comparing.
    Cka(Box<Run<Descendant>>, Cka),
    /// Both in turns.
    Learned(Box<Matching>),
}

/// Why condensing broke off.
#[derive(Debug, thiserror::Error)]
enum CondenseError {
    #[error("no ancestor is open yet; open a checkpoint first")]
    NoAncestor,
    #[error("there are too few pictures; at least two classes with two pictures each are needed")]
    NoPictures,
    #[error("there is no class `{0}` among the pictures; choose among those there are")]
    NoClass(String),
    #[error("the pseudo descendant needs at least one step and two classes to learn; choose more")]
    Nothing,
    #[error(transparent)]
    Layers(#[from] LayersError),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Data(#[from] DataError),
    #[error(transparent)]
    Train(#[from] TrainError),
    #[error(transparent)]
    Cka(#[from] CkaError),
}

impl Runner {
    pub(super) async fn condense(&mut self, settings: CondenseSettings) {
        if self.job.is_some() {
            return self.fail("another job is running; stop it first");
        }
        match self.prepare_condensing(settings).await {
            Ok(job) => {
                self.pace.begin(0);
                self.job = Some(Job::Condense(Box::new(job)));
            }
            Err(error) => self.fail(error),
        }
    }

    async fn prepare_condensing(&self, settings: CondenseSettings) -> Result<CondenseJob, CondenseError> {
        let ancestor = self.ancestor.as_ref().ok_or(CondenseError::NoAncestor)?;
        let split = self.pictures.split.as_ref().ok_or(CondenseError::NoPictures)?;
        let slice = slice(split, &settings)?;
        if settings.steps == 0 || slice.classes.len() < 2 {
            return Err(CondenseError::Nothing);
        }
        let classes = slice.classes.len();
        let config = pseudo_config(&ancestor.model.config(), settings.layers, classes, settings.image_size)?;
        let pseudo_layers = layer_names(&config);
        let pseudo = Scratch { config, device: ancestor.model.device() }.start(settings.seed).await?;
        let batches = |split: &Split, batch| batches(&self.pictures.set, split, &settings, ancestor.normalise, batch);
        let training = batches(&slice, settings.batch.max(1))?;
        let mut probe = batches(&probe(split, settings.probe.max(1)), PROBED)?;
        let ancestor = at_size(ancestor, settings.image_size).await?;
        let work = match settings.likeness {
            Likeness::Cka => {
                let run = Run::new(pseudo, run_settings(&settings));
                Work::Cka(Box::new(run), Cka::new(Estimator::Unbiased))
            }
            Likeness::Learned => {
                let images = probe.validation(0).await?.images(&ancestor.device())?;
                Work::Learned(Box::new(Matching::new(ancestor.clone(), pseudo, run_settings(&settings), &images)))
            }
        };
        let (losses, started) = (Vec::new(), now_ms());
        Ok(CondenseJob { settings, ancestor, pseudo_layers, work, training, probe, losses, started })
    }

    pub(super) async fn condense_next(&mut self, mut job: Box<CondenseJob>) -> bool {
        let moved = job.advance().await;
        let (done, total) = job.progress();
        match moved {
            Ok(()) if done < total => {
                let note =
                    if done <= job.settings.steps { "training the pseudo descendant" } else { "comparing layers" };
                self.progress(JobKind::Condense, done, total, note);
                self.job = Some(Job::Condense(job));
            }
            Ok(()) => {
                let report = job.report();
                self.condensed = Some(report.clone());
                self.say(Event::Condensed(report));
                self.end(JobKind::Condense, true);
            }
            Err(error) => {
                self.fail(error);
                self.end(JobKind::Condense, false);
            }
        }
        true
    }
}

impl CondenseJob {
    /// Steps and batches done, and in all.
    fn progress(&self) -> (usize, usize) {
        match &self.work {
            Work::Cka(run, cka) => {
                (run.steps_taken() + cka.batches(), self.settings.steps + self.probe.validation_batches())
            }
            Work::Learned(matching) => (matching.steps_taken(), self.settings.steps),
        }
    }

    async fn advance(&mut self) -> Result<(), CondenseError> {
        let device = self.ancestor.device();
        let training = device.clone().autodiff();
        let seed = self.settings.seed;
        match &mut self.work {
            Work::Cka(run, _) if run.steps_taken() < self.settings.steps => {
                let batch = self.training.training(seed, run.steps_taken()).await?;
                let stepped = run.step(batch.images(&training)?, batch.targets(&training)).await?;
                self.losses.push(stepped.loss);
            }
            Work::Cka(run, cka) => {
                let batch = self.probe.validation(cka.batches()).await?;
                let pseudo = run.model()?.assembled();
                let mut features = layer_features(&[&self.ancestor, &pseudo], &batch.images(&device)?).into_iter();
                let (ancestor, pseudo) = (features.next().unwrap_or_default(), features.next().unwrap_or_default());
                cka.add(&ancestor, &pseudo).await?;
            }
            Work::Learned(matching) => {
                let (step, held_out) = (matching.steps_taken(), self.probe.validation_batches().max(1));
                let batch = self.training.training(seed, step).await?;
                self.losses.push(matching.learn(batch.images(&training)?, batch.targets(&training)).await?);
                let unseen = self.probe.validation(step % held_out).await?;
                matching.weigh(unseen.images(&device)?).await?;
            }
        }
        Ok(())
    }

    fn report(&self) -> CondenseReport {
        let similarity = match &self.work {
            Work::Cka(_, cka) => cka.similarity(),
            Work::Learned(matching) => matching.weights().to_vec(),
        };
        let scores = |score: Score| {
            let scores = score.of(&similarity);
            LayerScores { order: ranking(&scores), scores: scores.into_iter().map(|score| score as f32).collect() }
        };
        let last = &self.losses[self.losses.len().saturating_sub(LAST)..];
        CondenseReport {
            ancestor_layers: layer_names(&self.ancestor.config()),
            pseudo_layers: self.pseudo_layers.clone(),
            similarity: similarity.iter().map(|row| row.iter().map(|&value| value as f32).collect()).collect(),
            mean: scores(Score::Mean),
            max: scores(Score::Max),
            losses: [
                self.losses.first().copied().unwrap_or_default(),
                last.iter().sum::<f32>() / last.len().max(1) as f32,
            ],
            pictures: self.probe.pictures(),
            seconds: (now_ms() - self.started) / 1e3,
            settings: self.settings.clone(),
        }
    }
}

/// The ancestor for pictures of this size.
async fn at_size(ancestor: &Ancestor, image_size: usize) -> Result<Model, CondenseError> {
    let config = ancestor.model.config();
    if config.image_size() == image_size {
        return Ok(ancestor.model.clone());
    }
    let plan = LayersPlan::whole(layer_names(&config).len());
    let whole = WholeLayers::new(ancestor.model.clone(), plan, 1, image_size)?;
    Ok(whole.start(1).await?.fold())
}

/// How the pseudo descendant is trained: briefly.
fn run_settings(settings: &CondenseSettings) -> RunSettings {
    let CondenseSettings { steps, lr, seed, .. } = *settings;
    RunSettings {
        schedule: Schedule { peak: lr, floor: 0.0, warmup_steps: steps / 10, steps },
        adamw: AdamWSettings::default(),
        label_smoothing: 0.1,
        drop_path: 0.0,
        freeze_steps: 0,
        seed,
    }
}

fn batches(
    set: &PictureSet,
    split: &Split,
    settings: &CondenseSettings,
    normalise: Normalise,
    batch: usize,
) -> Result<RaceBatches, DataError> {
    let image_size = settings.image_size;
    let settings = LoaderSettings { image_size, batch, normalise, seed: settings.seed, ..LoaderSettings::default() };
    Ok(RaceBatches::new(Loader::new(set, split, settings)?))
}

/// What the pseudo descendant learns: some classes, and of each the first pictures of a spread.
fn slice(split: &Split, settings: &CondenseSettings) -> Result<Split, CondenseError> {
    let place = |class: &String| {
        split.classes.iter().position(|own| own == class).ok_or_else(|| CondenseError::NoClass(class.clone()))
    };
    let mut labels: Vec<usize> = settings.classes.iter().map(place).collect::<Result<_, _>>()?;
    if labels.is_empty() {
        labels = (0..split.classes.len()).collect();
    }
    labels.sort_unstable();
    labels.dedup();
    let mut train = Vec::new();
    for (new, label) in labels.iter().enumerate() {
        let of_class: Vec<_> = split.train.iter().filter(|one| one.label == *label).collect();
        let count = (of_class.len() as f64 * settings.share.clamp(0.0, 1.0)).ceil().max(1.0) as usize;
        train.extend(of_class.into_iter().take(count).map(|one| heirloom_data::Labelled { label: new, ..*one }));
    }
    let classes = labels.iter().map(|label| split.classes[*label].clone()).collect();
    Ok(Split { classes, train, ..Split::default() })
}

/// Pictures to compare on, those to judge on first: the pseudo descendant has not learned them.
fn probe(split: &Split, count: usize) -> Split {
    let unseen = Split { train: split.validation.clone(), ..split.clone() }.spread(count);
    let seen = split.spread(count - unseen.len());
    let validation = unseen.into_iter().chain(seen).collect();
    // A loader wants something to train on; it is never asked for it.
    Split { classes: split.classes.clone(), train: split.train.clone(), validation, ..Split::default() }
}
