//! What is known of projects.

use leptos::prelude::*;

use crate::format;
use crate::strings::text;
use heirloom_plan::protocol::{ProjectList, Saved};

/// What is known of projects. Copies are handles of the same state.
#[derive(Clone, Copy, Default)]
pub struct Projects {
    pub list: RwSignal<ProjectList>,
    pub name: RwSignal<String>,
    pub saved: RwSignal<Option<Saved>>,
    /// Why nothing is saved at the moment.
    pub unsaved: RwSignal<Option<String>>,
    /// The clock of "saved … ago", ms since 1970.
    pub now: RwSignal<f64>,
    /// Whether the open project is on the screen as far as it was kept.
    pub is_open: RwSignal<bool>,
    /// Id of the open project.
    pub id: StoredValue<String>,
    /// Settings of the page as the engine knows them.
    pub page: StoredValue<String>,
    pub asked_to_persist: StoredValue<bool>,
}

impl Projects {
    /// Whether the work is in the browser's store.
    pub fn is_kept(self) -> bool {
        self.unsaved.with_untracked(Option::is_none) && self.saved.with_untracked(Option::is_some)
    }

    /// How long ago the last save was, in words.
    pub fn saved_ago(self) -> Option<String> {
        let t = &text().projects;
        self.saved.get().map(|saved| match (self.now.get() - saved.at).max(0.0) / 1e3 {
            seconds if seconds < 1.5 => t.just_now.to_owned(),
            seconds => (t.ago)(&format::duration(seconds)),
        })
    }
}
