//! Names of folders and files: sides of the split, and what nobody means.

/// Side of the split that a folder name gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// `train`, `training`.
    Train,
    /// `val`, `valid`, `validation`.
    Validation,
    /// `test`, `testing`.
    Test,
}

impl Side {
    pub(super) fn of_folder(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "train" | "training" => Some(Self::Train),
            "val" | "valid" | "validation" => Some(Self::Validation),
            "test" | "testing" => Some(Self::Test),
            _ => None,
        }
    }
}

/// Where a picture belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The folder that names the class, as it is written.
    pub class: Option<String>,
    /// The innermost side named by a folder, above or below the class.
    pub side: Option<Side>,
}

/// A folder's name without `.zip`, so that `daisy.zip` with loose pictures is a class and `train.zip` a side.
pub(super) fn without_zip(folder: &str) -> &str {
    match folder.len().checked_sub(4).and_then(|at| folder.split_at_checked(at)) {
        Some((stem, end)) if end.eq_ignore_ascii_case(".zip") && !stem.is_empty() => stem,
        _ => folder,
    }
}

/// Folders of systems and network storages, in small letters.
const SYSTEM_FOLDERS: [&str; 10] = [
    "__macosx",
    "@eadir",
    "#recycle",
    "@recycle",
    "@recently-snapshot",
    "#snapshot",
    "$recycle.bin",
    "system volume information",
    "lost+found",
    "@tmp",
];

/// Files that systems leave behind and nobody means: hidden ones, `__MACOSX`, a NAS's `@eaDir`, `Thumbs.db`,
/// `desktop.ini`.
pub fn is_junk(path: &str) -> bool {
    let is_hidden = |part: &str| part.starts_with('.') && part != "." && part != "..";
    let is_system = |part: &str| SYSTEM_FOLDERS.contains(&part.to_ascii_lowercase().as_str());
    let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
    let name = name.to_ascii_lowercase();
    path.split('/').any(is_hidden)
        || folders.split('/').any(is_system)
        || matches!(name.as_str(), "thumbs.db" | "ehthumbs.db" | "ehthumbs_vista.db" | "desktop.ini" | "icon\r")
        || matches!(name.as_str(), "picasa.ini" | "zbthumbnail.info")
        || name.contains("@synoeastream")
        || name.contains("@synoresource")
}
