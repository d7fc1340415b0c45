//! Measured heads, and the one that is looked at.

use leptos::prelude::*;

use heirloom_plan::protocol::{AttentionMap, HeadsReport};

/// The step's part of the screen.
#[derive(Clone, Copy, Default)]
pub struct HeadsState {
    pub report: RwSignal<Option<HeadsReport>>,
    /// Layer, head and picture whose attention is shown.
    pub looking: RwSignal<(usize, usize, usize)>,
    /// The patch from which it looks; `None` for the middle one.
    pub looking_from: RwSignal<Option<usize>>,
    pub attention: RwSignal<Option<AttentionMap>>,
}
