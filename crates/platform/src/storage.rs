//! A small store of files that outlives the program: the browser's own file system (OPFS) in the worker, a folder
//! natively, and memory where neither is to be had.
//!
//! Writing is synchronous and reading by slices, as the platforms want it; nothing is ever held whole. There is no
//! renaming, because not every browser can: whoever needs a file to be there entirely or not at all writes it beside
//! the one before and seals it with a checksum (see `checkpoint::Sealed`).

#[cfg(not(target_arch = "wasm32"))]
mod folder;
mod memory;
#[cfg(target_arch = "wasm32")]
mod opfs;

use std::cell::Cell;
use std::rc::Rc;

use super::file::FileHandle;

/// Why something could not be stored, or found again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, serde::Serialize)]
pub enum StorageError {
    /// The disk, or what the browser grants this page, is used up.
    #[error("there is no room left for `{path}`; free some disk space, or delete a project")]
    Full {
        /// What was being written.
        path: String,
    },
    /// The browser or the system does not let this program store anything.
    #[error("nothing may be stored here ({reason}); a private window or a page over plain http is often the cause")]
    Denied {
        /// What the platform said.
        reason: String,
    },
    /// Another tab or program holds the store.
    #[error("Heirloom is open in another tab, which keeps the projects; close one of the two and reload the other")]
    InUse,
    /// A file that should be there is not.
    #[error("`{path}` is gone from the store; the browser or a person may have cleared it")]
    Gone {
        /// What was looked for.
        path: String,
    },
    /// Anything else.
    #[error("`{path}` could not be written or read ({reason})")]
    Other {
        /// Which file.
        path: String,
        /// What the platform said.
        reason: String,
    },
}

/// A file or folder of the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Last part of its path.
    pub name: String,
    /// Whether it is a folder.
    pub is_folder: bool,
}

#[derive(Clone)]
enum Inner {
    Memory(memory::Memory),
    #[cfg(not(target_arch = "wasm32"))]
    Folder(folder::Folder),
    #[cfg(target_arch = "wasm32")]
    Opfs(opfs::Opfs),
}

/// A store. Clones are the same store.
#[derive(Clone)]
pub struct Storage {
    inner: Inner,
    /// Bytes that may still be written, where that is limited.
    left: Option<Rc<Cell<u64>>>,
}

/// Calls a method of whatever stands behind the store.
macro_rules! behind {
    ($storage:expr, $inner:ident => $call:expr) => {
        match &$storage.inner {
            Inner::Memory($inner) => $call,
            #[cfg(not(target_arch = "wasm32"))]
            Inner::Folder($inner) => $call,
            #[cfg(target_arch = "wasm32")]
            Inner::Opfs($inner) => $call,
        }
    };
}

impl Storage {
    /// A store that is gone with the program.
    pub fn memory() -> Self {
        Self { inner: Inner::Memory(memory::Memory::default()), left: None }
    }

    /// A store in a folder, which is made when it is not there.
    ///
    /// # Errors
    /// When the folder cannot be made.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn in_folder(place: impl Into<std::path::PathBuf>) -> Result<Self, StorageError> {
        Ok(Self { inner: Inner::Folder(folder::Folder::open(place.into())?), left: None })
    }

    /// The browser's store for this page. Only one worker has it at a time.
    ///
    /// # Errors
    /// When the browser has none, denies it, or another tab holds it.
    #[cfg(target_arch = "wasm32")]
    pub async fn from_browser() -> Result<Self, StorageError> {
        Ok(Self { inner: Inner::Opfs(opfs::Opfs::open().await?), left: None })
    }

    /// The same store, of which at most `bytes` may be used.
    ///
    /// # Errors
    /// When what is already stored cannot be counted.
    pub async fn limited(mut self, bytes: u64) -> Result<Self, StorageError> {
        let used = self.size("").await?;
        self.left = Some(Rc::new(Cell::new(bytes.saturating_sub(used))));
        Ok(self)
    }

    /// Whether it outlives the program.
    pub fn is_lasting(&self) -> bool {
        !matches!(self.inner, Inner::Memory(_))
    }

    /// Begins a file, in place of one that was there. Folders on the way are made.
    ///
    /// # Errors
    /// When the platform refuses.
    pub async fn create(&self, path: &str) -> Result<Writer, StorageError> {
        self.give_back(path).await?;
        let inner = match &self.inner {
            Inner::Memory(memory) => WriterInner::Memory(memory.create(path)),
            #[cfg(not(target_arch = "wasm32"))]
            Inner::Folder(folder) => WriterInner::Folder(folder.create(path)?),
            #[cfg(target_arch = "wasm32")]
            Inner::Opfs(opfs) => WriterInner::Opfs(opfs.create(path).await?),
        };
        Ok(Writer { path: path.to_owned(), len: 0, left: self.left.clone(), inner })
    }

    /// Writes a small file at once.
    ///
    /// # Errors
    /// When the platform refuses.
    pub async fn write(&self, path: &str, bytes: &[u8]) -> Result<(), StorageError> {
        let mut writer = self.create(path).await?;
        writer.write(bytes)?;
        writer.finish()
    }

    /// A stored file, readable under the name `called`.
    ///
    /// # Errors
    /// [`StorageError::Gone`] when it is not there, and whatever else the platform says.
    pub async fn file(&self, path: &str, called: &str) -> Result<FileHandle, StorageError> {
        #[cfg(target_arch = "wasm32")]
        return match &self.inner {
            Inner::Memory(memory) => memory.file(path, called),
            Inner::Opfs(opfs) => opfs.file(path, called).await,
        };
        #[cfg(not(target_arch = "wasm32"))]
        match &self.inner {
            Inner::Memory(memory) => memory.file(path, called),
            Inner::Folder(folder) => folder.file(path, called),
        }
    }

    /// What lies in a folder, by name; nothing when there is no such folder.
    ///
    /// # Errors
    /// When the platform refuses.
    pub async fn list(&self, folder: &str) -> Result<Vec<Entry>, StorageError> {
        let mut entries = behind!(self, inner => inner.list(folder).await?);
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    /// Removes a file, or a folder with all that is in it; nothing when it is not there.
    ///
    /// # Errors
    /// When the platform refuses.
    pub async fn remove(&self, path: &str) -> Result<(), StorageError> {
        self.give_back(path).await?;
        behind!(self, inner => inner.remove(path).await)
    }

    /// Bytes of a file, or of all files in a folder.
    ///
    /// # Errors
    /// When the platform refuses.
    pub async fn size(&self, path: &str) -> Result<u64, StorageError> {
        let (mut open, mut size) = (vec![path.to_owned()], 0);
        while let Some(path) = open.pop() {
            match self.file(&path, &path).await {
                Ok(file) if !path.is_empty() => size += file.len(),
                _ => {
                    let inside = self.list(&path).await?.into_iter();
                    let below = |entry: Entry| match path.is_empty() {
                        true => entry.name,
                        false => format!("{path}/{}", entry.name),
                    };
                    open.extend(inside.map(below));
                }
            }
        }
        Ok(size)
    }

    /// Bytes used and, where it is known, bytes that are still free.
    pub async fn room(&self) -> (u64, Option<u64>) {
        let (used, free) = match &self.inner {
            #[cfg(target_arch = "wasm32")]
            Inner::Opfs(opfs) => opfs.room().await,
            _ => (self.size("").await.unwrap_or_default(), None),
        };
        (used, self.left.as_ref().map(|left| left.get()).or(free))
    }

    /// What a file that is about to go took of a limited store.
    async fn give_back(&self, path: &str) -> Result<(), StorageError> {
        if let Some(left) = &self.left {
            left.set(left.get() + self.size(path).await?);
        }
        Ok(())
    }
}

enum WriterInner {
    Memory(memory::Open),
    #[cfg(not(target_arch = "wasm32"))]
    Folder(std::fs::File),
    #[cfg(target_arch = "wasm32")]
    Opfs(opfs::Open),
}

/// A file being written, from its beginning to its end. Dropped before [`Writer::finish`] it may be cut off anywhere.
pub struct Writer {
    path: String,
    len: u64,
    left: Option<Rc<Cell<u64>>>,
    inner: WriterInner,
}

impl Writer {
    /// Where it is written.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Bytes written so far.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether nothing was written yet.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds bytes at the end.
    ///
    /// # Errors
    /// [`StorageError::Full`] when they have no room, and whatever else the platform says.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), StorageError> {
        let count = bytes.len() as u64;
        if let Some(left) = &self.left {
            let rest = left.get().checked_sub(count).ok_or_else(|| StorageError::Full { path: self.path.clone() })?;
            left.set(rest);
        }
        match &mut self.inner {
            WriterInner::Memory(open) => open.write(bytes),
            #[cfg(not(target_arch = "wasm32"))]
            WriterInner::Folder(file) => {
                std::io::Write::write_all(file, bytes).map_err(|error| folder::explain(&self.path, &error))?;
            }
            #[cfg(target_arch = "wasm32")]
            WriterInner::Opfs(open) => open.write(&self.path, self.len, bytes)?,
        }
        self.len += count;
        Ok(())
    }

    /// Brings everything to the disk and closes the file.
    ///
    /// # Errors
    /// When the platform refuses.
    pub fn finish(self) -> Result<(), StorageError> {
        match self.inner {
            WriterInner::Memory(open) => open.finish(),
            #[cfg(not(target_arch = "wasm32"))]
            WriterInner::Folder(file) => {
                file.sync_data().map_err(|error| folder::explain(&self.path, &error))?;
            }
            #[cfg(target_arch = "wasm32")]
            WriterInner::Opfs(open) => open.finish(&self.path)?,
        }
        Ok(())
    }
}
