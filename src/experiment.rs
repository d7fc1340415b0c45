//! What is raced against what: the person's choice, how it stands in the address, and what came of it.

use leptos::prelude::*;

use super::state::App;
use heirloom_plan::protocol::{
    Command, Design, ExperimentReport, ExperimentSettings, RaceReport, StartValue, TrainSettings, is_out_of_memory,
};

/// What the races of an experiment differ in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    #[default]
    Race,
    Family,
    Sweep,
    Shares,
}

impl Kind {
    pub const ALL: [Self; 4] = [Self::Race, Self::Family, Self::Sweep, Self::Shares];

    pub fn name(self) -> &'static str {
        match self {
            Self::Race => "race",
            Self::Family => "family",
            Self::Sweep => "sweep",
            Self::Shares => "shares",
        }
    }

    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    pub fn of(design: &Design) -> Self {
        match design {
            Design::Race => Self::Race,
            Design::Family(_) => Self::Family,
            Design::Sweep { .. } => Self::Sweep,
            Design::Shares(_) => Self::Shares,
        }
    }
}

/// The part of the settings that says what is raced.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    pub kind: Kind,
    /// In the order of [`StartValue::ALL`].
    pub arms: Vec<StartValue>,
    /// Heads and layers.
    pub sizes: Vec<(usize, usize)>,
    pub rates: Vec<f64>,
    pub batches: Vec<usize>,
    /// Shares of the training pictures, per cent.
    pub shares: Vec<f64>,
    pub is_interleaved: bool,
    pub micro_batch: usize,
    /// The accuracy that steps are counted to, per cent; 0 = 90 % of the best.
    pub accuracy: f64,
}

impl Default for Choice {
    fn default() -> Self {
        Self {
            kind: Kind::Race,
            arms: vec![StartValue::Inherited, StartValue::Scratch],
            sizes: vec![(6, 6), (4, 6), (6, 3), (3, 3)],
            rates: vec![1e-5, 3e-5, 1e-4],
            batches: vec![8, 16],
            shares: vec![5.0, 10.0, 25.0, 50.0, 100.0],
            is_interleaved: true,
            micro_batch: 0,
            accuracy: 0.0,
        }
    }
}

/// Most races of one experiment.
const MOST: usize = 32;

impl Choice {
    pub fn has(&self, arm: StartValue) -> bool {
        self.arms.contains(&arm)
    }

    pub fn set_arm(&mut self, arm: StartValue, on: bool) {
        self.arms = StartValue::ALL.into_iter().filter(|one| if *one == arm { on } else { self.has(*one) }).collect();
    }

    /// The experiment that repeats a race.
    pub fn experiment(&self, race: TrainSettings) -> ExperimentSettings {
        let design = match self.kind {
            Kind::Race => Design::Race,
            Kind::Family => Design::Family(self.sizes.clone()),
            Kind::Sweep => Design::Sweep { rates: self.rates.clone(), batches: self.batches.clone() },
            Kind::Shares => Design::Shares(self.shares.iter().map(|share| share / 100.0).collect()),
        };
        ExperimentSettings { race, design }
    }

    /// The lists as they are typed; also what stands in the address, with `+` for the space.
    pub fn sizes_text(&self) -> String {
        join(self.sizes.iter().map(|(heads, layers)| format!("{heads}x{layers}")))
    }

    pub fn rates_text(&self) -> String {
        join(self.rates.iter().map(f64::to_string))
    }

    pub fn batches_text(&self) -> String {
        join(self.batches.iter().map(usize::to_string))
    }

    pub fn shares_text(&self) -> String {
        join(self.shares.iter().map(f64::to_string))
    }

    /// Each keeps what it was when the text holds nothing that can be used.
    pub fn set_sizes(&mut self, text: &str) {
        keep(&mut self.sizes, items(text).filter_map(size));
    }

    pub fn set_rates(&mut self, text: &str) {
        keep(&mut self.rates, items(text).filter_map(rate));
    }

    pub fn set_batches(&mut self, text: &str) {
        keep(&mut self.batches, items(text).filter_map(batch));
    }

    pub fn set_shares(&mut self, text: &str) {
        keep(&mut self.shares, items(text).filter_map(share));
    }

    /// A value as it stands in the address.
    pub fn word(&self, key: &str) -> String {
        let plus = |text: String| text.replace(' ', "+");
        match key {
            "experiment" => self.kind.name().to_owned(),
            "arms" => self.arms.iter().map(|arm| arm.name()).collect::<Vec<_>>().join("+"),
            "sizes" => plus(self.sizes_text()),
            "rates" => plus(self.rates_text()),
            "batches" => plus(self.batches_text()),
            "shares" => plus(self.shares_text()),
            _ => if self.is_interleaved { "together" } else { "alone" }.to_owned(),
        }
    }

    /// Reads one of these; whether all of it was understood. What was not leaves everything as it is.
    pub fn set_word(&mut self, key: &str, value: &str) -> bool {
        let list = value.replace('+', " ");
        match key {
            "experiment" => match Kind::of_name(value) {
                Some(kind) => self.kind = kind,
                None => return false,
            },
            "arms" => match items(&list).map(StartValue::of_name).collect::<Option<Vec<_>>>() {
                Some(arms) => self.arms = StartValue::ALL.into_iter().filter(|arm| arms.contains(arm)).collect(),
                None => return false,
            },
            "sizes" if are_all(&list, size) => self.set_sizes(&list),
            "rates" if are_all(&list, rate) => self.set_rates(&list),
            "batches" if are_all(&list, batch) => self.set_batches(&list),
            "shares" if are_all(&list, share) => self.set_shares(&list),
            "order" if ["together", "alone"].contains(&value) => self.is_interleaved = value == "together",
            _ => return false,
        }
        true
    }
}

/// Heads and layers: `6x3`.
fn size(text: &str) -> Option<(usize, usize)> {
    let (heads, layers) = text.split_once(['x', '×', 'X', '*'])?;
    Some((within(heads, 1, 64)?, within(layers, 1, 64)?))
}

fn rate(text: &str) -> Option<f64> {
    number(text).filter(|rate| *rate > 0.0 && *rate <= 1.0)
}

fn batch(text: &str) -> Option<usize> {
    within(text, 1, 1_024)
}

/// Per cent.
fn share(text: &str) -> Option<f64> {
    number(text).filter(|share| *share > 0.0 && *share <= 100.0)
}

/// Whether there is an item, and none that is not understood.
fn are_all<T>(text: &str, read: fn(&str) -> Option<T>) -> bool {
    items(text).next().is_some() && items(text).all(|one| read(one).is_some())
}

fn join(items: impl Iterator<Item = String>) -> String {
    items.collect::<Vec<_>>().join(" ")
}

fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split([' ', ',', ';']).map(str::trim).filter(|one| !one.is_empty())
}

fn number(text: &str) -> Option<f64> {
    text.trim_end_matches('%').parse::<f64>().ok().filter(|number| number.is_finite())
}

fn within(text: &str, least: usize, most: usize) -> Option<usize> {
    text.trim().parse::<usize>().ok().map(|number| number.clamp(least, most))
}

/// Replaces a list by what was typed, each item once.
fn keep<T: PartialEq + Clone>(list: &mut Vec<T>, typed: impl Iterator<Item = T>) {
    let mut found: Vec<T> = Vec::new();
    typed.take(MOST).for_each(|item| {
        if !found.contains(&item) {
            found.push(item);
        }
    });
    if !found.is_empty() {
        *list = found;
    }
}

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
                let has_sizes = Kind::of(&report.settings.design) == Kind::Family;
                report.races.iter().flat_map(|race| of_race(race, has_sizes)).collect()
            }
            None => self.race.with(|race| race.as_ref().map(|race| of_race(race, false)).unwrap_or_default()),
        })
    }

    /// The experiment as chosen; `None` before a descendant is planned.
    pub fn chosen_experiment(self) -> Option<ExperimentSettings> {
        let planned = self.plans.descendant.with(|planned| planned.as_ref().map(|planned| planned.settings.clone()))?;
        Some(self.settings.with(|settings| settings.race.experiment(settings.training(planned))))
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
