//! What the person brings: an ancestor and pictures.

use serde::{Deserialize, Serialize};

use crate::config::ModelConfig;

/// What was recognised in a checkpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AncestorSummary {
    /// Name of the file it came from.
    pub name: String,
    /// Family and naming style, e.g. `ViT (Hugging Face names)`.
    pub family: String,
    /// What it is built of.
    pub config: ModelConfig,
    /// How its pictures are prepared.
    pub preparation: Preparation,
    /// All parameters.
    pub parameters: u64,
    /// Stored element type, e.g. `F16`.
    pub dtype: String,
    /// Keys the model needs and the file lacks, each with the nearest present name if there is one.
    pub missing: Vec<(String, Option<String>)>,
    /// Keys the file has and the model does not know, each with the nearest known name if there is one.
    pub unexpected: Vec<(String, Option<String>)>,
    /// What was assumed, e.g. the number of heads when the file does not say it.
    pub assumptions: Vec<String>,
}

/// How pictures are prepared: scaled to 0..1, then `(value - mean) / std` per channel.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Preparation {
    /// Mean of each channel, 0..1.
    pub mean: [f32; 3],
    /// Standard deviation of each channel, 0..1; larger than 0.
    pub std: [f32; 3],
}

/// How pictures are divided.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SplitSettings {
    /// Share of each class that goes to validation, 0..1. Ignored where folders say `train` / `val` / `test`.
    pub validation_share: f32,
    /// Seed of the shuffle.
    pub seed: u64,
}

impl Default for SplitSettings {
    fn default() -> Self {
        Self { validation_share: 0.2, seed: 1 }
    }
}

/// The picture set as it stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PicturesSummary {
    /// Classes in alphabetical order.
    pub classes: Vec<ClassCount>,
    /// Files that could not be read: path and reason (at most 100 are listed).
    pub unreadable: Vec<(String, String)>,
    /// How many files could not be read in all.
    pub unreadable_count: usize,
    /// Groups of identical files: the paths of each group (at most 100 groups).
    pub duplicates: Vec<Vec<String>>,
    /// Whether train / val folders decided the split.
    pub split_by_folder: bool,
    /// How the rest was divided.
    pub split: Option<SplitSettings>,
    /// Where folders lie inside folders: how else they can be read.
    #[serde(default)]
    pub folders: Option<FolderChoice>,
}

/// Which of several folders around a picture names its class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FolderLevel {
    /// The first by which the pictures differ.
    Outermost,
    /// The last.
    Innermost,
}

/// How folders inside folders were read, by an example, and how else they can be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FolderChoice {
    /// Class of a picture.
    pub chosen: String,
    /// Its class by the other level.
    pub other: String,
    /// The other level.
    pub level: FolderLevel,
}

/// One class of pictures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassCount {
    /// Name of its folder.
    pub name: String,
    /// Pictures to train on.
    pub train: usize,
    /// Pictures to judge on.
    pub validation: usize,
    /// A few small pictures as `data:` URLs.
    pub thumbnails: Vec<String>,
}
