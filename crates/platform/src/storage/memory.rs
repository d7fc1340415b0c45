//! Files in memory: for what need not outlive the program, and where nothing else is to be had.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use super::{Entry, StorageError};
use crate::file::FileHandle;

type Files = Rc<RefCell<BTreeMap<String, Arc<[u8]>>>>;

#[derive(Clone, Default)]
pub(super) struct Memory {
    files: Files,
}

/// A file that is there once it is finished.
pub(super) struct Open {
    path: String,
    bytes: Vec<u8>,
    files: Files,
}

impl Memory {
    pub(super) fn create(&self, path: &str) -> Open {
        self.files.borrow_mut().remove(path);
        Open { path: path.to_owned(), bytes: Vec::new(), files: self.files.clone() }
    }

    pub(super) fn file(&self, path: &str, called: &str) -> Result<FileHandle, StorageError> {
        let bytes = self.files.borrow().get(path).cloned();
        bytes
            .map(|bytes| FileHandle::from_bytes(called, bytes))
            .ok_or_else(|| StorageError::Gone { path: path.to_owned() })
    }

    #[allow(clippy::unused_async, reason = "the browser's store has the same method")]
    pub(super) async fn list(&self, folder: &str) -> Result<Vec<Entry>, StorageError> {
        let front = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let mut entries: Vec<Entry> = Vec::new();
        for path in self.files.borrow().keys() {
            let Some(rest) = path.strip_prefix(&front) else { continue };
            let (name, is_folder) = rest.split_once('/').map_or((rest, false), |(name, _)| (name, true));
            if entries.last().is_none_or(|last| last.name != name) {
                entries.push(Entry { name: name.to_owned(), is_folder });
            }
        }
        Ok(entries)
    }

    #[allow(clippy::unused_async, reason = "the browser's store has the same method")]
    pub(super) async fn remove(&self, path: &str) -> Result<(), StorageError> {
        let below = format!("{path}/");
        self.files.borrow_mut().retain(|file, _| file != path && !file.starts_with(&below));
        Ok(())
    }
}

impl Open {
    pub(super) fn write(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    pub(super) fn finish(self) {
        self.files.borrow_mut().insert(self.path, self.bytes.into());
    }
}
