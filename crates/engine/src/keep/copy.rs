//! Copying what the person handed over into the store, a few milliseconds at a time, so that ancestor and pictures are
//! there again after a reload without being dropped again.

use sha2::{Digest, Sha256};

use super::store::Projects;
use super::work::hex;
use crate::runner::Runner;
use heirloom_data::{PictureError, Source};
use heirloom_platform::clock::now_ms;
use heirloom_platform::file::FileError;
use heirloom_platform::storage::{StorageError, Writer};

/// Longest time spent at once, ms.
const TURN: f64 = 15.0;
/// Files up to this size are read once; larger ones twice, by slices, for their name in the store is their checksum.
const SMALL: u64 = 4 << 20;
/// Bytes read at a time.
const SLICE: u64 = 2 << 20;

/// Which file is copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    Ancestor(usize),
    Picture(usize),
}

/// A large file on its way.
pub struct Copying {
    target: Target,
    source: Source,
    hash: Sha256,
    at: u64,
    sha: Option<[u8; 32]>,
    writer: Option<Writer>,
}

/// Why a file was not copied.
enum CopyError {
    Storage(StorageError),
    Source(PictureError),
}

impl From<StorageError> for CopyError {
    fn from(error: StorageError) -> Self {
        Self::Storage(error)
    }
}

impl From<PictureError> for CopyError {
    fn from(error: PictureError) -> Self {
        Self::Source(error)
    }
}

impl From<FileError> for CopyError {
    fn from(error: FileError) -> Self {
        Self::Source(error.into())
    }
}

impl Runner {
    /// Copies for a moment; `false` when everything is copied.
    pub(super) async fn copy_next(&mut self) -> bool {
        let until = now_ms() + TURN;
        let mut has_copied = false;
        while now_ms() < until {
            let Some(projects) = self.keeper.projects.clone() else { return has_copied };
            let copying = match self.keeper.copying.take() {
                Some(copying) => copying,
                None => match self.next_target() {
                    Some(copying) => copying,
                    None => return has_copied,
                },
            };
            has_copied = true;
            let (target, path) = (copying.target, self.path_of(copying.target));
            match self.copy_piece(&projects, copying).await {
                Ok(None) => {}
                Ok(Some(copying)) => self.keeper.copying = Some(copying),
                Err(CopyError::Storage(error)) => {
                    // What broke off must take no room.
                    if let Some(sha) = self.sha_of(target)
                        && let Err(error) = projects.storage.remove(&Projects::blob_path(&hex(&sha))).await
                    {
                        log::warn!("`{path}` broke off and could not be removed: {error}");
                    }
                    self.not_stored(target, &error);
                }
                Err(CopyError::Source(error)) => {
                    self.fail(format!("`{path}` cannot be kept for later: {error}"));
                    self.note_copied(target, [0; 32]);
                }
            }
        }
        has_copied
    }

    fn next_target(&mut self) -> Option<Copying> {
        let copying = |target, source| Copying { target, source, hash: Sha256::new(), at: 0, sha: None, writer: None };
        if let Some(ancestor) = &self.ancestor {
            self.keeper.ancestor.resize(ancestor.files.len(), None);
            if let Some(index) = self.keeper.ancestor.iter().position(Option::is_none) {
                return Some(copying(Target::Ancestor(index), Source::File(ancestor.files[index].clone())));
            }
        }
        let index = self.keeper.pictures.len();
        let picture = self.pictures.set.pictures().get(index)?;
        Some(copying(Target::Picture(index), picture.source.clone()))
    }

    fn path_of(&self, target: Target) -> String {
        let path = match target {
            Target::Ancestor(index) => {
                self.ancestor.as_ref().and_then(|ancestor| ancestor.files.get(index)).map(|file| file.path())
            }
            Target::Picture(index) => self.pictures.set.pictures().get(index).map(|picture| picture.path.as_str()),
        };
        path.unwrap_or_default().to_owned()
    }

    /// One small file, or one slice of a large one; what is left of it.
    async fn copy_piece(&mut self, projects: &Projects, mut copying: Copying) -> Result<Option<Copying>, CopyError> {
        let target = copying.target;
        let file = match &copying.source {
            Source::File(file) if file.len() > SMALL => file.clone(),
            source => {
                let bytes = source.read_all().await?;
                let sha: [u8; 32] = Sha256::digest(&bytes).into();
                self.note_copied(target, sha);
                if self.keeper.stored.contains(&sha) {
                    return Ok(None);
                }
                projects.storage.write(&Projects::blob_path(&hex(&sha)), &bytes).await?;
                self.keeper.stored.insert(sha);
                return Ok(None);
            }
        };
        let bytes = file.read(copying.at..(copying.at + SLICE).min(file.len())).await?;
        copying.at += bytes.len() as u64;
        let is_end = copying.at == file.len();
        match (&mut copying.writer, copying.sha) {
            (Some(writer), Some(sha)) => {
                writer.write(&bytes)?;
                if is_end {
                    copying.writer.take().map_or(Ok(()), Writer::finish)?;
                    self.keeper.stored.insert(sha);
                    return Ok(None);
                }
            }
            _ => {
                copying.hash.update(&bytes);
                if is_end {
                    let sha: [u8; 32] = std::mem::take(&mut copying.hash).finalize().into();
                    if self.keeper.stored.contains(&sha) {
                        self.note_copied(target, sha);
                        return Ok(None);
                    }
                    let path = Projects::blob_path(&hex(&sha));
                    (copying.at, copying.sha) = (0, Some(sha));
                    copying.writer = Some(projects.storage.create(&path).await?);
                    // From here on the checksum is known, and with it the file can be asked for again.
                    self.note_copied(target, sha);
                }
            }
        }
        Ok(Some(copying))
    }

    fn sha_of(&self, target: Target) -> Option<[u8; 32]> {
        match target {
            Target::Ancestor(index) => self.keeper.ancestor.get(index).copied().flatten(),
            Target::Picture(index) => self.keeper.pictures.get(index).copied(),
        }
    }

    fn note_copied(&mut self, target: Target, sha: [u8; 32]) {
        match target {
            Target::Ancestor(index) => {
                if let Some(slot) = self.keeper.ancestor.get_mut(index) {
                    *slot = Some(sha);
                }
            }
            Target::Picture(index) => {
                if self.keeper.pictures.len() == index {
                    self.keeper.pictures.push(sha);
                }
            }
        }
    }

    /// A file has no room: it is kept by its checksum only, which is said once.
    fn not_stored(&mut self, target: Target, error: &StorageError) {
        if let Target::Ancestor(index) = target
            && self.keeper.ancestor.get(index).is_some_and(Option::is_none)
        {
            self.keeper.ancestor[index] = Some([0; 32]);
        }
        if !self.keeper.has_said_unstored {
            self.keeper.has_said_unstored = true;
            self.inform(format!(
                "not everything you brought could be kept ({error}). After a reload drop the same files again, then the \
                 work goes on"
            ));
        }
    }
}
