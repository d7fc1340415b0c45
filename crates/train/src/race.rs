//! Several start values (arms) trained on the same pictures, batches, augmentation draws and steps, for several seeds.
//!
//! A state machine: every call of [`Race::advance`] makes one model, takes one optimiser step or judges one batch, so
//! that the caller can listen, pause or stop in between. The arms of one seed race side by side, step by step: their
//! curves grow together, each batch is prepared once for all of them, and only one seed's moments lie in memory. Or they
//! run one after the other, so that only one model is in training at a time: the same curves, in less memory.

use super::crew::Lent;
use super::{
    Batch, Batches, ClassificationMetrics, Classifier, Crew, CurvePoint, Initializers, Run, RunSettings, TrainError,
};
use burn::tensor::Device;
use serde::{Deserialize, Serialize};
use std::rc::Rc;

/// What is raced.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RacePlan {
    /// Settings of every run; `run.seed` is replaced by the seed of the run.
    pub run: RunSettings,
    /// Optimiser steps of every run.
    pub steps: usize,
    /// Arms; what each is, its [`Initializers`] knows.
    pub arms: usize,
    /// Seeds of batches, draws and start values, one run of every arm each.
    pub seeds: Vec<u64>,
    /// Validate every so many steps (and before the first and after the last); 0 = once per pass over the pictures.
    pub validate_every: usize,
    /// Whether the arms of a seed take their steps in turn, or one arm runs to its end before the next begins.
    #[serde(default = "yes")]
    pub is_interleaved: bool,
    /// Pictures of one pass through a model, see [`Run::set_micro_batch`]; 0 = the whole batch.
    #[serde(default)]
    pub micro_batch: usize,
    /// Pictures that one pass has memory for, where that is known beforehand.
    #[serde(default)]
    pub room: Option<usize>,
    /// Parts that every batch is divided into, see [`Run::set_crew`]; plans of earlier versions have one.
    #[serde(default = "one")]
    pub parts: usize,
    /// Parts in which pictures are judged, so that others can help.
    #[serde(default = "one")]
    pub judging_parts: usize,
}

fn one() -> usize {
    1
}

fn yes() -> bool {
    true
}

/// One arm with one seed, as it stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunProgress {
    /// Which arm.
    pub arm: usize,
    /// Its seed.
    pub seed: u64,
    /// Steps taken.
    pub step: usize,
    /// Measured points, the first before any step.
    pub points: Vec<CurvePoint>,
    /// Over the last few steps, preparing of batches and judging not counted; 0 before the second step.
    pub steps_per_second: f64,
    /// Why it ended early, a sentence.
    pub failure: Option<String>,
    /// Sum and count of the training losses since the last point.
    pub(super) since: (f64, usize),
}

/// What one call of [`Race::advance`] did. `run` indexes [`Race::reports`].
#[derive(Clone, Debug, PartialEq)]
pub enum Advance {
    /// Something was done before the model of a run can be made.
    Prepared {
        /// Which run.
        run: usize,
        /// Pieces of work done.
        done: usize,
        /// Pieces of work in all.
        total: usize,
    },
    /// The model of a run was made.
    Started {
        /// Which run.
        run: usize,
    },
    /// A run took one optimiser step.
    Stepped {
        /// Which run.
        run: usize,
        /// Training loss.
        loss: f32,
    },
    /// One batch of validation pictures was judged.
    Judged {
        /// Which run.
        run: usize,
    },
    /// The last batch was judged, and the run has a new point.
    Measured {
        /// Which run.
        run: usize,
    },
    /// A run diverged; the others go on. Its report holds the reason.
    Failed {
        /// Which run.
        run: usize,
    },
    /// There is no room for a pass over that many pictures; from now on steps are made in passes of half as many. That
    /// changes nothing but the time they take, unless a model has batch norms, see [`Run::set_micro_batch`].
    Halved {
        /// Pictures of one pass.
        micro_batch: usize,
    },
    /// Nothing is left to do.
    Finished,
}

/// What comes next. `arm` is the place in the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Phase {
    Start { arm: usize },
    Judge { arm: usize },
    Step { arm: usize },
    Finished,
}

/// The judging of one arm under way.
struct Judging<M> {
    model: Lent<M>,
    tally: ClassificationMetrics,
    next: usize,
}

/// A race; see the module. `clock` gives milliseconds since any fixed moment.
pub struct Race<M, B, S> {
    pub(super) plan: RacePlan,
    pub(super) batches: B,
    pub(super) starts: S,
    device: Device,
    clock: fn() -> f64,
    pub(super) phase: Phase,
    /// Which group races: the arms of one seed side by side, or one arm alone.
    pub(super) group: usize,
    /// Steps all arms of this group have taken.
    pub(super) step: usize,
    pub(super) reports: Vec<RunProgress>,
    /// One per arm of this group that was started; `None` where the run failed.
    pub(super) live: Vec<Option<Run<M>>>,
    /// One per report; the models of finished runs.
    pub(super) trained: Vec<Option<M>>,
    batch: Option<Batch>,
    judging: Option<Judging<M>>,
    /// Milliseconds of the last steps of each arm.
    paces: Vec<Vec<f64>>,
    pub(super) crew: Option<Rc<dyn Crew>>,
}

/// Steps [`RunProgress::steps_per_second`] looks back on.
const PACE: usize = 8;

impl<M: Classifier, B: Batches, S: Initializers<M>> Race<M, B, S> {
    /// A race at its start, trained on `device`.
    pub fn new(plan: RacePlan, batches: B, starts: S, device: &Device, clock: fn() -> f64) -> Self {
        let runs = plan.seeds.iter().flat_map(|&seed| (0..plan.arms).map(move |arm| (arm, seed)));
        let report = |(arm, seed)| RunProgress {
            arm,
            seed,
            step: 0,
            points: Vec::new(),
            steps_per_second: 0.0,
            failure: None,
            since: (0.0, 0),
        };
        let reports: Vec<_> = runs.map(report).collect();
        let phase = if reports.is_empty() { Phase::Finished } else { Phase::Start { arm: 0 } };
        Self {
            trained: reports.iter().map(|_| None).collect(),
            paces: vec![Vec::new(); if plan.is_interleaved { plan.arms } else { 1 }],
            device: device.clone().inner(),
            plan,
            batches,
            starts,
            clock,
            phase,
            group: 0,
            step: 0,
            reports,
            live: Vec::new(),
            batch: None,
            judging: None,
            crew: None,
        }
    }

    /// What is raced.
    pub fn plan(&self) -> &RacePlan {
        &self.plan
    }

    /// Where it is trained.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// All runs, seed by seed, the arms of a seed beside each other.
    pub fn reports(&self) -> &[RunProgress] {
        &self.reports
    }

    /// Whether nothing is left to do.
    pub fn is_finished(&self) -> bool {
        self.phase == Phase::Finished
    }

    /// Optimiser steps done and planned over all runs; a failed run counts as done.
    pub fn progress(&self) -> (usize, usize) {
        let done = |report: &RunProgress| if report.failure.is_some() { self.plan.steps } else { report.step };
        (self.reports.iter().map(done).sum(), self.reports.len() * self.plan.steps)
    }

    /// The model of a run as it stands, without autodiff: trained to its end, or as far as it got; `None` before it was
    /// started and after it failed.
    pub fn model(&self, run: usize) -> Option<M> {
        match self.trained.get(run)? {
            Some(model) => Some(model.clone()),
            None => {
                let arm = run.checked_sub(self.group * self.parallel_arms())?;
                self.live.get(arm)?.as_ref()?.model().ok()
            }
        }
    }

    /// The pictures, also for judging single runs after the race.
    pub fn batches(&mut self) -> &mut B {
        &mut self.batches
    }

    /// Does the next piece of work.
    ///
    /// # Errors
    /// When pictures, a start value or the device fail. A run that diverges is no error, see [`Advance::Failed`]. After
    /// an error the same piece is tried again.
    pub async fn advance(&mut self) -> Result<Advance, TrainError> {
        match self.phase {
            Phase::Start { arm } => self.start(arm).await,
            Phase::Judge { arm } => self.evaluate(arm).await,
            Phase::Step { arm } => self.step(arm).await,
            Phase::Finished => Ok(Advance::Finished),
        }
    }

    /// Ends the race and keeps the models as they are.
    pub fn stop(&mut self) {
        self.keep_models();
        self.phase = Phase::Finished;
    }

    /// Arms that race side by side.
    pub(super) fn parallel_arms(&self) -> usize {
        if self.plan.is_interleaved { self.plan.arms } else { 1 }
    }

    pub(super) fn groups(&self) -> usize {
        self.reports.len() / self.parallel_arms().max(1)
    }

    fn run_index(&self, arm: usize) -> usize {
        self.group * self.parallel_arms() + arm
    }

    fn seed(&self) -> u64 {
        self.reports[self.run_index(0)].seed
    }

    async fn start(&mut self, arm: usize) -> Result<Advance, TrainError> {
        let index = self.run_index(arm);
        let RunProgress { arm: start, seed, .. } = self.reports[index];
        if let Some((done, total)) = self.starts.prepare(start, seed).await? {
            return Ok(Advance::Prepared { run: index, done, total });
        }
        let model = self.starts.start(start, seed).await?;
        let mut run = Run::start(model, RunSettings { seed, ..self.plan.run.clone() }).await?;
        self.equip(&mut run);
        self.live.push(Some(run));
        let last = arm + 1 == self.parallel_arms();
        self.phase = if last { Phase::Judge { arm: 0 } } else { Phase::Start { arm: arm + 1 } };
        Ok(Advance::Started { run: index })
    }

    /// Whether an arm of this group is still there and takes steps.
    fn trains(&self, arm: usize) -> bool {
        self.live[arm].is_some() && !self.starts.is_frozen(self.reports[self.run_index(arm)].arm)
    }

    /// The first arm from `first` on that takes the next step, or is judged: those that stay as they are only once.
    fn next_arm(&self, first: usize, is_judged: bool) -> Option<usize> {
        let all = is_judged && self.step == 0;
        (first..self.live.len()).find(|&arm| if all { self.live[arm].is_some() } else { self.trains(arm) })
    }

    /// Arms that stay as they are come along: to this step, and with a point where the others get one.
    fn lead_frozen(&mut self, step: usize, is_judged: bool) {
        let steps_per_epoch = self.batches.steps_per_epoch().max(f64::MIN_POSITIVE);
        for arm in 0..self.live.len() {
            if self.live[arm].is_none() || self.trains(arm) {
                continue;
            }
            let run = self.run_index(arm);
            let report = &mut self.reports[run];
            report.step = step;
            if let Some(&last) = report.points.last().filter(|last| is_judged && last.step < step) {
                report.points.push(CurvePoint { step, epoch: (step as f64 / steps_per_epoch) as f32, ..last });
            }
        }
    }

    fn pictures_a_pass(&self, batch: usize) -> usize {
        let part = batch.div_ceil(self.plan.parts.clamp(1, batch.max(1)));
        if self.plan.micro_batch == 0 { part } else { self.plan.micro_batch.min(part) }
    }

    /// Halves what goes through a model at a time; the step is tried again.
    fn halve(&mut self, batch: usize) -> Result<Advance, TrainError> {
        let now = self.pictures_a_pass(batch);
        if now <= 1 {
            return Err(TrainError::OutOfMemory);
        }
        let micro_batch = now.div_ceil(2);
        self.plan.micro_batch = micro_batch;
        self.live.iter_mut().flatten().for_each(|run| run.set_micro_batch(micro_batch));
        Ok(Advance::Halved { micro_batch })
    }

    async fn step(&mut self, arm: usize) -> Result<Advance, TrainError> {
        let run = self.run_index(arm);
        let batch = match self.batch.take() {
            Some(batch) => batch,
            None => self.batches.training(self.seed(), self.step).await?,
        };
        if self.pictures_a_pass(batch.labels.len()) > self.plan.room.unwrap_or(usize::MAX) {
            let halved = self.halve(batch.labels.len());
            self.batch = Some(batch);
            return halved;
        }
        let racer = self.live[arm].as_mut().ok_or(TrainError::ModelLost)?;
        let start = (self.clock)();
        let stepped = racer.step(batch.images(&self.device)?, batch.targets(&self.device)).await;
        let took = (self.clock)() - start;
        self.batch = Some(batch);
        let advance = match stepped {
            Ok(stepped) => {
                self.record_step(arm, stepped.step, stepped.loss, took);
                Advance::Stepped { run, loss: stepped.loss }
            }
            Err(error @ (TrainError::LossNotFinite { .. } | TrainError::GradientNotFinite { .. })) => {
                self.fail(arm, &error);
                Advance::Failed { run }
            }
            Err(error) => return Err(error),
        };
        self.after_step(arm);
        Ok(advance)
    }

    fn record_step(&mut self, arm: usize, step: usize, loss: f32, took: f64) {
        let pace = &mut self.paces[arm];
        // The first step of a run compiles kernels and fills pools; it would spoil the mean.
        if step > 1 {
            pace.push(took);
        }
        let latest = &pace[pace.len().saturating_sub(PACE)..];
        let mean = latest.iter().sum::<f64>() / latest.len().max(1) as f64;
        let steps_per_second = if mean > 0.0 { 1e3 / mean } else { 0.0 };
        pace.drain(..pace.len().saturating_sub(PACE));
        let run = self.run_index(arm);
        let report = &mut self.reports[run];
        report.step = step;
        report.steps_per_second = steps_per_second;
        report.since = (report.since.0 + f64::from(loss), report.since.1 + 1);
    }

    fn fail(&mut self, arm: usize, error: &TrainError) {
        let run = self.run_index(arm);
        self.reports[run].failure = Some(error.to_string());
        self.live[arm] = None;
    }

    /// Decides what follows the step of one arm.
    fn after_step(&mut self, arm: usize) {
        if let Some(arm) = self.next_arm(arm + 1, false) {
            self.phase = Phase::Step { arm };
            return;
        }
        self.batch = None;
        self.step += 1;
        let due = self.step.is_multiple_of(self.validation_interval()) || self.step >= self.plan.steps;
        self.lead_frozen(self.step, due);
        self.phase = self.first_of(due);
    }

    /// The phase for the first arm that is judged or takes a step; when none does, the next group.
    fn first_of(&mut self, is_judged: bool) -> Phase {
        match self.next_arm(0, is_judged) {
            Some(arm) if is_judged => Phase::Judge { arm },
            Some(arm) => Phase::Step { arm },
            None => {
                self.lead_frozen(self.plan.steps, true);
                self.next_heat()
            }
        }
    }

    fn validation_interval(&self) -> usize {
        match self.plan.validate_every {
            0 => (self.batches.steps_per_epoch().ceil() as usize).max(1),
            every => every,
        }
    }

    async fn evaluate(&mut self, arm: usize) -> Result<Advance, TrainError> {
        let run = self.run_index(arm);
        if self.judging.is_none() {
            let model = self.live[arm].as_ref().ok_or(TrainError::ModelLost)?.model()?;
            let tally = ClassificationMetrics::new(model.classes());
            self.judging = Some(Judging { tally, model: Lent::new(model), next: 0 });
        }
        let Some(judging) = self.judging.as_mut() else { return Err(TrainError::ModelLost) };
        if judging.next < self.batches.validation_batches() {
            let batch = self.batches.validation(judging.next).await?;
            if !batch.labels.is_empty() {
                let scores =
                    judging.model.scores(&batch, &self.device, self.plan.judging_parts, self.crew.as_ref()).await?;
                match judging.tally.add(&scores, &batch.labels) {
                    Err(error @ TrainError::LogitsNotFinite { .. }) => {
                        self.judging = None;
                        self.fail(arm, &error);
                        self.after_judging(arm);
                        return Ok(Advance::Failed { run });
                    }
                    judged => judged?,
                };
            }
            judging.next += 1;
            if judging.next < self.batches.validation_batches() {
                return Ok(Advance::Judged { run });
            }
        }
        self.measure(arm);
        self.after_judging(arm);
        Ok(Advance::Measured { run })
    }

    /// Adds the point of a judged arm.
    fn measure(&mut self, arm: usize) {
        let Some(Judging { tally, .. }) = self.judging.take() else { return };
        let epoch = (self.step as f64 / self.batches.steps_per_epoch().max(f64::MIN_POSITIVE)) as f32;
        let run = self.run_index(arm);
        let report = &mut self.reports[run];
        let (sum, count) = std::mem::take(&mut report.since);
        report.points.push(CurvePoint {
            step: self.step,
            epoch,
            train_loss: if count == 0 { tally.mean_loss() } else { (sum / count as f64) as f32 },
            validation_loss: tally.mean_loss(),
            validation_accuracy: tally.accuracy(),
        });
    }

    fn after_judging(&mut self, arm: usize) {
        if let Some(arm) = self.next_arm(arm + 1, true) {
            self.phase = Phase::Judge { arm };
            return;
        }
        self.phase = if self.step >= self.plan.steps { self.next_heat() } else { self.first_of(false) };
    }

    fn next_heat(&mut self) -> Phase {
        self.keep_models();
        self.group += 1;
        self.step = 0;
        if self.group < self.groups() { Phase::Start { arm: 0 } } else { Phase::Finished }
    }

    /// Lets the moments of this group go and keeps its models.
    fn keep_models(&mut self) {
        self.judging = None;
        self.batch = None;
        self.paces.iter_mut().for_each(Vec::clear);
        for (arm, run) in std::mem::take(&mut self.live).into_iter().enumerate() {
            let index = self.run_index(arm);
            self.trained[index] = run.and_then(|run| run.into_model().ok());
        }
    }
}
