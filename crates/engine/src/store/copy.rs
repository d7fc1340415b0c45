//! Copying what the person handed over into the store, a few milliseconds at a time, so that ancestor and pictures are
//! there again after a reload without being dropped again.

use std::collections::HashMap;

use sha2::{Digest, Sha256};

use super::project_store::ProjectStore;
use crate::emitter::Emitter;
use crate::error::EngineError;
use crate::remark::Remark;
use crate::saved::{Part, hex};
use crate::workspace::{Id, Workspace};
use heirloom_data::{PictureError, Source};
use heirloom_platform::clock::now_ms;
use heirloom_platform::file::FileError;
use heirloom_platform::storage::{StorageError, Writer};

/// Longest time spent at once, ms.
const TURN: f64 = 15.0;
/// Files up to this size are read once; larger ones twice, by slices, for their name in the store is their checksum.
const SMALL: u64 = 4 << 20;
/// Bytes read at a time.
pub const SLICE: u64 = 2 << 20;

/// What of a workspace lies in a store already.
#[derive(Default)]
pub struct Stored {
    /// Checksums of the first files of the ancestor and of the dataset. Files without room are known by them, too.
    pub files: HashMap<Id, Vec<[u8; 32]>>,
    /// Weights that never change again.
    pub parts: HashMap<Id, Part>,
    copying: Option<Copying>,
    /// Whether the person knows that files have no room.
    pub has_said_unstored: bool,
}

/// A file on its way.
struct Copying {
    /// Of which ancestor or dataset, and its number there.
    target: (Id, usize),
    path: String,
    source: Source,
    hash: Sha256,
    at: u64,
    /// The file in the store, once the checksum is known.
    writer: Option<([u8; 32], Writer)>,
}

/// Why a file was not copied.
#[derive(Debug, thiserror::Error)]
enum CopyError {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(transparent)]
    Source(#[from] PictureError),
}

impl From<FileError> for CopyError {
    fn from(error: FileError) -> Self {
        Self::Source(error.into())
    }
}

impl Stored {
    /// Copies for a moment; `false` when everything is copied.
    pub async fn copy_next(&mut self, store: &mut ProjectStore, workspace: &Workspace, emitter: &Emitter) -> bool {
        let until = now_ms() + TURN;
        let mut has_copied = false;
        self.follow(workspace);
        while now_ms() < until {
            let Some(copying) = self.copying.take().or_else(|| self.next(workspace)) else { return has_copied };
            has_copied = true;
            let (target, path) = (copying.target, copying.path.clone());
            match self.copy_piece(store, copying).await {
                Ok(copying) => self.copying = copying,
                Err(CopyError::Storage(error)) => {
                    // What broke off must take no room.
                    if let Some(sha) = self.checksums(target.0).get(target.1)
                        && let Err(error) = store.storage.remove(&ProjectStore::blob_path(&hex(sha))).await
                    {
                        log::warn!("`{path}` broke off and could not be removed: {error}");
                    }
                    self.say_unstored(emitter, &error);
                }
                Err(CopyError::Source(error)) => {
                    emitter.notify_error(EngineError::NotCopied { path, reason: error });
                    self.note(target, [0; 32]);
                }
            }
        }
        has_copied
    }

    /// Copies everything.
    pub async fn copy_all(&mut self, store: &mut ProjectStore, workspace: &Workspace, emitter: &Emitter) {
        while self.copy_next(store, workspace, emitter).await {}
    }

    /// Checksums of the first files of this ancestor or dataset.
    pub fn checksums(&self, id: Id) -> &[[u8; 32]] {
        self.files.get(&id).map_or(&[], |known| known)
    }

    /// Forgets the files of an ancestor or a dataset that is there no more.
    fn follow(&mut self, workspace: &Workspace) {
        let ancestor = workspace.ancestor.as_ref().map(|ancestor| ancestor.id);
        let is_there = |id: &Id| Some(*id) == ancestor || *id == workspace.dataset.id;
        self.files.retain(|id, _| is_there(id));
        self.copying.take_if(|copying| !is_there(&copying.target.0));
    }

    fn next(&self, workspace: &Workspace) -> Option<Copying> {
        let copying = |target, path: &str, source| {
            let (path, hash) = (path.into(), Sha256::new());
            Copying { target, path, source, hash, at: 0, writer: None }
        };
        if let Some(ancestor) = &workspace.ancestor {
            let index = self.checksums(ancestor.id).len();
            if let Some(file) = ancestor.files.get(index) {
                return Some(copying((ancestor.id, index), file.path(), Source::File(file.clone())));
            }
        }
        let dataset = &workspace.dataset;
        let index = self.checksums(dataset.id).len();
        let picture = dataset.set.pictures().get(index)?;
        Some(copying((dataset.id, index), &picture.path, picture.source.clone()))
    }

    /// One small file, or one slice of a large one; what is left of it.
    async fn copy_piece(
        &mut self,
        store: &mut ProjectStore,
        mut copying: Copying,
    ) -> Result<Option<Copying>, CopyError> {
        let target = copying.target;
        let file = match &copying.source {
            Source::File(file) if file.len() > SMALL => file.clone(),
            source => {
                let bytes = source.read_all().await?;
                let sha: [u8; 32] = Sha256::digest(&bytes).into();
                self.note(target, sha);
                if !store.blobs.contains(&sha) {
                    store.storage.write(&ProjectStore::blob_path(&hex(&sha)), &bytes).await?;
                    store.blobs.insert(sha);
                }
                return Ok(None);
            }
        };
        let bytes = file.read(copying.at..(copying.at + SLICE).min(file.len())).await?;
        copying.at += bytes.len() as u64;
        let is_end = copying.at == file.len();
        match &mut copying.writer {
            Some((_, writer)) => {
                writer.write(&bytes)?;
                if is_end && let Some((sha, writer)) = copying.writer.take() {
                    writer.finish()?;
                    store.blobs.insert(sha);
                    return Ok(None);
                }
            }
            None => {
                copying.hash.update(&bytes);
                if is_end {
                    let sha: [u8; 32] = std::mem::take(&mut copying.hash).finalize().into();
                    // From here on the checksum is known, and with it the file can be asked for again.
                    self.note(target, sha);
                    if store.blobs.contains(&sha) {
                        return Ok(None);
                    }
                    copying.at = 0;
                    copying.writer = Some((sha, store.storage.create(&ProjectStore::blob_path(&hex(&sha))).await?));
                }
            }
        }
        Ok(Some(copying))
    }

    fn note(&mut self, (id, index): (Id, usize), sha: [u8; 32]) {
        let known = self.files.entry(id).or_default();
        if known.len() == index {
            known.push(sha);
        }
    }

    /// A file has no room, so that it is kept by its checksum only; said once.
    fn say_unstored(&mut self, emitter: &Emitter, error: &StorageError) {
        if !self.has_said_unstored {
            self.has_said_unstored = true;
            emitter.notify_info(Remark::NotAllKept { reason: error.clone() });
        }
    }
}
