//! Which adjacent layers share a feed-forward network (docs/methods.md, section 1.3).

use serde::{Deserialize, Serialize};

use super::HeadCluster;

/// How centroids of two adjacent layers are matched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum FfnMatching {
    /// Without singleton clusters where both layers keep a cluster without them, sorted by distance. This reproduces
    /// the published merges.
    #[default]
    Sorted,
    /// All centroids, in priority order.
    Strict,
}

/// Runs of adjacent layers that share the first one's feed-forward network; layers alone are not listed.
///
/// `distance` is `[layer][head]` in px, `layers` the clusters of each layer in priority order. Two layers agree when as
/// many centroids are matched in both and the mean difference of their distances is below `eps_ffn`.
pub fn ffn_groups(
    distance: &[Vec<f32>],
    layers: &[Vec<HeadCluster>],
    eps_ffn: f32,
    matching: FfnMatching,
) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for layer in 1..layers.len() {
        let (above, below) = match matching {
            FfnMatching::Strict => {
                (reach(&distance[layer - 1], &layers[layer - 1]), reach(&distance[layer], &layers[layer]))
            }
            FfnMatching::Sorted => sorted_pair(distance, layers, layer),
        };
        if above.len() != below.len() || mean_difference(&above, &below) >= f64::from(eps_ffn) {
            continue;
        }
        match groups.last_mut().filter(|group| group.last() == Some(&(layer - 1))) {
            Some(group) => group.push(layer),
            None => groups.push(vec![layer - 1, layer]),
        }
    }
    groups
}

/// Distances of the centroids of layers `layer - 1` and `layer`, ascending, as [`FfnMatching::Sorted`] matches them.
fn sorted_pair(distance: &[Vec<f32>], layers: &[Vec<HeadCluster>], layer: usize) -> (Vec<f32>, Vec<f32>) {
    let is_shared = |cluster: &HeadCluster| cluster.members.len() > 1;
    let drop_singletons = layers[layer - 1..=layer].iter().all(|clusters| clusters.iter().any(is_shared));
    let pick = |layer: usize| {
        let kept: Vec<HeadCluster> =
            layers[layer].iter().filter(|cluster| !drop_singletons || is_shared(cluster)).cloned().collect();
        let mut reach = reach(&distance[layer], &kept);
        reach.sort_by(f32::total_cmp);
        reach
    };
    (pick(layer - 1), pick(layer))
}

fn reach(distance: &[f32], clusters: &[HeadCluster]) -> Vec<f32> {
    clusters.iter().map(|cluster| distance[cluster.centroid]).collect()
}

fn mean_difference(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from((a - b).abs())).sum::<f64>() / a.len() as f64
}
