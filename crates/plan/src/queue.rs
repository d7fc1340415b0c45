//! An experiment as a queue of races: which one is under way, what the ones before it gave, and whose models are kept.

use serde::{Deserialize, Serialize};

use super::protocol::{Design, ExperimentReport, ExperimentSettings, RaceReport, TrainOn, TrainSettings};

/// Everything that an experiment is besides the race under way. Save it as JSON beside the race's own state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Queue {
    /// The settings, which give all races.
    pub settings: ExperimentSettings,
    /// Reports of the races that ended; the one under way is the next.
    pub finished: Vec<RaceReport>,
    /// The race that followed from their results, once that is known.
    #[serde(default)]
    pub last: Option<TrainSettings>,
}

impl Queue {
    /// An experiment at its start.
    pub fn new(settings: ExperimentSettings) -> Self {
        Self { settings, finished: Vec::new(), last: None }
    }

    /// Settings of all races.
    pub fn races(&self) -> Vec<TrainSettings> {
        self.settings.races().into_iter().chain(self.last.clone()).collect()
    }

    /// Which model is to be trained on next, if one is: its race, and how.
    pub fn to_train_on(&self) -> Option<(usize, TrainOn)> {
        let Design::Depths { cuts, then: Some(then) } = &self.settings.design else { return None };
        if self.last.is_some() || self.finished.len() != cuts.len() {
            return None;
        }
        Some((self.report(None).small_enough(then.limits)?.race, *then))
    }

    /// Settings of the race under way, or to be begun next; `None` when all have ended.
    pub fn current(&self) -> Option<TrainSettings> {
        self.races().into_iter().nth(self.finished.len())
    }

    /// Number of the first run of the race under way among the models of the engine.
    pub fn first_run(&self) -> usize {
        self.finished.iter().map(|race| race.runs.len()).sum()
    }

    /// Whether it is more than one race.
    pub fn is_experiment(&self) -> bool {
        self.settings.design != Design::Race
    }

    /// Whether of all models only the best is kept: those of a sweep differ in nothing one would use.
    pub fn keeps_only_the_best(&self) -> bool {
        matches!(self.settings.design, Design::Sweep { .. } | Design::Shares(_))
    }

    /// Says which models there are.
    pub fn mark_models(&mut self, is_there: impl Fn(usize) -> bool) {
        let runs = self.finished.iter_mut().flat_map(|race| &mut race.runs).enumerate();
        runs.for_each(|(number, run)| run.has_model = is_there(number));
    }

    /// Number of the best run of the races that ended, among all models.
    pub fn best(&self) -> Option<usize> {
        let (race, run, _) = self.report(None).best()?;
        Some(self.finished[race].first_run + run)
    }

    /// Whether a race is still to be told from the results of those before it.
    fn is_last_unknown(&self) -> bool {
        let Design::Depths { cuts, then: Some(_) } = &self.settings.design else { return false };
        self.last.is_none() && self.finished.len() < cuts.len()
    }

    /// What the page is told.
    pub fn report(&self, current: Option<RaceReport>) -> ExperimentReport {
        let races = self.finished.iter().cloned().chain(current).collect();
        let total = self.races().len() + usize::from(self.is_last_unknown());
        ExperimentReport { settings: self.settings.clone(), races, total }
    }
}
