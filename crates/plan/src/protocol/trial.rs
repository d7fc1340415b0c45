//! Trying a model: what it says of pictures, where it is wrong, and what it looks at.

use serde::{Deserialize, Serialize};

/// Where a picture that was named lies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PictureAt {
    /// Position among the files of the last [`Command::Predict`](super::Command::Predict).
    Named(usize),
    /// The file of the last [`Command::Glance`](super::Command::Glance).
    Glanced,
    /// Path of a picture of the set.
    Path(String),
}

/// What a model says of a picture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// The file.
    pub name: String,
    /// Where it lies, to look at it more closely.
    pub picture: PictureAt,
    /// Small picture as `data:` URL; none of a glance, whose picture the person sees already.
    pub thumbnail: Option<String>,
    /// Class names with probabilities, largest first.
    pub classes: Vec<(String, f32)>,
    /// The class it is filed under, where it is a picture of the set.
    #[serde(default)]
    pub truth: Option<String>,
}

/// How a model named the validation pictures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Confusion {
    /// Class names.
    pub classes: Vec<String>,
    /// Counts `[true][predicted]`.
    pub counts: Vec<Vec<usize>>,
    /// Pictures behind each cell, `[true][predicted][..]`, at most 24 a cell: of mistakes the surest first, of right
    /// answers the least sure first.
    pub pictures: Vec<Vec<Vec<Judged>>>,
    /// The worst mistakes, largest loss first, at most 20.
    pub worst: Vec<Judged>,
}

/// A validation picture and its answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// Path in the set.
    pub path: String,
    /// Its class.
    pub truth: usize,
    /// The answer.
    pub said: usize,
    /// Probability of the answer.
    pub sure: f32,
    /// Probability of the class it has.
    pub truth_share: f32,
    /// Cross-entropy, nats.
    pub loss: f32,
}

/// Which attention is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LookAt {
    /// The last layer.
    Last,
    /// A layer.
    Layer(usize),
    /// Rolled out through all layers (Abnar & Zuidema 2020).
    Rollout,
}

/// What a model looks at in a picture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Look {
    /// The picture.
    pub picture: PictureAt,
    /// The picture as the model sees it, as `data:` URL.
    pub url: String,
    /// Which attention: a layer, or the rollout.
    pub at: LookAt,
    /// Layers that have attention; 0 for a family without (a CNN).
    pub layers: usize,
    /// Patches along one side.
    pub grid: usize,
    /// Whether it is the CLS token that looks; else it is the patches' mean.
    pub is_cls: bool,
    /// Attention to each patch, `[head][grid * grid]`; of the rollout one map.
    pub maps: Vec<Vec<f32>>,
}
