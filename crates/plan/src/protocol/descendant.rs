//! The methods, and what they plan.

use serde::{Deserialize, Serialize};

use super::{TiedSettings, Tying};

pub use crate::cluster::{CopyScale, DepthChoice, HeadSource};

/// How a descendant inherits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// Clusters of heads (Cluster-Learngene).
    #[default]
    Cluster,
    /// Whole layers (Learngene).
    Layers,
    /// A pool of small models (Learngene Pool).
    Pool,
    /// Stitched models (SN-Net).
    Stitch,
    /// Layers on a learned line (TLEG).
    Tleg,
    /// Stages that share a layer (SWS).
    Sws,
}

impl Method {
    /// All methods.
    pub const ALL: [Self; 6] = [Self::Cluster, Self::Layers, Self::Tleg, Self::Sws, Self::Pool, Self::Stitch];

    /// Its short name, as addresses and files have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cluster => "cluster",
            Self::Layers => "layers",
            Self::Pool => "pool",
            Self::Stitch => "stitch",
            Self::Tleg => "tleg",
            Self::Sws => "sws",
        }
    }

    /// The method of a short name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.name() == name)
    }
}

/// What the descendant is to look like, by the method it inherits by.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "lowercase")]
pub enum DescendantPlan {
    /// Clusters of heads.
    Cluster(DescendantSettings),
    /// Whole layers.
    Layers(LayersSettings),
    /// Tied layers.
    Tied(TiedSettings),
}

impl DescendantPlan {
    /// The method it inherits by.
    pub fn method(&self) -> Method {
        match self {
            Self::Cluster(_) => Method::Cluster,
            Self::Layers(_) => Method::Layers,
            Self::Tied(TiedSettings { tying: Tying::Line, .. }) => Method::Tleg,
            Self::Tied(_) => Method::Sws,
        }
    }

    /// Side of the pictures it is trained on, px.
    pub fn image_size(&self) -> usize {
        match self {
            Self::Cluster(settings) => settings.image_size,
            Self::Layers(settings) => settings.image_size,
            Self::Tied(settings) => settings.image_size,
        }
    }
}

impl From<DescendantSettings> for DescendantPlan {
    fn from(settings: DescendantSettings) -> Self {
        Self::Cluster(settings)
    }
}

impl From<LayersSettings> for DescendantPlan {
    fn from(settings: LayersSettings) -> Self {
        Self::Layers(settings)
    }
}

impl From<TiedSettings> for DescendantPlan {
    fn from(settings: TiedSettings) -> Self {
        Self::Tied(settings)
    }
}

/// What a descendant of whole layers is to look like.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayersSettings {
    /// Layers (stages of a CNN) of the ancestor to inherit, ascending.
    pub chosen: Vec<usize>,
    /// Layers in all: the inherited ones, and random ones on top.
    pub layers: usize,
    /// Side of the pictures it is trained on, px (a multiple of the patch size).
    pub image_size: usize,
    /// Epochs for which the inherited layers and the stem are held still; 0 = they train from the first step on.
    pub freeze_epochs: f64,
}

/// What a descendant of clustered heads is to look like.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct DescendantSettings {
    /// Heads per layer.
    pub heads: usize,
    /// Layers.
    pub layers: usize,
    /// Side of the pictures it is trained on, px (a multiple of the patch size).
    pub image_size: usize,
    /// Which layers it starts from.
    pub depth: DepthChoice,
    /// How much each copy of a head writes.
    #[serde(alias = "scale_projection")]
    pub copy_scale: CopyScale,
    /// Fit the projections to the person's pictures, so that the kept heads make up for the others.
    #[serde(default)]
    pub compensate: bool,
    /// Let layers of one group start from the shared feed-forward network through a learnable map.
    pub ffn_maps: bool,
}

/// The descendant as planned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DescendantSummary {
    /// The settings that gave it.
    pub settings: DescendantPlan,
    /// Where its parts come from.
    pub parts: DescendantParts,
    /// Parameters with the new classifier.
    pub parameters: u64,
    /// Floating-point operations of one forward pass on one picture (a multiply-add counts as two).
    pub flops: u64,
    /// Bytes as f32.
    pub bytes: u64,
    /// Estimated memory while training, bytes.
    pub training_bytes: u64,
    /// Predicted seconds for one epoch on this machine; `None` before the machine was measured.
    pub seconds_per_epoch: Option<f64>,
}

/// Where the parts of a descendant come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum DescendantParts {
    /// Clustered heads.
    Heads {
        /// Ancestor layer of each descendant layer.
        source_layers: Vec<usize>,
        /// For each layer and head: which cluster (in priority order) it starts from.
        sources: Vec<Vec<HeadSource>>,
    },
    /// Whole layers, from the input on.
    Layers(Vec<LayerSource>),
    /// Layers that are read off the stored ones.
    Tied {
        /// How.
        tying: Tying,
        /// Layers.
        layers: usize,
    },
}

/// Where a whole layer of a descendant comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerSource {
    /// Its name in the descendant, e.g. `blocks.3`.
    pub name: String,
    /// Layer of the ancestor; `None` = random numbers.
    pub source: Option<usize>,
    /// Its parameters.
    pub parameters: u64,
}
