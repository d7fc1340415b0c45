//! What is on the screen, and how each event of the engine changes it.

use js_sys::Uint8Array;
use leptos::prelude::*;
use wasm_bindgen::JsCast;

use super::experiment::Experiments;
use super::layers::LayersState;
use super::plan::{Inputs, Plans};
use super::pools::PoolView;
use super::projects::Projects;
use super::shipped::ShippedState;
use super::show_me::Story;
use super::strings::text;
use super::trial::Trial;
use super::{bench, files, restart};
use crate::link::{Link, Report};
use heirloom_plan::config::{ModelConfig, VitConfig};
use heirloom_plan::protocol::{
    AncestorSummary, AttentionMap, Confusion, Engine, EngineReport, Event, HeadsReport, JobKind, Notice, NoticeLevel,
    PicturesSummary, Prediction, Progress, RaceReport,
};
use heirloom_plan::settings::Settings;

/// Notices kept on the screen; older ones make room.
const MOST_NOTICES: usize = 6;

/// How far the engine is.
#[derive(Clone, Debug, PartialEq)]
pub enum EngineState {
    /// Its program is being fetched.
    Loading,
    /// Its program runs and looks for a device.
    Starting,
    Ready(EngineReport),
    /// It died too often; only the person can start another.
    Gone,
}

/// A long job under way.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    pub kind: JobKind,
    /// `None` until the engine says how far it is.
    pub progress: Option<Progress>,
}

/// A notice on the screen.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    pub id: usize,
    pub notice: Notice,
    /// What a report says besides.
    pub context: String,
}

/// Everything that is on the screen. Copies are handles of the same state.
#[derive(Clone, Copy)]
pub struct App {
    pub engine: RwSignal<EngineState>,
    pub notices: RwSignal<Vec<Shown>>,
    pub jobs: RwSignal<Vec<Job>>,
    /// The engine has been silent in the middle of a job for a long time.
    pub silent: RwSignal<bool>,
    pub ancestor: RwSignal<Option<AncestorSummary>>,
    pub pictures: RwSignal<Option<PicturesSummary>>,
    pub heads: RwSignal<Option<HeadsReport>>,
    /// Operations a second that this machine reaches.
    pub speed: RwSignal<Option<f64>>,
    pub plans: Plans,
    /// Layer, head and picture whose attention is shown.
    pub looking: RwSignal<(usize, usize, usize)>,
    /// The patch from which it looks; `None` for the middle one.
    pub looking_from: RwSignal<Option<usize>>,
    pub attention: RwSignal<Option<AttentionMap>>,
    pub layers: LayersState,
    pub race: RwSignal<Option<RaceReport>>,
    pub pools: PoolView,
    pub experiments: Experiments,
    /// The models of the race on the screen went with an engine that died.
    pub models_lost: RwSignal<bool>,
    /// Which trained model names pictures and is saved.
    pub run: RwSignal<usize>,
    pub predictions: RwSignal<Vec<Prediction>>,
    pub confusion: RwSignal<Option<Confusion>>,
    pub trial: Trial,
    pub settings: RwSignal<Settings>,
    pub projects: Projects,
    pub shipped: ShippedState,
    pub story: Story,
    /// Width for drawings, px.
    pub width: RwSignal<f64>,
    /// Sentence for screen readers.
    pub spoken: RwSignal<String>,
    pub(super) link: StoredValue<Option<Link>, LocalStorage>,
    next_notice: StoredValue<usize>,
}

impl App {
    /// An empty page with the usual settings.
    pub fn new() -> Self {
        let inputs = Inputs {
            ancestor: RwSignal::new(None),
            pictures: RwSignal::new(None),
            heads: RwSignal::new(None),
            settings: RwSignal::default(),
            speed: RwSignal::new(None),
        };
        Self {
            engine: RwSignal::new(EngineState::Loading),
            notices: RwSignal::default(),
            jobs: RwSignal::default(),
            silent: RwSignal::new(false),
            ancestor: inputs.ancestor,
            pictures: inputs.pictures,
            heads: inputs.heads,
            speed: inputs.speed,
            plans: Plans::new(inputs),
            looking: RwSignal::default(),
            looking_from: RwSignal::default(),
            attention: RwSignal::new(None),
            layers: LayersState::new(),
            race: RwSignal::new(None),
            pools: PoolView::default(),
            experiments: Experiments::new(),
            models_lost: RwSignal::new(false),
            run: RwSignal::new(0),
            predictions: RwSignal::default(),
            confusion: RwSignal::new(None),
            trial: Trial::new(),
            projects: Projects::new(),
            shipped: ShippedState::new(),
            story: Story::new(),
            settings: inputs.settings,
            width: RwSignal::new(640.0),
            spoken: RwSignal::default(),
            link: StoredValue::new_local(None),
            next_notice: StoredValue::new(0),
        }
    }

    /// Starts the engine.
    pub fn connect(self, engine: Option<Engine>) {
        let link = Link::start(engine, move |report| self.hear(report));
        self.link.set_value(Some(link));
    }

    fn hear(self, report: Report) {
        self.silent.set(false);
        match report {
            Report::Event(event, attachment) => self.apply(event, attachment),
            Report::Alive => self.engine.set(EngineState::Starting),
            Report::Restarted { reason, during, cpu_only } => restart::restarted(self, &reason, during, cpu_only),
            Report::GaveUp { reason } => restart::gave_up(self, &reason),
        }
    }

    fn apply(self, event: Event, attachment: Option<Uint8Array>) {
        match event {
            Event::Engine(report) => self.engine_ready(report),
            Event::Ancestor(summary) => self.ancestor_opened(summary),
            Event::Pictures(summary) => {
                self.end_job(JobKind::Pictures);
                self.pictures.set(Some(summary));
            }
            Event::Progress(progress) => self.move_job(progress),
            Event::JobEnded { job, finished } => self.job_ended(job, finished),
            Event::Heads(report) => self.heads_measured(report),
            Event::Speed(speed) => self.speed.set(Some(speed)),
            Event::Clusters(report) => self.knows_clusters(&report),
            Event::Attention(map) => self.attention.set(Some(map)),
            Event::Condensed(report) => {
                self.end_job(JobKind::Condense);
                self.condensed(report);
            }
            Event::Descendant(summary) => {
                self.knows_plan(summary);
                self.retry_training();
            }
            Event::Race(report) => self.race_moved(report),
            Event::Pool(report) => self.pool_moved(*report),
            Event::Cut(cut) => self.was_cut(cut),
            Event::Experiment(report) => self.experiments.report.set(Some(report)),
            Event::Prediction(prediction) => self.predictions.update(|all| all.push(prediction)),
            Event::Glance(prediction) => self.trial.glanced(prediction),
            Event::Look(look) => self.trial.looked(look),
            Event::Thumbnail { path, url } => self.trial.thumbnail(path, url),
            Event::Confusion(confusion) => self.confusion.set(Some(confusion)),
            Event::File { name, mime } => self.save(&name, &mime, attachment),
            Event::Notice(notice) => {
                bench::failed(&notice);
                self.notify(notice);
            }
            Event::Project(event) => self.project_moved(event),
            Event::Bench { work, json } => bench::answered(&work, &json),
        }
    }

    fn engine_ready(self, report: EngineReport) {
        if let Some(reason) = &report.fallback {
            let mut sentence = (text().engine.fallback)(reason);
            if !window().is_secure_context() {
                sentence = format!("{sentence} {}", text().engine.insecure);
            }
            self.inform(sentence);
        }
        self.engine.set(EngineState::Ready(report));
        bench::ready();
    }

    fn ancestor_opened(self, summary: AncestorSummary) {
        self.end_job(JobKind::Open);
        self.spoken.set(match &summary.config {
            ModelConfig::Vit(vit) => (text().ancestor.spoken)(&summary.family, vit.depth, vit.num_heads),
            ModelConfig::Cnn(cnn) => (text().cnn.spoken)(&summary.family, cnn.stages.len()),
            ModelConfig::Stitched(_) => summary.family.clone(),
        });
        self.knows_nothing(false);
        self.heads.set(None);
        self.attention.set(None);
        // The same ancestor again, after an engine died: what was found of it still holds.
        if self.ancestor.with_untracked(|before| before.as_ref() != Some(&summary)) {
            self.layers.report.set(None);
        }
        if self.namer().is_none() {
            self.forget_answers_of_namer();
        }
        if let ModelConfig::Cnn(cnn) = &summary.config {
            self.suit_cnn(cnn.image_size);
        }
        self.ancestor.set(Some(summary));
    }

    fn heads_measured(self, report: HeadsReport) {
        self.end_job(JobKind::Measure);
        self.looking.set((0, 0, 0));
        self.looking_from.set(None);
        self.attention.set(None);
        self.knows_nothing(true);
        self.heads.set(Some(report));
        self.ask_attention(0, 0, 0);
    }

    fn race_moved(self, report: RaceReport) {
        self.models_lost.set(false);
        if report.runs.iter().all(|run| run.step == 0) {
            // A race that begins takes the place of all models there were.
            self.pools.cuts.set(Vec::new());
        }
        self.experiment_moved(&report);
        self.race.set(Some(report));
    }

    fn job_ended(self, job: JobKind, finished: bool) {
        self.end_job(job);
        let t = &text().jobs;
        self.spoken.set(if finished { (t.finished)((t.name)(job)) } else { (t.stopped)((t.name)(job)) });
    }

    /// Shows a job before the engine says how far it is: nothing the person starts is without an answer.
    pub(super) fn begin_job(self, kind: JobKind) {
        self.end_job(kind);
        self.jobs.update(|jobs| jobs.push(Job { kind, progress: None }));
    }

    fn move_job(self, progress: Progress) {
        self.speak_quarter(&progress);
        self.jobs.update(|jobs| {
            let kind = progress.job;
            match jobs.iter_mut().find(|job| job.kind == kind) {
                Some(job) => job.progress = Some(progress),
                None => jobs.push(Job { kind, progress: Some(progress) }),
            }
        });
    }

    /// A screen reader hears of each quarter, not of each step.
    fn speak_quarter(self, progress: &Progress) {
        let quarter = |progress: &Progress| progress.done * 4 / progress.total.max(1);
        let before = self.jobs.with_untracked(|jobs| {
            let job = jobs.iter().find(|job| job.kind == progress.job)?;
            job.progress.as_ref().map(quarter)
        });
        let now = quarter(progress);
        if (1..4).contains(&now) && before.is_some_and(|before| before < now) {
            let t = &text().jobs;
            self.spoken.set((t.quarter)((t.name)(progress.job), now * 25));
        }
    }

    pub(super) fn end_job(self, kind: JobKind) {
        if self.jobs.with_untracked(|jobs| jobs.iter().any(|job| job.kind == kind)) {
            self.jobs.update(|jobs| jobs.retain(|job| job.kind != kind));
        }
    }

    /// Whether there is an ancestor, and one without attention heads.
    pub fn has_no_heads(self) -> bool {
        self.ancestor.with(|ancestor| ancestor.as_ref().is_some_and(|ancestor| ancestor.config.vit().is_none()))
    }

    /// A size of the ancestor, if that is a Vision Transformer.
    pub fn of_vit(self, otherwise: usize, size: fn(&VitConfig) -> usize) -> usize {
        self.ancestor
            .with(|ancestor| ancestor.as_ref().and_then(|ancestor| ancestor.config.vit()).map_or(otherwise, size))
    }

    /// Whether any long job is under way.
    pub fn busy(self) -> bool {
        self.jobs.with(|jobs| !jobs.is_empty())
    }

    /// Shows a notice; the same sentence twice is shown once.
    pub fn notify(self, notice: Notice) {
        if notice.level == NoticeLevel::Error {
            // A command refused before it began has no `JobEnded` to wait for.
            self.jobs.update(|jobs| jobs.retain(|job| job.progress.is_some()));
        }
        let id = self.next_notice.get_value();
        self.next_notice.set_value(id + 1);
        let context = restart::report_context(self);
        self.notices.update(|notices| {
            notices.retain(|shown| shown.notice != notice);
            notices.push(Shown { id, notice, context });
            let over = notices.len().saturating_sub(MOST_NOTICES);
            notices.drain(..over);
        });
    }

    pub(super) fn inform(self, text: String) {
        // A status that enters the page together with its words is often not read out; a standing one is.
        self.spoken.set(text.clone());
        self.notify(Notice { level: NoticeLevel::Info, text });
    }

    pub(super) fn complain(self, text: String) {
        self.notify(Notice { level: NoticeLevel::Error, text });
    }

    fn save(self, name: &str, mime: &str, attachment: Option<Uint8Array>) {
        let saved = attachment.map(|bytes| files::download(name, mime, bytes.unchecked_ref()));
        match saved {
            Some(Ok(())) => self.spoken.set((text().home.saved)(name)),
            _ => self.complain((text().home.not_saved)(name)),
        }
    }
}
