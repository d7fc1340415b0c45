//! What the trial step knows: which model names, what came from camera and pad, which picture is looked at.

use std::collections::{HashMap, HashSet};

use leptos::prelude::*;

use super::pages::has_model;
use super::state::App;
use heirloom_plan::protocol::{Command, FileRef, Judged, Look, LookAt, PictureAt, Prediction};

/// Where a picture to name comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Way {
    #[default]
    Files,
    Camera,
    Pad,
}

/// A picture that is looked at, and what was said of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Looking {
    pub picture: PictureAt,
    pub title: String,
}

/// The trial step's part of the screen.
#[derive(Clone, Copy)]
pub struct Trial {
    pub way: RwSignal<Way>,
    /// The ancestor names pictures, not a trained descendant.
    pub is_ancestor: RwSignal<bool>,
    /// Answer to the last camera frame or drawing.
    pub glance: RwSignal<Option<Prediction>>,
    /// A frame or drawing is on its way: no other may follow it, else they would queue up.
    pub is_glancing: RwSignal<bool>,
    /// The drawing changed while one was on its way.
    pub is_stale: RwSignal<bool>,
    pub looking: RwSignal<Option<Looking>>,
    pub look: RwSignal<Option<Look>>,
    /// Small pictures by path; nothing inside where there is none to be had.
    pub thumbnails: RwSignal<HashMap<String, Option<String>>>,
    /// Checking pictures that were named already.
    pub next_validation: StoredValue<usize>,
    /// Paths asked for.
    asked: StoredValue<HashSet<String>>,
}

impl Trial {
    /// Nothing tried yet.
    pub fn new() -> Self {
        Self {
            way: RwSignal::default(),
            is_ancestor: RwSignal::new(false),
            glance: RwSignal::new(None),
            is_glancing: RwSignal::new(false),
            is_stale: RwSignal::new(false),
            looking: RwSignal::new(None),
            look: RwSignal::new(None),
            thumbnails: RwSignal::default(),
            next_validation: StoredValue::new(0),
            asked: StoredValue::default(),
        }
    }

    /// The engine answered a glance, or never will.
    pub fn glanced(self, prediction: Option<Prediction>) {
        self.is_glancing.set(false);
        self.glance.set(prediction);
    }

    /// A look arrived; one that was asked of another picture is no longer wanted.
    pub fn looked(self, look: Look) {
        let is_wanted = self.looking.with_untracked(|now| now.as_ref().is_some_and(|now| now.picture == look.picture));
        if is_wanted {
            self.look.set(Some(look));
        }
    }

    /// A small picture arrived.
    pub fn thumbnail(self, path: String, url: Option<String>) {
        self.thumbnails.update(|all| {
            all.insert(path, url);
        });
    }

    /// The pictures are gone, and others may have their paths.
    pub fn forget_pictures(self) {
        self.thumbnails.set(HashMap::new());
        self.asked.set_value(HashSet::new());
        self.next_validation.set_value(0);
    }

    /// The engine that was asked is gone.
    pub fn forget(self) {
        self.is_glancing.set(false);
        let answered = self.thumbnails.with_untracked(|all| all.keys().cloned().collect());
        self.asked.set_value(answered);
    }
}

impl App {
    /// Which model names pictures: a run of the race, or (`None`) the ancestor itself.
    pub fn namer(self) -> Option<usize> {
        let is_trained = untrack(|| has_model(self) && !self.models_lost.get());
        (is_trained && !self.trial.is_ancestor.get_untracked()).then(|| self.run.get_untracked())
    }

    /// Another model names: what the one before said goes.
    pub fn forget_answers_of_namer(self) {
        self.predictions.set(Vec::new());
        self.confusion.set(None);
        self.trial.glance.set(None);
        self.trial.looking.set(None);
    }

    /// Has a camera frame or a drawing named. Only when none is on its way; whether it went.
    pub fn glance(self, file: web_sys::File) -> bool {
        if self.trial.is_glancing.get_untracked() {
            return false;
        }
        self.trial.is_glancing.set(true);
        let files = vec![FileRef { index: 0, path: file.name(), size: file.size() as u64 }];
        self.send(Command::Glance { run: self.namer(), files }, vec![file]);
        true
    }

    /// Opens a picture with what the model looks at in it.
    pub fn open_look(self, picture: PictureAt, title: String) {
        self.trial.look.set(None);
        self.trial.looking.set(Some(Looking { picture, title }));
        self.ask_look(LookAt::Last);
    }

    /// Asks for another attention of the picture that is looked at.
    pub fn ask_look(self, at: LookAt) {
        if let Some(now) = self.trial.looking.get_untracked() {
            self.send(Command::Look { run: self.namer(), picture: now.picture, at }, Vec::new());
        }
    }

    /// Asks for the small pictures that are not there yet.
    pub fn ask_thumbnails(self, judged: &[Judged]) {
        let mut paths: Vec<_> = judged.iter().map(|one| one.path.clone()).collect();
        self.trial.asked.update_value(|asked| paths.retain(|path| asked.insert(path.clone())));
        if !paths.is_empty() {
            self.send(Command::Thumbnails { paths }, Vec::new());
        }
    }
}
