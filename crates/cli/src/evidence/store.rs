//! Results of units on disk, so that work that was broken off goes on where it was.
//!
//! A file is called by the command alone; inside stands the version of program and files that it was made with. A result
//! of another version is not used unless the person says so.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::Result;
use super::plan::Unit;
use serde::Deserialize;
use serde_json::{Value, json};

/// FNV-1a, 64 bits: for telling versions apart, not for keeping anybody out. The standard library promises no hash that
/// stays the same from one compiler to the next.
#[derive(Clone, Copy)]
pub struct Hash(u64);

impl Hash {
    /// Of nothing yet.
    pub fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    /// Adds bytes and an end mark, so that `ab` + `c` is not `a` + `bc`.
    pub fn add(self, bytes: &[u8]) -> Self {
        let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        let length = (bytes.len() as u64).to_le_bytes();
        Self(length.iter().fold(bytes.iter().fold(self.0, step), step))
    }

    /// Sixteen letters.
    pub fn hex(self) -> String {
        format!("{:016x}", self.0)
    }
}

/// Key of a command: the name of its file.
pub fn key(unit: &Unit) -> String {
    let start = Hash::new().add(unit.program.as_bytes());
    unit.arguments.iter().fold(start, |hash, argument| hash.add(argument.as_bytes())).hex()
}

/// Adds the names and contents of a file or of a folder's files.
fn add_files(hash: Hash, root: &Path, path: &str, skip: &[&str]) -> Result<Hash> {
    if skip.contains(&path) {
        return Ok(hash);
    }
    let unreadable = |error: std::io::Error| format!("`{path}` cannot be read: {error}");
    let full = root.join(path);
    if !full.is_dir() {
        let bytes = std::fs::read(&full).map_err(unreadable)?;
        return Ok(hash.add(path.as_bytes()).add(&bytes));
    }
    let entries = std::fs::read_dir(&full).map_err(unreadable)?;
    let mut names: Vec<String> = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into()).collect();
    names.sort();
    names.iter().try_fold(hash, |hash, name| add_files(hash, root, &format!("{path}/{name}"), skip))
}

/// Crates and files that no number depends on; of the commands the one that runs is counted by itself.
const NOT_RUN: [&str; 4] = ["crates/charts", "crates/cli", "crates/worker", "crates/plan/src/journal.rs"];

/// Versions of programs and files as they lie in the checkout.
pub struct Versions {
    root: PathBuf,
    library: Hash,
    known: HashMap<String, Hash>,
}

impl Versions {
    /// Those of a checkout.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn of(root: &Path) -> Result<Self> {
        let library = ["crates", "Cargo.lock", "rust-toolchain.toml"];
        let library = library.iter().try_fold(Hash::new(), |hash, path| add_files(hash, root, path, &NOT_RUN))?;
        Ok(Self { root: root.to_path_buf(), library, known: HashMap::new() })
    }

    /// The version of everything that a unit's numbers depend on besides its command.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn version(&mut self, unit: &Unit) -> Result<String> {
        let own = [unit.program, "options", "reports", "session"].map(|file| format!("crates/cli/src/{file}.rs"));
        let mut hash = self.library;
        for path in own.iter().chain(unit.inputs()) {
            let of_file = match self.known.get(path) {
                Some(known) => *known,
                None => add_files(Hash::new(), &self.root, path, &[])?,
            };
            self.known.insert(path.clone(), of_file);
            hash = hash.add(&of_file.0.to_le_bytes());
        }
        Ok(hash.hex())
    }
}

/// A result as it is kept.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Record {
    /// See [`Versions::version`].
    pub version: String,
    /// The commit it was made at; `+` behind it means: with changes.
    pub commit: String,
    /// The machine.
    pub machine: String,
    /// What it took, s.
    pub seconds: f64,
    /// What the command printed.
    pub result: Value,
}

impl Record {
    /// As text. `printed` is the result as the command wrote it: read and written again, its numbers could differ in their
    /// last digit.
    fn write(&self, unit: &Unit, printed: &str) -> String {
        let Self { version, commit, machine, seconds, .. } = self;
        let head = json!({
            "unit": unit.id, "command": unit.command(), "version": version, "commit": commit, "machine": machine,
            "seconds": seconds,
        });
        let head = head.to_string();
        format!("{},\n\"result\":{}}}\n", head.strip_suffix('}').unwrap_or(&head), printed.trim())
    }
}

/// Whether a unit has to be run.
#[derive(Clone, Debug, PartialEq)]
pub enum State {
    /// It has a result of this version.
    Done(Record),
    /// It has one of another version of program or files.
    Old(Record),
    /// It has none.
    Missing,
}

impl State {
    /// The result, one of another version only where that is allowed.
    pub fn record(&self, takes_old: bool) -> Option<&Record> {
        match self {
            Self::Done(record) => Some(record),
            Self::Old(record) if takes_old => Some(record),
            _ => None,
        }
    }
}

/// The folder of results.
pub struct Store {
    folder: PathBuf,
}

impl Store {
    /// Results in a folder, which is made where it is not there.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn open(folder: PathBuf) -> Result<Self> {
        std::fs::create_dir_all(&folder).map_err(|error| format!("`{}` cannot be made: {error}", folder.display()))?;
        Ok(Self { folder })
    }

    /// Where a file of a unit lies.
    pub fn file(&self, unit: &Unit, end: &str) -> PathBuf {
        self.folder.join(format!("{}.{end}", key(unit)))
    }

    /// What there is of a unit. A file that cannot be read counts as missing.
    pub fn state(&self, unit: &Unit, version: &str) -> State {
        let text = std::fs::read_to_string(self.file(unit, "json")).unwrap_or_default();
        match serde_json::from_str::<Record>(&text) {
            Ok(record) if record.version == version => State::Done(record),
            Ok(record) => State::Old(record),
            Err(_) => State::Missing,
        }
    }

    /// Keeps a result; it is there whole or not at all.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep(&self, unit: &Unit, record: &Record, printed: &str) -> Result<()> {
        let (file, part) = (self.file(unit, "json"), self.file(unit, "part"));
        std::fs::write(&part, record.write(unit, printed))
            .and_then(|()| std::fs::rename(&part, &file))
            .map_err(|error| format!("`{}` cannot be written: {error}", file.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::plan::cpu;
    use super::{Hash, Record, State, Store, Versions, key};

    fn folder(name: &str) -> std::path::PathBuf {
        let folder = std::env::temp_dir().join(format!("heirloom-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        folder
    }

    #[test]
    fn hash_starts_as_fnv_does_and_knows_where_a_word_ends() {
        let (joined, split) = (Hash::new().add(b"ab").add(b"c"), Hash::new().add(b"a").add(b"bc"));
        assert_ne!(joined.hex(), split.hex());
        assert_eq!(Hash::new().hex(), "cbf29ce484222325");
    }

    #[test]
    fn key_follows_every_word_of_the_command_and_nothing_else() {
        let units = cpu().units();
        let mut other = units[0].clone();
        other.id = "renamed".to_owned();
        assert_eq!(key(&other), key(&units[0]));
        other.arguments[3].push('0');
        assert_ne!(key(&other), key(&units[0]));
        assert_ne!(key(&units[0]), key(&units[1]));
    }

    #[test]
    fn a_kept_result_is_taken_up_again_and_one_of_another_version_is_not() {
        let (units, store) = (cpu().units(), Store::open(folder("kept")).unwrap());
        let printed = "{\"races\": [1, 2.5]}";
        let record = Record {
            version: "v1".to_owned(),
            commit: "c\"1".to_owned(),
            machine: "m".to_owned(),
            seconds: 1.5,
            result: serde_json::from_str(printed).unwrap(),
        };
        assert_eq!(store.state(&units[0], "v1"), State::Missing);
        store.keep(&units[0], &record, printed).unwrap();
        assert_eq!(store.state(&units[0], "v1"), State::Done(record.clone()));
        assert_eq!(store.state(&units[1], "v1"), State::Missing);
        let old = store.state(&units[0], "v2");
        assert_eq!(old, State::Old(record.clone()));
        assert_eq!((old.record(false), old.record(true)), (None, Some(&record)));
        std::fs::write(store.file(&units[0], "json"), "{\"version\": \"v1\"").unwrap();
        assert_eq!(store.state(&units[0], "v1"), State::Missing, "a torn file is no result");
        std::fs::remove_dir_all(&store.folder).unwrap();
    }

    #[test]
    fn version_follows_library_command_and_files_but_not_the_page() {
        let root = folder("version");
        let write = |path: &str, text: &str| {
            let file = root.join(path);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, text).unwrap();
        };
        let mut unit = cpu().units().remove(0);
        unit.arguments[..2].clone_from_slice(&["model".to_owned(), "pictures.zip".to_owned()]);
        let own = |file: &str| format!("crates/cli/src/{file}.rs");
        let program = own(unit.program);
        ["options", "reports", "session", "evidence/tables", unit.program]
            .iter()
            .for_each(|file| write(&own(file), "a"));
        let files =
            ["crates/nn/src/model.rs", "src/app.rs", "Cargo.lock", "rust-toolchain.toml", "model", "pictures.zip"];
        files.iter().for_each(|path| write(path, "a"));
        let version = || Versions::of(&root).unwrap().version(&unit).unwrap();
        let first = version();
        write("src/app.rs", "b");
        write(&own("evidence/tables"), "b");
        assert_eq!(version(), first);
        let mut seen = vec![first];
        for changed in
            ["crates/nn/src/model.rs", "Cargo.lock", "rust-toolchain.toml", "model", "pictures.zip", &program]
        {
            write(changed, "b");
            let now = version();
            assert!(!seen.contains(&now), "{changed}");
            seen.push(now);
        }
        std::fs::remove_dir_all(&root).unwrap();
    }
}
