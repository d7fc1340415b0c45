//! No file grows past 500 lines: one idea a file.

use std::path::{Path, PathBuf};

const ROOF: usize = 500;

#[test]
fn no_file_is_longer_than_500_lines() {
    let files: Vec<PathBuf> = ["src", "crates", "tests", "xtask/src", "examples", "benches", "fuzz"]
        .iter()
        .flat_map(|folder| sources(&Path::new("..").join(folder)))
        .collect();
    assert!(files.len() > 300, "only {} files were found", files.len());
    let lines = |file: &PathBuf| std::fs::read_to_string(file).expect("a readable file").lines().count();
    let long: Vec<String> = files
        .iter()
        .filter(|file| lines(file) > ROOF)
        .map(|file| format!("{} ({} lines)", file.display(), lines(file)))
        .collect();
    assert!(long.is_empty(), "is each of these one idea?\n{}", long.join("\n"));
}

/// All Rust files below a folder, in the order of their paths.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("a readable folder").path()).collect();
    paths.sort();
    let below = |path: PathBuf| match path.is_dir() {
        true if path.ends_with("node_modules") => Vec::new(),
        true => sources(&path),
        false => vec![path],
    };
    paths.into_iter().flat_map(below).filter(|path| path.extension().is_some_and(|end| end == "rs")).collect()
}
