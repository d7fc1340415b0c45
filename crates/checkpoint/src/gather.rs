//! Sorting what was dropped: weights, shards, descriptions, and files that merely lay in the same folder.

use super::beside::{Unfit, foreign_description};
use super::description::Hints;
use super::error::CheckpointError;
use super::json_text;
use super::packed;
use super::page;
use super::safetensors_file;
use super::shards::{self, Index};
use super::sniff::{Kind, SNIFF_BYTES, sniff};
use super::stored::Stored;
use super::torch_file;
use super::wrappers::unwrapped;
use heirloom_platform::file::FileHandle;
use std::collections::{BTreeMap, BTreeSet};

/// Longest JSON file that is read; ImageNet-21k's labels take 2 MB.
const MAX_JSON: u64 = 16 << 20;

/// Everything the files say, nothing of their tensors read yet.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    /// Name of the first file with weights; that of the package which it lies in.
    pub name: String,
    /// The files; those of a package in its place.
    pub files: Vec<FileHandle>,
    /// The files as they were handed over, without those that say nothing of the model.
    pub sources: Vec<FileHandle>,
    /// Tensors by the file's own key.
    pub tensors: BTreeMap<String, Stored>,
    /// Free text of the safetensors files.
    pub metadata: BTreeMap<String, String>,
    /// What is said beside the weights.
    pub hints: Hints,
    /// Files that were not used, as sentences.
    pub notes: Vec<String>,
}

/// Reads headers and descriptions.
pub(super) async fn gather(files: &[FileHandle]) -> Result<Gathered, CheckpointError> {
    let mut gathering = Gathering::default();
    let kinds = gathering.unpack(files).await?;
    let has_safetensors = kinds.contains(&Some(Kind::Safetensors));
    for (index, kind) in kinds.into_iter().enumerate() {
        if let Some(kind) = kind {
            gathering.read(index, kind, has_safetensors).await?;
        }
    }
    gathering.finish(files)
}

async fn kind_of(file: &FileHandle) -> Result<Kind, CheckpointError> {
    Ok(sniff(file.name(), &file.read(0..file.len().min(SNIFF_BYTES)).await?))
}

#[derive(Default)]
struct Gathering {
    gathered: Gathered,
    /// Names of all files as they were handed over.
    names: Vec<String>,
    /// The file that was handed over in which each one lies.
    origins: Vec<usize>,
    /// Those of them that say something of the model.
    needed: BTreeSet<usize>,
    /// Files with tensors.
    used: BTreeSet<usize>,
    indexes: Vec<Index>,
    unfit: Vec<Unfit>,
    /// Names of the classes that stand beside the weights.
    labels: Option<Vec<String>>,
}

impl Gathering {
    /// Lists the files, those of a package in its place, with the kind of each; parts of an unpacked checkpoint have
    /// none, for they are read with its description.
    async fn unpack(&mut self, files: &[FileHandle]) -> Result<Vec<Option<Kind>>, CheckpointError> {
        let (parts, mut kinds) = (torch_file::parts_of_unpacked(files), Vec::with_capacity(files.len()));
        for (origin, file) in files.iter().enumerate() {
            let is_part = parts.contains(file.path());
            if is_part {
                self.needed.insert(origin);
            }
            let kind = if is_part { None } else { Some(kind_of(file).await?) };
            let inside = match kind {
                Some(Kind::Zip) => packed::files(file).await?,
                Some(Kind::Page) => Some(vec![page::weights(file).await?]),
                _ => None,
            };
            for one in inside.unwrap_or_else(|| vec![file.clone()]) {
                kinds.push(if is_part { None } else { Some(kind_of(&one).await?) });
                self.names.push(file.name().to_owned());
                self.origins.push(origin);
                self.gathered.files.push(one);
            }
        }
        Ok(kinds)
    }

    /// Reads one file.
    async fn read(&mut self, index: usize, kind: Kind, has_safetensors: bool) -> Result<(), CheckpointError> {
        let file = self.gathered.files[index].clone();
        let name = file.name().to_owned();
        let contents = match kind {
            Kind::Safetensors => {
                let (tensors, metadata) = safetensors_file::read_header(index, &file).await?;
                self.gathered.hints.add_metadata(&name, &metadata)?;
                self.gathered.metadata.extend(metadata);
                return self.add(index, tensors);
            }
            Kind::Zip | Kind::TorchLegacy | Kind::Pickle if has_safetensors => {
                self.unfit.push(Unfit::superseded(&name));
                return Ok(());
            }
            Kind::Zip | Kind::TorchLegacy => torch_file::read(index, &file, kind == Kind::Zip).await,
            Kind::Pickle => {
                torch_file::name_of_unpacked(file.path()).clone_into(&mut self.names[index]);
                torch_file::read_unpacked(&self.gathered.files, index).await
            }
            Kind::Json => return self.add_json(index, &file).await,
            // Its weights were taken out of it before.
            Kind::Page => Err(CheckpointError::NotWeights { name: name.clone(), found: "a web page (HTML)".into() }),
            Kind::Other(found) => Err(CheckpointError::NotWeights { name: name.clone(), found }),
        };
        match contents {
            Ok(contents) => {
                self.labels = self.labels.take().or(contents.labels);
                self.add(index, contents.tensors)
            }
            Err(error @ CheckpointError::NotWeights { .. }) => {
                self.unfit.push(Unfit::new(&name, error));
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Adds the tensors of a file.
    fn add(&mut self, index: usize, tensors: Vec<(String, Stored)>) -> Result<(), CheckpointError> {
        if self.gathered.name.is_empty() {
            self.gathered.name.clone_from(&self.names[index]);
        }
        self.used.insert(index);
        self.needed.insert(self.origins[index]);
        let keys: Vec<String> = tensors.iter().map(|(key, _)| unwrapped(key)).collect();
        for (at, key) in keys.iter().enumerate() {
            let Some(other) = self.gathered.tensors.get(key).map(|stored| stored.file) else {
                self.gathered.tensors.insert(key.clone(), tensors[at].1.clone());
                continue;
            };
            let before = keys[..at].iter().position(|before| before == key);
            return Err(match before {
                Some(before) => {
                    let (first, second) = (tensors[before].0.clone(), tensors[at].0.clone());
                    CheckpointError::Twice { name: self.names[index].clone(), key: key.clone(), first, second }
                }
                None => {
                    let (first, second) = self.told_apart(other, index);
                    CheckpointError::Duplicate { key: key.clone(), first, second }
                }
            });
        }
        Ok(())
    }

    /// Names of two files, with their folders where the names are the same.
    fn told_apart(&self, first: usize, second: usize) -> (String, String) {
        let path = |index: usize| self.gathered.files[index].path().to_owned();
        match self.names[first] == self.names[second] {
            true => (path(first), path(second)),
            false => (self.names[first].clone(), self.names[second].clone()),
        }
    }

    /// Adds a JSON file: an index, or a description.
    async fn add_json(&mut self, index: usize, file: &FileHandle) -> Result<(), CheckpointError> {
        let name = file.name().to_string();
        if file.len() > MAX_JSON {
            self.gathered.notes.push(format!("`{name}` is not used, it is too long for a description"));
            return Ok(());
        }
        let Some(json) = json_text::parse(&file.read_all().await?) else {
            self.gathered.notes.push(format!("`{name}` is not used, it is not proper JSON"));
            return Ok(());
        };
        if let Some(found) = foreign_description(&json) {
            self.unfit.push(Unfit::foreign(&name, found));
            return Ok(());
        }
        if let Some(shards) = Index::read(&json, unwrapped) {
            self.indexes.push(shards);
        } else if !self.gathered.hints.add_json(&name, &json)? {
            self.gathered.notes.push(format!("`{name}` is not used, it does not describe a model"));
            return Ok(());
        }
        self.needed.insert(self.origins[index]);
        Ok(())
    }

    /// `given` are the files as they were handed over.
    fn finish(mut self, given: &[FileHandle]) -> Result<Gathered, CheckpointError> {
        if self.gathered.name.is_empty() {
            return Err(self.no_weights());
        }
        let tensors = &self.gathered.tensors;
        let names: Vec<&str> = self.used.iter().map(|&index| self.gathered.files[index].name()).collect();
        if let Some(shard) = shards::missing(&self.indexes, |key| tensors.contains_key(key), &names) {
            // It may have been handed over, but not be what its name says.
            let is_it = |unfit: &Unfit| unfit.name == shard;
            let error = self.unfit.into_iter().find(is_it).and_then(Unfit::into_error);
            return Err(error.unwrap_or(CheckpointError::MissingShard { shard }));
        }
        self.gathered.notes.extend(Unfit::notes(&self.unfit));
        self.gathered.sources = self.needed.iter().map(|&origin| given[origin].clone()).collect();
        let hints = &mut self.gathered.hints;
        hints.labels = hints.labels.take().or(self.labels);
        Ok(self.gathered)
    }

    /// What is said where no file has weights: what the file is that most likely should have had them.
    fn no_weights(self) -> CheckpointError {
        let error = Unfit::worst(self.unfit);
        error.unwrap_or_else(|| {
            let some = self.gathered.files.iter().take(3).map(|file| format!("`{}`", file.name()));
            let some = some.collect::<Vec<_>>().join(", ");
            CheckpointError::NoWeights { found: if some.is_empty() { "no files".into() } else { some } }
        })
    }
}
