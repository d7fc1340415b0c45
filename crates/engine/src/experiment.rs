//! Running races one after the other: the engine holds one race at a time, and of those behind it reports and the models
//! that are worth keeping.

use super::keep::work::Kept;
use super::race::{RaceJob, Trained};
use super::runner::{Job, Runner};
use heirloom_data::Normalise;
use heirloom_plan::forecast::Forecast;
use heirloom_plan::protocol::{Event, ExperimentSettings, JobKind, Progress, RaceState};
use heirloom_plan::queue::Queue;
use heirloom_train::Advance;

impl Runner {
    pub(super) async fn experiment(&mut self, settings: ExperimentSettings) {
        if self.job.is_some() {
            return self.fail("another job is running; stop it first");
        }
        // All races are looked at before the first begins: nobody wants to hear of the last one's fault after an hour.
        let fault = settings.races().iter().find_map(|race| self.race_parts(race).err());
        if let Some(reason) = fault {
            return self.fail(reason);
        }
        match self.begin_race(Queue::new(settings), Forecast::new(self.flops_per_second)) {
            Ok(job) => {
                self.trained.clear();
                self.last_queue = None;
                self.go_on_with(job);
            }
            Err(reason) => self.fail(reason),
        }
    }

    fn go_on_with(&mut self, job: RaceJob) {
        self.pace.begin(0);
        let report = job.report(RaceState::Running);
        self.say(Event::Race(report.clone()));
        if job.queue.is_experiment() {
            self.say(Event::Experiment(job.queue.report(Some(report))));
        }
        self.job = Some(Job::Race(Box::new(job)));
    }

    pub(super) async fn race_next(&mut self, mut job: Box<RaceJob>) -> bool {
        if job.is_paused {
            self.job = Some(Job::Race(job));
            return false;
        }
        let advanced = job.race.advance().await;
        if let Ok(advance) = &advanced {
            job.learn(advance);
        }
        match advanced {
            Ok(Advance::Stepped { .. } | Advance::Judged { .. }) => {
                self.tell_progress(&job);
                self.job = Some(Job::Race(job));
            }
            Ok(Advance::Halved { micro_batch }) => {
                job.settings.micro_batch = micro_batch;
                self.inform(format!(
                    "there is not enough memory for {} pictures at a time, so each step goes in parts of {micro_batch}, \
                     whose gradients are added: the result is the same, only slower",
                    job.settings.batch
                ));
                self.job = Some(Job::Race(job));
            }
            Ok(Advance::Started { .. } | Advance::Measured { .. } | Advance::Failed { .. }) => {
                self.tell_progress(&job);
                self.say(Event::Race(job.report(RaceState::Running)));
                self.job = Some(Job::Race(job));
            }
            Ok(Advance::Finished) => self.finish_race(job, RaceState::Finished).await,
            Err(error) => {
                self.fail(error);
                self.finish_race(job, RaceState::Stopped).await;
            }
        }
        true
    }

    fn tell_progress(&mut self, job: &RaceJob) {
        let (done, total) = job.progress();
        if self.pace.is_due() {
            let (seconds_left, is_warming_up) = (job.seconds_left(), job.forecast().is_warming_up());
            let note = job.note();
            self.say(Event::Progress(Progress { job: JobKind::Train, done, total, seconds_left, note, is_warming_up }));
        }
    }

    pub(super) fn pause(&mut self, paused: bool) {
        self.pause_pool(paused);
        if let Some(Job::Race(job)) = &mut self.job {
            job.is_paused = paused;
            job.rested();
            let report = job.report(if paused { RaceState::Paused } else { RaceState::Running });
            self.say(Event::Race(report));
        }
    }

    pub(super) async fn stop_race(&mut self, mut job: Box<RaceJob>) {
        job.race.stop();
        self.finish_race(job, RaceState::Stopped).await;
    }

    /// Keeps the models of a race that ended, tells the page, and goes on with the next.
    async fn finish_race(&mut self, mut job: Box<RaceJob>, state: RaceState) {
        self.keep_models(&job);
        // In a sweep divergence is a result, shown where the results are.
        if !job.queue.keeps_only_the_best() {
            for failure in job.race.reports().iter().filter_map(|report| report.failure.clone()) {
                self.fail(failure);
            }
        }
        let broken: Vec<String> = job.race.batches().loader().broken().map(|(path, _)| format!("`{path}`")).collect();
        if !broken.is_empty() {
            self.inform(format!("these pictures did not decode and were left out: {}", broken.join(", ")));
        }
        self.flops_per_second = job.forecast().speed();
        self.tell_speed();
        let report = job.report(state);
        let forecast = job.forecast().clone();
        let mut queue = job.queue;
        queue.finished.push(report);
        self.drop_models(&mut queue);
        let report = queue.finished.last().cloned();
        self.last_race.clone_from(&report);
        self.last_queue = queue.is_experiment().then(|| queue.clone());
        if let Some(report) = report {
            self.say(Event::Race(report));
        }
        if queue.is_experiment() {
            self.say(Event::Experiment(queue.report(None)));
        }
        if state == RaceState::Finished && queue.current().is_some() {
            match self.begin_race(queue, forecast) {
                Ok(next) => return self.go_on_with(next),
                Err(reason) => self.fail(reason),
            }
        }
        self.plan_again();
        self.end(JobKind::Train, state == RaceState::Finished);
    }

    /// Folds the models of a race and puts them behind those of the races before it.
    fn keep_models(&mut self, job: &RaceJob) {
        let normalise = self.ancestor.as_ref().map_or_else(Normalise::default, |ancestor| ancestor.normalise);
        let trained = job.race.reports().iter().enumerate().map(|(run, report)| {
            let (model, classes) = (job.race.model(run)?.fold(), job.classes.clone());
            let (arm, seed) = (job.settings.arms[report.arm], report.seed);
            Some(Trained { model, classes, normalise, arm, seed, cut: None, kept: Kept::default() })
        });
        self.trained.truncate(job.queue.first_run());
        self.trained.extend(trained);
    }

    /// Lets go of the models that the experiment does not keep, and says which are left.
    fn drop_models(&mut self, queue: &mut Queue) {
        if queue.keeps_only_the_best() {
            let best = queue.best();
            let others = self.trained.iter_mut().enumerate().filter(|(number, _)| Some(*number) != best);
            others.for_each(|(_, model)| *model = None);
        }
        queue.mark_models(|number| self.trained.get(number).is_some_and(Option::is_some));
    }
}
