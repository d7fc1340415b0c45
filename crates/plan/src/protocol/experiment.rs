//! Experiments: several races in a row that differ in one thing.

use serde::{Deserialize, Serialize};

use super::{DescendantPlan, Init, LearningRate, Limits, RaceReport, RaceState, TrainSettings};

/// What the races of an experiment differ in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Design {
    /// Nothing: one race.
    Race,
    /// Sizes of the descendant, `(heads, layers)`, all from one learngene. A method that has no heads to choose uses the
    /// layers alone.
    Family(Vec<(usize, usize)>),
    /// Peak learning rates × batch sizes.
    Sweep {
        /// Peak learning rates.
        rates: Vec<f64>,
        /// Pictures per step.
        batches: Vec<usize>,
    },
    /// Shares of the training pictures, 0..=1.
    Shares(Vec<f64>),
    /// Depths of the ancestor as it is: nothing trains, a classifier is fitted at each.
    Depths {
        /// Blocks that it keeps, 0 = all.
        cuts: Vec<usize>,
        /// How the one that is small and large enough is trained on in a race behind these; `None` = not at all.
        then: Option<TrainOn>,
    },
}

/// How a fitted model is trained on (docs/methods.md, section 5.5).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainOn {
    /// Which one.
    pub limits: Limits,
    /// For about how long, s.
    pub seconds: f64,
}

impl TrainOn {
    /// Least steps that are worth a race.
    const LEAST_STEPS: usize = 20;
    /// Most passes over the training pictures: those that were tried.
    const MOST_PASSES: usize = 10;

    /// A race of the ancestor's first `cut` blocks with their fitted classifier; `base` is the race they were fitted in. A
    /// step takes so many seconds.
    pub fn race(self, base: &TrainSettings, cut: usize, seconds_a_step: f64, pictures: usize) -> TrainSettings {
        let batch = 16;
        let most = (Self::MOST_PASSES * pictures).div_ceil(batch).max(Self::LEAST_STEPS);
        let steps = ((self.seconds / seconds_a_step) as usize).clamp(Self::LEAST_STEPS, most);
        TrainSettings {
            arms: vec![Init::Tuned],
            cut,
            steps,
            batch,
            lr: LearningRate::One(3e-4),
            warmup_steps: steps.div_ceil(20),
            weight_decay: 0.05,
            label_smoothing: 0.1,
            drop_path: 0.0,
            clip_norm: 0.0,
            augment: true,
            validate_every: 0,
            ..base.clone()
        }
    }
}

/// An experiment: a race, and what is changed in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExperimentSettings {
    /// The race.
    pub race: TrainSettings,
    /// What its repetitions differ in.
    pub design: Design,
}

impl ExperimentSettings {
    /// The races, in the order in which they are run, without one that follows from their results. None where a list is
    /// empty.
    pub fn races(&self) -> Vec<TrainSettings> {
        let base = &self.race;
        match &self.design {
            Design::Race => vec![base.clone()],
            Design::Family(sizes) => sizes.iter().map(|&size| resized(base, size)).collect(),
            Design::Sweep { rates, batches } => {
                let of_batch = |&batch: &usize| {
                    rates.iter().map(move |&lr| TrainSettings { lr: lr.into(), batch, ..base.clone() })
                };
                batches.iter().flat_map(of_batch).collect()
            }
            Design::Depths { cuts, .. } => cuts.iter().map(|&cut| TrainSettings { cut, ..base.clone() }).collect(),
            Design::Shares(shares) => shares.iter().map(|&share| TrainSettings { share, ..base.clone() }).collect(),
        }
    }

    /// The same experiment with half as many pictures at a time; `None` when there is one at a time already.
    pub fn halved(&self) -> Option<Self> {
        Some(Self { race: self.race.halved()?, design: self.design.clone() })
    }
}

fn resized(race: &TrainSettings, (heads, layers): (usize, usize)) -> TrainSettings {
    let mut race = race.clone();
    match &mut race.descendant {
        DescendantPlan::Cluster(settings) => (settings.heads, settings.layers) = (heads, layers),
        DescendantPlan::Layers(settings) => settings.layers = layers,
        DescendantPlan::Tied(settings) => settings.layers = layers,
    }
    race
}

/// Where an experiment stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExperimentReport {
    /// The settings.
    pub settings: ExperimentSettings,
    /// The races that ended, and the one under way as it stood when this was sent.
    pub races: Vec<RaceReport>,
    /// Races in all.
    pub total: usize,
}

impl ExperimentReport {
    /// Puts a newer report of the race under way in its place.
    pub fn update(&mut self, race: &RaceReport) {
        if let Some(last) = self.races.last_mut().filter(|last| last.first_run == race.first_run) {
            *last = race.clone();
        }
    }

    /// Whether races are still to come or under way.
    pub fn is_going(&self) -> bool {
        let last = self.races.last().map(|race| race.state);
        matches!(last, Some(RaceState::Running | RaceState::Paused))
            || (last == Some(RaceState::Finished) && self.races.len() < self.total)
    }
}

/// How much an experiment is, before it is started.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainingForecast {
    /// Races.
    pub races: usize,
    /// Runs, one per race, start and seed.
    pub runs: usize,
    /// Optimiser steps over all runs.
    pub steps: usize,
    /// Predicted time, s; `None` while nothing is known of this machine.
    pub seconds: Option<f64>,
}

/// Whether the last words of an engine say that memory ran out: those of wgpu, of cubecl, of the browsers' GPU process,
/// and of wasm's own memory.
pub fn is_out_of_memory(words: &str) -> bool {
    let words = words.to_lowercase();
    let known = [
        "out of memory",
        "out-of-memory",
        "outofmemory",
        "not enough memory",
        "memory allocation of",
        "buffertoobig",
        "allocation failed",
    ];
    known.iter().any(|one| words.contains(one))
}
