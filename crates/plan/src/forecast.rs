//! How long training still takes: from what this machine was measured to do, in floating-point operations a second, so
//! that races of other sizes can be told beforehand.

use super::protocol::{RunReport, TrainSettings};

/// Work of one training step against one forward pass: forward, and twice as much backward.
pub const TRAINING_PASSES: f64 = 3.0;
/// How much of the past a new measurement leaves: the mean looks back on about the last 50 pieces of work, so that it
/// settles, and still follows a machine that becomes busy.
const MEMORY: f64 = 0.98;

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
    /// What a race costs whose arms need so many operations a picture, on so many pictures to train and to judge on.
    pub fn of(race: &TrainSettings, flops: Vec<f64>, [training, pictures]: [usize; 2]) -> Self {
        let every = match race.validate_every {
            0 => training.div_ceil(race.batch.max(1)),
            every => every,
        };
        let TrainSettings { seeds, steps, batch, .. } = *race;
        Self { flops, seeds, steps, batch, points: points_of(steps, every), pictures }
    }

    /// Operations of one step of an arm.
    pub fn of_step(&self, arm: usize) -> f64 {
        TRAINING_PASSES * self.batch as f64 * self.flops[arm]
    }

    /// Operations of training and of judging in all.
    fn all(&self) -> (f64, f64) {
        let flops: f64 = self.flops.iter().sum::<f64>() * self.seeds as f64;
        let training = TRAINING_PASSES * (self.batch * self.steps) as f64 * flops;
        (training, (self.points * self.pictures) as f64 * flops)
    }

    /// Operations of training and of judging that are left of a race, whose runs stand like this (arms beside each
    /// other, seed by seed).
    pub fn left(&self, runs: &[RunReport]) -> (f64, f64) {
        let going = runs.iter().enumerate().filter(|(_, run)| run.failure.is_none());
        going.fold((0.0, 0.0), |(training, judging), (index, run)| {
            let arm = index % self.flops.len();
            let points = self.points.saturating_sub(run.points.len()) * self.pictures;
            let steps = self.steps.saturating_sub(run.step) as f64;
            (training + steps * self.of_step(arm), judging + points as f64 * self.flops[arm])
        })
    }
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

    /// Whether no step was measured yet.
    pub fn is_warming_up(&self) -> bool {
        self.training.speed().is_none()
    }

    /// Operations a second while training.
    pub fn speed(&self) -> Option<f64> {
        self.training.speed().or(self.before)
    }

    /// Seconds that `current` and all of `later` take; `None` while nothing is known of this machine.
    pub fn seconds(&self, current: (f64, f64), later: &[Cost]) -> Option<f64> {
        let speed = self.speed()?;
        let (training, judging) = later.iter().map(Cost::all).fold(current, |a, b| (a.0 + b.0, a.1 + b.1));
        // A forward pass reaches about the speed of training; once judging was measured, that counts.
        Some(training / speed + judging / self.judging.speed().unwrap_or(speed))
    }
}
