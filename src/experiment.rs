//! What came of races and experiments.

use leptos::prelude::*;

use super::state::App;
use heirloom_plan::protocol::{
    Command, Design, ExperimentReport, ExperimentSettings, RaceReport, StartValue, TrainSettings, is_out_of_memory,
};

/// What came of experiments, and what is to come.
#[derive(Clone, Copy)]
pub struct Experiments {
    /// The last experiment of several races; `None` while a single race is on the screen.
    pub report: RwSignal<Option<ExperimentReport>>,
    /// The race whose curves are shown; `None` = the latest.
    pub shown: RwSignal<Option<usize>>,
    /// What is to be trained again, in parts of a batch, once a new engine is where the dead one stood.
    retry: StoredValue<Option<ExperimentSettings>>,
}

impl Experiments {
    pub fn new() -> Self {
        Self { report: RwSignal::new(None), shown: RwSignal::new(None), retry: StoredValue::new(None) }
    }
}

/// A trained model that can be used.
pub struct TrainedRun {
    /// Its number among the engine's models.
    pub number: usize,
    pub arm: StartValue,
    pub seed: u64,
    pub step: usize,
    /// Accuracy at its last point.
    pub accuracy: Option<f64>,
    /// Heads and layers, where models of several sizes are there.
    pub size: Option<(Option<usize>, usize)>,
}

impl App {
    /// Shows the race whose curves are wanted: the latest, or the chosen one of an experiment.
    pub fn with_shown_race<T>(self, see: impl FnOnce(Option<&RaceReport>) -> T) -> T {
        let shown = self.experiments.shown.get();
        self.experiments.report.with(|report| {
            let chosen = report.as_ref().zip(shown).and_then(|(report, shown)| report.races.get(shown));
            match chosen {
                Some(race) => see(Some(race)),
                None => self.race.with(|race| see(race.as_ref())),
            }
        })
    }

    /// All models there are, over all races.
    pub fn trained_runs(self) -> Vec<TrainedRun> {
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
        self.experiments.report.with(|report| match report {
            Some(report) => {
                let has_sizes = matches!(report.settings.design, Design::Family(_));
                report.races.iter().flat_map(|race| of_race(race, has_sizes)).collect()
            }
            None => self.race.with(|race| race.as_ref().map(|race| of_race(race, false)).unwrap_or_default()),
        })
    }

    /// The experiment as chosen; `None` before a descendant is planned.
    pub fn chosen_experiment(self) -> Option<ExperimentSettings> {
        let planned = self.plans.descendant.with(|planned| planned.as_ref().map(|planned| planned.settings.clone()))?;
        Some(self.settings.with(|settings| settings.experiment(planned)))
    }

    /// Starts what is chosen.
    pub fn start_experiment(self, settings: ExperimentSettings) {
        self.experiments.report.set(None);
        self.experiments.shown.set(None);
        let command = match settings.design {
            Design::Race => Command::Train(settings.race),
            _ => Command::Experiment(settings),
        };
        self.send(command, Vec::new());
    }

    /// Keeps the experiment's report in step with the race under way.
    pub(super) fn experiment_moved(self, race: &RaceReport) {
        if self.experiments.report.with_untracked(Option::is_some) {
            self.experiments.report.update(|report| {
                if let Some(report) = report {
                    report.update(race);
                }
            });
        }
    }

    /// After an engine that died of too little memory in the middle of training: remembers to train again with half as
    /// many pictures at a time. Returns how many these are.
    pub(super) fn plan_retry(self, last_words: &str) -> Option<usize> {
        let is_fit = is_out_of_memory(last_words);
        let report = self.experiments.report.get_untracked().filter(ExperimentReport::is_going);
        let settings = match (report, self.race.get_untracked()) {
            (Some(report), Some(race)) => ExperimentSettings {
                race: TrainSettings { micro_batch: race.settings.micro_batch, ..report.settings.race },
                ..report.settings
            },
            (None, Some(race)) => ExperimentSettings { race: race.settings, design: Design::Race },
            _ => return None,
        };
        let halved = settings.halved().filter(|_| is_fit)?;
        let pictures = halved.race.micro_batch;
        self.experiments.retry.set_value(Some(halved));
        Some(pictures)
    }

    /// What was to be trained again goes on instead.
    pub(super) fn forget_retry(self) {
        self.experiments.retry.set_value(None);
    }

    /// Trains again what [`App::plan_retry`] remembered, now that a descendant is planned.
    pub(super) fn retry_training(self) {
        let retry = self.experiments.retry.try_update_value(Option::take).flatten();
        if let Some(settings) = retry {
            self.begin_job(heirloom_plan::protocol::JobKind::Train);
            self.start_experiment(settings);
        }
    }
}
