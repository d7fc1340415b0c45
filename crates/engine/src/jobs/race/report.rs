//! What the page hears of a race, how far it is, and how long it still takes.

use super::RaceJob;
use heirloom_learngene::layers::layer_names;
use heirloom_plan::forecast::Work;
use heirloom_plan::protocol::{Init, RaceReport, RaceState, RunReport};
use heirloom_platform::clock::now_ms;
use heirloom_train::{Advance, Batches, RunProgress};

impl RaceJob {
    /// Learns from a piece of work that just ended.
    pub(super) fn learn(&mut self, advance: &Advance) {
        let now = now_ms();
        let seconds = (now - self.last) / 1e3;
        self.last = now;
        let arms = self.configs.len();
        match *advance {
            Advance::Stepped { run, .. } if self.race.reports()[run].step > 1 => {
                self.forecast.stepped(seconds, self.cost.of_step(run % arms));
            }
            Advance::Judged { run } | Advance::Measured { run } if self.race.reports()[run].points.len() > 1 => {
                let batches = self.race.batches().validation_batches().max(1);
                let pictures = self.cost.pictures as f64 / batches as f64;
                self.forecast.judged(seconds, pictures * self.cost.flops[run % arms]);
            }
            Advance::Prepared { .. } => self.learn_of_fit(seconds),
            // What was estimated of a fit that ended early would go on being waited for.
            Advance::Started { run } if self.cost.is_frozen[run % arms] => self.cost = self.cost.clone().prepared(),
            _ => {}
        }
    }

    /// Learns from a piece of the fit, and takes it off what is left.
    fn learn_of_fit(&mut self, seconds: f64) {
        let Work { judging, fitting, .. } = self.fits.take_spent();
        if judging > 0.0 {
            self.forecast.judged(seconds, judging);
        } else {
            self.forecast.fitted(seconds, fitting);
        }
        let left = &mut self.cost.preparing;
        (left.judging, left.fitting) = ((left.judging - judging).max(0.0), (left.fitting - fitting).max(0.0));
    }

    /// Seconds that this race and those after it still take.
    pub(super) fn seconds_left(&self) -> Option<f64> {
        self.forecast.seconds(self.cost.left(&self.runs()), &self.later)
    }

    /// Steps done and planned over all races; a failed run counts as done.
    pub(super) fn progress(&self) -> (usize, usize) {
        let (done, _) = self.race.progress();
        let before: usize = self.queue.finished.iter().map(|race| race.settings.steps * race.runs.len()).sum();
        let all = self.queue.races().iter().map(|race| race.steps * race.seeds * race.arms.len()).sum();
        (before + done, all)
    }

    pub(super) fn note(&self) -> String {
        if self.forecast.is_warming_up() {
            return "warming up: measuring this machine".into();
        }
        let (arms, settings) = (self.settings.arms.len(), &self.settings);
        let current = self.race.reports().iter().rev().find(|report| report.step > 0);
        let Some(report) = current else { return String::new() };
        let place = format!("seed {} of {}, step {} of {}", report.seed, settings.seeds, report.step, settings.steps);
        let order = match (arms, settings.is_interleaved) {
            (1, _) => String::new(),
            (_, true) => format!(", {arms} arms side by side"),
            (_, false) => format!(", arm {} of {arms}", report.arm + 1),
        };
        let race = match self.queue.is_experiment() {
            true => format!("race {} of {}, ", self.queue.finished.len() + 1, self.queue.races().len()),
            false => String::new(),
        };
        let cores = match self.race.threads() {
            1 => String::new(),
            threads => format!(", {threads} cores"),
        };
        format!("{race}{place}{order}{cores}")
    }

    /// How a fitted classifier did on what was held out.
    fn held_out(&self, arm: Init) -> Option<[usize; 2]> {
        let key = self.yardstick.as_ref().filter(|_| arm.is_frozen())?;
        self.fits.head(key)?.held_out
    }

    fn runs(&self) -> Vec<RunReport> {
        // What takes no steps is as good as it gets once it was judged.
        let is_ready = |report: &RunProgress| self.settings.arms[report.arm].is_frozen() && !report.points.is_empty();
        let run = |report: &RunProgress| {
            let config = &self.configs[report.arm];
            RunReport {
                arm: self.settings.arms[report.arm],
                seed: report.seed,
                step: report.step,
                points: report.points.clone(),
                steps_per_second: report.steps_per_second,
                parameters: config.parameters(),
                flops: config.flops(),
                size: (layer_names(config).len(), config.vit().map(|config| config.num_heads)),
                failure: report.failure.clone(),
                held_out: self.held_out(self.settings.arms[report.arm]),
                has_model: report.failure.is_none() && (report.step > 0 || is_ready(report)),
            }
        };
        self.race.reports().iter().map(run).collect()
    }

    /// Everything the page is told.
    pub(super) fn report(&self, state: RaceState) -> RaceReport {
        RaceReport {
            settings: self.settings.clone(),
            runs: self.runs(),
            classes: self.classes.clone(),
            state,
            first_run: self.queue.first_run(),
        }
    }
}
