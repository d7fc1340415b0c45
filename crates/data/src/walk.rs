//! Listing a folder (or a zip) on disk, for the native examples; the page lists what was dropped.

use std::path::Path;

use super::error::DataError;
use heirloom_platform::file::FileHandle;

/// All files below `folder`, in alphabetical order, called by their path from `folder`'s own name on
/// (`flowers/train/daisy/1.jpg`), as a browser calls the files of a dropped folder. Links to folders are not followed. A
/// file, such as a zip of pictures, is listed alone.
///
/// # Errors
/// When a folder or a file in it cannot be read.
pub fn walk(folder: &Path) -> Result<Vec<FileHandle>, DataError> {
    let name = folder.canonicalize().ok();
    let name = name.as_deref().and_then(Path::file_name).map_or(String::new(), |name| name.to_string_lossy().into());
    let mut files = Vec::new();
    if folder.is_file() {
        let file = FileHandle::from_path(name.clone(), folder).map_err(|error| DataError::picture(&name, error))?;
        return Ok(vec![file]);
    }
    list(folder, &name, &mut files)?;
    Ok(files)
}

/// The files of a model: one file and the `config.json` that describes it in the same folder, or a folder with
/// everything.
///
/// # Errors
/// When a file cannot be read.
pub fn model_files(model: &Path) -> Result<Vec<FileHandle>, DataError> {
    if model.is_dir() {
        return walk(model);
    }
    let config = model.with_file_name("config.json");
    let named = |path: &Path| {
        let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        FileHandle::from_path(name, path).map_err(DataError::File)
    };
    [Some(model), config.exists().then_some(config.as_path())].into_iter().flatten().map(named).collect()
}

fn list(folder: &Path, name: &str, files: &mut Vec<FileHandle>) -> Result<(), DataError> {
    let fail = |error: std::io::Error| DataError::Folder {
        path: folder.to_string_lossy().into_owned(),
        reason: error.to_string(),
    };
    let mut entries = std::fs::read_dir(folder).map_err(fail)?.collect::<Result<Vec<_>, _>>().map_err(fail)?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let path = format!("{name}/{}", entry.file_name().to_string_lossy());
        if entry.file_type().map_err(fail)?.is_dir() {
            list(&entry.path(), &path, files)?;
        } else if entry.path().is_file() {
            let file = FileHandle::from_path(path.clone(), entry.path());
            files.push(file.map_err(|error| DataError::picture(&path, error))?);
        }
    }
    Ok(())
}
