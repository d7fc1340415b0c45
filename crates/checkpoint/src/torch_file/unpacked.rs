//! Checkpoints that a site or an archiver unpacked: PyTorch's zip as a folder, each storage a file of its own. They open
//! as they lie, for the description says the same of them.

use super::super::error::CheckpointError;
use super::super::pickle::Pickle;
use super::super::stored::Place;
use super::{Contents, MAX_PICKLE, Places, Storage, contents, damaged, explain};
use heirloom_platform::file::FileHandle;
use std::collections::HashSet;

/// Name of the description.
const DESCRIPTION: &str = "data.pkl";
/// Folder of the storages.
const STORAGES: &str = "data/";
/// What PyTorch writes beside them.
const OTHERS: [&str; 5] = ["version", "byteorder", ".format_version", ".storage_alignment", ".data/serialization_id"];

/// Paths of the files that are parts of unpacked checkpoints, but for the descriptions themselves.
pub(in super::super) fn parts_of_unpacked(files: &[FileHandle]) -> HashSet<String> {
    let roots: HashSet<&str> = files.iter().filter_map(|file| root(file.path())).collect();
    let is_part = |path: &str| {
        // A root may lie in another's `data`; that is nobody's habit, and either way the file is a part.
        let starts = path.match_indices('/').map(|(at, _)| at + 1).chain([0]);
        let mut rests = starts.filter(|&at| roots.contains(&path[..at])).map(|at| &path[at..]);
        rests.any(|rest| rest.starts_with(STORAGES) || OTHERS.contains(&rest))
    };
    files.iter().map(FileHandle::path).filter(|path| is_part(path)).map(String::from).collect()
}

/// What stands before the name of a description.
fn root(path: &str) -> Option<&str> {
    path.strip_suffix(DESCRIPTION).filter(|root| root.is_empty() || root.ends_with('/'))
}

/// Reads the checkpoint whose description is the file with index `at`.
///
/// # Errors
/// When its storages are missing, or it is damaged.
pub(in super::super) async fn read_unpacked(files: &[FileHandle], at: usize) -> Result<Contents, CheckpointError> {
    let handle = &files[at];
    let refuse = |found: &str| CheckpointError::NotWeights { name: handle.name().into(), found: found.into() };
    let Some(root) = root(handle.path()) else {
        return Err(refuse("a Python pickle that PyTorch did not write"));
    };
    let mut places = Places::new();
    for (index, file) in files.iter().enumerate() {
        let Some(rest) = file.path().strip_prefix(root) else { continue };
        if rest == "byteorder" && file.read(0..file.len().min(16)).await?.starts_with(b"big") {
            return Err(damaged(handle, "it is in big-endian byte order, which no present machine writes".into()));
        }
        if let Some(key) = rest.strip_prefix(STORAGES) {
            let (place, bytes) = (Place::At(0), file.len());
            places.insert(key.into(), Storage { file: index, place, bytes, file_len: bytes });
        }
    }
    if places.is_empty() {
        return Err(refuse(
            "the description out of a PyTorch checkpoint that was unpacked, without the numbers in its folder `data`, so \
             drop the whole folder, or get the file unopened",
        ));
    }
    if handle.len() > MAX_PICKLE {
        return Err(damaged(handle, format!("its description has {} bytes, which is too long", handle.len())));
    }
    let pickle = Pickle::read(&handle.read_all().await?).map_err(|error| explain(handle, error))?;
    contents(handle, &pickle, &places)
}

/// The name of the checkpoint with this description: that of its folder.
pub(in super::super) fn name_of_unpacked(path: &str) -> &str {
    let folder = root(path).unwrap_or_default().trim_end_matches('/');
    folder.rsplit('/').next().filter(|name| !name.is_empty()).unwrap_or(DESCRIPTION)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_what_lies_beside_a_description() {
        let paths = ["a/vit/data.pkl", "a/vit/data/0", "a/vit/version", "a/vit/config.json", "a/data/1", "b/data/0"];
        let files: Vec<_> = paths.iter().map(|path| FileHandle::from_bytes(*path, vec![0])).collect();
        let parts = parts_of_unpacked(&files);
        assert_eq!(parts, ["a/vit/data/0", "a/vit/version"].map(String::from).into());
        assert_eq!((name_of_unpacked(paths[0]), name_of_unpacked("data.pkl")), ("vit", "data.pkl"));
    }
}
