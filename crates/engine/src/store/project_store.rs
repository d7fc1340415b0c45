//! How projects lie in the store.
//!
//! ```text
//! last                         id of the project that was open
//! blobs/SHA256                 files as they were handed over, shared by all projects
//! projects/ID/name             what the person calls it
//! projects/ID/a.save, b.save   two generations, written in turn: while one is torn the other is whole
//! projects/ID/parts/…          trained models, sealed, never changed
//! ```
//!
//! A file under `blobs` or `parts` counts only while a generation names it: generations are written after everything
//! they name. What no generation names is left over from a write that broke off, and is removed.

use std::collections::HashSet;

use crate::error::EngineError;
use crate::saved::{SavedWork, StoredFile, from_hex};
use heirloom_checkpoint::Sealed;
use heirloom_plan::protocol::ProjectEntry;
use heirloom_platform::file::FileHandle;
use heirloom_platform::storage::{Storage, StorageError};

/// The two generations of a project.
const SLOTS: [&str; 2] = ["a.save", "b.save"];
/// Names longer than this are cut.
const MAX_NAME: usize = 120;

/// One generation, its header read.
pub struct Generation {
    pub slot: usize,
    pub work: SavedWork,
    pub sealed: Sealed,
}

/// The newest generation that is whole, and what was wrong with a newer one.
pub struct Newest {
    pub generation: Generation,
    pub damaged: Option<String>,
}

/// All projects of a store.
pub struct ProjectStore {
    pub storage: Storage,
    /// Checksums of the files that lie in it whole, as far as anybody looked.
    pub blobs: HashSet<[u8; 32]>,
}

impl ProjectStore {
    pub fn new(storage: Storage) -> Self {
        Self { storage, blobs: HashSet::new() }
    }

    /// Ids of all projects.
    pub async fn ids(&self) -> Result<Vec<String>, StorageError> {
        Ok(self.storage.list("projects").await?.into_iter().map(|entry| entry.name).collect())
    }

    /// Path of a generation.
    pub fn slot_path(id: &str, slot: usize) -> String {
        format!("projects/{id}/{}", SLOTS[slot % SLOTS.len()])
    }

    /// Path of a part.
    pub fn part_path(id: &str, name: &str) -> String {
        format!("projects/{id}/parts/{name}")
    }

    /// Path of a stored file.
    pub fn blob_path(sha256: &str) -> String {
        format!("blobs/{sha256}")
    }

    /// What the person calls a project.
    pub async fn name(&self, id: &str) -> String {
        let read =
            async { self.storage.file(&format!("projects/{id}/name"), "name").await.ok()?.read_all().await.ok() };
        read.await.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_else(|| id.to_owned())
    }

    /// Gives a project a name.
    pub async fn set_name(&self, id: &str, name: &str) -> Result<(), StorageError> {
        let name: String = name.trim().chars().filter(|sign| !sign.is_control()).take(MAX_NAME).collect();
        let name = if name.is_empty() { id } else { &name };
        self.storage.write(&format!("projects/{id}/name"), name.as_bytes()).await
    }

    /// The project that was open last, else the one that was saved last.
    pub async fn last(&self) -> Result<Option<String>, StorageError> {
        let said = match self.storage.file("last", "last").await {
            Ok(file) => file.read_all().await.ok().and_then(|bytes| String::from_utf8(bytes).ok()),
            Err(_) => None,
        };
        let ids = self.ids().await?;
        match said.filter(|said| ids.contains(said)) {
            Some(id) => Ok(Some(id)),
            None => Ok(self.list().await?.into_iter().next().map(|project| project.id)),
        }
    }

    /// Notes which project is open.
    pub async fn set_last(&self, id: &str) -> Result<(), StorageError> {
        self.storage.write("last", id.as_bytes()).await
    }

    /// The generations whose headers can be read, the newest first, and what is wrong with the others.
    pub async fn generations(&self, id: &str) -> Result<(Vec<Generation>, Vec<String>), StorageError> {
        let (mut found, mut damaged) = (Vec::new(), Vec::new());
        for (slot, name) in SLOTS.iter().enumerate() {
            let file = match self.storage.file(&Self::slot_path(id, slot), name).await {
                Ok(file) => file,
                Err(StorageError::Gone { .. }) => continue,
                Err(error) => return Err(error),
            };
            match read_generation(file).await {
                Ok((sealed, work)) => found.push(Generation { slot, work, sealed }),
                Err(reason) => damaged.push(reason),
            }
        }
        found.sort_by_key(|generation| std::cmp::Reverse(generation.work.generation));
        Ok((found, damaged))
    }

    /// The newest generation whose seal holds and whose parts are there.
    pub async fn newest(&self, id: &str) -> Result<Newest, EngineError> {
        let (generations, mut damaged) = self.generations(id).await?;
        for generation in generations {
            let sound = async {
                generation.sealed.verify().await.map_err(|error| error.to_string())?;
                generation.work.check()?;
                self.check_parts(id, &generation.work).await
            };
            match sound.await {
                Ok(()) => return Ok(Newest { generation, damaged: damaged.into_iter().next() }),
                Err(reason) => damaged.insert(0, reason),
            }
        }
        Err(EngineError::NoneIntact(damaged.into_iter().next().unwrap_or_else(|| "it was never saved".into())))
    }

    async fn check_parts(&self, id: &str, work: &SavedWork) -> Result<(), String> {
        for part in work.parts() {
            let file = self.storage.file(&Self::part_path(id, &part.name), &part.name).await;
            match file {
                Ok(file) if file.len() == part.len => {}
                Ok(file) => return Err(format!("`{}` has {} bytes instead of {}", part.name, file.len(), part.len)),
                Err(error) => return Err(error.to_string()),
            }
        }
        Ok(())
    }

    /// Files of `work` that are not in the store.
    pub async fn missing(&self, work: &SavedWork) -> Vec<StoredFile> {
        let mut missing = Vec::new();
        for file in work.files() {
            let stored = self.storage.file(&Self::blob_path(&file.sha256), &file.path).await;
            if !stored.is_ok_and(|stored| stored.len() == file.len) && !missing.contains(file) {
                missing.push(file.clone());
            }
        }
        missing
    }

    /// All projects with a generation, the one saved last first.
    pub async fn list(&self) -> Result<Vec<ProjectEntry>, StorageError> {
        let mut projects = Vec::new();
        for id in self.ids().await? {
            let (generations, _) = self.generations(&id).await?;
            let Some(newest) = generations.first() else { continue };
            let bytes = bytes_of(&newest.work) + generations.iter().map(|one| one.sealed.len()).sum::<u64>();
            let (name, saved_at) = (self.name(&id).await, newest.work.saved_at);
            projects.push(ProjectEntry { id, name, saved_at, bytes });
        }
        projects.sort_by(|a, b| b.saved_at.total_cmp(&a.saved_at));
        Ok(projects)
    }

    /// Removes files that no generation names, and projects without one. The project `open` may be in the middle of a
    /// save, so it keeps its parts and the files in `held`.
    pub async fn tidy(&mut self, open: &str, held: HashSet<String>) -> Result<(), StorageError> {
        let (mut named, mut is_known) = (held, true);
        for id in self.ids().await? {
            let (generations, damaged) = self.generations(&id).await?;
            if generations.is_empty() && damaged.is_empty() && id != open {
                self.storage.remove(&format!("projects/{id}")).await?;
                continue;
            }
            if id != open {
                self.tidy_parts(&id, &generations).await?;
            }
            // What a damaged generation named nobody knows; then all files stay.
            is_known &= damaged.is_empty();
            named.extend(generations.iter().flat_map(|one| one.work.files()).map(|file| file.sha256.clone()));
        }
        self.blobs.clear();
        for entry in self.storage.list("blobs").await? {
            match named.contains(&entry.name) || !is_known {
                true => self.blobs.extend(from_hex(&entry.name)),
                false => self.storage.remove(&Self::blob_path(&entry.name)).await?,
            }
        }
        Ok(())
    }

    /// Removes the parts of a project that none of these generations names.
    pub async fn tidy_parts(&self, id: &str, generations: &[Generation]) -> Result<(), StorageError> {
        let named: HashSet<&str> =
            generations.iter().flat_map(|one| one.work.parts()).map(|part| part.name.as_str()).collect();
        for entry in self.storage.list(&format!("projects/{id}/parts")).await? {
            if !named.contains(entry.name.as_str()) {
                self.storage.remove(&Self::part_path(id, &entry.name)).await?;
            }
        }
        Ok(())
    }

    /// Removes a project; [`ProjectStore::tidy`] then removes what only it needed.
    pub async fn delete(&self, id: &str) -> Result<(), StorageError> {
        self.storage.remove(&format!("projects/{id}")).await
    }
}

/// Bytes of the files and parts a project names; each file counts once.
pub fn bytes_of(work: &SavedWork) -> u64 {
    let files: HashSet<(&str, u64)> = work.files().map(|file| (file.sha256.as_str(), file.len)).collect();
    files.iter().map(|(_, len)| len).sum::<u64>() + work.parts().map(|part| part.len).sum::<u64>()
}

/// Reads the header of a generation.
pub async fn read_generation(file: FileHandle) -> Result<(Sealed, SavedWork), String> {
    let name = file.path().to_owned();
    let sealed = Sealed::open(file).await.map_err(|error| error.to_string())?;
    let work =
        serde_json::from_str(sealed.metadata()).map_err(|error| format!("`{name}` is not readable ({error})"))?;
    Ok((sealed, work))
}
