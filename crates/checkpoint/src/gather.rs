//! Sorting what was dropped: weights, shards, descriptions, and files that merely lay in the same folder.

use super::description::Hints;
use super::error::CheckpointError;
use super::json_text;
use super::packed;
use super::safetensors_file;
use super::sniff::{Kind, SNIFF_BYTES, sniff};
use super::stored::Stored;
use super::torch_file;
use super::wrappers::unwrapped;
use heirloom_platform::file::FileHandle;
use serde_json::Value;
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
    let mut gathered = Gathered::default();
    let (mut kinds, mut names) = (Vec::with_capacity(files.len()), Vec::with_capacity(files.len()));
    for file in files {
        let inside = match kind_of(file).await? {
            Kind::Zip => packed::files(file).await?,
            _ => None,
        };
        for one in inside.unwrap_or_else(|| vec![file.clone()]) {
            kinds.push(kind_of(&one).await?);
            names.push(file.name().to_owned());
            gathered.files.push(one);
        }
    }
    let files = gathered.files.clone();
    let (mut shards, mut unfit) = (BTreeSet::new(), Vec::new());
    let has_safetensors = kinds.contains(&Kind::Safetensors);
    for (index, (file, kind)) in files.iter().zip(kinds).enumerate() {
        let name = file.name().to_string();
        match kind {
            Kind::Safetensors => {
                let (tensors, metadata) = safetensors_file::read_header(index, file).await?;
                gathered.hints.add_metadata(&name, &metadata)?;
                gathered.metadata.extend(metadata);
                gathered.add(&names, index, tensors)?;
            }
            Kind::Zip | Kind::TorchLegacy if has_safetensors => {
                gathered.notes.push(format!("`{name}` is not used, the safetensors file beside it is"));
            }
            Kind::Zip | Kind::TorchLegacy => match torch_file::read(index, file, kind == Kind::Zip).await {
                Ok(tensors) => gathered.add(&names, index, tensors)?,
                Err(error @ CheckpointError::NotWeights { .. }) => unfit.push((name, error)),
                Err(error) => return Err(error),
            },
            Kind::Json => shards.extend(gathered.add_json(file).await?),
            Kind::Other(found) => unfit.push((name.clone(), CheckpointError::NotWeights { name, found })),
        }
    }
    gathered.finish(shards, unfit)
}

async fn kind_of(file: &FileHandle) -> Result<Kind, CheckpointError> {
    Ok(sniff(file.name(), &file.read(0..file.len().min(SNIFF_BYTES)).await?))
}

impl Gathered {
    /// Adds the tensors of a file; `names` are those of all files as they were handed over.
    fn add(&mut self, names: &[String], index: usize, tensors: Vec<(String, Stored)>) -> Result<(), CheckpointError> {
        if self.name.is_empty() {
            self.name.clone_from(&names[index]);
        }
        for (key, stored) in tensors {
            let key = unwrapped(&key);
            if let Some(other) = self.tensors.get(&key) {
                let (first, second) = (names[other.file].clone(), names[index].clone());
                return Err(CheckpointError::Duplicate { key, first, second });
            }
            self.tensors.insert(key, stored);
        }
        Ok(())
    }

    /// Adds a JSON file; the shards it lists, if it is an index.
    async fn add_json(&mut self, file: &FileHandle) -> Result<Vec<String>, CheckpointError> {
        let name = file.name().to_string();
        if file.len() > MAX_JSON {
            self.notes.push(format!("`{name}` is not used, it is too long for a description"));
            return Ok(Vec::new());
        }
        let Some(json) = json_text::parse(&file.read_all().await?) else {
            self.notes.push(format!("`{name}` is not used, it is not proper JSON"));
            return Ok(Vec::new());
        };
        if let Some(map) = json.get("weight_map").and_then(Value::as_object) {
            return Ok(map.values().filter_map(|shard| shard.as_str().map(String::from)).collect());
        }
        if !self.hints.add_json(&name, &json)? {
            self.notes.push(format!("`{name}` is not used, it does not describe a model"));
        }
        Ok(Vec::new())
    }

    fn finish(
        mut self,
        mut shards: BTreeSet<String>,
        unfit: Vec<(String, CheckpointError)>,
    ) -> Result<Self, CheckpointError> {
        for (name, error) in unfit {
            let lower = name.to_ascii_lowercase();
            let claims_weights =
                [".safetensors", ".pth", ".pt", ".bin", ".ckpt"].iter().any(|end| lower.ends_with(end));
            if self.name.is_empty() || claims_weights {
                return Err(error);
            }
            self.notes.push(format!("`{name}` is not used"));
        }
        if self.name.is_empty() {
            let names =
                self.files.iter().take(3).map(|file| format!("`{}`", file.name())).collect::<Vec<_>>().join(", ");
            let found = if self.files.is_empty() { "no files".into() } else { names };
            return Err(CheckpointError::NoWeights { found });
        }
        shards.extend(self.files.iter().flat_map(|file| siblings(file.name())));
        match shards.into_iter().find(|shard| self.files.iter().all(|file| file.name() != shard)) {
            Some(shard) => Err(CheckpointError::MissingShard { shard }),
            None => Ok(self),
        }
    }
}

/// All shards of a file named like `model-00001-of-00003.safetensors`; none for other names.
fn siblings(name: &str) -> Vec<String> {
    let parse = || {
        let (stem, extension) = name.rsplit_once('.')?;
        let (stem, total) = stem.rsplit_once("-of-")?;
        let (stem, number) = stem.rsplit_once('-')?;
        let (digits, total) = (number.len(), total.parse::<usize>().ok()?);
        number.parse::<usize>().ok()?;
        // A name is no proof: a million shards are a joke, not a checkpoint.
        let total = total.min(1000);
        Some((1..=total).map(|n| format!("{stem}-{n:0digits$}-of-{:0digits$}.{extension}", total)).collect())
    };
    parse().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_know_their_siblings() {
        let expected = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
        assert_eq!(siblings("model-00002-of-00002.safetensors"), expected);
        assert!(siblings("state-of-the-art.pth").is_empty());
    }
}
