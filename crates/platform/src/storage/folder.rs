//! A folder on disk, for native programs and the tests.

use std::io::ErrorKind;
use std::path::PathBuf;

use super::{Entry, StorageError};
use crate::file::FileHandle;

#[derive(Clone)]
pub(super) struct Folder {
    place: PathBuf,
}

impl Folder {
    pub(super) fn open(place: PathBuf) -> Result<Self, StorageError> {
        std::fs::create_dir_all(&place).map_err(|error| explain(&place.to_string_lossy(), &error))?;
        Ok(Self { place })
    }

    pub(super) fn create(&self, path: &str) -> Result<std::fs::File, StorageError> {
        let place = self.place.join(path);
        let make = || -> std::io::Result<std::fs::File> {
            if let Some(folder) = place.parent() {
                std::fs::create_dir_all(folder)?;
            }
            std::fs::File::create(&place)
        };
        make().map_err(|error| explain(path, &error))
    }

    pub(super) fn file(&self, path: &str, called: &str) -> Result<FileHandle, StorageError> {
        let place = self.place.join(path);
        match std::fs::metadata(&place) {
            Ok(metadata) if metadata.is_file() => {}
            Ok(_) => return Err(StorageError::Gone { path: path.to_owned() }),
            Err(error) => return Err(explain(path, &error)),
        }
        FileHandle::from_path(called, place)
            .map_err(|error| StorageError::Other { path: path.to_owned(), reason: error.to_string() })
    }

    #[allow(clippy::unused_async, reason = "the browser's store has the same method")]
    pub(super) async fn list(&self, folder: &str) -> Result<Vec<Entry>, StorageError> {
        let entries = match std::fs::read_dir(self.place.join(folder)) {
            Ok(entries) => entries,
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                return Ok(Vec::new());
            }
            Err(error) => return Err(explain(folder, &error)),
        };
        let entry = |entry: std::fs::DirEntry| Entry {
            name: entry.file_name().to_string_lossy().into_owned(),
            is_folder: entry.path().is_dir(),
        };
        Ok(entries.flatten().map(entry).collect())
    }

    #[allow(clippy::unused_async, reason = "the browser's store has the same method")]
    pub(super) async fn remove(&self, path: &str) -> Result<(), StorageError> {
        let place = self.place.join(path);
        let removed = if place.is_dir() { std::fs::remove_dir_all(&place) } else { std::fs::remove_file(&place) };
        match removed {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(explain(path, &error)),
            _ => Ok(()),
        }
    }
}

pub(super) fn explain(path: &str, error: &std::io::Error) -> StorageError {
    let (path, reason) = (path.to_owned(), error.to_string());
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => StorageError::Full { path },
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => StorageError::Denied { reason },
        ErrorKind::NotFound => StorageError::Gone { path },
        _ => StorageError::Other { path, reason },
    }
}
