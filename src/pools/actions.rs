//! Making pools and cutting models out of them.

use crate::ancestor::shape::patch_size;
use crate::pools::chosen::cut_name;
use crate::prelude::*;
use heirloom_plan::protocol::{Command, CutReport, JobKind, PoolReport, RaceState};

/// Makes a pool as it is chosen.
pub fn make_pool(store: Store) {
    let patch = patch_size(store);
    let settings = store.settings.with_untracked(|settings| settings.pool(patch));
    begin_job(store, JobKind::Pool);
    store.pools.picked.set(None);
    store.pools.budget.set(None);
    send(store, Command::MakePool(settings));
}

/// Rests the pool in the making, or goes on.
pub fn pause_or_continue_pool(store: Store) {
    let state = store.pools.of(store.settings.with_untracked(|s| s.method));
    let paused = state.with_untracked(|pool| pool.as_ref().is_some_and(|pool| pool.state == RaceState::Paused));
    send(store, if paused { Command::Continue } else { Command::Pause });
}

/// Makes a configuration a model of its own.
pub fn cut_out(store: Store, configuration: usize) {
    let method = store.settings.with_untracked(|settings| settings.method);
    send(store, Command::CutOut { method, configuration });
}

/// Where a pool stands.
pub fn pool_moved(store: Store, report: PoolReport) {
    if matches!(report.state, RaceState::Finished | RaceState::Stopped) {
        end_job(store, JobKind::Pool);
    }
    store.pools.of(report.settings.method).set(Some(report));
}

/// A cut-out model is at once the one that names pictures and is saved.
pub fn was_cut(store: Store, cut: CutReport) {
    store.trial.run.set(cut.run);
    store.trial.is_ancestor.set(false);
    store.trial.forget_answers();
    store.training.models_lost.set(false);
    store.says.spoken.set((text().pool.was_cut)(&cut_name(&cut)));
    store.pools.cuts.update(|cuts| cuts.push(cut));
}

/// The models went with their engine; numbers and drawings stay. Returns whether a pool was in the making.
pub fn lose_pools(store: Store) -> bool {
    store.pools.cuts.set(Vec::new());
    let mut was_running = false;
    for signal in [store.pools.pool, store.pools.stitch] {
        if signal.with_untracked(Option::is_none) {
            continue;
        }
        signal.update(|report| {
            let Some(report) = report else { return };
            was_running |= matches!(report.state, RaceState::Running | RaceState::Paused);
            if was_running {
                report.state = RaceState::Stopped;
            }
            report.configurations.iter_mut().for_each(|one| one.is_ready = false);
        });
    }
    was_running
}
