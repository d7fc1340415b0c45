//! Races and experiments as far as they got.

use leptos::prelude::*;

use heirloom_plan::protocol::{ExperimentReport, ExperimentSettings, RaceReport};

/// The step's part of the screen.
#[derive(Clone, Copy, Default)]
pub struct Training {
    pub race: RwSignal<Option<RaceReport>>,
    /// The last experiment of several races; `None` while a single race is on the screen.
    pub report: RwSignal<Option<ExperimentReport>>,
    /// The race whose curves are shown; `None` = the latest.
    pub shown: RwSignal<Option<usize>>,
    /// The models of the race on the screen went with an engine that died.
    pub models_lost: RwSignal<bool>,
    /// What is to be trained again, in parts of a batch, once a new engine is where the dead one stood.
    pub retry: StoredValue<Option<ExperimentSettings>>,
}
