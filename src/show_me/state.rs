//! Where the story is.

use leptos::leptos_dom::helpers::IntervalHandle;
use leptos::prelude::*;

use heirloom_plan::protocol::JobKind;

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
    pub fn sight(self) -> &'static str {
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

    /// The stage behind it.
    pub fn next(self) -> Option<Self> {
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
pub struct Telling {
    /// When its words came, ms.
    pub since: f64,
    pub is_begun: bool,
    pub done: Option<f64>,
    /// Since when nothing works on it.
    pub idle: Option<f64>,
    pub has_shown_sight: bool,
    /// The person wants to go on: no time for reading.
    pub is_hurried: bool,
    /// Messages from this number on came during it.
    pub first_notice: usize,
}

/// The story's part of the screen. Copies are handles of the same state.
#[derive(Clone, Copy, Default)]
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
    pub started: StoredValue<f64>,
    pub telling: StoredValue<Telling>,
    /// The project that is left first.
    pub leaving: StoredValue<Option<String>>,
    pub timer: StoredValue<Option<IntervalHandle>>,
}

impl Story {
    /// The step of the page that is spoken of.
    pub fn section(self) -> Option<&'static str> {
        match self.scene.get() {
            Scene::At(stage) | Scene::Halted(stage) => Some(stage.section()),
            Scene::Off | Scene::Asking | Scene::Ended => None,
        }
    }
}
