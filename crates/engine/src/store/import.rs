//! Opening a project that came as a zip, or as the folder that a browser made of one, perhaps from a stranger. Only files that a project names are looked at, each
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
/// The files of a project by name, those of a zip as slices of it.
type Files = HashMap<String, FileHandle>;

/// A project out of a zip, all of which was looked at.
pub struct Import {
    files: Files,
    work: SavedWork,
}

impl Import {
    /// What is given, in a word: the zip, or the folder.
    pub fn name(given: &[FileHandle]) -> String {
        match given {
            [zip] => zip.name().to_owned(),
            several => {
                let path = several.iter().map(FileHandle::path).find(|path| path.ends_with(WORK));
                let folder = path.and_then(|path| path.rsplit('/').nth(1));
                folder.unwrap_or(WORK).to_owned()
            }
        }
    }

    /// Looks at a zip, or at the files that were in one.
    ///
    /// # Errors
    /// Says why it is no project, or a damaged one.
    pub async fn read(given: &[FileHandle]) -> Result<Self, String> {
        let files = match given {
            [zip] if zip.name() != WORK => files_of_zip(zip).await?,
            folder => files_of_folder(folder)?,
        };
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
async fn files_of_zip(zip: &FileHandle) -> Result<Files, String> {
    let entries = zip_directory::read(zip).await.map_err(|error| error.to_string())?;
    let root = root(entries.len(), entries.iter().map(|entry| entry.name.as_str()))?;
    let mut files = Files::new();
    for entry in &entries {
        let Some(name) = entry.name.strip_prefix(&root).filter(|name| is_ours(name)) else { continue };
        if !entry.is_plain {
            return Err(format!(
                "`{name}` in it is compressed or encrypted, and projects are written without either, so it was unpacked \
                 and packed again, as some browsers and archivers do; drop its unpacked folder on the page, or pack it \
                 without compression"
            ));
        }
        let start = zip_directory::data_start(zip, entry.header).await.map_err(|error| error.to_string())?;
        let end = start.checked_add(entry.size).filter(|end| *end <= zip.len());
        let end = end.ok_or_else(|| format!("`{name}` in it reaches behind its end, so it is cut off"))?;
        let file = zip.part(name, start..end).map_err(|error| error.to_string())?;
        if files.insert(name.to_owned(), file).is_some() {
            return Err(format!("it holds `{name}` twice"));
        }
    }
    Ok(files)
}

/// The same of a zip that was unpacked.
fn files_of_folder(given: &[FileHandle]) -> Result<Files, String> {
    let root = root(given.len(), given.iter().map(FileHandle::path))?;
    let ours = given.iter().filter_map(|file| Some((file.path().strip_prefix(&root)?, file)));
    Ok(ours.filter(|(name, _)| is_ours(name)).map(|(name, file)| (name.to_owned(), file.clone())).collect())
}

/// What stands before the names of a project's files: nothing, or the folder that whoever packed it again put around
/// them.
fn root<'a>(count: usize, paths: impl Iterator<Item = &'a str>) -> Result<String, String> {
    if count > MAX_FILES {
        return Err(format!("it holds {count} files, at most {MAX_FILES} make sense"));
    }
    let roots = paths.filter_map(|path| path.strip_suffix(WORK)).filter(|root| root.is_empty() || root.ends_with('/'));
    let root = roots.min_by_key(|root| root.len()).map(str::to_owned);
    root.ok_or_else(|| "it is no project of Heirloom; drop pictures and models on the page instead".into())
}

/// Whether a project may have a file of this name.
fn is_ours(name: &str) -> bool {
    match name.split_once('/') {
        None => name == WORK || name == NAME,
        Some(("blobs", sha)) => from_hex(sha).is_some(),
        Some(("parts", name)) => is_part(name),
        Some(_) => false,
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
