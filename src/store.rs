//! What is on the screen: signals, grouped by step. Nothing here knows the engine's end of the wire or any word; what the
//! person does and what the engine says are functions over this store, in the folders of the steps.

use leptos::prelude::*;

use crate::ancestor::shipped::ShippedState;
use crate::descendant::plans::{Inputs, Plans};
use crate::engine::link::Link;
use crate::heads::state::HeadsState;
use crate::layers::state::LayersState;
use crate::pools::state::PoolsState;
use crate::projects::state::Projects;
use crate::show_me::state::Story;
use crate::training::state::Training;
use crate::trial::state::Trial;
use heirloom_plan::protocol::{
    AncestorSummary, EngineReport, JobKind, Notice, PicturesSummary, Progress, SurvivalReport, TiedReport,
};
use heirloom_plan::settings::Settings;

/// How far the engine is.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum EngineState {
    /// Its program is being fetched.
    #[default]
    Loading,
    /// Its program runs and looks for a device.
    Starting,
    Ready(EngineReport),
    /// It died too often; only the person can start another.
    Gone,
}

/// What is known of the engine.
#[derive(Clone, Copy, Default)]
pub struct EngineView {
    pub state: RwSignal<EngineState>,
    /// It has been silent in the middle of a job for a long time.
    pub is_silent: RwSignal<bool>,
    /// Operations a second that this machine reaches.
    pub speed: RwSignal<Option<f64>>,
    pub link: StoredValue<Option<Link>, LocalStorage>,
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

/// What the page says to the person.
#[derive(Clone, Copy, Default)]
pub struct Says {
    pub notices: RwSignal<Vec<Shown>>,
    /// Sentence for screen readers.
    pub spoken: RwSignal<String>,
    pub next: StoredValue<usize>,
}

/// Everything that is on the screen. Copies are handles of the same state.
#[derive(Clone, Copy)]
pub struct Store {
    pub engine: EngineView,
    pub says: Says,
    pub jobs: RwSignal<Vec<Job>>,
    pub settings: RwSignal<Settings>,
    pub ancestor: RwSignal<Option<AncestorSummary>>,
    pub shipped: ShippedState,
    pub pictures: RwSignal<Option<PicturesSummary>>,
    pub heads: HeadsState,
    pub layers: LayersState,
    /// What follows from ancestor, pictures, heads and settings.
    pub plans: Plans,
    /// What is left of the ancestor before any training, as it was last seen.
    pub survival: RwSignal<Option<SurvivalReport>>,
    pub training: Training,
    pub pools: PoolsState,
    /// The tied layers that are learned, or were last.
    pub tied: RwSignal<Option<TiedReport>>,
    pub trial: Trial,
    pub projects: Projects,
    pub story: Story,
    /// Width for drawings, px.
    pub width: RwSignal<f64>,
}

impl Store {
    /// An empty page with the usual settings.
    pub fn new() -> Self {
        let inputs = Inputs::default();
        let Inputs { ancestor, pictures, heads, tied, settings, speed } = inputs;
        Self {
            engine: EngineView { speed, ..EngineView::default() },
            says: Says::default(),
            jobs: RwSignal::default(),
            settings,
            ancestor,
            shipped: ShippedState::default(),
            pictures,
            heads: HeadsState { report: heads, ..HeadsState::default() },
            layers: LayersState::default(),
            plans: Plans::new(inputs),
            survival: RwSignal::default(),
            training: Training::default(),
            pools: PoolsState::default(),
            tied,
            trial: Trial::default(),
            projects: Projects::default(),
            story: Story::default(),
            width: RwSignal::new(640.0),
        }
    }
}
