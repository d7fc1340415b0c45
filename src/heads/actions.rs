//! Measuring heads, and looking at one.

use crate::descendant::follow::knows_nothing;
use crate::prelude::*;
use heirloom_plan::protocol::{Command, HeadsReport, JobKind};
use heirloom_plan::settings::Settings;

/// Measures every head.
pub fn measure(store: Store) {
    begin_job(store, JobKind::Measure);
    send(store, Command::MeasureHeads(store.settings.with_untracked(Settings::measuring)));
}

/// Shows what a head looks at.
pub fn ask_attention(store: Store, layer: usize, head: usize, picture: usize) {
    store.heads.looking.set((layer, head, picture));
    let patch = store.heads.looking_from.get_untracked();
    send(store, Command::ShowAttention { layer, head, picture, patch });
}

/// The same head on the same picture, from another patch.
pub fn look_from(store: Store, patch: usize) {
    store.heads.looking_from.set(Some(patch));
    let (layer, head, picture) = store.heads.looking.get_untracked();
    ask_attention(store, layer, head, picture);
}

/// All heads are measured.
pub fn heads_measured(store: Store, report: HeadsReport) {
    end_job(store, JobKind::Measure);
    store.heads.looking.set((0, 0, 0));
    store.heads.looking_from.set(None);
    store.heads.attention.set(None);
    knows_nothing(store, true);
    store.heads.report.set(Some(report));
    ask_attention(store, 0, 0, 0);
}
