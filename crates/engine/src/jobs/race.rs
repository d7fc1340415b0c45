//! Races on the person's pictures, one after the other: one race is held at a time, and of those behind it reports and
//! the models that are worth keeping.

pub mod arms;
mod report;
pub mod set_up;

use futures::FutureExt;
use futures::future::{LocalBoxFuture, ready};

use self::arms::RaceInitializers;
use self::set_up::{RaceParts, in_parts};
use super::job::{Job, JobTensors, Lasting, Making, Step, TensorSource, making};
use crate::batches::RaceBatches;
use crate::commands::descendant::plan_again;
use crate::commands::emit_speed;
use crate::emitter::Emitter;
use crate::error::EngineError;
use crate::fits::Fits;
use crate::remark::Remark;
use crate::saved::{SavedRace, SavedWork};
use crate::workspace::{Id, Trained, Workspace};
use heirloom_data::Normalise;
use heirloom_learngene::Descendant;
use heirloom_nn::model::ModelConfig;
use heirloom_plan::forecast::{Cost, Forecast};
use heirloom_plan::protocol::{
    Command, Design, Event, ExperimentSettings, JobKind, Progress, RaceState, TrainSettings,
};
use heirloom_plan::queue::Queue;
use heirloom_platform::clock::now_ms;
use heirloom_train::{Advance, Race, TrainError};

/// A race under way.
struct RaceJob {
    race: Race<Descendant, RaceBatches, RaceInitializers>,
    settings: TrainSettings,
    classes: Vec<String>,
    /// Architecture of every arm.
    configs: Vec<ModelConfig>,
    /// The experiment it is part of.
    queue: Queue,
    /// Costs of the races that come after it.
    later: Vec<Cost>,
    cost: Cost,
    forecast: Forecast,
    /// Classifiers of the ancestor as it is, for all races of the experiment.
    fits: Fits,
    /// That of this race.
    yardstick: Option<String>,
    /// What to say of the one of this race.
    remark: Option<Remark>,
    /// When the last piece of work ended, ms.
    last: f64,
    lasting: Lasting,
}

/// On [`Command::Train`] and [`Command::Experiment`].
pub fn start<'a>(command: &'a Command, workspace: &'a mut Workspace) -> Making<'a> {
    let settings = match command {
        Command::Train(race) => ExperimentSettings { race: race.clone(), design: Design::Race },
        Command::Experiment(settings) => settings.clone(),
        _ => return None,
    };
    making(ready(begin(settings, workspace)))
}

fn begin(settings: ExperimentSettings, workspace: &mut Workspace) -> Result<RaceJob, EngineError> {
    // All races are looked at before the first begins: nobody wants to hear of the last one's fault after an hour.
    let fits = Fits::default();
    for race in settings.races() {
        RaceParts::new(workspace, &race, &fits)?;
    }
    let job = RaceJob::new(workspace, Queue::new(settings), Forecast::new(workspace.flops_per_second), fits)?;
    workspace.trained.clear();
    workspace.last_queue = None;
    Ok(job)
}

/// A saved race where it stood, with the same ancestor and pictures.
pub fn resume<'a>(work: &'a SavedWork, workspace: &'a Workspace, mut tensors: &'a mut dyn TensorSource) -> Making<'a> {
    let SavedRace { queue, is_paused, header, inputs, fits, .. } = work.race.clone()?;
    making(async move {
        let fits = Fits::restore(fits, tensors).await?;
        let mut job = RaceJob::new(workspace, queue, Forecast::new(workspace.flops_per_second), fits)?;
        job.race = job.race.resume(header, &mut tensors).await?;
        job.settings.micro_batch = job.race.plan().micro_batch;
        (job.lasting.is_paused, job.lasting.inputs) = (is_paused, inputs);
        Ok(job)
    })
}

impl Job for RaceJob {
    fn kind(&self) -> JobKind {
        JobKind::Train
    }

    fn announce(&mut self, emitter: &Emitter) {
        self.last = now_ms();
        emitter.pace().begin(0);
        let report = self.report(self.state());
        if let Some(remark) = self.remark.take() {
            emitter.notify_info(remark);
        }
        emitter.emit(Event::Race(report.clone()));
        if self.queue.is_experiment() {
            emitter.emit(Event::Experiment(self.queue.report(Some(report))));
        }
    }

    fn advance<'a>(&'a mut self, workspace: &'a mut Workspace, emitter: &'a Emitter) -> LocalBoxFuture<'a, Step> {
        async move {
            let advanced = self.race.advance().await;
            if let Ok(advance) = &advanced {
                self.learn(advance);
            }
            match advanced {
                Ok(Advance::Stepped { .. } | Advance::Judged { .. }) => self.emit_progress(emitter),
                Ok(Advance::Prepared { done, total, .. }) => self.emit_preparing(emitter, done, total),
                Ok(Advance::Halved { micro_batch }) => {
                    self.settings.micro_batch = micro_batch;
                    emitter.notify_info(in_parts(&self.configs, self.settings.batch, micro_batch));
                }
                Ok(Advance::Started { .. } | Advance::Measured { .. } | Advance::Failed { .. }) => {
                    self.emit_progress(emitter);
                    emitter.emit(Event::Race(self.report(RaceState::Running)));
                }
                Ok(Advance::Finished) => return self.finish(workspace, emitter, RaceState::Finished),
                Err(error) => {
                    emitter.notify_error(error);
                    return self.finish(workspace, emitter, RaceState::Stopped);
                }
            }
            Step::Worked
        }
        .boxed_local()
    }

    fn stop(&mut self, workspace: &mut Workspace, emitter: &Emitter) {
        self.race.stop();
        self.finish(workspace, emitter, RaceState::Stopped);
    }

    fn pause(&mut self, is_paused: bool, emitter: &Emitter) {
        self.lasting.is_paused = is_paused;
        // Time that passes meanwhile is not work.
        self.last = now_ms();
        emitter.emit(Event::Race(self.report(self.state())));
    }

    fn set_micro_batch(&mut self, pictures: usize) {
        self.race.set_micro_batch(pictures);
        self.settings.micro_batch = pictures;
    }

    fn numbers_models(&self) -> bool {
        true
    }

    fn lasting(&self) -> Option<&Lasting> {
        Some(&self.lasting)
    }

    fn lasting_mut(&mut self) -> Option<&mut Lasting> {
        Some(&mut self.lasting)
    }

    /// Over all seeds and the races before.
    fn passes(&self) -> usize {
        (self.queue.finished.len() << 20) + self.race.passes()
    }

    fn snapshot(&self, work: &mut SavedWork) -> Result<JobTensors, TrainError> {
        let parts = self.race.parts()?;
        let (fits, tensors) = self.fits.save(self.race.device());
        work.race = Some(SavedRace {
            queue: self.queue.clone(),
            is_paused: self.lasting.is_paused,
            header: parts.header,
            inputs: self.lasting.earlier_inputs(&work.inputs),
            trained: Vec::new(),
            fits,
        });
        Ok(JobTensors { live: parts.live.into_iter().chain(tensors).collect(), parts: parts.trained })
    }
}

impl RaceJob {
    /// The race of a queue that is next, at its start. `forecast` goes on measuring, `fits` are those of the races before.
    ///
    /// # Errors
    /// When something is missing or does not fit.
    fn new(workspace: &Workspace, queue: Queue, forecast: Forecast, fits: Fits) -> Result<Self, EngineError> {
        let settings = queue.current().ok_or(EngineError::NoRace)?;
        let RaceParts { plan, batches, starts, configs, classes, cost, fit, remark } =
            RaceParts::new(workspace, &settings, &fits)?;
        let mut race = Race::new(plan, batches, starts, &workspace.acquired()?.device, now_ms);
        let is_fitting = fit.as_ref().is_some_and(|fit| !fit.is_fitted);
        let divides = race.plan().parts > 1 || race.plan().judging_parts > 1;
        if let Some(crew) = workspace.crew() {
            workspace.helpers.set(if divides || is_fitting { workspace.cores.0 - 1 } else { 0 });
            race.set_crew(divides.then_some(crew));
        }
        let rest = queue.races().into_iter().skip(queue.finished.len() + 1);
        // Of the races on the same pictures the first fits the classifier.
        let mut fitted: Vec<String> = fit.iter().map(|fit| fit.view.clone()).collect();
        let later = rest.map(|settings| {
            let RaceParts { cost, fit, .. } = RaceParts::new(workspace, &settings, &fits)?;
            let is_shared = fit.as_ref().is_some_and(|fit| fitted.contains(&fit.view));
            fitted.extend(fit.map(|fit| fit.view));
            Ok(if is_shared { cost.prepared() } else { cost })
        });
        let later = later.collect::<Result<_, EngineError>>()?;
        let yardstick = fit.map(|fit| fit.key);
        let lasting = Lasting::new(race.reports().len());
        let last = now_ms();
        Ok(Self {
            race,
            settings,
            classes,
            configs,
            queue,
            later,
            cost,
            forecast,
            fits,
            yardstick,
            remark,
            last,
            lasting,
        })
    }

    fn state(&self) -> RaceState {
        if self.lasting.is_paused { RaceState::Paused } else { RaceState::Running }
    }

    fn emit_progress(&self, emitter: &Emitter) {
        let (done, total) = self.progress();
        if emitter.pace().is_due() {
            let (seconds_left, is_warming_up) = (self.seconds_left(), self.forecast.is_warming_up());
            let (job, note, is_preparing) = (JobKind::Train, self.note(), false);
            let progress = Progress { job, done, total, seconds_left, note, is_warming_up, is_preparing };
            emitter.emit(Event::Progress(progress));
        }
    }

    /// How far the classifier of the ancestor as it is is fitted.
    fn emit_preparing(&self, emitter: &Emitter, done: usize, total: usize) {
        if emitter.pace().is_due() {
            let (job, seconds_left) = (JobKind::Train, self.seconds_left());
            let note = "fitting a classifier to what the ancestor sees in the pictures".to_owned();
            let (is_warming_up, is_preparing) = (false, true);
            let progress = Progress { job, done, total, seconds_left, note, is_warming_up, is_preparing };
            emitter.emit(Event::Progress(progress));
        }
    }

    /// Hands the models of a race that ended over, tells the page, and goes on with the next.
    fn finish(&mut self, workspace: &mut Workspace, emitter: &Emitter, state: RaceState) -> Step {
        self.hand_over_models(workspace);
        // In a sweep divergence is a result, shown where the results are.
        if !self.queue.keeps_only_the_best() {
            for failure in self.race.reports().iter().filter_map(|report| report.failure.as_ref()) {
                emitter.notify_error(EngineError::RunFailed(failure.clone()));
            }
        }
        if let Some(broken) = self.race.batches().broken() {
            emitter.notify_info(broken);
        }
        workspace.flops_per_second = self.forecast.speed();
        emit_speed(workspace, emitter);
        let mut queue = self.queue.clone();
        queue.finished.push(self.report(state));
        drop_models(workspace, &mut queue);
        if state == RaceState::Finished {
            self.train_on(workspace, &mut queue);
        }
        workspace.last_race = queue.finished.last().cloned();
        workspace.last_queue = queue.is_experiment().then(|| queue.clone());
        if let Some(report) = &workspace.last_race {
            emitter.emit(Event::Race(report.clone()));
        }
        if queue.is_experiment() {
            emitter.emit(Event::Experiment(queue.report(None)));
        }
        if state == RaceState::Finished && queue.current().is_some() {
            match Self::new(workspace, queue, self.forecast.clone(), self.fits.clone()) {
                Ok(next) => {
                    *self = next;
                    self.announce(emitter);
                    return Step::Worked;
                }
                Err(reason) => emitter.notify_error(reason),
            }
        }
        // What they hold is memory that others need.
        workspace.helpers.set(0);
        plan_again(workspace, emitter);
        Step::Ended { is_finished: state == RaceState::Finished }
    }

    /// Adds the race in which the model that is small and large enough is trained on, once it is known which.
    fn train_on(&self, workspace: &Workspace, queue: &mut Queue) {
        let Some((race, then)) = queue.to_train_on() else { return };
        let base = &queue.finished[race].settings;
        let pictures = workspace.dataset.split.as_ref().map_or(0, |split| split.train.len());
        // A first look, at one step, for how long a step takes.
        let one = then.race(base, base.cut, f64::INFINITY, pictures);
        let work = RaceParts::new(workspace, &one, &self.fits).map(|parts| parts.cost.of_step(0));
        let seconds = work.ok().and_then(|work| self.forecast.training_seconds(work));
        // Of a machine that nothing is known of, a step a second is a guess on the safe side.
        queue.last = Some(then.race(base, base.cut, seconds.unwrap_or(1.0), pictures));
    }

    /// Folds the models of the race and puts them behind those of the races before it.
    fn hand_over_models(&self, workspace: &mut Workspace) {
        let ancestor = workspace.ancestor.as_ref();
        let normalise = ancestor.map_or_else(Normalise::default, |ancestor| ancestor.normalise);
        let trained = self.race.reports().iter().enumerate().map(|(run, report)| {
            let (model, classes) = (self.race.model(run)?.fold(), self.classes.clone());
            let (arm, seed) = (self.settings.arms[report.arm], report.seed);
            Some(Trained { id: Id::default(), model, classes, normalise, arm, seed, cut: None })
        });
        workspace.trained.truncate(self.queue.first_run());
        workspace.trained.extend(trained);
    }
}

/// Lets go of the models that the experiment does not keep, and says which are left.
fn drop_models(workspace: &mut Workspace, queue: &mut Queue) {
    let trained = &mut workspace.trained;
    if queue.keeps_only_the_best() {
        let best = queue.best();
        let others = trained.iter_mut().enumerate().filter(|(number, _)| Some(*number) != best);
        others.for_each(|(_, model)| *model = None);
    }
    queue.mark_models(|number| trained.get(number).is_some_and(Option::is_some));
}
