//! Commands on their way to the engine.

use leptos::prelude::*;
use web_sys::File;

use crate::browser::files::Picked;
use crate::store::{EngineState, Store};
use crate::strings::text;
use heirloom_plan::protocol::{Command, FileRef};

/// Sends a command. Returns its number, by which its answer is known; none where there is no engine.
pub fn ask(store: Store, command: Command) -> Option<u64> {
    ask_with_files(store, command, Vec::new())
}

/// As [`ask`], with the handles that the command counts.
pub fn ask_with_files(store: Store, command: Command, files: Vec<File>) -> Option<u64> {
    store.engine.link.with_value(|link| link.as_ref().map(|link| link.send(command, files)))
}

/// Sends a command whose answer can only be its own.
pub fn send(store: Store, command: Command) {
    send_files(store, command, Vec::new());
}

/// As [`send`], with the handles that the command counts.
pub fn send_files(store: Store, command: Command, files: Vec<File>) {
    ask_with_files(store, command, files);
}

/// Ends the job under way; what it has is kept.
pub fn stop(store: Store) {
    send(store, Command::Stop);
}

/// Puts a new engine in the place of one that the person gave up on.
pub fn restart_engine(store: Store) {
    if let Some(link) = store.engine.link.get_value() {
        store.engine.state.set(EngineState::Loading);
        link.restart(text().engine.asked_restart);
    }
}

/// Chosen files as a command counts them, and their handles.
pub fn hand_over(picked: Vec<Picked>) -> (Vec<FileRef>, Vec<File>) {
    let refs = picked.iter().enumerate();
    let refs = refs.map(|(index, p)| FileRef { index, path: p.path.clone(), size: p.file.size() as u64 }).collect();
    (refs, picked.into_iter().map(|picked| picked.file).collect())
}
