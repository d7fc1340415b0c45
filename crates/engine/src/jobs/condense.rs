//! Condensing an ancestor to whole layers: a pseudo descendant is trained step by step, then compared with the ancestor
//! batch by batch, so that the page can follow and stop it.

use futures::FutureExt;
use futures::future::LocalBoxFuture;

use super::job::{Job, Making, Step, making};
use crate::batches::RaceBatches;
use crate::emitter::Emitter;
use crate::error::EngineError;
use crate::workspace::{Ancestor, Workspace};
use heirloom_data::{DataError, Labelled, Loader, LoaderSettings, Normalise, PictureSet, Split};
use heirloom_learngene::layers::{
    Cka, Estimator, Influence, LayersPlan, Matching, Score, WholeLayers, layer_features, layer_names, pseudo_config,
    ranking,
};
use heirloom_learngene::{Descendant, Initializer, Scratch};
use heirloom_nn::model::Model;
use heirloom_plan::protocol::{Command, CondenseReport, CondenseSettings, Event, JobKind, LayerScores, Likeness};
use heirloom_platform::clock::now_ms;
use heirloom_train::{AdamWSettings, Batches, Run, RunSettings, Schedule};

/// Pictures compared at a time: their features in every layer lie in memory together.
const PROBED: usize = 4;
/// Steps over which the last training loss is averaged.
const LAST: usize = 10;

/// Condensing, step by step.
struct CondenseJob {
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
    /// Only looking.
    Influence(Influence),
}

/// On [`Command::Condense`].
pub fn start<'a>(command: &'a Command, workspace: &'a mut Workspace) -> Making<'a> {
    let Command::Condense(settings) = command else { return None };
    making(CondenseJob::new(settings.clone(), workspace))
}

impl Job for CondenseJob {
    fn kind(&self) -> JobKind {
        JobKind::Condense
    }

    fn advance<'a>(&'a mut self, workspace: &'a mut Workspace, emitter: &'a Emitter) -> LocalBoxFuture<'a, Step> {
        async move {
            if let Err(error) = self.learn_or_compare().await {
                emitter.notify_error(error);
                return Step::Ended { is_finished: false };
            }
            let (done, total) = self.progress();
            if done < total {
                let is_training = self.training_steps() > 0 && done <= self.settings.steps;
                let note = if is_training { "training the pseudo descendant" } else { "comparing layers" };
                emitter.progress(JobKind::Condense, done, total, note);
                return Step::Worked;
            }
            let report = self.report();
            workspace.condensed = Some(report.clone());
            emitter.emit(Event::Condensed(report));
            Step::Ended { is_finished: true }
        }
        .boxed_local()
    }
}

impl CondenseJob {
    async fn new(settings: CondenseSettings, workspace: &Workspace) -> Result<Self, EngineError> {
        let (ancestor, split) = (workspace.ancestor()?, workspace.split()?);
        let mut slice = slice(split, &settings)?;
        if settings.likeness == Likeness::Influence {
            return Self::looking(settings, workspace, split).await;
        }
        if settings.steps == 0 || slice.classes.len() < 2 {
            return Err(EngineError::NothingToLearn);
        }
        // Weights are moved by pictures of the classes that are learned, which it has not seen.
        let held_out = std::mem::take(&mut slice.validation);
        let config =
            pseudo_config(&ancestor.model.config(), settings.layers, slice.classes.len(), settings.image_size)?;
        let pseudo_layers = layer_names(&config);
        let pseudo = Scratch { config, device: ancestor.model.device() }.start(settings.seed).await?;
        let batches =
            |split: &Split, batch| batches(&workspace.dataset.set, split, &settings, ancestor.normalise, batch);
        let training = batches(&slice, settings.batch.max(1))?;
        let mut probe = match settings.likeness {
            Likeness::Learned => {
                let validation = if held_out.is_empty() { slice.train.clone() } else { held_out };
                let held_out = Split { train: validation, ..slice.clone() };
                batches(&Split { validation: held_out.spread(settings.probe.max(2)), ..slice }, settings.batch.max(2))?
            }
            _ => batches(&probe(split, settings.probe.max(1)), PROBED)?,
        };
        let ancestor = at_size(ancestor, settings.image_size).await?;
        let work = match settings.likeness {
            Likeness::Cka | Likeness::Influence => {
                let run = Run::new(pseudo, run_settings(&settings));
                Work::Cka(Box::new(run), Cka::new(Estimator::Unbiased))
            }
            Likeness::Learned => {
                let images = probe.validation(0).await?.images(&ancestor.device())?;
                Work::Learned(Box::new(Matching::new(ancestor.clone(), pseudo, run_settings(&settings), &images)))
            }
        };
        let (losses, started) = (Vec::new(), now_ms());
        Ok(Self { settings, ancestor, pseudo_layers, work, training, probe, losses, started })
    }

    /// Nothing is trained: the ancestor alone is looked at.
    async fn looking(settings: CondenseSettings, workspace: &Workspace, split: &Split) -> Result<Self, EngineError> {
        let ancestor = workspace.ancestor()?;
        if ancestor.model.vit().is_none() {
            return Err(EngineError::NoInfluence);
        }
        let set = &workspace.dataset.set;
        let probe = batches(set, &probe(split, settings.probe.max(1)), &settings, ancestor.normalise, PROBED)?;
        let training = batches(set, split, &settings, ancestor.normalise, 1)?;
        Ok(Self {
            ancestor: at_size(ancestor, settings.image_size).await?,
            pseudo_layers: vec!["influence".to_owned()],
            work: Work::Influence(Influence::default()),
            settings,
            training,
            probe,
            losses: Vec::new(),
            started: now_ms(),
        })
    }

    /// Steps and batches done, and in all.
    fn progress(&self) -> (usize, usize) {
        match &self.work {
            Work::Cka(run, cka) => {
                (run.steps_taken() + cka.batches(), self.settings.steps + self.probe.validation_batches())
            }
            Work::Learned(matching) => (matching.steps_taken(), self.settings.steps),
            Work::Influence(influence) => (influence.batches(), self.probe.validation_batches()),
        }
    }

    /// Steps of the pseudo descendant, if there is one.
    fn training_steps(&self) -> usize {
        if matches!(self.work, Work::Influence(_)) { 0 } else { self.settings.steps }
    }

    async fn learn_or_compare(&mut self) -> Result<(), EngineError> {
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
                matching.weigh(unseen.images(&training)?, unseen.targets(&training)).await?;
            }
            Work::Influence(influence) => {
                let batch = self.probe.validation(influence.batches()).await?;
                let vit = self.ancestor.vit().ok_or(EngineError::NoInfluence)?;
                influence.add(vit, batch.images(&device)?).await?;
            }
        }
        Ok(())
    }

    fn report(&self) -> CondenseReport {
        let similarity = match &self.work {
            Work::Cka(_, cka) => cka.similarity(),
            Work::Learned(matching) => matching.weights().to_vec(),
            Work::Influence(influence) => influence.similarity(),
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
async fn at_size(ancestor: &Ancestor, image_size: usize) -> Result<Model, EngineError> {
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
        lr_scales: Vec::new(),
        fresh_lr: None,
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

/// What the pseudo descendant learns: some classes, and of each the first pictures of a spread; and all pictures to judge
/// on of these classes.
fn slice(split: &Split, settings: &CondenseSettings) -> Result<Split, EngineError> {
    let place = |class: &String| {
        split.classes.iter().position(|own| own == class).ok_or_else(|| EngineError::NoClass(class.clone()))
    };
    let mut labels: Vec<usize> = settings.classes.iter().map(place).collect::<Result<_, _>>()?;
    if labels.is_empty() {
        labels = (0..split.classes.len()).collect();
    }
    labels.sort_unstable();
    labels.dedup();
    let (mut train, mut validation) = (Vec::new(), Vec::new());
    for (new, label) in labels.iter().enumerate() {
        let of_class: Vec<_> = split.train.iter().filter(|one| one.label == *label).collect();
        let count = (of_class.len() as f64 * settings.share.clamp(0.0, 1.0)).ceil().max(1.0) as usize;
        train.extend(of_class.into_iter().take(count).map(|one| Labelled { label: new, ..*one }));
        let judging = split.validation.iter().filter(|one| one.label == *label);
        validation.extend(judging.map(|one| Labelled { label: new, ..*one }));
    }
    let classes = labels.iter().map(|label| split.classes[*label].clone()).collect();
    Ok(Split { classes, train, validation, ..Split::default() })
}

/// Pictures to compare on: those to judge on, which the pseudo descendant has not learned, and where these are too few
/// training pictures besides, of which it may have.
fn probe(split: &Split, count: usize) -> Split {
    let unseen = Split { train: split.validation.clone(), ..split.clone() }.spread(count);
    let seen = split.spread(count - unseen.len());
    let validation = unseen.into_iter().chain(seen).collect();
    // A loader wants something to train on; it is never asked for it.
    Split { classes: split.classes.clone(), train: split.train.clone(), validation, ..Split::default() }
}
