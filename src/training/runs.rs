//! What is trained and what is chosen to be: read from the store by the steps that build on it.

use crate::prelude::*;
use heirloom_plan::protocol::{Design, ExperimentSettings, Init, RaceReport};

/// A trained model that can be used.
pub struct TrainedRun {
    /// Its number among the engine's models.
    pub number: usize,
    pub arm: Init,
    pub seed: u64,
    pub step: usize,
    /// Accuracy at its last point.
    pub accuracy: Option<f64>,
    /// Heads and layers, where models of several sizes are there.
    pub size: Option<(Option<usize>, usize)>,
}

/// Shows the race whose curves are wanted: the latest, or the chosen one of an experiment.
pub fn with_shown_race<T>(store: Store, see: impl FnOnce(Option<&RaceReport>) -> T) -> T {
    let shown = store.training.shown.get();
    store.training.report.with(|report| {
        let chosen = report.as_ref().zip(shown).and_then(|(report, shown)| report.races.get(shown));
        match chosen {
            Some(race) => see(Some(race)),
            None => store.training.race.with(|race| see(race.as_ref())),
        }
    })
}

/// All models there are, over all races.
pub fn trained_runs(store: Store) -> Vec<TrainedRun> {
    let of_race = |race: &RaceReport, has_sizes: bool| {
        let runs = race.runs.iter().enumerate().filter(|(_, run)| run.has_model);
        let run = |(index, run): (usize, &heirloom_plan::protocol::RunReport)| TrainedRun {
            number: race.first_run + index,
            arm: run.arm,
            seed: run.seed,
            step: run.step,
            accuracy: run.points.last().map(|point| f64::from(point.validation_accuracy)),
            size: has_sizes.then_some((run.size.1, run.size.0)),
        };
        runs.map(run).collect::<Vec<_>>()
    };
    store.training.report.with(|report| match report {
        Some(report) => {
            let has_sizes = matches!(report.settings.design, Design::Family(_));
            report.races.iter().flat_map(|race| of_race(race, has_sizes)).collect()
        }
        None => store.training.race.with(|race| race.as_ref().map(|race| of_race(race, false)).unwrap_or_default()),
    })
}

/// The experiment as chosen; `None` before a descendant is planned.
pub fn chosen_experiment(store: Store) -> Option<ExperimentSettings> {
    let planned = store.plans.descendant.with(|planned| planned.as_ref().map(|planned| planned.settings.clone()))?;
    Some(store.settings.with(|settings| settings.experiment(planned)))
}
