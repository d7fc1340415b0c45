//! Having pictures named, and looking at one closely.

use crate::browser::files::Picked;
use crate::engine::send::{ask, ask_with_files};
use crate::prelude::*;
use crate::trial::model::namer;
use crate::trial::state::Looking;
use heirloom_plan::protocol::{Command, FileRef, JobKind, Judged, LookAt, PictureAt};

/// Has files named.
pub fn predict(store: Store, picked: Vec<Picked>) {
    if picked.is_empty() {
        return;
    }
    store.trial.predictions.set(Vec::new());
    begin_job(store, JobKind::Evaluate);
    let (files, handles) = hand_over(picked);
    send_files(store, Command::Predict { run: namer(store), files }, handles);
}

/// Has pictures named that were kept for checking, one of each class in turn; others each time.
pub fn predict_validation(store: Store, count: usize) {
    store.trial.predictions.set(Vec::new());
    begin_job(store, JobKind::Evaluate);
    let skip = store.trial.next_validation.get_value();
    store.trial.next_validation.set_value(skip + count);
    send(store, Command::PredictValidation { run: namer(store), skip, count });
}

/// Has all checking pictures named.
pub fn ask_confusion(store: Store) {
    begin_job(store, JobKind::Evaluate);
    send(store, Command::Confusion { run: namer(store) });
}

/// Has a camera frame or a drawing named. Only when none is on its way; whether it went.
pub fn glance(store: Store, file: web_sys::File) -> bool {
    if store.trial.is_glancing.get_untracked() {
        return false;
    }
    store.trial.is_glancing.set(true);
    let files = vec![FileRef { index: 0, path: file.name(), size: file.size() as u64 }];
    let asked = ask_with_files(store, Command::Glance { run: namer(store), files }, vec![file]);
    store.trial.asked_glance.set_value(asked);
    true
}

/// Opens a picture with what the model looks at in it.
pub fn open_look(store: Store, picture: PictureAt, title: String) {
    store.trial.look.set(None);
    store.trial.looking.set(Some(Looking { picture, title }));
    ask_look(store, LookAt::Last);
}

/// Asks for another attention of the picture that is looked at.
pub fn ask_look(store: Store, at: LookAt) {
    if let Some(now) = store.trial.looking.get_untracked() {
        let asked = ask(store, Command::Look { run: namer(store), picture: now.picture, at });
        store.trial.asked_look.set_value(asked);
    }
}

/// Asks for the small pictures that are not there yet.
pub fn ask_thumbnails(store: Store, judged: &[Judged]) {
    let mut paths: Vec<_> = judged.iter().map(|one| one.path.clone()).collect();
    store.trial.asked.update_value(|asked| paths.retain(|path| asked.insert(path.clone())));
    if !paths.is_empty() {
        send(store, Command::Thumbnails { paths });
    }
}
