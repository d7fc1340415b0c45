//! Learning tied layers.

use crate::ancestor::shape::patch_size;
use crate::prelude::*;
use heirloom_plan::protocol::{Command, JobKind, RaceState, TiedReport};

/// Learns the layers of the rule in use.
pub fn learn(store: Store) {
    let patch = patch_size(store);
    let settings = store.settings.with_untracked(|settings| Some(settings.learning(settings.tying()?, patch)));
    if let Some(settings) = settings {
        begin_job(store, JobKind::Tied);
        send(store, Command::LearnTied(settings));
    }
}

/// Rests, or goes on.
pub fn pause_or_continue(store: Store) {
    let is_paused = store.tied.with_untracked(|tied| tied.as_ref().is_some_and(|tied| tied.state == RaceState::Paused));
    send(store, if is_paused { Command::Continue } else { Command::Pause });
}

/// Whether layers are being learned, or rest in the middle of it.
pub fn is_going(store: Store) -> bool {
    let state = store.tied.with_untracked(|tied| tied.as_ref().map(|tied| tied.state));
    matches!(state, Some(RaceState::Running | RaceState::Paused))
}

/// Where learning stands.
pub fn tied_moved(store: Store, report: TiedReport) {
    if matches!(report.state, RaceState::Finished | RaceState::Stopped) {
        end_job(store, JobKind::Tied);
    }
    store.tied.set(Some(report));
}
