//! What the trial step knows: which model names, what came from camera and pad, which picture is looked at.

use std::collections::{HashMap, HashSet};

use leptos::prelude::*;

use heirloom_plan::protocol::{Confusion, Look, PictureAt, Prediction};

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
#[derive(Clone, Copy, Default)]
pub struct Trial {
    /// Which trained model names pictures and is saved.
    pub run: RwSignal<usize>,
    pub predictions: RwSignal<Vec<Prediction>>,
    pub confusion: RwSignal<Option<Confusion>>,
    pub way: RwSignal<Way>,
    /// The ancestor names pictures, not a trained descendant.
    pub is_ancestor: RwSignal<bool>,
    /// Answer to the last camera frame or drawing.
    pub glance: RwSignal<Option<Prediction>>,
    /// A frame or drawing is on its way: no other may follow it, else they would queue up.
    pub is_glancing: RwSignal<bool>,
    /// The glance whose answer is wanted, by its number; none once the model or the drawing it was meant for is gone.
    pub asked_glance: StoredValue<Option<u64>>,
    /// The drawing changed while one was on its way.
    pub is_stale: RwSignal<bool>,
    pub looking: RwSignal<Option<Looking>>,
    pub look: RwSignal<Option<Look>>,
    /// The look asked for last, by its number.
    pub asked_look: StoredValue<Option<u64>>,
    /// Small pictures by path; nothing inside where there is none to be had.
    pub thumbnails: RwSignal<HashMap<String, Option<String>>>,
    /// Checking pictures that were named already.
    pub next_validation: StoredValue<usize>,
    /// Paths asked for.
    pub asked: StoredValue<HashSet<String>>,
}

impl Trial {
    /// Another model names: what the one before said goes.
    pub fn forget_answers(self) {
        self.predictions.set(Vec::new());
        self.confusion.set(None);
        self.forget_glance();
        self.looking.set(None);
    }

    /// What was said of a frame or drawing goes, and with it the answer on its way.
    pub fn forget_glance(self) {
        self.glance.set(None);
        self.asked_glance.set_value(None);
    }

    /// The engine answered a glance; that of an earlier question makes way for the next, but is not shown.
    pub fn glanced(self, answers: Option<u64>, prediction: Option<Prediction>) {
        // First, for whoever hears that nothing is on its way any more looks at what was said.
        if self.is_wanted(self.asked_glance, answers) {
            self.glance.set(prediction);
        }
        self.is_glancing.set(false);
    }

    /// A look arrived; one that was asked before the last one is no longer wanted.
    pub fn looked(self, answers: Option<u64>, look: Look) {
        if self.is_wanted(self.asked_look, answers) && self.looking.with_untracked(Option::is_some) {
            self.look.set(Some(look));
        }
    }

    fn is_wanted(self, asked: StoredValue<Option<u64>>, answers: Option<u64>) -> bool {
        answers.is_some() && asked.get_value() == answers
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
