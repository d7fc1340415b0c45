//! What Cluster-Learngene measures and clusters.

use serde::{Deserialize, Serialize};

use crate::cluster::Clusters;
pub use crate::cluster::{ClusterSettings, FfnMatching, HeadCluster};

/// How heads are measured.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MeasureSettings {
    /// How many training pictures (evenly over the classes).
    pub pictures: usize,
    /// Divide each row by its sum over patches (off in the paper's definition).
    pub renormalise: bool,
}

impl Default for MeasureSettings {
    fn default() -> Self {
        Self { pictures: 8, renormalise: false }
    }
}

/// What was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeadsReport {
    /// Mean attention distance, px, `[layer][head]`.
    pub distance: Vec<Vec<f32>>,
    /// Standard deviation of the distance over the pictures, px, `[layer][head]`.
    pub deviation: Vec<Vec<f32>>,
    /// Mean attention entropy, nats, `[layer][head]`.
    pub entropy: Vec<Vec<f32>>,
    /// The measured pictures as `data:` URLs.
    pub pictures: Vec<String>,
    /// Side of the picture, px (the largest possible distance is its diagonal).
    pub image_size: usize,
    /// What it took, s.
    pub seconds: f64,
}

/// The clusters of all layers and what the learngene keeps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClusterReport {
    /// The settings that gave it.
    pub settings: ClusterSettings,
    /// Clusters of each layer in priority order.
    pub layers: Vec<Vec<HeadCluster>>,
    /// Runs of adjacent layers that share the first one's feed-forward network; layers alone are not listed.
    pub ffn_groups: Vec<Vec<usize>>,
    /// Heads kept.
    pub kept_heads: usize,
    /// Heads in all.
    pub total_heads: usize,
    /// Feed-forward networks kept.
    pub kept_ffns: usize,
    /// Parameters the learngene stores, without the classifier.
    pub stored_parameters: u64,
    /// Parameters of the ancestor, without the classifier.
    pub ancestor_parameters: u64,
}

impl ClusterReport {
    /// The clusters alone.
    pub fn clusters(&self) -> Clusters {
        Clusters { layers: self.layers.clone(), ffn_groups: self.ffn_groups.clone() }
    }
}

/// Attention of one head.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AttentionMap {
    /// Layer.
    pub layer: usize,
    /// Head.
    pub head: usize,
    /// Picture it was computed on (index into [`HeadsReport::pictures`]).
    pub picture: usize,
    /// Patches along one side.
    pub grid: usize,
    /// Mean attention each patch receives from all patches, `[grid * grid]`, sums to at most 1.
    pub received: Vec<f32>,
    /// Attention of the CLS token, `[grid * grid]`; empty when the model has none.
    pub from_cls: Vec<f32>,
    /// One patch, counted row by row from 0.
    pub patch: usize,
    /// Its attention, `[grid * grid]`.
    pub from_patch: Vec<f32>,
    /// How far it looks, px; the mean over patches and pictures is the head's distance.
    pub patch_distance: f32,
}
