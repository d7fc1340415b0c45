//! What condensing to whole layers found.

use leptos::prelude::*;

use heirloom_plan::protocol::CondenseReport;

/// The step's part of the screen.
#[derive(Clone, Copy, Default)]
pub struct LayersState {
    /// What was found last.
    pub report: RwSignal<Option<CondenseReport>>,
    /// Classes that the pseudo descendant learns; none = all.
    pub classes: RwSignal<Vec<String>>,
}
