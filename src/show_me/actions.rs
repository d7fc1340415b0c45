//! Show me: the whole story by itself. A conductor presses the buttons that a person would press, waits for what the
//! engine answers, and says what is happening. It computes nothing, and everything it makes stays on the page.

use std::time::Duration;

use super::conduct::{close, enter, has_pictures, is_done, leave, look};
use crate::prelude::*;
use crate::projects::actions::new_project;
use crate::show_me::state::{Scene, Stage};
use heirloom_plan::protocol::JobKind;

/// Time between two looks.
const LOOK: Duration = Duration::from_millis(200);

/// Begins the story, or asks what it shall be told with where work lies on the page.
pub fn show_me(store: Store) {
    let is_empty = store.ancestor.with_untracked(Option::is_none)
        && store.training.race.with_untracked(Option::is_none)
        && !has_pictures(store);
    match is_empty {
        true => tell_with_what_is_here(store),
        false => {
            store.story.scene.set(Scene::Asking);
            store.says.spoken.set(text().show_me.asking.to_owned());
        }
    }
}

/// Each stage takes what is there and makes what is missing.
pub fn tell_with_what_is_here(store: Store) {
    let story = store.story;
    story.started.set_value(js_sys::Date::now());
    story.took.set(None);
    story.has_doodles.set(false);
    story.is_held.set(false);
    enter(store, Stage::Ancestor);
    if story.timer.with_value(Option::is_none)
        && let Ok(timer) = set_interval_with_handle(move || look(store), LOOK)
    {
        story.timer.set_value(Some(timer));
    }
}

/// What is on the page is kept in its project; the story gets one of its own.
pub fn tell_in_new_project(store: Store) {
    store.story.leaving.set_value(Some(store.projects.id.get_value()));
    new_project(store);
    tell_with_what_is_here(store);
}

/// Whether the stage can be left now: what others build on is waited for.
pub fn can_skip(store: Store) -> bool {
    let is_going = || has_job(store, JobKind::Train);
    match store.story.scene.get() {
        Scene::At(Stage::Naming) => true,
        Scene::At(Stage::Race) => store.story.is_done.get() || is_going(),
        Scene::At(_) => store.story.is_done.get(),
        _ => false,
    }
}

/// On to the next stage. A race is stopped and keeps what it has learned.
pub fn skip_stage(store: Store) {
    let Scene::At(stage) = store.story.scene.get_untracked() else { return };
    store.story.is_held.set(false);
    match stage {
        Stage::Race if untrack(|| has_job(store, JobKind::Train)) => {
            store.story.telling.update_value(|telling| telling.is_hurried = true);
            stop(store);
        }
        Stage::Naming => {
            stop_work_of(store, stage);
            leave(store, stage);
        }
        _ if store.story.is_done.get_untracked() => leave(store, stage),
        _ => {}
    }
}

/// Tries again from the first stage that has no result.
pub fn go_on_with_story(store: Store) {
    let Scene::Halted(at) = store.story.scene.get_untracked() else { return };
    let is_still_here = |id: &Option<String>| id.as_ref().is_some_and(|id| *id == store.projects.id.get_value());
    if store.story.leaving.with_value(is_still_here) {
        new_project(store);
    }
    let missing = Stage::ALL.into_iter().find(|stage| *stage == at || !is_done(store, *stage));
    enter(store, missing.unwrap_or(at));
}

/// Ends the story where it is. Everything made stays.
pub fn stop_story(store: Store) {
    if let Scene::At(stage) = store.story.scene.get_untracked() {
        store.shipped.cancel();
        stop_work_of(store, stage);
    }
    close(store, Scene::Off);
}

fn stop_work_of(store: Store, stage: Stage) {
    // Opening and adding are left to end: half a model or half a folder helps nobody.
    let is_stoppable = matches!(stage, Stage::Heads | Stage::Race | Stage::Naming);
    if is_stoppable && stage.job().is_some_and(|job| untrack(|| has_job(store, job))) {
        stop(store);
    }
}
