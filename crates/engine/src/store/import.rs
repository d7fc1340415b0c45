//! Opening a project that came as a zip, perhaps from a stranger. Only files that a project names are looked at, each
//! must have the checksum it is named by, and nothing is unpacked, so that no zip grows on the way.

use std::collections::HashMap;

use super::copy::SLICE;
use super::project_store::{ProjectStore, read_generation};
use super::restore::sha256;
use super::zip::{NAME, WORK};
use crate::emitter::Emitter;
use crate::error::EngineError;
use crate::saved::{SavedWork, from_hex, hex};
use heirloom_checkpoint::{Sealed, zip_directory};
use heirloom_plan::protocol::JobKind;
use heirloom_platform::clock::yield_now;
use heirloom_platform::file::FileHandle;
use heirloom_platform::storage::{Storage, StorageError};

/// Most files of a zip.
const MAX_FILES: usize = 200_000;
/// Longest name that is read.
const MAX_NAME: u64 = 1_000;
/// The files of a zip by name, as slices of it.
type Files = HashMap<String, FileHandle>;

/// A project out of a zip, all of which was looked at.
pub struct Import {
    files: Files,
    work: SavedWork,
}

impl Import {
    /// Looks at a zip.
    ///
    /// # Errors
    /// Says why it is no project, or a damaged one.
    pub async fn read(zip: &FileHandle) -> Result<Self, String> {
        let files = files_of(zip).await?;
        let work = read_work(&files).await?;
        Ok(Self { files, work })
    }

    /// Copies it into a store, as the project `id`.
    ///
    /// # Errors
    /// When a file is not what it is named by, or has no room.
    pub async fn copy_to(&self, store: &mut ProjectStore, id: &str, emitter: &Emitter) -> Result<(), EngineError> {
        let Self { files, work } = self;
        let (total, mut done) = (files.len(), 0);
        for file in work.files() {
            let (Some(sha), path) = (from_hex(&file.sha256), format!("blobs/{}", file.sha256)) else {
                return Err(EngineError::Unfit(format!("`{}` is no checksum", file.sha256)));
            };
            done += 1;
            emitter.progress(JobKind::Open, done, total, &file.path);
            // What had no room when the zip was written is asked for afterwards.
            let Some(given) = files.get(&path).filter(|_| !store.blobs.contains(&sha)) else { continue };
            if given.len() != file.len || sha256(given).await? != file.sha256 {
                return Err(EngineError::Unfit(format!("`{}` does not have the checksum it is named by", file.path)));
            }
            copy(&store.storage, &path, given).await?;
            store.blobs.insert(sha);
        }
        for part in work.parts() {
            let given = &files[&format!("parts/{}", part.name)];
            done += 1;
            emitter.progress(JobKind::Open, done, total, &part.name);
            copy(&store.storage, &ProjectStore::part_path(id, &part.name), given).await?;
        }
        copy(&store.storage, &ProjectStore::slot_path(id, 0), &files[WORK]).await?;
        let name = match files.get(NAME) {
            Some(file) => file.read(0..file.len().min(MAX_NAME)).await.unwrap_or_default(),
            None => Vec::new(),
        };
        Ok(store.set_name(id, &String::from_utf8_lossy(&name)).await?)
    }
}

/// The files of the zip that a project may have. Others are not looked at.
async fn files_of(zip: &FileHandle) -> Result<Files, String> {
    let entries = zip_directory::read(zip).await.map_err(|error| error.to_string())?;
    if entries.len() > MAX_FILES {
        return Err(format!("it holds {} files, at most {MAX_FILES} make sense", entries.len()));
    }
    let mut files = Files::new();
    for entry in entries {
        let is_ours = match entry.name.split_once('/') {
            None => entry.name == WORK || entry.name == NAME,
            Some(("blobs", sha)) => from_hex(sha).is_some(),
            Some(("parts", name)) => is_part(name),
            Some(_) => false,
        };
        if !is_ours {
            continue;
        }
        if !entry.is_plain {
            return Err(format!(
                "`{}` in it is compressed or encrypted; projects are written without either",
                entry.name
            ));
        }
        let start = zip_directory::data_start(zip, entry.header).await.map_err(|error| error.to_string())?;
        let end = start.checked_add(entry.size).filter(|end| *end <= zip.len());
        let end = end.ok_or_else(|| format!("`{}` in it reaches behind its end, so it is cut off", entry.name))?;
        let file = zip.part(&entry.name, start..end).map_err(|error| error.to_string())?;
        if files.insert(entry.name.clone(), file).is_some() {
            return Err(format!("it holds `{}` twice", entry.name));
        }
    }
    match files.contains_key(WORK) {
        true => Ok(files),
        false => Err("it is no project of Heirloom; drop pictures and models on the page instead".into()),
    }
}

/// Names that we give to parts; anything else could lead out of the folder.
fn is_part(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// The generation, once it and all its parts were checked.
async fn read_work(files: &Files) -> Result<SavedWork, String> {
    let (sealed, work) = read_generation(files[WORK].clone()).await?;
    sealed.verify().await.map_err(|error| error.to_string())?;
    work.check()?;
    for part in work.parts() {
        let file = files.get(&format!("parts/{}", part.name)).filter(|_| is_part(&part.name));
        let file = file.ok_or_else(|| format!("the model `{}` is missing from it", part.name))?;
        let sealed = Sealed::open(file.clone()).await.map_err(|error| error.to_string())?;
        let seal = sealed.verify().await.map_err(|error| error.to_string())?;
        if hex(&seal) != part.sha256 {
            return Err(format!("the model `{}` is another one than its project names", part.name));
        }
    }
    Ok(work)
}

async fn copy(storage: &Storage, path: &str, file: &FileHandle) -> Result<(), EngineError> {
    let write = async {
        let mut writer = storage.create(path).await?;
        for start in (0..file.len()).step_by(SLICE as usize) {
            writer.write(&file.read(start..(start + SLICE).min(file.len())).await?)?;
            yield_now().await;
        }
        Ok::<_, EngineError>(writer.finish()?)
    };
    let written = write.await;
    if written.is_err()
        && let Err(StorageError::Denied { reason }) = storage.remove(path).await
    {
        log::warn!("`{path}` broke off and could not be removed: {reason}");
    }
    written
}
