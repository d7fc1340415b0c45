//! Files that are no weights: passed over with a word where others are, the reason of the refusal where none are.

use super::error::CheckpointError;
use serde_json::Value;

/// Endings of files with weights that would open.
const OURS: [&str; 7] = [".safetensors", ".pth", ".pt", ".bin", ".ckpt", ".th", ".tar"];
/// Endings of other files in which people expect weights.
const OTHERS: [&str; 5] = [".onnx", ".h5", ".keras", ".tflite", ".msgpack"];
/// What a file is found to be that stands for one which was not fetched.
const POINTER: &str = "a git-lfs pointer";
/// Most names in one sentence.
const MAX_NAMES: usize = 6;

/// How likely it is that a file was meant, where there are no weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// It says what all of them are.
    Says,
    /// It stands for the file itself, in a folder that was cloned without it.
    Points,
    /// Its name promises weights that would open.
    Opens,
    /// Its name promises weights.
    Promises,
    /// It lies there.
    Lies,
}

/// A file without weights, or whose weights are not needed.
#[derive(Debug)]
pub(super) struct Unfit {
    /// Name of the file.
    pub name: String,
    rank: Rank,
    /// What is wrong with it; nothing where other weights go before.
    error: Option<CheckpointError>,
}

impl Unfit {
    /// A file that is not what is wanted.
    pub(super) fn new(name: &str, error: CheckpointError) -> Self {
        let lower = name.to_ascii_lowercase();
        let ends = |endings: &[&str]| endings.iter().any(|end| lower.ends_with(end));
        let rank = match &error {
            error if is_pointer(error) => Rank::Points,
            _ if ends(&OURS) => Rank::Opens,
            _ if ends(&OTHERS) => Rank::Promises,
            _ => Rank::Lies,
        };
        Self { name: name.into(), rank, error: Some(error) }
    }

    /// The description of a model for other programs.
    pub(super) fn foreign(name: &str, found: String) -> Self {
        let error = CheckpointError::NotWeights { name: name.into(), found };
        Self { name: name.into(), rank: Rank::Says, error: Some(error) }
    }

    /// A file that was not read, because there are safetensors.
    pub(super) fn superseded(name: &str) -> Self {
        Self { name: name.into(), rank: Rank::Opens, error: None }
    }

    /// What is wrong with it.
    pub(super) fn into_error(self) -> Option<CheckpointError> {
        self.error
    }

    /// What is wrong with the file that most likely should have had weights.
    pub(super) fn worst(all: Vec<Self>) -> Option<CheckpointError> {
        all.into_iter().min_by_key(|unfit| unfit.rank)?.error
    }

    /// Sentences about files that were passed over.
    pub(super) fn notes(all: &[Self]) -> Vec<String> {
        let (pointers, rest): (Vec<_>, Vec<_>) = all.iter().partition(|unfit| unfit.is_pointer());
        let (superseded, rest): (Vec<_>, Vec<_>) = rest.into_iter().partition(|unfit| unfit.error.is_none());
        let mut notes = Vec::new();
        let mut say = |files: &[&Self], one: &str, several: &str| {
            if !files.is_empty() {
                notes.push(format!("{} {}", listed(files), if files.len() == 1 { one } else { several }));
            }
        };
        say(
            &superseded,
            "is not used, the safetensors file beside it is",
            "are not used, the safetensors files beside them are",
        );
        say(&pointers, "is a git-lfs pointer and not needed", "are git-lfs pointers and not needed");
        say(&rest, "is not used", "are not used");
        notes
    }

    fn is_pointer(&self) -> bool {
        self.error.as_ref().is_some_and(is_pointer)
    }
}

fn is_pointer(error: &CheckpointError) -> bool {
    matches!(error, CheckpointError::NotWeights { found, .. } if found.starts_with(POINTER))
}

fn listed(files: &[&Unfit]) -> String {
    let mut names: Vec<String> = files.iter().take(MAX_NAMES).map(|unfit| format!("`{}`", unfit.name)).collect();
    let more = files.len() - names.len();
    if more > 0 {
        names.push(format!("{more} more"));
    }
    match names.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, first)) => format!("{} and {last}", first.join(", ")),
        None => String::new(),
    }
}

/// What a JSON file describes, if it is a model that only other programs can run.
pub(super) fn foreign_description(json: &Value) -> Option<String> {
    let has = |key: &str| json.get(key).is_some();
    let is_tensorflow = has("tfjsVersion") || has("weightsManifest") && (has("modelTopology") || has("format"));
    is_tensorflow.then(|| {
        "part of a TensorFlow.js model (Teachable Machine exports such), which cannot be an ancestor; the pictures it \
         learned from can be used in step 2"
            .into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unfit(name: &str, found: &str) -> Unfit {
        Unfit::new(name, CheckpointError::NotWeights { name: name.into(), found: found.into() })
    }

    #[test]
    fn many_files_are_named_in_one_sentence() {
        let names = ["a.txt", "b.txt", "c.txt", "d.txt", "e.txt", "f.txt", "g.txt", "h.txt"];
        let all: Vec<_> = names.iter().map(|name| unfit(name, "plain text")).collect();
        assert_eq!(Unfit::notes(&all[..1]), ["`a.txt` is not used"]);
        assert_eq!(Unfit::notes(&all[..2]), ["`a.txt` and `b.txt` are not used"]);
        let said = "`a.txt`, `b.txt`, `c.txt`, `d.txt`, `e.txt`, `f.txt` and 2 more are not used";
        assert_eq!(Unfit::notes(&all), [said]);
    }

    #[test]
    fn the_file_that_promised_weights_is_the_one_that_is_refused() {
        let all = vec![unfit("README.md", "plain text"), unfit("model.h5", "an HDF5 file")];
        assert!(Unfit::worst(all).unwrap().to_string().starts_with("`model.h5` is an HDF5 file; "));
        // Of a folder that was cloned without its large files the one that would open, not one of another framework.
        let pointer = || unfit("pytorch_model.bin", "a git-lfs pointer and not the file itself");
        let all = vec![unfit("flax_model.msgpack", "of a kind that is not known here"), pointer()];
        assert!(Unfit::worst(all).unwrap().to_string().starts_with("`pytorch_model.bin` is a git-lfs pointer"));
        let all = vec![unfit("optimizer.pt", "the state of a training"), pointer()];
        assert!(Unfit::worst(all).unwrap().to_string().starts_with("`pytorch_model.bin` is a git-lfs pointer"));
        let all = vec![unfit("model.onnx", "an ONNX graph"), unfit("model.bin", "plain text")];
        assert!(Unfit::worst(all).unwrap().to_string().starts_with("`model.bin` is plain text; "));
    }
}
