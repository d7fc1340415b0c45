//! The conductor: what is pressed at which stage, when a stage is done, and when the story goes on.
//!
//! It looks a few times a second at what is on the screen instead of listening to single events, so that it does not
//! matter who pressed a button, and nothing that goes wrong can leave it waiting for ever.

use leptos::prelude::*;

use super::{Scene, Stage, Telling};
use crate::pages::has_model;
use crate::samples::{self, Sample};
use crate::shipped::Shipped;
use crate::state::{App, EngineState};
use crate::strings::text;
use crate::trial::Way;
use heirloom_plan::protocol::{JobKind, Method, NoticeLevel, RaceState};
use heirloom_plan::settings::STORY;

/// Shortest time for the words of a stage, ms: some thirty words.
const READ: f64 = 6_000.0;
/// Time for what was found, ms: a sentence and a drawing.
const READ_FOUND: f64 = 4_000.0;
/// After so long without any work going on and without a result, ms, it does not wait any longer.
const STALLED: f64 = 5_000.0;
/// Pictures that the descendant names in the end: one of each class of the samples.
const NAMED: usize = 5;

pub(super) fn close(app: App, scene: Scene) {
    if let Some(timer) = app.story.timer.try_update_value(Option::take).flatten() {
        timer.clear();
    }
    app.story.leaving.set_value(None);
    app.story.scene.set(scene);
}

pub(super) fn enter(app: App, stage: Stage) {
    let first_notice = app.notices.with_untracked(|all| all.iter().map(|shown| shown.id + 1).max().unwrap_or(0));
    app.story.is_done.set(false);
    app.story.scene.set(Scene::At(stage));
    let has_shown_sight = bring_into_sight(&sight_of(stage));
    if !has_shown_sight {
        bring_into_sight(&format!("#{}-title", stage.section()));
    }
    let since = js_sys::Date::now();
    app.story.telling.set_value(Telling { since, first_notice, has_shown_sight, ..Telling::default() });
}

fn sight_of(stage: Stage) -> String {
    format!("[data-testid={}]", stage.sight())
}

pub(super) fn leave(app: App, stage: Stage) {
    match stage.next() {
        Some(Stage::Naming) if !untrack(|| has_model(app)) => end(app),
        Some(next) => enter(app, next),
        None => end(app),
    }
}

fn end(app: App) {
    app.story.took.set(Some((js_sys::Date::now() - app.story.started.get_value()) / 1e3));
    close(app, Scene::Ended);
    app.spoken.set(text().show_me.ended.to_owned());
}

fn halt(app: App, stage: Stage) {
    app.story.scene.set(Scene::Halted(stage));
    app.spoken.set(text().show_me.halted.to_owned());
}

/// Looks whether there is something to do.
pub(super) fn look(app: App) {
    let story = app.story;
    let Scene::At(stage) = story.scene.get_untracked() else { return };
    let (now, mut telling) = (js_sys::Date::now(), story.telling.get_value());
    if has_failed(app, telling.first_notice) {
        return halt(app, stage);
    }
    if !telling.is_begun {
        if is_free(app) {
            telling.is_begun = true;
            story.telling.set_value(telling);
            begin(app, stage);
        }
        return;
    }
    if telling.done.is_none() && is_done(app, stage) {
        telling.done = Some(now);
        story.is_done.set(true);
    }
    if !telling.has_shown_sight {
        telling.has_shown_sight = bring_into_sight(&sight_of(stage));
    }
    let is_idle = telling.done.is_none() && !is_working(app);
    telling.idle = telling.idle.filter(|_| is_idle).or(is_idle.then_some(now));
    let is_read = |done: f64| telling.is_hurried || (now - done >= READ_FOUND && now - telling.since >= READ);
    let has_read = telling.done.is_some_and(is_read);
    let has_stalled = telling.idle.is_some_and(|idle| now - idle >= STALLED);
    story.telling.set_value(telling);
    if has_stalled {
        halt(app, stage);
    } else if has_read && !story.is_held.get_untracked() {
        leave(app, stage);
    }
}

/// Presses the stage's button, where what it makes is not there yet.
fn begin(app: App, stage: Stage) {
    if stage == Stage::Pictures {
        choose_settings(app);
    }
    if stage == Stage::Naming {
        app.trial.way.set(Way::Files);
        return app.predict_validation(NAMED);
    }
    if is_done(app, stage) {
        return;
    }
    match stage {
        Stage::Ancestor => app.open_shipped(Shipped::Classroom),
        Stage::Pictures => {
            app.story.has_doodles.set(true);
            samples::add(app, Sample::Doodles);
        }
        Stage::Heads => app.measure(),
        Stage::Race => app.train(),
        // Both follow from the heads by themselves.
        Stage::Clusters | Stage::Descendant | Stage::Naming => {}
    }
}

/// Fills in what the person left as usual, as long as nothing was made with it.
fn choose_settings(app: App) {
    let is_new = app.heads.with_untracked(Option::is_none) && app.race.with_untracked(Option::is_none);
    let is_shipped = app.ancestor.with_untracked(|ancestor| {
        ancestor.as_ref().is_some_and(|ancestor| ancestor.name == Shipped::Classroom.file())
    });
    let brings_samples = !has_pictures(app);
    if app.settings.with_untracked(|settings| settings.method != Method::Cluster) {
        app.settings.update(|settings| settings.method = Method::Cluster);
    }
    if is_new {
        let is_meant = |key: &str| match key {
            "share" => brings_samples,
            "lr" => is_shipped,
            _ => true,
        };
        app.settings.update(|settings| settings.fill(STORY.fragment, is_meant));
    }
}

/// Whether what the stage makes is on the screen.
pub(super) fn is_done(app: App, stage: Stage) -> bool {
    let is_over = stage.job().is_none_or(|job| !has_job(app, job));
    is_over
        && match stage {
            Stage::Ancestor => app.ancestor.with_untracked(Option::is_some),
            Stage::Pictures => has_pictures(app),
            Stage::Heads => app.heads.with_untracked(Option::is_some),
            Stage::Clusters => app.plans.clusters.with_untracked(Option::is_some),
            Stage::Descendant => app.plans.descendant.with_untracked(Option::is_some),
            Stage::Race => untrack(|| has_model(app)) || has_raced(app),
            Stage::Naming => app.predictions.with_untracked(|all| !all.is_empty()),
        }
}

pub(super) fn has_pictures(app: App) -> bool {
    app.pictures.with_untracked(|pictures| pictures.as_ref().is_some_and(|pictures| !pictures.classes.is_empty()))
}

/// A race that was stopped before it learned anything is over as well.
fn has_raced(app: App) -> bool {
    let state = app.race.with_untracked(|race| race.as_ref().map(|race| race.state));
    matches!(state, Some(RaceState::Finished | RaceState::Stopped)) && !app.models_lost.get_untracked()
}

pub(super) fn has_job(app: App, kind: JobKind) -> bool {
    app.jobs.with_untracked(|jobs| jobs.iter().any(|job| job.kind == kind))
}

fn is_working(app: App) -> bool {
    let is_fetching =
        app.shipped.fetching.with_untracked(Option::is_some) || app.shipped.has_samples_coming.get_untracked();
    is_fetching || app.jobs.with_untracked(|jobs| !jobs.is_empty())
}

/// Whether the engine is there, the right project open, and nothing else going on.
fn is_free(app: App) -> bool {
    let has_left = app.story.leaving.with_value(|id| id.as_ref().is_none_or(|id| *id != app.projects.id()));
    let is_ready = app.engine.with_untracked(|engine| matches!(engine, EngineState::Ready(_)));
    has_left && is_ready && app.projects.is_open.get_untracked() && !is_working(app)
}

fn has_failed(app: App, first_notice: usize) -> bool {
    let is_gone = app.engine.with_untracked(|engine| *engine == EngineState::Gone);
    is_gone
        || app.notices.with_untracked(|all| {
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
