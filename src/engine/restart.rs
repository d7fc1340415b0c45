//! What the page says and does when the engine died.

use crate::descendant::follow::knows_nothing;
use crate::engine::bench;
use crate::pools::actions::lose_pools;
use crate::prelude::*;
use crate::projects::actions::resume_in_parts;
use crate::store::EngineState;
use crate::tied::actions::is_going;
use crate::training::actions::plan_retry;
use heirloom_plan::protocol::{JobKind, RaceState};

/// A new engine is being brought to where the dead one stood.
pub fn restarted(store: Store, reason: &str, during: Option<JobKind>, cpu_only: bool) {
    store.engine.state.set(EngineState::Loading);
    let smaller = is_training(store).then(|| plan_retry(store, reason)).flatten();
    let making = lose_pools(store);
    let learning = is_going(store);
    let training = lose_engine(store);
    let during = match (training, making) {
        (true, _) => Some(JobKind::Train),
        (false, true) => Some(JobKind::Pool),
        (false, false) if learning => Some(JobKind::Tied),
        (false, false) => during,
    };
    let t = &text().engine;
    let is_kept = store.projects.is_kept();
    if let (true, Some(pictures)) = (is_kept, smaller) {
        resume_in_parts(store, pictures);
    }
    let mut sentence = match is_kept {
        true => {
            let ago = untrack(|| store.projects.saved_ago());
            (text().projects.restarted)(reason, during.map(text().jobs.name), ago.as_deref())
        }
        false => (t.restarted)(reason, during.map(text().jobs.name)),
    };
    if cpu_only {
        sentence.push(' ');
        sentence.push_str(t.cpu_from_now);
    }
    if !is_kept && store.training.race.with_untracked(Option::is_some) {
        sentence.push(' ');
        sentence.push_str(t.models_lost);
    }
    if let Some(pictures) = smaller {
        sentence.push(' ');
        sentence.push_str(&(text().race.retry)(pictures));
    }
    bench::lost(&sentence);
    complain(store, sentence);
}

/// The engine died again and again.
pub fn gave_up(store: Store, reason: &str) {
    store.engine.state.set(EngineState::Gone);
    lose_pools(store);
    lose_engine(store);
    let sentence = (text().engine.gave_up)(reason);
    bench::lost(&sentence);
    complain(store, sentence);
}

fn is_training(store: Store) -> bool {
    let state = store.training.race.with_untracked(|race| race.as_ref().map(|race| race.state));
    matches!(state, Some(RaceState::Running | RaceState::Paused))
}

/// Takes from the screen what only the dead engine knew; curves stay. Returns whether a race was under way.
fn lose_engine(store: Store) -> bool {
    store.jobs.set(Vec::new());
    knows_nothing(store, false);
    store.tied.set(None);
    store.trial.forget();
    store.heads.report.set(None);
    store.heads.attention.set(None);
    let mut training = false;
    store.training.race.update(|race| {
        if let Some(race) = race {
            store.training.models_lost.set(!store.projects.is_kept());
            training = matches!(race.state, RaceState::Running | RaceState::Paused);
            if training {
                race.state = RaceState::Stopped;
            }
        }
    });
    training
}
