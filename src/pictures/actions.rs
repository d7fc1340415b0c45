//! Adding pictures, dividing them, doing without them.

use crate::browser::files::Picked;
use crate::prelude::*;
use heirloom_plan::protocol::{Command, FolderLevel, JobKind};

/// Adds chosen files; `class` is for those without a folder.
pub fn add_pictures(store: Store, picked: Vec<Picked>, class: Option<String>) {
    if picked.is_empty() {
        return complain(store, text().pictures.nothing_inside.to_owned());
    }
    begin_job(store, JobKind::Pictures);
    let (files, handles) = hand_over(picked);
    send_files(store, Command::AddPictures { files, class }, handles);
}

/// Takes another of the folders around each picture for its class.
pub fn read_folders(store: Store, level: FolderLevel) {
    store.trial.forget_pictures();
    send(store, Command::ReadFolders(level));
}

/// Forgets all pictures.
pub fn clear_pictures(store: Store) {
    store.pictures.set(None);
    store.trial.forget_pictures();
    send(store, Command::ClearPictures);
}
