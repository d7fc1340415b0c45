//! All clusters of an ancestor, and what the learngene keeps.

use serde::{Deserialize, Serialize};

use super::density::{Neighbours, centroid, density_groups, k_means_groups};
use super::distance::scaled_eps;
use super::ffn::{FfnMatching, ffn_groups};

/// How heads of a layer become clusters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Grouping {
    /// DBSCAN by [`ClusterSettings::eps`] and [`ClusterSettings::min_heads`], the paper's way.
    #[default]
    Density,
    /// A fixed number of clusters per layer (a comparison).
    KMeans {
        /// Clusters per layer.
        clusters: usize,
    },
    /// Every head a cluster of its own (a comparison).
    Single,
}

/// In which order the clusters of a layer are shared out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClusterOrder {
    /// Largest first, equal sizes by their lowest member: the paper's priority.
    #[default]
    Priority,
    /// By lowest member.
    Original,
    /// By the centroid's distance, nearest first.
    Increasing,
    /// By the centroid's distance, farthest first.
    Decreasing,
}

/// How an ancestor's heads and feed-forward networks are clustered (docs/methods.md, sections 1.2 and 1.3).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClusterSettings {
    /// Largest distance between neighbours, px at the ancestor's image size.
    pub eps: f32,
    /// Neighbours, itself included, that make a head a core head.
    pub min_heads: usize,
    /// Largest (exclusive) mean difference of matched centroids for two layers to share a feed-forward network, px.
    pub eps_ffn: f32,
    /// How centroids of adjacent layers are matched.
    pub matching: FfnMatching,
    /// How heads become clusters.
    #[serde(default)]
    pub grouping: Grouping,
    /// In which order clusters are shared out.
    #[serde(default)]
    pub order: ClusterOrder,
}

impl ClusterSettings {
    /// The paper's settings for pictures of a size.
    pub fn for_image_size(image_size: usize) -> Self {
        let eps = scaled_eps(image_size);
        Self {
            eps,
            min_heads: 1,
            eps_ffn: eps,
            matching: FfnMatching::Sorted,
            grouping: Grouping::Density,
            order: ClusterOrder::Priority,
        }
    }
}

/// Why heads cannot be clustered.
#[derive(Clone, Debug, PartialEq, thiserror::Error, serde::Serialize)]
pub enum ClusterError {
    /// A layer without heads, or no layer.
    #[error("no head was measured in layer `{layer}`: measure the heads first")]
    NoHeads {
        /// The layer, 0-based.
        layer: usize,
    },
    /// A distance that is no number.
    #[error(
        "the distance of head `{head}` in layer `{layer}` is `{value}`, expected a number: the weights may be damaged"
    )]
    NotFinite {
        /// The layer, 0-based.
        layer: usize,
        /// The head, 0-based.
        head: usize,
        /// What was found.
        value: f32,
    },
    /// A threshold below zero or no number.
    #[error("`{name}` is `{value}`, expected a number of pixels, 0 or more")]
    Threshold {
        /// Which threshold.
        name: &'static str,
        /// What was found.
        value: f32,
    },
    /// A count of zero.
    #[error("`{name}` is 0, expected at least 1")]
    Zero {
        /// Which count.
        name: &'static str,
    },
    /// Neighbour tables that do not fit the distances.
    #[error("found neighbour tables for `{found}`, expected `{expected}` (layers and heads of the measured distances)")]
    Neighbours {
        /// Layers and heads of the tables.
        found: String,
        /// Layers and heads of the distances.
        expected: String,
    },
}

/// One cluster of heads of a layer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeadCluster {
    /// Head that stands for the cluster; always a member, never an average of weights.
    pub centroid: usize,
    /// All heads of the cluster, ascending.
    pub members: Vec<usize>,
}

/// The clusters of all layers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clusters {
    /// Clusters of each layer in the chosen order.
    pub layers: Vec<Vec<HeadCluster>>,
    /// Runs of at least two adjacent layers that share the first one's feed-forward network, ascending.
    pub ffn_groups: Vec<Vec<usize>>,
}

impl Clusters {
    /// Clusters mean attention distances `[layer][head]`, px.
    ///
    /// # Errors
    /// When a layer has no heads, a distance is no number, or a setting is out of range.
    pub fn from_distances(distance: &[Vec<f32>], settings: &ClusterSettings) -> Result<Self, ClusterError> {
        check(distance, settings)?;
        let groups = |layer: &Vec<f32>| match settings.grouping {
            Grouping::Density => density_groups(&Neighbours::from_distances(layer, settings.eps), settings.min_heads),
            Grouping::KMeans { clusters } => k_means_groups(layer, clusters),
            Grouping::Single => (0..layer.len()).map(|head| vec![head]).collect(),
        };
        Ok(Self::from_groups(distance, distance.iter().map(groups).collect(), settings))
    }

    /// As [`Clusters::from_distances`] with [`Grouping::Density`], from neighbour tables that a device computed for `eps`.
    ///
    /// # Errors
    /// As [`Clusters::from_distances`], and when the tables do not fit the distances.
    pub fn from_neighbours(
        distance: &[Vec<f32>],
        neighbours: &[Neighbours],
        settings: &ClusterSettings,
    ) -> Result<Self, ClusterError> {
        check(distance, settings)?;
        let expected: Vec<usize> = distance.iter().map(Vec::len).collect();
        let found: Vec<usize> = neighbours.iter().map(Neighbours::heads).collect();
        if found != expected {
            return Err(ClusterError::Neighbours { found: format!("{found:?}"), expected: format!("{expected:?}") });
        }
        if settings.grouping != Grouping::Density {
            return Self::from_distances(distance, settings);
        }
        let groups = neighbours.iter().map(|table| density_groups(table, settings.min_heads)).collect();
        Ok(Self::from_groups(distance, groups, settings))
    }

    fn from_groups(distance: &[Vec<f32>], groups: Vec<Vec<Vec<usize>>>, settings: &ClusterSettings) -> Self {
        let mut layers: Vec<Vec<HeadCluster>> = groups
            .into_iter()
            .zip(distance)
            .map(|(groups, distance)| {
                let cluster = |members: Vec<usize>| HeadCluster { centroid: centroid(distance, &members), members };
                let mut clusters: Vec<HeadCluster> = groups.into_iter().map(cluster).collect();
                sort_clusters(&mut clusters, ClusterOrder::Priority, distance);
                clusters
            })
            .collect();
        // Strict matching is by priority, whatever order the heads are shared out in.
        let ffn_groups = ffn_groups(distance, &layers, settings.eps_ffn, settings.matching);
        for (clusters, distance) in layers.iter_mut().zip(distance) {
            sort_clusters(clusters, settings.order, distance);
        }
        Self { layers, ffn_groups }
    }

    /// Heads the learngene keeps: one per cluster.
    pub fn kept_heads(&self) -> usize {
        self.layers.iter().map(Vec::len).sum()
    }

    /// Heads of the ancestor.
    pub fn total_heads(&self) -> usize {
        self.layers.iter().flatten().map(|cluster| cluster.members.len()).sum()
    }

    /// Feed-forward networks the learngene keeps.
    pub fn kept_ffns(&self) -> usize {
        self.layers.len() - self.ffn_groups.iter().map(|group| group.len() - 1).sum::<usize>()
    }

    /// The layer whose feed-forward network a layer uses: the first of its group, or itself.
    pub fn ffn_layer(&self, layer: usize) -> usize {
        self.ffn_groups.iter().find(|group| group.contains(&layer)).map_or(layer, |group| group[0])
    }
}

fn sort_clusters(clusters: &mut [HeadCluster], order: ClusterOrder, distance: &[f32]) {
    let lowest = |cluster: &HeadCluster| cluster.members.first().copied();
    let reach = |cluster: &HeadCluster| distance[cluster.centroid];
    clusters.sort_by(|a, b| {
        let by_order = match order {
            ClusterOrder::Priority => b.members.len().cmp(&a.members.len()),
            ClusterOrder::Original => std::cmp::Ordering::Equal,
            ClusterOrder::Increasing => reach(a).total_cmp(&reach(b)),
            ClusterOrder::Decreasing => reach(b).total_cmp(&reach(a)),
        };
        by_order.then_with(|| lowest(a).cmp(&lowest(b)))
    });
}

fn check(distance: &[Vec<f32>], settings: &ClusterSettings) -> Result<(), ClusterError> {
    match settings.grouping {
        Grouping::Density => {
            check_threshold("eps", settings.eps)?;
            if settings.min_heads == 0 {
                return Err(ClusterError::Zero { name: "min_heads" });
            }
        }
        Grouping::KMeans { clusters: 0 } => return Err(ClusterError::Zero { name: "clusters" }),
        Grouping::KMeans { .. } | Grouping::Single => {}
    }
    check_threshold("eps_ffn", settings.eps_ffn)?;
    if distance.is_empty() {
        return Err(ClusterError::NoHeads { layer: 0 });
    }
    for (layer, heads) in distance.iter().enumerate() {
        if heads.is_empty() {
            return Err(ClusterError::NoHeads { layer });
        }
        if let Some((head, &value)) = heads.iter().enumerate().find(|(_, value)| !value.is_finite()) {
            return Err(ClusterError::NotFinite { layer, head, value });
        }
    }
    Ok(())
}

fn check_threshold(name: &'static str, value: f32) -> Result<(), ClusterError> {
    if value.is_finite() && value >= 0.0 { Ok(()) } else { Err(ClusterError::Threshold { name, value }) }
}
