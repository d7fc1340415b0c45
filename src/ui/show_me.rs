//! Show me: the whole story by itself. A conductor presses the buttons that a person would press, waits for what the
//! engine answers, and says what is happening. It computes nothing, and everything it makes stays on the page.
//!
//! It looks a few times a second at what is on the screen instead of listening to single events, so that it does not
//! matter who pressed a button, and nothing that goes wrong can leave it waiting for ever.

use std::time::Duration;

use leptos::leptos_dom::helpers::IntervalHandle;
use leptos::prelude::*;

use super::actions::Asked;
use super::pages::has_model;
use super::presets::STORY;
use super::samples::{self, Sample};
use super::shipped::Shipped;
use super::state::{App, EngineState};
use super::trial::Way;
use crate::session::protocol::{JobKind, Method, NoticeLevel, RaceState};

/// Time between two looks.
const LOOK: Duration = Duration::from_millis(200);
/// Shortest time for the words of a stage, ms: some thirty words.
const READ: f64 = 6_000.0;
/// Time for what was found, ms: a sentence and a drawing.
const READ_FOUND: f64 = 4_000.0;
/// After so long without any work going on and without a result, ms, it does not wait any longer.
const STALLED: f64 = 5_000.0;
/// Pictures that the descendant names in the end: one of each class of the samples.
const NAMED: usize = 5;

/// A part of the story, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    Ancestor,
    Pictures,
    Heads,
    Clusters,
    Descendant,
    Race,
    Naming,
}

impl Stage {
    pub const ALL: [Self; 7] =
        [Self::Ancestor, Self::Pictures, Self::Heads, Self::Clusters, Self::Descendant, Self::Race, Self::Naming];

    /// The step of the page that it speaks of.
    pub fn section(self) -> &'static str {
        match self {
            Self::Ancestor => "ancestor",
            Self::Pictures => "pictures",
            Self::Heads | Self::Clusters => "heads",
            Self::Descendant => "descendant",
            Self::Race => "training",
            Self::Naming => "trial",
        }
    }

    /// What is to be seen, by its `data-testid`.
    fn sight(self) -> &'static str {
        match self {
            Self::Ancestor => "ancestor-summary",
            Self::Pictures => "pictures-summary",
            Self::Heads | Self::Clusters => "heads-chart",
            Self::Descendant => "descendant-summary",
            Self::Race => "train-chart",
            Self::Naming => "prediction",
        }
    }

    /// The long job that it waits for.
    pub fn job(self) -> Option<JobKind> {
        match self {
            Self::Ancestor => Some(JobKind::Open),
            Self::Pictures => Some(JobKind::Pictures),
            Self::Heads => Some(JobKind::Measure),
            Self::Clusters | Self::Descendant => None,
            Self::Race => Some(JobKind::Train),
            Self::Naming => Some(JobKind::Evaluate),
        }
    }

    fn next(self) -> Option<Self> {
        Self::ALL.get(self as usize + 1).copied()
    }
}

/// Where the story is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scene {
    #[default]
    Off,
    /// There is work on the page: the person says what it is told with.
    Asking,
    At(Stage),
    /// Something went wrong, and a message says what.
    Halted(Stage),
    Ended,
}

/// How far a stage is.
#[derive(Clone, Debug, Default)]
struct Telling {
    /// When its words came, ms.
    since: f64,
    is_begun: bool,
    done: Option<f64>,
    /// Since when nothing works on it.
    idle: Option<f64>,
    has_shown_sight: bool,
    /// The person wants to go on: no time for reading.
    is_hurried: bool,
    /// Messages from this number on came during it.
    first_notice: usize,
}

/// The story's part of the screen. Copies are handles of the same state.
#[derive(Clone, Copy)]
pub struct Story {
    pub scene: RwSignal<Scene>,
    /// The work of the stage is done; what was found is told.
    pub is_done: RwSignal<bool>,
    /// The person wants to stay where it is.
    pub is_held: RwSignal<bool>,
    /// What all of it took, s.
    pub took: RwSignal<Option<f64>>,
    /// The drawings that ship with the page are used.
    pub has_doodles: RwSignal<bool>,
    started: StoredValue<f64>,
    telling: StoredValue<Telling>,
    /// The project that is left first.
    leaving: StoredValue<Option<String>>,
    timer: StoredValue<Option<IntervalHandle>>,
}

impl Story {
    pub fn new() -> Self {
        Self {
            scene: RwSignal::default(),
            is_done: RwSignal::new(false),
            is_held: RwSignal::new(false),
            took: RwSignal::new(None),
            has_doodles: RwSignal::new(false),
            started: StoredValue::new(0.0),
            telling: StoredValue::default(),
            leaving: StoredValue::new(None),
            timer: StoredValue::new(None),
        }
    }

    /// The step of the page that is spoken of.
    pub fn section(self) -> Option<&'static str> {
        match self.scene.get() {
            Scene::At(stage) | Scene::Halted(stage) => Some(stage.section()),
            Scene::Off | Scene::Asking | Scene::Ended => None,
        }
    }
}

impl App {
    /// Begins the story, or asks what it shall be told with where work lies on the page.
    pub fn show_me(self) {
        let is_empty = self.ancestor.with_untracked(Option::is_none)
            && self.race.with_untracked(Option::is_none)
            && !has_pictures(self);
        match is_empty {
            true => self.tell_with_what_is_here(),
            false => self.story.scene.set(Scene::Asking),
        }
    }

    /// Each stage takes what is there and makes what is missing.
    pub fn tell_with_what_is_here(self) {
        let story = self.story;
        story.started.set_value(js_sys::Date::now());
        story.took.set(None);
        story.has_doodles.set(false);
        story.is_held.set(false);
        enter(self, Stage::Ancestor);
        if story.timer.with_value(Option::is_none)
            && let Ok(timer) = set_interval_with_handle(move || look(self), LOOK)
        {
            story.timer.set_value(Some(timer));
        }
    }

    /// What is on the page is kept in its project; the story gets one of its own.
    pub fn tell_in_new_project(self) {
        self.story.leaving.set_value(Some(self.projects.id()));
        self.new_project();
        self.tell_with_what_is_here();
    }

    /// Whether the stage can be left now: what others build on is waited for.
    pub fn can_skip(self) -> bool {
        let is_going = || self.jobs.with(|jobs| jobs.iter().any(|job| job.kind == JobKind::Train));
        match self.story.scene.get() {
            Scene::At(Stage::Naming) => true,
            Scene::At(Stage::Race) => self.story.is_done.get() || is_going(),
            Scene::At(_) => self.story.is_done.get(),
            _ => false,
        }
    }

    /// On to the next stage. A race is stopped and keeps what it has learned.
    pub fn skip_stage(self) {
        let Scene::At(stage) = self.story.scene.get_untracked() else { return };
        self.story.is_held.set(false);
        match stage {
            Stage::Race if has_job(self, JobKind::Train) => {
                self.story.telling.update_value(|telling| telling.is_hurried = true);
                self.stop();
            }
            Stage::Naming => {
                self.stop_work_of(stage);
                leave(self, stage);
            }
            _ if self.story.is_done.get_untracked() => leave(self, stage),
            _ => {}
        }
    }

    /// Tries again from the first stage that has no result.
    pub fn go_on_with_story(self) {
        let Scene::Halted(at) = self.story.scene.get_untracked() else { return };
        let is_still_here = |id: &Option<String>| id.as_ref().is_some_and(|id| *id == self.projects.id());
        if self.story.leaving.with_value(is_still_here) {
            self.new_project();
        }
        let missing = Stage::ALL.into_iter().find(|stage| *stage == at || !is_done(self, *stage));
        enter(self, missing.unwrap_or(at));
    }

    /// Ends the story where it is. Everything made stays.
    pub fn stop_story(self) {
        if let Scene::At(stage) = self.story.scene.get_untracked() {
            self.shipped.cancel();
            self.stop_work_of(stage);
        }
        close(self, Scene::Off);
    }

    fn stop_work_of(self, stage: Stage) {
        // Opening and adding are left to end: half a model or half a folder helps nobody.
        let is_stoppable = matches!(stage, Stage::Heads | Stage::Race | Stage::Naming);
        if is_stoppable && stage.job().is_some_and(|job| has_job(self, job)) {
            self.stop();
        }
    }
}

fn close(app: App, scene: Scene) {
    if let Some(timer) = app.story.timer.try_update_value(Option::take).flatten() {
        timer.clear();
    }
    app.story.leaving.set_value(None);
    app.story.scene.set(scene);
}

fn enter(app: App, stage: Stage) {
    let first_notice = app.notices.with_untracked(|all| all.iter().map(|shown| shown.id + 1).max().unwrap_or(0));
    app.story.is_done.set(false);
    app.story.scene.set(Scene::At(stage));
    let has_shown_sight = bring_into_sight(&sight_of(stage));
    if !has_shown_sight {
        bring_into_sight(&format!("#{}-title", stage.section()));
    }
    let since = js_sys::Date::now();
    app.story.telling.set_value(Telling { since, first_notice, has_shown_sight, ..Telling::default() });
}

fn sight_of(stage: Stage) -> String {
    format!("[data-testid={}]", stage.sight())
}

fn leave(app: App, stage: Stage) {
    match stage.next() {
        Some(Stage::Naming) if !untrack(|| has_model(app)) => end(app),
        Some(next) => enter(app, next),
        None => end(app),
    }
}

fn end(app: App) {
    app.story.took.set(Some((js_sys::Date::now() - app.story.started.get_value()) / 1e3));
    close(app, Scene::Ended);
}

/// Looks whether there is something to do.
fn look(app: App) {
    let story = app.story;
    let Scene::At(stage) = story.scene.get_untracked() else { return };
    let (now, mut telling) = (js_sys::Date::now(), story.telling.get_value());
    if has_failed(app, telling.first_notice) {
        return story.scene.set(Scene::Halted(stage));
    }
    if !telling.is_begun {
        if is_free(app) {
            telling.is_begun = true;
            story.telling.set_value(telling);
            begin(app, stage);
        }
        return;
    }
    if telling.done.is_none() && is_done(app, stage) {
        telling.done = Some(now);
        story.is_done.set(true);
    }
    if !telling.has_shown_sight {
        telling.has_shown_sight = bring_into_sight(&sight_of(stage));
    }
    let is_idle = telling.done.is_none() && !is_working(app);
    telling.idle = telling.idle.filter(|_| is_idle).or(is_idle.then_some(now));
    let is_read = |done: f64| telling.is_hurried || (now - done >= READ_FOUND && now - telling.since >= READ);
    let has_read = telling.done.is_some_and(is_read);
    let has_stalled = telling.idle.is_some_and(|idle| now - idle >= STALLED);
    story.telling.set_value(telling);
    if has_stalled {
        story.scene.set(Scene::Halted(stage));
    } else if has_read && !story.is_held.get_untracked() {
        leave(app, stage);
    }
}

/// Presses the stage's button, where what it makes is not there yet.
fn begin(app: App, stage: Stage) {
    if stage == Stage::Pictures {
        choose_settings(app);
    }
    if stage == Stage::Naming {
        app.trial.way.set(Way::Files);
        return app.predict_validation(NAMED);
    }
    if is_done(app, stage) {
        return;
    }
    match stage {
        Stage::Ancestor => app.open_shipped(Shipped::Classroom),
        Stage::Pictures => {
            app.story.has_doodles.set(true);
            samples::add(app, Sample::Doodles);
        }
        Stage::Heads => app.measure(),
        Stage::Clusters => app.ask_clusters(),
        Stage::Descendant => app.ask_descendant(),
        Stage::Race => app.train(),
        Stage::Naming => {}
    }
}

/// Fills in what the person left as usual, as long as nothing was made with it.
fn choose_settings(app: App) {
    let is_new = app.heads.with_untracked(Option::is_none) && app.race.with_untracked(Option::is_none);
    let is_shipped = app.ancestor.with_untracked(|ancestor| {
        ancestor.as_ref().is_some_and(|ancestor| ancestor.name == Shipped::Classroom.file())
    });
    let brings_samples = !has_pictures(app);
    if app.settings.with_untracked(|settings| settings.method != Method::Cluster) {
        // The plan of another method is not the story's.
        app.descendant.set(None);
        app.settings.update(|settings| settings.method = Method::Cluster);
    }
    if is_new {
        let is_meant = |key: &str| match key {
            "share" => brings_samples,
            "lr" => is_shipped,
            _ => true,
        };
        app.settings.update(|settings| settings.fill(STORY.fragment, is_meant));
    }
}

/// Whether what the stage makes is on the screen.
fn is_done(app: App, stage: Stage) -> bool {
    let is_over = stage.job().is_none_or(|job| !has_job(app, job));
    is_over
        && match stage {
            Stage::Ancestor => app.ancestor.with_untracked(Option::is_some),
            Stage::Pictures => has_pictures(app),
            Stage::Heads => app.heads.with_untracked(Option::is_some),
            Stage::Clusters => {
                app.clusters_asked.get_value() == Asked::No && app.clusters.with_untracked(Option::is_some)
            }
            Stage::Descendant => {
                app.descendant_asked.get_value() == Asked::No && app.descendant.with_untracked(Option::is_some)
            }
            Stage::Race => untrack(|| has_model(app)) || has_raced(app),
            Stage::Naming => app.predictions.with_untracked(|all| !all.is_empty()),
        }
}

fn has_pictures(app: App) -> bool {
    app.pictures.with_untracked(|pictures| pictures.as_ref().is_some_and(|pictures| !pictures.classes.is_empty()))
}

/// A race that was stopped before it learned anything is over as well.
fn has_raced(app: App) -> bool {
    let state = app.race.with_untracked(|race| race.as_ref().map(|race| race.state));
    matches!(state, Some(RaceState::Finished | RaceState::Stopped)) && !app.models_lost.get_untracked()
}

fn has_job(app: App, kind: JobKind) -> bool {
    app.jobs.with_untracked(|jobs| jobs.iter().any(|job| job.kind == kind))
}

fn is_working(app: App) -> bool {
    let is_fetching =
        app.shipped.fetching.with_untracked(Option::is_some) || app.shipped.has_samples_coming.get_untracked();
    is_fetching || app.jobs.with_untracked(|jobs| !jobs.is_empty())
}

/// Whether the engine is there, the right project open, and nothing else going on.
fn is_free(app: App) -> bool {
    let has_left = app.story.leaving.with_value(|id| id.as_ref().is_none_or(|id| *id != app.projects.id()));
    let is_ready = app.engine.with_untracked(|engine| matches!(engine, EngineState::Ready(_)));
    has_left && is_ready && app.projects.is_open.get_untracked() && !is_working(app)
}

fn has_failed(app: App, first_notice: usize) -> bool {
    let is_gone = app.engine.with_untracked(|engine| *engine == EngineState::Gone);
    is_gone
        || app.notices.with_untracked(|all| {
            all.iter().any(|shown| shown.id >= first_notice && shown.notice.level == NoticeLevel::Error)
        })
}

/// Scrolls to something, smoothly where the person has nothing against it; whether it is there.
fn bring_into_sight(selector: &str) -> bool {
    let found = document().query_selector(selector).ok().flatten();
    if let Some(element) = &found {
        // A drawing with its title.
        let whole = element.closest("figure").ok().flatten();
        whole.as_ref().unwrap_or(element).scroll_into_view();
    }
    found.is_some()
}
