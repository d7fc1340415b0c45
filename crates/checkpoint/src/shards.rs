//! Weights that are spread over several files: whether one of them is missing. Names are what people and browsers make of
//! them (`model-00002-of-000002 (1).safetensors`), so an index is asked for its keys, and numbers in names count only
//! where there is no index.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// A name is no proof: a million shards are a joke, not a checkpoint.
const MAX_SHARDS: usize = 1000;

/// Longest number in a name.
const MAX_DIGITS: usize = 20;

/// What an index says: the keys of each shard.
#[derive(Debug)]
pub(super) struct Index(BTreeMap<String, Vec<String>>);

impl Index {
    /// The index in a JSON file, if it is one; `rename` gives its keys the form they have elsewhere.
    pub(super) fn read(json: &Value, rename: impl Fn(&str) -> String) -> Option<Self> {
        let map = json.get("weight_map").and_then(Value::as_object)?;
        let mut shards: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (key, shard) in map.iter().filter_map(|(key, shard)| Some((key, shard.as_str()?))) {
            shards.entry(shard.to_owned()).or_default().push(rename(key));
        }
        Some(Self(shards))
    }

    /// The first shard of whose tensors none is there.
    fn missing(&self, has: impl Fn(&str) -> bool) -> Option<&str> {
        let is_missing = |keys: &&Vec<String>| !keys.iter().any(|key| has(key));
        self.0.iter().find(|(_, keys)| is_missing(keys)).map(|(shard, _)| shard.as_str())
    }
}

/// Name of a shard that is missing. `has` says whether a tensor is there; `names` are those of the files with tensors.
///
/// Of several indexes, of different formats, one that finds all its shards is enough; one of which no tensor is there
/// belongs to other weights.
pub(super) fn missing(indexes: &[Index], has: impl Fn(&str) -> bool, names: &[&str]) -> Option<String> {
    let belongs = |index: &&Index| index.0.values().flatten().any(|key| has(key));
    let mut lacking = Vec::new();
    for index in indexes.iter().filter(belongs) {
        lacking.push(index.missing(&has)?);
    }
    lacking.first().map_or_else(|| missing_number(names), |shard| Some((*shard).to_owned()))
}

/// A name in its parts: `stem-number-of-total.extension`.
#[derive(Debug)]
struct Numbered<'a> {
    stem: &'a str,
    number: usize,
    digits: usize,
    total: &'a str,
    extension: &'a str,
}

fn numbered(name: &str) -> Option<Numbered<'_>> {
    let (stem, extension) = name.rsplit_once('.')?;
    // What a browser adds to the name of a second download.
    let copy = stem.strip_suffix(')').and_then(|stem| stem.rsplit_once('('));
    let stem = copy.filter(|(_, count)| is_number(count)).map_or(stem, |(stem, _)| stem.trim_end());
    let (stem, total) = stem.rsplit_once("-of-")?;
    let (stem, number) = stem.rsplit_once('-')?;
    // Zeros before a number are not written without end.
    let is_whole = is_number(number) && number.len() <= MAX_DIGITS && is_number(total);
    is_whole.then_some(Numbered { stem, number: number.parse().ok()?, digits: number.len(), total, extension })
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The first number that no name bears, unless as many files without a number may be those.
fn missing_number(names: &[&str]) -> Option<String> {
    let all: Vec<_> = names.iter().filter_map(|name| numbered(name)).collect();
    let unnumbered = names.len() - all.len();
    all.iter().find_map(|one| {
        let total = one.total.parse::<usize>().ok()?.min(MAX_SHARDS);
        let is_kin =
            |other: &&Numbered| (other.stem, other.total, other.extension) == (one.stem, one.total, one.extension);
        let numbers: BTreeSet<usize> = all.iter().filter(is_kin).map(|other| other.number).collect();
        let lacking: Vec<_> = (1..=total).filter(|number| !numbers.contains(number)).collect();
        let first = lacking.first().filter(|_| lacking.len() > unnumbered)?;
        let Numbered { stem, digits, total, extension, .. } = one;
        Some(format!("{stem}-{first:0digits$}-of-{total}.{extension}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_in_names_tell_which_shard_is_missing_however_they_are_padded() {
        let missing = |names: &[&str]| missing_number(names);
        assert_eq!(missing(&["model-00001-of-000002.bin", "model-00002-of-000002.bin"]), None);
        assert_eq!(missing(&["model-00002-of-000002.bin"]).unwrap(), "model-00001-of-000002.bin");
        assert_eq!(missing(&["m-1-of-2 (1).bin", "m-2-of-2(3).bin"]), None);
        assert_eq!(missing(&["m-1-of-3.bin", "second.bin"]).unwrap(), "m-2-of-3.bin");
        assert_eq!(missing(&["m-1-of-2.bin", "second.bin"]), None);
        assert_eq!(missing(&["state-of-the-art.pth", "vit-1-of-many.pth", "-1-of-.pth"]), None);
        assert_eq!(missing(&["m-1-of-99999999999999999999.bin"]), None);
    }

    #[test]
    fn an_index_is_asked_for_its_keys_and_one_that_is_whole_is_enough() {
        let index = |end: &str| {
            let map = json!({"weight_map": {"a": format!("1{end}"), "b": format!("2{end}")}});
            Index::read(&map, str::to_owned).unwrap()
        };
        let has = |keys: &'static [&'static str]| move |key: &str| keys.contains(&key);
        assert_eq!(missing(&[index(".bin"), index(".safetensors")], has(&["a", "b"]), &["x (1).safetensors"]), None);
        assert_eq!(missing(&[index(".bin")], has(&["b"]), &["2.bin"]).unwrap(), "1.bin");
        let other = Index::read(&json!({"weight_map": {"c": "3.bin"}}), str::to_owned).unwrap();
        assert_eq!(missing(&[other], has(&["a"]), &["1.bin"]), None);
        assert!(Index::read(&json!({"model_type": "vit"}), str::to_owned).is_none());
    }
}
