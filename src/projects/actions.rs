//! Projects on the page: which one is open, when it was saved, and what the person does with them.

use std::time::Duration;

use js_sys::Uint8Array;
use wasm_bindgen_futures::spawn_local;

use crate::address::query;
use crate::browser::files::Picked;
use crate::browser::{files, stored};
use crate::descendant::follow::{knows_nothing, tell_engine};
use crate::prelude::*;
use crate::training::actions::forget_retry;
use heirloom_plan::protocol::{Command, JobKind, ProjectCommand, ProjectEvent, Saved, ZipPiece};
use heirloom_plan::settings::Settings;

/// Asks the engine to keep the work and to bring back what was kept. Sent once; the link repeats it to a new engine.
pub fn begin_keeping(store: Store) {
    let quota = query("quota").and_then(|bytes| bytes.parse().ok());
    let name = text().projects.first.to_owned();
    store.projects.page.set_value(store.settings.with_untracked(Settings::to_fragment));
    send_project(store, ProjectCommand::Begin { name, quota, calm: false });
    store.projects.now.set(js_sys::Date::now());
    follow_clock(store);
    save_when_hidden(store);
    follow_page(store);
}

fn send_project(store: Store, command: ProjectCommand) {
    send(store, Command::Project(command));
}

/// A kept race is not begun again after its engine ran out of memory: it goes on, in parts of a batch.
pub fn resume_in_parts(store: Store, pictures: usize) {
    forget_retry(store);
    send_project(store, ProjectCommand::InParts(pictures));
}

/// Begins an empty project.
pub fn new_project(store: Store) {
    let name = (text().projects.new_name)(store.projects.list.with_untracked(|list| list.projects.len()));
    send_project(store, ProjectCommand::New { name });
}

/// Opens another project.
pub fn open_project(store: Store, id: String) {
    send_project(store, ProjectCommand::Open { id });
}

/// Gives a project another name.
pub fn rename_project(store: Store, id: String, name: String) {
    if store.projects.list.with_untracked(|list| list.open == id) {
        store.projects.name.set(name.clone());
    }
    send_project(store, ProjectCommand::Rename { id, name });
}

/// Removes a project.
pub fn delete_project(store: Store, id: String) {
    let next = (text().projects.new_name)(store.projects.list.with_untracked(|list| list.projects.len()));
    send_project(store, ProjectCommand::Delete { id, next });
}

/// Writes the open project as one file.
pub fn export_project(store: Store) {
    send_project(store, ProjectCommand::Export);
}

/// Takes a project out of a zip, or out of the files that were in one.
pub fn import_project(store: Store, picked: Vec<Picked>) {
    if picked.is_empty() {
        return;
    }
    begin_job(store, JobKind::Open);
    let (files, handles) = hand_over(picked);
    send_files(store, Command::Project(ProjectCommand::Import { files }), handles);
}

/// What the engine tells of projects.
pub fn project_moved(store: Store, event: ProjectEvent, attachment: Option<Uint8Array>) {
    let projects = store.projects;
    match event {
        ProjectEvent::Opening { id, name, page } => project_opening(store, id, name, page),
        ProjectEvent::Opened => {
            projects.is_open.set(true);
            if store.ancestor.with_untracked(Option::is_some) {
                store.says.spoken.set((text().projects.opened)(&projects.name.get_untracked()));
            }
        }
        ProjectEvent::List(list) => {
            // A project that was just opened was saved some time ago.
            let entry = list.projects.iter().find(|project| project.id == list.open);
            if let (Some(entry), None) = (entry, projects.saved.get_untracked()) {
                let saved = Saved { at: entry.saved_at, bytes: entry.bytes, seconds: 0.0, is_complete: true };
                projects.saved.set(Some(saved));
            }
            projects.list.set(list);
        }
        ProjectEvent::Saved(saved) => {
            projects.unsaved.set(None);
            projects.now.set(js_sys::Date::now());
            projects.saved.set(Some(saved));
            if !projects.asked_to_persist.get_value() {
                projects.asked_to_persist.set_value(true);
                spawn_local(stored::persist());
            }
        }
        ProjectEvent::Unsaved { reason } => projects.unsaved.set(Some(reason)),
        ProjectEvent::Exported { name, pieces } => put_together(store, name, pieces, attachment),
    }
}

/// What is on the screen belongs to another project, or to an engine that died.
fn project_opening(store: Store, id: String, name: String, page: String) {
    let projects = store.projects;
    let before = projects.id.get_value();
    if before != id {
        projects.saved.set(None);
        if !before.is_empty() {
            store.shipped.cancel();
        }
        // Settings in the address were given with the link, or are those of the visit before.
        let has_address = before.is_empty() && window().location().hash().is_ok_and(|hash| hash.len() > 1);
        if !page.is_empty() && !has_address {
            store.settings.set(Settings::from_fragment(&page));
        }
        projects.page.set_value(page);
        projects.id.set_value(id);
    }
    projects.is_open.set(false);
    projects.name.set(name);
    knows_nothing(store, false);
    store.engine.speed.set(None);
    store.ancestor.set(None);
    store.pictures.set(None);
    store.heads.report.set(None);
    store.heads.attention.set(None);
    store.training.race.set(None);
    store.pools.clear();
    store.tied.set(None);
    store.layers.report.set(None);
    store.training.report.set(None);
    store.training.shown.set(None);
    store.training.models_lost.set(false);
    store.trial.predictions.set(Vec::new());
    store.trial.confusion.set(None);
}

fn put_together(store: Store, name: String, pieces: Vec<ZipPiece>, attachment: Option<Uint8Array>) {
    spawn_local(async move {
        let attached = attachment.unwrap_or_else(|| Uint8Array::new_with_length(0));
        let saved = match stored::together(&pieces, &attached).await {
            Some(zip) => files::download(&name, "application/zip", &zip).is_ok(),
            None => false,
        };
        match saved {
            true => store.says.spoken.set((text().home.saved)(&name)),
            false => complain(store, text().projects.not_exported.to_owned()),
        }
    });
}

fn follow_clock(store: Store) {
    let now = store.projects.now;
    let tick = set_interval_with_handle(move || now.set(js_sys::Date::now()), Duration::from_secs(1));
    on_cleanup(move || {
        if let Ok(tick) = tick {
            tick.clear();
        }
    });
}

/// A tab that goes to the background may be closed, and a laptop with it.
fn save_when_hidden(store: Store) {
    let listener = gloo::events::EventListener::new(&document(), "visibilitychange", move |_| {
        if document().hidden() {
            tell_engine(store);
            send_project(store, ProjectCommand::Save);
        }
    });
    // The page lives as long as the document.
    listener.forget();
}

/// Keeps the settings with the project, a little after the last change.
fn follow_page(store: Store) {
    let send = leptos::leptos_dom::helpers::debounce(Duration::from_millis(500), move |page: String| {
        if store.projects.page.get_value() != page {
            store.projects.page.set_value(page.clone());
            send_project(store, ProjectCommand::Page(page));
        }
    });
    let send = StoredValue::new_local(send);
    Effect::new(move |_| {
        let page = store.settings.with(Settings::to_fragment);
        send.update_value(|send| send(page));
    });
}
