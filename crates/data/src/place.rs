//! What the path of a picture says: its class and, where folders are called so, its side of the split.

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
    fn of_folder(name: &str) -> Option<Self> {
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
    /// Name of the last folder that is not called after a side.
    pub class: Option<String>,
    /// The innermost side named by a folder, above or below the class.
    pub side: Option<Side>,
}

/// Reads a path with `/`. A zip counts as a folder called as the zip without `.zip`, so that `daisy.zip` with loose
/// pictures is a class and `train.zip` a side.
pub fn place(path: &str) -> Place {
    let mut place = Place { class: None, side: None };
    let folders = path.rsplit('/').skip(1).filter(|folder| !folder.is_empty());
    for folder in folders {
        let folder = without_zip(folder);
        match Side::of_folder(folder) {
            Some(side) => place.side = place.side.or(Some(side)),
            None if place.class.is_none() => place.class = Some(folder.to_owned()),
            None => {}
        }
    }
    place
}

fn without_zip(folder: &str) -> &str {
    match folder.len().checked_sub(4).and_then(|at| folder.split_at_checked(at)) {
        Some((stem, end)) if end.eq_ignore_ascii_case(".zip") && !stem.is_empty() => stem,
        _ => folder,
    }
}

/// Files that systems leave behind and nobody means: hidden ones, `__MACOSX`, `Thumbs.db`, `desktop.ini`.
pub fn is_junk(path: &str) -> bool {
    let is_hidden = |part: &str| part.starts_with('.') && part != "." && part != "..";
    let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
    path.split('/').any(|part| part == "__MACOSX" || is_hidden(part))
        || matches!(name.as_str(), "thumbs.db" | "ehthumbs.db" | "desktop.ini" | "icon\r")
}
