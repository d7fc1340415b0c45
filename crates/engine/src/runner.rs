//! The engine's state machine: takes commands one after the other and, between them, moves the running job on by one
//! small piece, so that it answers the page at any time. It knows nothing of workers: the same runner serves the page,
//! the native tests and the examples.

use std::cell::Cell;
use std::ops::ControlFlow;
use std::rc::Rc;

use futures::channel::mpsc::UnboundedReceiver;
use futures::stream::StreamExt;

use super::bench::bench;
use super::descendant::Planned;
use super::export::Format;
use super::heads::{Heads, MeasureJob};
use super::keep::work::SavedInputs;
use super::keep::{Change, Keeper, Turn};
use super::layers::CondenseJob;
use super::open::Ancestor;
use super::pace::Pace;
use super::pictures::Pictures;
use super::pool::{PoolJob, Pools};
use super::predict::Named;
use super::race::{RaceJob, Trained};
use heirloom_nn::device::{Acquired, DeviceError, acquire_cpu, acquire_webgpu};
use heirloom_plan::protocol::{
    Command, CondenseReport, Design, Engine, EngineReport, Event, ExperimentSettings, JobKind, Notice, NoticeLevel,
    Progress, RaceReport, RaceState, sentence,
};
use heirloom_plan::queue::Queue;
use heirloom_platform::clock::yield_now;
use heirloom_platform::file::FileHandle;

/// A command with the files it counts.
pub type Request = (Command, Vec<FileHandle>);

/// Where events go, with the bytes of [`Event::File`].
pub type Outlet = Box<dyn Fn(Event, Option<Vec<u8>>)>;

/// What is being worked on.
pub(super) enum Job {
    /// Heads are measured.
    Measure(MeasureJob),
    /// Layers are compared.
    Condense(Box<CondenseJob>),
    /// A race is trained.
    Race(Box<RaceJob>),
    /// A pool is made.
    Pool(Box<PoolJob>),
}

impl Job {
    /// Whether it is kept and goes on after a reload.
    pub fn is_kept(&self) -> bool {
        matches!(self, Self::Race(_) | Self::Pool(_))
    }

    /// Whole passes over the pictures that it made, if it is kept.
    pub fn passes(&self) -> Option<usize> {
        match self {
            Self::Race(job) => Some(job.passes()),
            Self::Pool(job) => Some(job.passes()),
            Self::Measure(_) | Self::Condense(_) => None,
        }
    }

    pub fn is_paused(&self) -> bool {
        match self {
            Self::Race(job) => job.is_paused,
            Self::Pool(job) => job.is_paused,
            Self::Measure(_) | Self::Condense(_) => false,
        }
    }

    /// Where it holds what it was started with, if it is kept.
    pub fn inputs(&mut self) -> Option<&mut Option<SavedInputs>> {
        match self {
            Self::Race(job) => Some(&mut job.inputs),
            Self::Pool(job) => Some(&mut job.inputs),
            Self::Measure(_) | Self::Condense(_) => None,
        }
    }
}

/// The engine.
pub struct Runner {
    outlet: Outlet,
    stop: Rc<Cell<bool>>,
    pub(super) acquired: Option<Acquired>,
    pub(super) ancestor: Option<Ancestor>,
    pub(super) pictures: Pictures,
    pub(super) heads: Option<Heads>,
    pub(super) planned: Option<Planned>,
    /// One per run of the last race; `None` where it diverged.
    pub(super) trained: Vec<Option<Trained>>,
    /// The last race, as it ended.
    pub(super) last_race: Option<RaceReport>,
    /// The last experiment, as far as it got; `None` where the last race stood alone.
    pub(super) last_queue: Option<Queue>,
    /// How alike layers of the ancestor and of a small model are.
    pub(super) condensed: Option<CondenseReport>,
    /// What was made last, by method.
    pub(super) pools: Pools,
    /// What was named last.
    pub(super) named: Named,
    pub(super) job: Option<Job>,
    pub(super) pace: Pace,
    /// Floating-point operations per second that training reached on this machine.
    pub(super) flops_per_second: Option<f64>,
    pub(super) keeper: Keeper,
}

impl Runner {
    /// An engine without a device yet. `stop` is raised by whoever receives [`Command::Stop`] while a command is being
    /// worked on, so that long ones break off at once.
    pub fn new(outlet: Outlet, stop: Rc<Cell<bool>>) -> Self {
        Self {
            outlet,
            stop,
            acquired: None,
            ancestor: None,
            pictures: Pictures::default(),
            heads: None,
            planned: None,
            trained: Vec::new(),
            last_race: None,
            last_queue: None,
            condensed: None,
            pools: Pools::default(),
            named: Named::default(),
            job: None,
            pace: Pace::default(),
            flops_per_second: None,
            keeper: Keeper::default(),
        }
    }

    /// Serves until nobody can send any more.
    pub async fn serve(mut self, mut inbox: UnboundedReceiver<Request>) {
        loop {
            while let Ok((command, files)) = inbox.try_recv() {
                self.handle(command, files).await;
            }
            let is_working = self.work().await;
            yield_now().await;
            if !is_working {
                match inbox.next().await {
                    Some((command, files)) => self.handle(command, files).await,
                    None => return,
                }
            }
        }
    }

    /// Carries out one command; long ones become the running job.
    pub async fn handle(&mut self, command: Command, files: Vec<FileHandle>) {
        self.stop.set(false);
        if self.receive_missing(&command, &files).await {
            return;
        }
        self.before(&command).await;
        match command {
            Command::Start { engine } => self.start(engine).await,
            Command::OpenAncestor { .. } => self.open_ancestor(&files).await,
            Command::SetPreparation(preparation) => self.set_preparation(preparation),
            Command::AddPictures { class, .. } => self.add_pictures(&files, class.as_deref()).await,
            Command::ClearPictures => self.clear_pictures().await,
            Command::SetSplit(settings) => self.set_split(settings).await,
            Command::MeasureHeads(settings) => self.measure_heads(settings).await,
            Command::SetClusters(settings) => self.set_clusters(settings).await,
            Command::ShowAttention { layer, head, picture, patch } => {
                self.show_attention([layer, head], picture, patch).await;
            }
            Command::Condense(settings) => self.condense(settings).await,
            Command::PlanDescendant(settings) => self.plan_descendant(settings),
            Command::MakePool(settings) => self.make_pool(settings).await,
            Command::CutOut { method, configuration } => self.cut_out(method, configuration),
            Command::Train(race) => self.experiment(ExperimentSettings { race, design: Design::Race }).await,
            Command::Experiment(settings) => self.experiment(settings).await,
            Command::Pause => self.pause(true),
            Command::Continue => self.pause(false),
            Command::Stop => self.stop_job().await,
            Command::Predict { run, .. } => self.predict(run, files).await,
            Command::PredictValidation { run, skip, count } => self.predict_validation(run, skip, count).await,
            Command::Glance { run, .. } => self.glance(run, files).await,
            Command::Confusion { run } => self.confusion(run).await,
            Command::ExportSafetensors { run } => self.export_model(run, Format::Safetensors).await,
            Command::ExportOnnx { run } => self.export_model(run, Format::Onnx).await,
            Command::ExportPackage { run } => self.export_model(run, Format::Package).await,
            Command::Look { run, picture, at } => self.look(run, picture, at).await,
            Command::Thumbnails { paths } => self.thumbnails(paths).await,
            Command::ExportCurves => self.export_curves(),
            Command::Project(command) => self.project(command, &files).await,
            Command::Bench { work, warm, reps, budget } => {
                if let Some(acquired) = &self.acquired {
                    match bench(&acquired.device, &work, warm, reps, budget).await {
                        Ok(json) => self.say(Event::Bench { work, json }),
                        Err(reason) => self.fail(reason),
                    }
                }
            }
        }
    }

    /// Keeps what there is to keep for a moment, and moves the running job on by one piece; `false` when neither is to be
    /// done (or the job is paused).
    pub async fn work(&mut self) -> bool {
        let has_copied = match self.keep_next().await {
            Turn::Saving => return true,
            Turn::Copied => true,
            Turn::Idle => false,
        };
        let has_worked = match self.job.take() {
            Some(Job::Measure(job)) => self.measure_next(job).await,
            Some(Job::Condense(job)) => self.condense_next(job).await,
            Some(Job::Race(job)) => self.race_next(job).await,
            Some(Job::Pool(job)) => self.pool_next(job).await,
            None => false,
        };
        has_copied || has_worked
    }

    async fn start(&mut self, engine: Option<Engine>) {
        let (acquired, fallback) = match acquire(engine).await {
            Ok(acquired) => acquired,
            Err(error) => return self.fail(error),
        };
        let report = EngineReport {
            engine: if acquired.is_webgpu { Engine::WebGpu } else { Engine::Cpu },
            name: acquired.name.clone(),
            fallback,
            self_test: acquired.self_test.clone(),
        };
        self.acquired = Some(acquired);
        self.say(Event::Engine(report));
    }

    async fn stop_job(&mut self) {
        match self.job.take() {
            Some(Job::Measure(_)) => self.end(JobKind::Measure, false),
            Some(Job::Condense(_)) => self.end(JobKind::Condense, false),
            Some(Job::Race(job)) => self.stop_race(job).await,
            Some(Job::Pool(job)) => self.finish_pool(job, RaceState::Stopped),
            None => {}
        }
    }

    /// Whether the person wants the command at hand to break off.
    pub(super) fn flow(&self) -> ControlFlow<()> {
        if self.stop.get() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// The flag behind [`Runner::flow`], for closures that outlive a borrow.
    pub(super) fn stop_flag(&self) -> Rc<Cell<bool>> {
        self.stop.clone()
    }

    pub(super) fn say(&self, event: Event) {
        (self.outlet)(event, None);
    }

    pub(super) fn say_file(&self, name: String, mime: &str, bytes: Vec<u8>) {
        (self.outlet)(Event::File { name, mime: mime.to_string() }, Some(bytes));
    }

    /// Tells how far a job is, at most four times a second.
    pub(super) fn progress(&mut self, job: JobKind, done: usize, total: usize, note: &str) {
        if let Some(seconds_left) = self.pace.step(done, total) {
            let note = note.to_string();
            self.say(Event::Progress(Progress { job, done, total, seconds_left, note, is_warming_up: false }));
        }
    }

    pub(super) fn end(&self, job: JobKind, finished: bool) {
        if job != JobKind::Evaluate {
            self.keeper.note(Change::Now);
        }
        self.say(Event::JobEnded { job, finished });
    }

    pub(super) fn inform(&self, text: impl ToString) {
        self.say(Event::Notice(Notice { level: NoticeLevel::Info, text: sentence(text) }));
    }

    pub(super) fn fail(&self, reason: impl ToString) {
        self.say(Event::Notice(Notice { level: NoticeLevel::Error, text: sentence(reason) }));
    }
}

/// The device to work on, and why it is not WebGPU when it might have been.
async fn acquire(engine: Option<Engine>) -> Result<(Acquired, Option<String>), DeviceError> {
    match engine {
        Some(Engine::Cpu) => Ok((acquire_cpu().await?, None)),
        Some(Engine::WebGpu) => Ok((acquire_webgpu().await?, None)),
        None => match acquire_webgpu().await {
            Ok(acquired) => Ok((acquired, None)),
            Err(reason) => Ok((acquire_cpu().await?, Some(sentence(reason)))),
        },
    }
}
