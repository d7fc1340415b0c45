//! The house's arrows, held by reading the source: every path under `src` points down, browser crates stay in their
//! rooms, and no file grows past 500 lines.
#![cfg(not(target_arch = "wasm32"))]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Which layers each layer may name. A layer that is not listed here fails the test until it has its place.
const ARROWS: [(&str, &[&str]); 15] = [
    ("main", &["ui"]),
    ("bin", &["session", "platform"]),
    ("ui", &["session"]),
    (
        "session",
        &[
            "learngene",
            "train",
            "data",
            "checkpoint",
            "model",
            "vit",
            "cnn",
            "weights",
            "kernels",
            "device",
            "platform",
        ],
    ),
    // Training takes a descendant, whatever method made it; no method knows how its descendant is trained.
    ("train", &["learngene", "data", "checkpoint", "model", "vit", "cnn", "weights", "kernels", "device"]),
    ("learngene", &["data", "checkpoint", "model", "vit", "cnn", "weights", "kernels", "device"]),
    ("checkpoint", &["model", "vit", "cnn", "weights", "kernels", "device", "platform"]),
    ("data", &["vit", "cnn", "kernels", "device", "platform"]),
    ("model", &["vit", "cnn", "device", "weights"]),
    ("vit", &["device", "kernels", "weights"]),
    ("cnn", &["device", "kernels", "weights"]),
    ("weights", &[]),
    // The self-test that decides whether a device is fit runs the real kernels; no kernel asks where its device is from.
    ("device", &["kernels", "platform"]),
    ("kernels", &[]),
    ("platform", &[]),
];
/// What the page may know of the session: the contract and the wire, never the engine behind it.
const SESSION_FOR_THE_PAGE: [&str; 2] = ["protocol", "link"];
/// Crates of the browser, and the rooms that may name them.
const BROWSER_CRATES: [&str; 6] = ["leptos", "gloo", "web_sys", "js_sys", "wasm_bindgen", "wasm_bindgen_futures"];
const BROWSER_ROOMS: [&str; 5] = ["main", "bin", "ui", "session", "platform"];
/// Where Rust files lie.
const FOLDERS: [&str; 5] = ["src", "tests", "xtask/src", "examples", "benches"];
const ROOF: usize = 500;

#[test]
fn the_sources_that_are_read_are_there() {
    // A folder that is not found holds no file with a fault.
    for folder in FOLDERS {
        assert!(!sources(folder).is_empty(), "no source lies in `{folder}`");
    }
    let layers: BTreeSet<String> =
        sources("src").iter().filter_map(|file| module_of(file).into_iter().next()).collect();
    let named: BTreeSet<String> = ARROWS.iter().map(|(layer, _)| (*layer).to_owned()).collect();
    assert_eq!(layers, named, "layers with sources, and layers with a place");
}

#[test]
fn every_path_points_down() {
    let faults: Vec<String> = sources("src").iter().flat_map(|file| paths_up(file, &read(file))).collect();
    assert!(faults.is_empty(), "these paths point up or sideways:\n{}", faults.join("\n"));
}

#[test]
fn below_the_session_only_the_platform_names_the_browser() {
    let faults: Vec<String> = sources("src").iter().flat_map(|file| browser_outside(file, &read(file))).collect();
    assert!(faults.is_empty(), "browser crates outside their rooms:\n{}", faults.join("\n"));
}

#[test]
fn no_file_is_longer_than_500_lines() {
    let files = FOLDERS.iter().flat_map(|folder| sources(folder));
    let long: Vec<String> = files.filter_map(|file| too_long(&file, read(&file).lines().count())).collect();
    assert!(long.is_empty(), "is each of these one idea?\n{}", long.join("\n"));
}

#[test]
fn a_path_that_points_up_is_found_in_every_spelling() {
    let up = |file: &str, text: &str| paths_up(Path::new(file), text).len();
    assert_eq!(up("src/vit/model.rs", "use crate::session::protocol::Event;"), 1);
    assert_eq!(
        up("src/vit/model.rs", "use crate::{\n  device::cpu,\n  train::{race, schedule},\n  learngene as l,\n};"),
        3
    );
    assert_eq!(up("src/vit/model.rs", "fn f() { crate::data::folder::open() }"), 1);
    assert_eq!(up("src/vit/model.rs", "use super::super::train::race;"), 1);
    assert_eq!(up("src/vit/mod.rs", "use super::train::race;"), 1);
    assert_eq!(up("src/train/race.rs", "use crate::session::protocol::RunReport;"), 1);
    assert_eq!(up("src/ui/app.rs", "use crate::session::{protocol::Event, runner::Runner};"), 1);
    assert_eq!(up("src/main.rs", "use heirloom::vit::Vit;"), 1);
    assert_eq!(up("src/attic/box.rs", "use crate::device::cpu;"), 1, "a layer without a place");
}

#[test]
fn a_path_that_points_down_is_no_fault() {
    let up = |file: &str, text: &str| paths_up(Path::new(file), text);
    let none = Vec::<String>::new();
    assert_eq!(up("src/vit/model.rs", "use crate::vit::config::VitConfig;\nuse crate::kernels::{self, adamw};"), none);
    assert_eq!(
        up("src/vit/model.rs", "use super::train_drop::f;\n// as crate::train does\n/// See [`crate::ui`]."),
        none
    );
    assert_eq!(up("src/ui/app.rs", "use crate::session::protocol::{Command, Event};\nuse crate::ui::state;"), none);
    assert_eq!(up("src/main.rs", "fn main() { heirloom::ui::mount() }"), none);
}

#[test]
fn a_browser_crate_outside_its_rooms_is_found() {
    let outside = |file: &str, text: &str| browser_outside(Path::new(file), text).len();
    assert_eq!(outside("src/data/zip.rs", "use web_sys::File;"), 1);
    assert_eq!(outside("src/data/zip.rs", "let call: js_sys::Function = f();"), 1);
    assert_eq!(outside("src/data/zip.rs", "use {wasm_bindgen as w};"), 1);
    assert_eq!(outside("src/platform/file.rs", "use web_sys::File;"), 0);
    assert_eq!(outside("src/data/zip.rs", "//! Not a web_sys::File.\nlet my_leptos = 1;"), 0);
}

#[test]
fn a_file_over_the_roof_is_found() {
    assert_eq!(too_long(Path::new("src/vit/model.rs"), 500), None);
    assert!(too_long(Path::new("src/vit/model.rs"), 501).is_some());
}

/// All Rust files of a folder of the package, in the order of their paths.
fn sources(folder: &str) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("a readable folder").path()).collect();
    paths.sort();
    let below = |path: PathBuf| match path.is_dir() {
        true if path.ends_with("node_modules") => Vec::new(),
        true => sources(path.to_str().expect("a UTF-8 path")),
        false if path.extension().is_some_and(|end| end == "rs") => vec![path],
        false => Vec::new(),
    };
    paths.into_iter().flat_map(below).collect()
}

fn read(file: &Path) -> String {
    std::fs::read_to_string(file).expect("a readable source file")
}

fn too_long(file: &Path, lines: usize) -> Option<String> {
    (lines > ROOF).then(|| format!("{}: {lines} lines", file.display()))
}

/// Module path of a file: `src/vit/model.rs` is `["vit", "model"]`, `src/vit/mod.rs` is `["vit"]`.
fn module_of(file: &Path) -> Vec<String> {
    let name = |part: std::path::Component| part.as_os_str().to_string_lossy().trim_end_matches(".rs").to_owned();
    let mut parts: Vec<String> = file.components().skip(1).map(name).collect();
    if parts.last().is_some_and(|last| last == "mod" || last == "lib") {
        parts.pop();
    }
    parts
}

/// Paths of `text` that leave the file's layer for one it must not know.
fn paths_up(file: &Path, text: &str) -> Vec<String> {
    let module = module_of(file);
    let Some(layer) = module.first() else { return Vec::new() };
    let Some((_, below)) = ARROWS.iter().find(|(name, _)| name == layer) else {
        return vec![format!("{}: `{layer}` has no place among the layers", file.display())];
    };
    let is_up = |path: &[String]| {
        let Some(target) = path.first().filter(|target| *target != layer) else { return false };
        let is_layer = ARROWS.iter().any(|(name, _)| name == target);
        let is_inside = |part: &String| SESSION_FOR_THE_PAGE.contains(&part.as_str());
        let is_behind_the_wire = layer == "ui" && target == "session" && !path.get(1).is_some_and(is_inside);
        is_layer && (!below.contains(&target.as_str()) || is_behind_the_wire)
    };
    let found = crate_paths(&tokens(text), module.len());
    found.iter().filter(|path| is_up(path)).map(|path| format!("{}: {}", file.display(), path.join("::"))).collect()
}

/// Browser crates that a file outside their rooms names.
fn browser_outside(file: &Path, text: &str) -> Vec<String> {
    if module_of(file).first().is_none_or(|room| BROWSER_ROOMS.contains(&room.as_str())) {
        return Vec::new();
    }
    let tokens = tokens(text);
    let named = tokens.iter().filter(|token| BROWSER_CRATES.contains(token));
    named.map(|name| format!("{}: {name}", file.display())).collect()
}

/// Words and single signs of a source text, without comments.
fn tokens(text: &str) -> Vec<&str> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut tokens = Vec::new();
    for line in text.lines() {
        let mut rest = line.split("//").next().unwrap_or_default().trim_start();
        while let Some(first) = rest.chars().next() {
            let word = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
            let (token, after) = rest.split_at(word.max(if word == 0 { first.len_utf8() } else { 0 }));
            tokens.push(token);
            rest = after.trim_start();
        }
    }
    tokens
}

/// All paths that start at the crate's root, without the root: by `crate`, by the crate's name, or by enough `super`s
/// for a module of this depth.
fn crate_paths(tokens: &[&str], depth: usize) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let mut supers = 0;
    for at in 0..tokens.len() {
        supers = if tokens[at] == "super" { supers + 1 } else { supers };
        let is_root = matches!(tokens[at], "crate" | "heirloom") || (tokens[at] == "super" && supers >= depth);
        if is_root && tokens[at + 1..].starts_with(&[":", ":"]) {
            tree(tokens, at + 3, &[], &mut found);
        }
        if !matches!(tokens[at], "super" | ":") {
            supers = 0;
        }
    }
    found
}

/// Reads one tree of a `use` (or a plain path) from `at`; returns where it ends.
fn tree(tokens: &[&str], mut at: usize, before: &[String], found: &mut Vec<Vec<String>>) -> usize {
    let mut path = before.to_vec();
    while let Some(token) = tokens.get(at) {
        if *token == "{" {
            at += 1;
            while tokens.get(at).is_some_and(|token| *token != "}") {
                at = tree(tokens, at, &path, found);
                // On to the next branch: past `as name` and the comma.
                while tokens.get(at).is_some_and(|token| !matches!(*token, "," | "}")) {
                    at += 1;
                }
                at += usize::from(tokens.get(at) == Some(&","));
            }
            return at + 1;
        }
        path.push((*token).to_owned());
        at += 1;
        if !tokens[at.min(tokens.len())..].starts_with(&[":", ":"]) {
            break;
        }
        at += 2;
    }
    found.push(path);
    at
}
