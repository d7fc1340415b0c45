//! Projects on the page: which one is open, when it was saved, and what the person does with them.

use std::time::Duration;

use leptos::prelude::*;
use wasm_bindgen_futures::spawn_local;

use super::actions::hand_over;
use super::files::{self, Picked};
use super::state::App;
use super::strings::text;
use super::{app, format, store};
use heirloom_plan::protocol::{Command, JobKind, ProjectCommand, ProjectEvent, ProjectList, Saved, ZipPiece};
use heirloom_plan::settings::Settings;

/// What is known of projects. Copies are handles of the same state.
#[derive(Clone, Copy)]
pub struct Projects {
    pub list: RwSignal<ProjectList>,
    pub name: RwSignal<String>,
    pub saved: RwSignal<Option<Saved>>,
    /// Why nothing is saved at the moment.
    pub unsaved: RwSignal<Option<String>>,
    /// The clock of "saved … ago", ms since 1970.
    pub now: RwSignal<f64>,
    /// Whether the open project is on the screen as far as it was kept.
    pub is_open: RwSignal<bool>,
    /// Id of the open project.
    id: StoredValue<String>,
    /// Settings of the page as the engine knows them.
    page: StoredValue<String>,
    asked_to_persist: StoredValue<bool>,
}

impl Projects {
    pub fn new() -> Self {
        Self {
            list: RwSignal::default(),
            name: RwSignal::default(),
            saved: RwSignal::new(None),
            unsaved: RwSignal::new(None),
            now: RwSignal::new(js_sys::Date::now()),
            is_open: RwSignal::new(false),
            id: StoredValue::default(),
            page: StoredValue::default(),
            asked_to_persist: StoredValue::new(false),
        }
    }

    /// Id of the open project.
    pub fn id(self) -> String {
        self.id.get_value()
    }

    /// Whether the work is in the browser's store.
    pub fn is_kept(self) -> bool {
        self.unsaved.with_untracked(Option::is_none) && self.saved.with_untracked(Option::is_some)
    }

    /// How long ago the last save was, in words.
    pub fn saved_ago(self) -> Option<String> {
        let t = &text().projects;
        self.saved.get().map(|saved| match (self.now.get() - saved.at).max(0.0) / 1e3 {
            seconds if seconds < 1.5 => t.just_now.to_owned(),
            seconds => (t.ago)(&format::duration(seconds)),
        })
    }
}

impl App {
    /// Asks the engine to keep the work and to bring back what was kept. Sent once; the link repeats it to a new engine.
    pub(super) fn begin_keeping(self) {
        let quota = app::query("quota").and_then(|bytes| bytes.parse().ok());
        let name = text().projects.first.to_owned();
        self.projects.page.set_value(self.settings.with_untracked(Settings::to_fragment));
        self.send_project(ProjectCommand::Begin { name, quota, calm: false });
        self.follow_clock();
        self.save_when_hidden();
        self.follow_page();
    }

    fn send_project(self, command: ProjectCommand) {
        self.send(Command::Project(command), Vec::new());
    }

    /// A kept race is not begun again after its engine ran out of memory: it goes on, in parts of a batch.
    pub(super) fn resume_in_parts(self, pictures: usize) {
        self.forget_retry();
        self.send_project(ProjectCommand::InParts(pictures));
    }

    pub fn new_project(self) {
        let name = (text().projects.new_name)(self.projects.list.with_untracked(|list| list.projects.len()));
        self.send_project(ProjectCommand::New { name });
    }

    pub fn open_project(self, id: String) {
        self.send_project(ProjectCommand::Open { id });
    }

    pub fn rename_project(self, id: String, name: String) {
        if self.projects.list.with_untracked(|list| list.open == id) {
            self.projects.name.set(name.clone());
        }
        self.send_project(ProjectCommand::Rename { id, name });
    }

    pub fn delete_project(self, id: String) {
        let next = (text().projects.new_name)(self.projects.list.with_untracked(|list| list.projects.len()));
        self.send_project(ProjectCommand::Delete { id, next });
    }

    pub fn export_project(self) {
        self.send_project(ProjectCommand::Export);
    }

    pub fn import_project(self, picked: Vec<Picked>) {
        if picked.is_empty() {
            return;
        }
        self.begin_job(JobKind::Open);
        let (files, handles) = hand_over(picked);
        self.send(Command::Project(ProjectCommand::Import { files }), handles);
    }

    pub(super) fn project_moved(self, event: ProjectEvent) {
        let projects = self.projects;
        match event {
            ProjectEvent::Opening { id, name, page } => self.project_opening(id, name, page),
            ProjectEvent::Opened => {
                projects.is_open.set(true);
                if self.ancestor.with_untracked(Option::is_some) {
                    self.spoken.set((text().projects.opened)(&projects.name.get_untracked()));
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
                    spawn_local(store::persist());
                }
            }
            ProjectEvent::Unsaved { reason } => projects.unsaved.set(Some(reason)),
            ProjectEvent::Exported { name, pieces } => self.put_together(name, pieces),
        }
    }

    /// What is on the screen belongs to another project, or to an engine that died.
    fn project_opening(self, id: String, name: String, page: String) {
        let projects = self.projects;
        let before = projects.id.get_value();
        if before != id {
            projects.saved.set(None);
            if !before.is_empty() {
                self.shipped.cancel();
            }
            // Settings in the address were given with the link, or are those of the visit before.
            let has_address = before.is_empty() && window().location().hash().is_ok_and(|hash| hash.len() > 1);
            if !page.is_empty() && !has_address {
                self.settings.set(Settings::from_fragment(&page));
            }
            projects.page.set_value(page);
            projects.id.set_value(id);
        }
        projects.is_open.set(false);
        projects.name.set(name);
        self.knows_nothing(false);
        self.speed.set(None);
        self.ancestor.set(None);
        self.pictures.set(None);
        self.heads.set(None);
        self.attention.set(None);
        self.race.set(None);
        self.pools.clear();
        self.layers.report.set(None);
        self.experiments.report.set(None);
        self.experiments.shown.set(None);
        self.models_lost.set(false);
        self.predictions.set(Vec::new());
        self.confusion.set(None);
    }

    fn put_together(self, name: String, pieces: Vec<ZipPiece>) {
        spawn_local(async move {
            let saved = match store::together(&pieces).await {
                Some(zip) => files::download(&name, "application/zip", &zip).is_ok(),
                None => false,
            };
            match saved {
                true => self.spoken.set((text().home.saved)(&name)),
                false => self.complain(text().projects.not_exported.to_owned()),
            }
        });
    }

    fn follow_clock(self) {
        let now = self.projects.now;
        let tick = set_interval_with_handle(move || now.set(js_sys::Date::now()), Duration::from_secs(1));
        on_cleanup(move || {
            if let Ok(tick) = tick {
                tick.clear();
            }
        });
    }

    /// A tab that goes to the background may be closed, and a laptop with it.
    fn save_when_hidden(self) {
        let listener = gloo::events::EventListener::new(&document(), "visibilitychange", move |_| {
            if document().hidden() {
                self.tell_engine();
                self.send_project(ProjectCommand::Save);
            }
        });
        // The page lives as long as the document.
        listener.forget();
    }

    /// Keeps the settings with the project, a little after the last change.
    fn follow_page(self) {
        let send = leptos::leptos_dom::helpers::debounce(Duration::from_millis(500), move |page: String| {
            if self.projects.page.get_value() != page {
                self.projects.page.set_value(page.clone());
                self.send_project(ProjectCommand::Page(page));
            }
        });
        let send = StoredValue::new_local(send);
        Effect::new(move |_| {
            let page = self.settings.with(Settings::to_fragment);
            send.update_value(|send| send(page));
        });
    }
}
