//! What the method measures, clusters and plans.

use serde::{Deserialize, Serialize};

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

/// How heads are clustered (Cluster-Learngene, sections 1.2 and 1.3 of the method notes).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClusterSettings {
    /// Largest gap inside a cluster, px, at the ancestor's image size.
    pub eps: f32,
    /// Heads that make a core point.
    pub min_heads: usize,
    /// Largest mean difference of matched centroids for layers to share a feed-forward network, px.
    pub eps_ffn: f32,
    /// How centroids of adjacent layers are matched.
    pub matching: FfnMatching,
}

/// How centroids of two adjacent layers are matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FfnMatching {
    /// Without singleton clusters, sorted by distance.
    Sorted,
    /// All centroids, in priority order.
    Strict,
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

/// One cluster of heads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeadCluster {
    /// Head that stands for the cluster.
    pub centroid: usize,
    /// All heads of the cluster, ascending.
    pub members: Vec<usize>,
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
}

/// What the descendant is to look like.
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
    /// Scale the output projection by members / copies.
    pub scale_projection: bool,
    /// Let layers of one group start from the shared feed-forward network through a learnable map.
    pub ffn_maps: bool,
}

/// Which ancestor layers a shallower descendant takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DepthChoice {
    /// The first ones.
    First,
    /// Evenly spaced ones.
    Even,
}

/// The descendant as planned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DescendantSummary {
    /// The settings that gave it.
    pub settings: DescendantSettings,
    /// Ancestor layer of each descendant layer.
    pub source_layers: Vec<usize>,
    /// For each layer and head: which cluster (in priority order) it starts from.
    pub sources: Vec<Vec<HeadSource>>,
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

/// Where a descendant's head comes from.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeadSource {
    /// Cluster in priority order.
    pub cluster: usize,
    /// Head of the ancestor layer.
    pub head: usize,
    /// Members of that cluster (darker = larger).
    pub members: usize,
}
