//! The conductor: what is pressed at which stage, when a stage is done, and when the story goes on.
//!
//! It looks a few times a second at what is on the screen instead of listening to single events, so that it does not
//! matter who pressed a button, and nothing that goes wrong can leave it waiting for ever.

use crate::ancestor::fetching::open_shipped;
use crate::ancestor::shipped::Shipped;
use crate::heads::actions::measure;
use crate::pictures::samples;
use crate::pictures::samples::Sample;
use crate::prelude::*;
use crate::show_me::state::{Scene, Stage, Telling};
use crate::store::EngineState;
use crate::training::actions::train;
use crate::trial::actions::predict_validation;
use crate::trial::model::has_model;
use crate::trial::state::Way;
use heirloom_plan::protocol::{Method, NoticeLevel, RaceState};
use heirloom_plan::settings::STORY;

/// Shortest time for the words of a stage, ms: some thirty words.
const READ: f64 = 6_000.0;
/// Time for what was found, ms: a sentence and a drawing.
const READ_FOUND: f64 = 4_000.0;
/// After so long without any work going on and without a result, ms, it does not wait any longer.
const STALLED: f64 = 5_000.0;
/// Pictures that the descendant names in the end: one of each class of the samples.
const NAMED: usize = 5;

pub(super) fn close(store: Store, scene: Scene) {
    if let Some(timer) = store.story.timer.try_update_value(Option::take).flatten() {
        timer.clear();
    }
    store.story.leaving.set_value(None);
    store.story.scene.set(scene);
}

pub(super) fn enter(store: Store, stage: Stage) {
    let first_notice = store.says.notices.with_untracked(|all| all.iter().map(|shown| shown.id + 1).max().unwrap_or(0));
    store.story.is_done.set(false);
    store.story.scene.set(Scene::At(stage));
    let has_shown_sight = bring_into_sight(&sight_of(stage));
    if !has_shown_sight {
        bring_into_sight(&format!("#{}-title", stage.section()));
    }
    let since = js_sys::Date::now();
    store.story.telling.set_value(Telling { since, first_notice, has_shown_sight, ..Telling::default() });
}

fn sight_of(stage: Stage) -> String {
    format!("[data-testid={}]", stage.sight())
}

pub(super) fn leave(store: Store, stage: Stage) {
    match stage.next() {
        Some(Stage::Naming) if !untrack(|| has_model(store)) => end(store),
        Some(next) => enter(store, next),
        None => end(store),
    }
}

fn end(store: Store) {
    store.story.took.set(Some((js_sys::Date::now() - store.story.started.get_value()) / 1e3));
    close(store, Scene::Ended);
    store.says.spoken.set(text().show_me.ended.to_owned());
}

fn halt(store: Store, stage: Stage) {
    store.story.scene.set(Scene::Halted(stage));
    store.says.spoken.set(text().show_me.halted.to_owned());
}

/// Looks whether there is something to do.
pub(super) fn look(store: Store) {
    let story = store.story;
    let Scene::At(stage) = story.scene.get_untracked() else { return };
    let (now, mut telling) = (js_sys::Date::now(), story.telling.get_value());
    if has_failed(store, telling.first_notice) {
        return halt(store, stage);
    }
    if !telling.is_begun {
        if is_free(store) {
            telling.is_begun = true;
            story.telling.set_value(telling);
            begin(store, stage);
        }
        return;
    }
    if telling.done.is_none() && is_done(store, stage) {
        telling.done = Some(now);
        story.is_done.set(true);
    }
    if !telling.has_shown_sight {
        telling.has_shown_sight = bring_into_sight(&sight_of(stage));
    }
    let is_idle = telling.done.is_none() && !is_working(store);
    telling.idle = telling.idle.filter(|_| is_idle).or(is_idle.then_some(now));
    let is_read = |done: f64| telling.is_hurried || (now - done >= READ_FOUND && now - telling.since >= READ);
    let has_read = telling.done.is_some_and(is_read);
    let has_stalled = telling.idle.is_some_and(|idle| now - idle >= STALLED);
    story.telling.set_value(telling);
    if has_stalled {
        halt(store, stage);
    } else if has_read && !story.is_held.get_untracked() {
        leave(store, stage);
    }
}

/// Presses the stage's button, where what it makes is not there yet.
fn begin(store: Store, stage: Stage) {
    if stage == Stage::Pictures {
        choose_settings(store);
    }
    if stage == Stage::Naming {
        store.trial.way.set(Way::Files);
        return predict_validation(store, NAMED);
    }
    if is_done(store, stage) {
        return;
    }
    match stage {
        Stage::Ancestor => open_shipped(store, Shipped::Classroom),
        Stage::Pictures => {
            store.story.has_doodles.set(true);
            samples::add(store, Sample::Doodles);
        }
        Stage::Heads => measure(store),
        Stage::Race => train(store),
        // Both follow from the heads by themselves.
        Stage::Clusters | Stage::Descendant | Stage::Naming => {}
    }
}

/// Fills in what the person left as usual, as long as nothing was made with it.
fn choose_settings(store: Store) {
    let is_new =
        store.heads.report.with_untracked(Option::is_none) && store.training.race.with_untracked(Option::is_none);
    let brings_samples = !has_pictures(store);
    if store.settings.with_untracked(|settings| settings.method != Method::Cluster) {
        store.settings.update(|settings| settings.method = Method::Cluster);
    }
    if is_new {
        let is_meant = |key: &str| key != "share" || brings_samples;
        store.settings.update(|settings| settings.fill(STORY.fragment, is_meant));
    }
}

/// Whether what the stage makes is on the screen.
pub(super) fn is_done(store: Store, stage: Stage) -> bool {
    let is_over = stage.job().is_none_or(|job| untrack(|| !has_job(store, job)));
    is_over
        && match stage {
            Stage::Ancestor => store.ancestor.with_untracked(Option::is_some),
            Stage::Pictures => has_pictures(store),
            Stage::Heads => store.heads.report.with_untracked(Option::is_some),
            Stage::Clusters => store.plans.clusters.with_untracked(Option::is_some),
            Stage::Descendant => store.plans.descendant.with_untracked(Option::is_some),
            Stage::Race => untrack(|| has_model(store)) || has_raced(store),
            Stage::Naming => store.trial.predictions.with_untracked(|all| !all.is_empty()),
        }
}

pub(super) fn has_pictures(store: Store) -> bool {
    store.pictures.with_untracked(|pictures| pictures.as_ref().is_some_and(|pictures| !pictures.classes.is_empty()))
}

/// A race that was stopped before it learned anything is over as well.
fn has_raced(store: Store) -> bool {
    let state = store.training.race.with_untracked(|race| race.as_ref().map(|race| race.state));
    matches!(state, Some(RaceState::Finished | RaceState::Stopped)) && !store.training.models_lost.get_untracked()
}

fn is_working(store: Store) -> bool {
    let is_fetching =
        store.shipped.fetching.with_untracked(Option::is_some) || store.shipped.has_samples_coming.get_untracked();
    is_fetching || store.jobs.with_untracked(|jobs| !jobs.is_empty())
}

/// Whether the engine is there, the right project open, and nothing else going on.
fn is_free(store: Store) -> bool {
    let has_left =
        store.story.leaving.with_value(|id| id.as_ref().is_none_or(|id| *id != store.projects.id.get_value()));
    let is_ready = store.engine.state.with_untracked(|engine| matches!(engine, EngineState::Ready(_)));
    has_left && is_ready && store.projects.is_open.get_untracked() && !is_working(store)
}

fn has_failed(store: Store, first_notice: usize) -> bool {
    let is_gone = store.engine.state.with_untracked(|engine| *engine == EngineState::Gone);
    is_gone
        || store.says.notices.with_untracked(|all| {
            all.iter().any(|shown| shown.id >= first_notice && shown.notice.level == NoticeLevel::Error)
        })
}

/// Scrolls to something, smoothly where the person has nothing against it; whether it is there.
fn bring_into_sight(selector: &str) -> bool {
    let found = document().query_selector(selector).ok().flatten();
    if let Some(element) = &found {
        // A drawing with its title.
        let whole = element.closest("figure").ok().flatten();
        whole.as_ref().unwrap_or(element).scroll_into_view();
    }
    found.is_some()
}
