//! Zips that PyTorch did not write: a package as it was exported opens as if it had been unpacked, for its files lie in
//! it as they are; any other is refused with a sentence that says what it is.

use super::error::CheckpointError;
use super::zip_directory::{self, Entry};
use heirloom_platform::file::FileHandle;

/// Most files of a package that are looked at; shards of weights are far fewer.
const MOST: usize = 1_000;
/// Endings of pictures.
const PICTURES: [&str; 6] = [".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp"];

/// Weights and descriptions of a package as files of their own; nothing is copied. `None` when the zip is no package.
///
/// # Errors
/// When the package is damaged.
pub(super) async fn files(zip: &FileHandle) -> Result<Option<Vec<FileHandle>>, CheckpointError> {
    // What is wrong with any other zip is said by whoever needs it; beside other weights nobody does.
    let Ok(entries) = zip_directory::read(zip).await else { return Ok(None) };
    let wanted = |entry: &&Entry| is_weights(entry) || ends(entry, ".json");
    let is_package = !entries.iter().any(is_torch) && entries.iter().any(|entry| is_weights(entry) && entry.is_plain);
    if !is_package || entries.iter().filter(wanted).count() > MOST {
        return Ok(None);
    }
    let mut files = Vec::new();
    // A package whose weights are whole may have been given a compressed description by another program.
    for entry in entries.iter().filter(wanted).filter(|entry| entry.is_plain) {
        let start = zip_directory::data_start(zip, entry.header).await?;
        let path = format!("{}/{}", zip.path(), entry.name);
        files.push(zip.part(&path, start..start.saturating_add(entry.size))?);
    }
    Ok(Some(files))
}

/// Why a zip is neither a package nor a PyTorch checkpoint.
pub(super) fn refusal(file: &FileHandle, entries: &[Entry]) -> CheckpointError {
    let count = |is: fn(&Entry) -> bool| entries.iter().filter(|entry| is(entry)).count();
    let pictures = count(is_picture);
    let found = if entries.iter().any(|entry| entry.name == "work.save") {
        "a whole project, which is opened under `Projects` at the top of the page".to_owned()
    } else if let Some(weights) = entries.iter().find(|entry| is_weights(entry)) {
        format!("a zip archive in which `{}` is compressed, so it has to be unpacked first", weights.name)
    } else if pictures > 0 && 2 * pictures > count(|entry| !entry.name.ends_with('/')) {
        format!("a zip archive of pictures ({pictures}), which belong into step 2")
    } else {
        other(entries)
    };
    CheckpointError::NotWeights { name: file.name().into(), found }
}

fn other(entries: &[Entry]) -> String {
    let some = entries.iter().filter(|entry| !entry.name.ends_with('/')).take(3);
    let some = some.map(|entry| format!("`{}`", entry.name)).collect::<Vec<_>>().join(", ");
    let what = if entries.iter().any(|entry| ends(entry, ".npy")) {
        "a NumPy archive (weights of JAX models come so)"
    } else {
        "a zip archive and no PyTorch checkpoint"
    };
    format!("{what} with {} files ({some}), which would have to be unpacked first", entries.len())
}

fn is_torch(entry: &Entry) -> bool {
    entry.name == "data.pkl" || entry.name.ends_with("/data.pkl")
}

fn is_weights(entry: &Entry) -> bool {
    ends(entry, ".safetensors")
}

fn is_picture(entry: &Entry) -> bool {
    PICTURES.iter().any(|ending| ends(entry, ending))
}

/// Whether an entry is a file with that ending, and not one that a system hides beside it (`._model.safetensors`).
fn ends(entry: &Entry, ending: &str) -> bool {
    let name = entry.name.rsplit('/').next().unwrap_or_default();
    !name.starts_with('.') && name.to_ascii_lowercase().ends_with(ending)
}
