//! Racing descendants on the person's pictures.

use burn::tensor::Device;

use super::descendant::{Planned, PlannedStart};
use super::protocol::{
    CurvePoint, DescendantPlan, Event, JobKind, RaceReport, RaceState, RunReport, StartValue, TrainSettings,
};
use super::runner::{Job, Runner};
use crate::data::{self, Augment, DataError, Loader, LoaderSettings, Normalise};
use crate::learngene::{Descendant, Scratch, StartError, StartingPoint};
use crate::model::Model;
use crate::platform::clock::now_ms;
use crate::train::{AdamWSettings, Advance, Batch, Batches, Race, RacePlan, RunSettings, Schedule, Starts, TrainError};

/// Batches of pictures for a race.
pub struct RaceBatches {
    loader: Loader,
}

impl RaceBatches {
    /// Serves what `loader` serves, under the seeds of the race.
    pub fn new(loader: Loader) -> Self {
        Self { loader }
    }

    /// The loader, for judging after the race.
    pub fn loader(&mut self) -> &mut Loader {
        &mut self.loader
    }

    /// Validation pictures.
    pub fn pictures(&self) -> usize {
        self.loader.validation_len()
    }

    fn batch(&self, batch: data::Batch) -> Batch {
        let side = self.loader.settings().image_size;
        let labels: Vec<usize> = batch.labels.iter().map(|&label| label as usize).collect();
        Batch { shape: [labels.len(), 3, side, side], pixels: batch.pixels, labels }
    }
}

impl Batches for RaceBatches {
    async fn training(&mut self, seed: u64, step: usize) -> Result<Batch, TrainError> {
        self.loader.set_seed(seed);
        let batch = self.loader.train_batch(step).await.map_err(pictures_failed)?;
        Ok(self.batch(batch))
    }

    async fn validation(&mut self, index: usize) -> Result<Batch, TrainError> {
        let batch = self.loader.validation_batch(index).await.map_err(pictures_failed)?;
        Ok(self.batch(batch))
    }

    fn validation_batches(&self) -> usize {
        self.loader.validation_batches()
    }

    fn steps_per_epoch(&self) -> f64 {
        self.loader.train_len() as f64 / self.loader.settings().batch as f64
    }
}

fn pictures_failed(error: DataError) -> TrainError {
    TrainError::Source(error.to_string())
}

/// What an arm starts from; the race itself knows no method.
#[allow(clippy::large_enum_variant, reason = "a race has a handful of arms")]
pub enum Arm {
    /// Random weights.
    Scratch(Scratch),
    /// The learngene, as the method starts from it.
    Inherited(PlannedStart),
}

impl Arm {
    async fn start(&self, seed: u64) -> Result<Descendant, StartError> {
        match self {
            Self::Scratch(scratch) => scratch.start(seed).await,
            Self::Inherited(inherited) => inherited.start(seed).await,
        }
    }
}

/// Makes the models that the arms start from.
pub struct RaceStarts {
    arms: Vec<Arm>,
}

impl RaceStarts {
    /// Arms that all become the planned descendant.
    pub fn new(arms: &[StartValue], inherited: &PlannedStart, device: &Device) -> Self {
        let scratch = || Scratch { config: inherited.config(), device: device.clone() };
        let arm = |arm: &StartValue| match arm {
            StartValue::Scratch => Arm::Scratch(scratch()),
            StartValue::Inherited => Arm::Inherited(inherited.clone()),
        };
        Self { arms: arms.iter().map(arm).collect() }
    }
}

impl Starts<Descendant> for RaceStarts {
    async fn start(&mut self, arm: usize, seed: u64) -> Result<Descendant, TrainError> {
        self.arms[arm].start(seed).await.map_err(|error| TrainError::Source(error.to_string()))
    }
}

/// A race under way.
pub(super) struct RaceJob {
    race: Race<Descendant, RaceBatches, RaceStarts>,
    settings: TrainSettings,
    classes: Vec<String>,
    is_paused: bool,
}

/// A trained descendant, with what it needs to be used.
pub(super) struct Trained {
    pub model: Model,
    pub classes: Vec<String>,
    pub normalise: Normalise,
    pub arm: StartValue,
    pub seed: u64,
}

/// What a run of a race is trained with.
pub fn run_settings(settings: &TrainSettings) -> RunSettings {
    let TrainSettings { steps, warmup_steps, lr, weight_decay, label_smoothing, drop_path, clip_norm, .. } = *settings;
    RunSettings {
        schedule: Schedule { peak: lr, floor: 0.0, warmup_steps, steps },
        adamw: AdamWSettings { weight_decay, clip_norm: (clip_norm > 0.0).then_some(clip_norm), ..Default::default() },
        label_smoothing,
        drop_path,
        freeze_steps: 0,
        seed: 0,
    }
}

/// Epochs for which the learngene is held still.
fn freeze_epochs(plan: &DescendantPlan) -> f64 {
    match plan {
        DescendantPlan::Cluster(_) => 0.0,
        DescendantPlan::Layers(settings) => settings.freeze_epochs,
    }
}

/// How pictures are served to a race.
pub fn loader_settings(settings: &TrainSettings, normalise: Normalise) -> LoaderSettings {
    LoaderSettings {
        image_size: settings.descendant.image_size(),
        batch: settings.batch,
        normalise,
        augment: settings.augment.then(Augment::default),
        ..LoaderSettings::default()
    }
}

impl Runner {
    pub(super) async fn train(&mut self, settings: TrainSettings) {
        if self.job.is_some() {
            return self.fail("another job is running; stop it first");
        }
        match self.prepare(settings) {
            Ok(job) => {
                self.trained.clear();
                self.pace.begin(0);
                self.say(Event::Race(job.report(RaceState::Running)));
                self.job = Some(Job::Race(Box::new(job)));
            }
            Err(reason) => self.fail(reason),
        }
    }

    fn prepare(&mut self, settings: TrainSettings) -> Result<RaceJob, String> {
        let planned = self.plan(settings.descendant.clone());
        let Planned { start, .. } = planned.map_err(|error| error.to_string())?;
        let (Some(ancestor), Some(acquired)) = (&self.ancestor, &self.acquired) else {
            return Err("no ancestor is open yet; open a checkpoint first".into());
        };
        let Some(split) = &self.pictures.split else {
            return Err("there are too few pictures; at least two classes with two pictures each are needed".into());
        };
        if settings.arms.is_empty() || settings.seeds == 0 || settings.steps == 0 {
            return Err("a race needs at least one arm, one seed and one step".into());
        }
        let loader = Loader::new(&self.pictures.set, split, loader_settings(&settings, ancestor.normalise));
        let batches = RaceBatches::new(loader.map_err(|error| error.to_string())?);
        let device = acquired.device.clone();
        let classes = split.classes.clone();
        let freeze_steps = (freeze_epochs(&settings.descendant) * batches.steps_per_epoch()).round() as usize;
        let race_plan = RacePlan {
            run: RunSettings { freeze_steps, ..run_settings(&settings) },
            steps: settings.steps,
            arms: settings.arms.len(),
            seeds: (1..=settings.seeds as u64).collect(),
            validate_every: settings.validate_every,
        };
        let starts = RaceStarts::new(&settings.arms, &start, &device);
        let race = Race::new(race_plan, batches, starts, &device, now_ms);
        Ok(RaceJob { race, settings, classes, is_paused: false })
    }

    pub(super) async fn race_next(&mut self, mut job: Box<RaceJob>) -> bool {
        if job.is_paused {
            self.job = Some(Job::Race(job));
            return false;
        }
        let advanced = job.race.advance().await;
        let (done, total) = job.race.progress();
        match advanced {
            Ok(Advance::Stepped { .. } | Advance::Judged { .. }) => {
                self.progress(JobKind::Train, done, total, &job.note());
                self.job = Some(Job::Race(job));
            }
            Ok(Advance::Started { .. } | Advance::Measured { .. } | Advance::Failed { .. }) => {
                self.learn_pace(&job);
                self.say(Event::Race(job.report(RaceState::Running)));
                self.job = Some(Job::Race(job));
            }
            Ok(Advance::Finished) => self.finish_race(job, RaceState::Finished).await,
            Err(error) => {
                self.fail(error);
                self.finish_race(job, RaceState::Stopped).await;
            }
        }
        true
    }

    pub(super) fn pause(&mut self, paused: bool) {
        self.pause_pool(paused);
        if let Some(Job::Race(job)) = &mut self.job {
            job.is_paused = paused;
            let done = job.race.progress().0;
            let report = job.report(if paused { RaceState::Paused } else { RaceState::Running });
            self.pace.begin(done);
            self.say(Event::Race(report));
        }
    }

    pub(super) async fn stop_race(&mut self, mut job: Box<RaceJob>) {
        job.race.stop();
        self.finish_race(job, RaceState::Stopped).await;
    }

    /// Folds the models, keeps them, and tells the page.
    async fn finish_race(&mut self, mut job: Box<RaceJob>, state: RaceState) {
        let normalise = self.ancestor.as_ref().map_or_else(Normalise::default, |ancestor| ancestor.normalise);
        let trained = job.race.reports().iter().enumerate().map(|(run, report)| {
            let (model, classes) = (job.race.model(run)?.fold(), job.classes.clone());
            Some(Trained { model, classes, normalise, arm: job.settings.arms[report.arm], seed: report.seed })
        });
        self.trained = trained.collect();
        for failure in job.race.reports().iter().filter_map(|report| report.failure.clone()) {
            self.fail(failure);
        }
        let broken: Vec<String> = job.race.batches().loader().broken().map(|(path, _)| format!("`{path}`")).collect();
        if !broken.is_empty() {
            self.inform(format!("these pictures did not decode and were left out: {}", broken.join(", ")));
        }
        self.learn_pace(&job);
        self.last_race = Some(job.report(state));
        self.say(Event::Race(job.report(state)));
        self.plan_again();
        self.end(JobKind::Train, state == RaceState::Finished);
    }

    /// What this machine reached, for the next prediction.
    fn learn_pace(&mut self, job: &RaceJob) {
        let mut rates = job.race.reports().iter().map(|report| report.steps_per_second);
        let rate = rates.rfind(|&rate| rate > 0.0);
        let Some((rate, planned)) = rate.zip(self.planned.as_ref()) else { return };
        let passes = super::descendant::TRAINING_PASSES * job.settings.batch as f64;
        self.flops_per_second = Some(rate * passes * planned.start.config().flops() as f64);
    }
}

impl RaceJob {
    fn note(&self) -> String {
        let arms = self.settings.arms.len();
        let current = self.race.reports().iter().rev().find(|report| report.step > 0);
        current.map_or_else(String::new, |report| {
            format!(
                "seed {} of {}, step {} of {}, {arms} arms side by side",
                report.seed, self.settings.seeds, report.step, self.settings.steps
            )
        })
    }

    fn report(&self, state: RaceState) -> RaceReport {
        let point = |point: &crate::train::CurvePoint| CurvePoint {
            step: point.step,
            epoch: point.epoch,
            train_loss: point.train_loss,
            validation_loss: point.validation_loss,
            validation_accuracy: point.validation_accuracy,
        };
        let run = |report: &crate::train::RunReport| RunReport {
            arm: self.settings.arms[report.arm],
            seed: report.seed,
            step: report.step,
            points: report.points.iter().map(point).collect(),
            steps_per_second: report.steps_per_second,
        };
        RaceReport {
            settings: self.settings.clone(),
            runs: self.race.reports().iter().map(run).collect(),
            classes: self.classes.clone(),
            state,
        }
    }
}
