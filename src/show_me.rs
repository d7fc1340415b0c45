//! Show me: the whole story by itself. A conductor presses the buttons that a person would press, waits for what the
//! engine answers, and says what is happening. It computes nothing, and everything it makes stays on the page.

mod conduct;

use std::time::Duration;

use leptos::leptos_dom::helpers::IntervalHandle;
use leptos::prelude::*;

use self::conduct::{close, enter, has_job, has_pictures, is_done, leave, look};
use super::state::App;
use super::strings::text;
use heirloom_plan::protocol::JobKind;

/// Time between two looks.
const LOOK: Duration = Duration::from_millis(200);

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
            false => {
                self.story.scene.set(Scene::Asking);
                self.spoken.set(text().show_me.asking.to_owned());
            }
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
