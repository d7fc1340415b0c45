//! What is trained and what is chosen to be: read from the store by the steps that build on it.

use super::small::first_race;
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
    /// How large it is in words, where models of several sizes are there.
    pub size: Option<String>,
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

/// The model that is chosen first: the smallest that is large enough, else the inherited one, what all this is for.
pub fn first_choice(store: Store) -> Option<usize> {
    let small = store.training.report.with(|report| {
        let report = report.as_ref()?;
        Some(report.races[first_race(store, report)?].first_run)
    });
    let runs = trained_runs(store);
    let inherited = || runs.iter().find(|run| run.arm == Init::Inherited).or(runs.first()).map(|run| run.number);
    small.filter(|small| runs.iter().any(|run| run.number == *small)).or_else(inherited)
}

/// All models there are, over all races.
pub fn trained_runs(store: Store) -> Vec<TrainedRun> {
    let t = &text().race;
    let of_race = |race: &RaceReport, design: Option<&Design>| {
        let runs = race.runs.iter().enumerate().filter(|(_, run)| run.has_model);
        let run = |(index, run): (usize, &heirloom_plan::protocol::RunReport)| TrainedRun {
            number: race.first_run + index,
            arm: run.arm,
            seed: run.seed,
            step: run.step,
            accuracy: run.points.last().map(|point| f64::from(point.validation_accuracy)),
            size: match design {
                Some(Design::Family(_)) => Some((t.size)(run.size.1, run.size.0)),
                Some(Design::Depths { .. }) => Some((t.first_blocks)(race.settings.cut)),
                _ => None,
            },
        };
        runs.map(run).collect::<Vec<_>>()
    };
    store.training.report.with(|report| match report {
        Some(report) => report.races.iter().flat_map(|race| of_race(race, Some(&report.settings.design))).collect(),
        None => store.training.race.with(|race| race.as_ref().map(|race| of_race(race, None)).unwrap_or_default()),
    })
}

/// The experiment as chosen; `None` before a descendant is planned.
pub fn chosen_experiment(store: Store) -> Option<ExperimentSettings> {
    let planned = store.plans.descendant.with(|planned| planned.as_ref().map(|planned| planned.settings.clone()))?;
    Some(store.settings.with(|settings| settings.experiment(planned)))
}
