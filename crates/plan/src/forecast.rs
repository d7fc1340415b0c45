//! How long training still takes: from what this machine was measured to do, in floating-point operations a second, so
//! that races of other sizes can be told beforehand.

use std::ops::{Add, AddAssign};

use super::config::{ModelConfig, VitConfig};
use super::protocol::{RunReport, TrainSettings};

/// Work of one training step against one forward pass: forward, and twice as much backward.
pub const TRAINING_PASSES: f64 = 3.0;
/// How much of the past a new measurement leaves: the mean looks back on about the last 50 pieces of work, so that it
/// settles, and still follows a machine that becomes busy.
const MEMORY: f64 = 0.98;

/// Times the loss of all pictures is computed while a classifier is fitted to features that do not change, for each way
/// of pooling: six penalties from the strongest on, and those again on all pictures.
const FIT_EVALUATIONS: f64 = 300.0;
/// Operations a second with which such a fit is predicted before one was measured. It runs on the host, in one thread,
/// whatever device the models are on.
const HOST_SPEED: f64 = 1e9;

/// Work, operations, by the speed that it runs at.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Work {
    /// Steps.
    pub training: f64,
    /// Forward passes.
    pub judging: f64,
    /// Fitting a classifier on the host.
    pub fitting: f64,
}

impl Add for Work {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            training: self.training + other.training,
            judging: self.judging + other.judging,
            fitting: self.fitting + other.fitting,
        }
    }
}

impl AddAssign for Work {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

/// Work done against the time it took.
#[derive(Clone, Copy, Debug, Default)]
struct Rate {
    seconds: f64,
    work: f64,
}

impl Rate {
    fn add(&mut self, seconds: f64, work: f64) {
        self.seconds = self.seconds * MEMORY + seconds;
        self.work = self.work * MEMORY + work;
    }

    /// Operations a second.
    fn speed(&self) -> Option<f64> {
        (self.seconds > 0.0 && self.work > 0.0).then(|| self.work / self.seconds)
    }
}

/// What one race costs, operations.
#[derive(Clone, Debug, PartialEq)]
pub struct Cost {
    /// Operations of a forward pass on one picture, per arm.
    pub flops: Vec<f64>,
    /// Whether an arm stays as it is: it takes no steps and is judged once a seed.
    pub is_frozen: Vec<bool>,
    /// What is done before the first step: the pictures once through the ancestor as it is, and its classifier fitted.
    /// Once for all seeds.
    pub preparing: Work,
    /// Runs of each arm.
    pub seeds: usize,
    /// Steps of a run.
    pub steps: usize,
    /// Pictures of a step.
    pub batch: usize,
    /// Measured points of a run.
    pub points: usize,
    /// Pictures judged for a point.
    pub pictures: usize,
}

impl Cost {
    /// What a race costs whose arms have these architectures, on so many pictures to train and to judge on.
    pub fn of(race: &TrainSettings, configs: &[ModelConfig], [training, pictures]: [usize; 2]) -> Self {
        let every = match race.validate_every {
            0 => training.div_ceil(race.batch.max(1)),
            every => every,
        };
        let TrainSettings { seeds, steps, batch, .. } = *race;
        let is_frozen: Vec<bool> = race.arms.iter().map(|arm| arm.is_frozen()).collect();
        let yardstick = configs.iter().zip(&is_frozen).find(|(_, is_frozen)| **is_frozen);
        Self {
            flops: configs.iter().map(|config| config.flops() as f64).collect(),
            preparing: yardstick.map_or_else(Work::default, |(config, _)| fit_work(config, training)),
            is_frozen,
            seeds,
            steps,
            batch,
            points: points_of(steps, every),
            pictures,
        }
    }

    /// The same where a race before it has fitted the classifier already.
    #[must_use]
    pub fn prepared(self) -> Self {
        Self { preparing: Work::default(), ..self }
    }

    /// Operations of one step of an arm.
    pub fn of_step(&self, arm: usize) -> f64 {
        if self.is_frozen[arm] { 0.0 } else { TRAINING_PASSES * self.batch as f64 * self.flops[arm] }
    }

    /// Points of an arm that are judged.
    fn judged_points(&self, arm: usize) -> usize {
        if self.is_frozen[arm] { 1 } else { self.points }
    }

    /// A run of an arm, of which so many steps and points are done.
    fn of_run(&self, arm: usize, steps: usize, points: usize) -> Work {
        let points = self.judged_points(arm).saturating_sub(points) as f64;
        let steps = self.steps.saturating_sub(steps) as f64;
        let judging = points * self.pictures as f64 * self.flops[arm];
        Work { training: steps * self.of_step(arm), judging, fitting: 0.0 }
    }

    /// All of it.
    fn all(&self) -> Work {
        let arms = (0..self.flops.len()).map(|arm| self.of_run(arm, 0, 0));
        let seed = arms.fold(Work::default(), Add::add);
        (0..self.seeds).fold(self.preparing, |sum, _| sum + seed)
    }

    /// What is left of a race whose runs stand like this (arms beside each other, seed by seed). Who prepares takes what
    /// was done off [`Cost::preparing`].
    pub fn left(&self, runs: &[RunReport]) -> Work {
        let going = runs.iter().enumerate().filter(|(_, run)| run.failure.is_none());
        going.fold(self.preparing, |sum, (index, run)| {
            sum + self.of_run(index % self.flops.len().max(1), run.step, run.points.len())
        })
    }
}

/// What a fitted classifier costs: each picture goes through the model once, and many times through the classifier.
fn fit_work(config: &ModelConfig, pictures: usize) -> Work {
    let weights = config.outputs() as f64 * (config.head_width() + 1) as f64;
    let pools = config.vit().and_then(VitConfig::other_pool).map_or(1.0, |_| 2.0);
    // Forward and backward, a multiply-add each.
    let evaluation = 4.0 * pictures as f64 * weights;
    let judging = pictures as f64 * config.flops() as f64;
    Work { training: 0.0, judging, fitting: pools * FIT_EVALUATIONS * evaluation }
}

/// Points of a run that is judged before the first step, every so many steps, and after the last.
pub fn points_of(steps: usize, every: usize) -> usize {
    1 + steps.div_ceil(every.max(1))
}

/// Measures, and predicts from what it measured.
#[derive(Clone, Debug, Default)]
pub struct Forecast {
    training: Rate,
    judging: Rate,
    fitting: Rate,
    /// What was known before, operations a second while training.
    before: Option<f64>,
}

impl Forecast {
    /// A forecast that starts from the speed of earlier training, if there was any.
    pub fn new(before: Option<f64>) -> Self {
        Self { before, ..Self::default() }
    }

    /// Adds a step. The first one of a run compiles and fills caches: leave it out.
    pub fn stepped(&mut self, seconds: f64, work: f64) {
        self.training.add(seconds, work);
    }

    /// Adds judged pictures.
    pub fn judged(&mut self, seconds: f64, work: f64) {
        self.judging.add(seconds, work);
    }

    /// Adds a piece of a fit on the host.
    pub fn fitted(&mut self, seconds: f64, work: f64) {
        self.fitting.add(seconds, work);
    }

    /// Whether no step was measured yet.
    pub fn is_warming_up(&self) -> bool {
        self.training.speed().is_none()
    }

    /// Operations a second while training.
    pub fn speed(&self) -> Option<f64> {
        self.training.speed().or(self.before).or(self.judging.speed())
    }

    /// Seconds of so much training; before any was measured by the speed of forward passes.
    pub fn training_seconds(&self, work: f64) -> Option<f64> {
        let speed = self.training.speed().or(self.judging.speed()).or(self.before)?;
        Some(work / speed)
    }

    /// Seconds that `current` and all of `later` take; `None` while nothing is known of this machine.
    pub fn seconds(&self, current: Work, later: &[Cost]) -> Option<f64> {
        let speed = self.speed()?;
        let Work { training, judging, fitting } = later.iter().map(Cost::all).fold(current, Add::add);
        // A forward pass reaches about the speed of training; once judging was measured, that counts.
        let judged = judging / self.judging.speed().unwrap_or(speed);
        Some(training / speed + judged + fitting / self.fitting.speed().unwrap_or(HOST_SPEED))
    }
}
