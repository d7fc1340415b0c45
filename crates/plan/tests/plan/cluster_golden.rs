//! The published distances of DeiT-B with the clusters they must give.
//!
//! `tests/fixtures/deit_b_attention_distance.json`: data of the paper's authors (printed in their notebook), with
//! the clusters that eps = 10 px gives.

use heirloom_plan::cluster::density::{Neighbours, density_groups};
use heirloom_plan::cluster::{ClusterSettings, Clusters, FfnMatching};
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    image_size: usize,
    eps: f32,
    distance: Vec<Vec<f32>>,
    centroids: Vec<Vec<usize>>,
    sizes: Vec<Vec<usize>>,
    members: Vec<Vec<Vec<usize>>>,
    ffn_groups: Vec<Vec<usize>>,
    kept_heads: usize,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("../../../../tests/fixtures/deit_b_attention_distance.json")).unwrap()
}

#[test]
fn deit_b_gives_the_published_clusters() {
    let golden = golden();
    let settings = ClusterSettings::for_image_size(golden.image_size);
    assert_eq!(settings.eps_ffn, golden.eps);
    let clusters = Clusters::from_distances(&golden.distance, &settings).unwrap();
    for layer in 0..12 {
        let found = &clusters.layers[layer];
        assert_eq!(found.iter().map(|c| c.centroid).collect::<Vec<_>>(), golden.centroids[layer], "layer {layer}");
        assert_eq!(found.iter().map(|c| c.members.len()).collect::<Vec<_>>(), golden.sizes[layer], "layer {layer}");
        assert_eq!(found.iter().map(|c| c.members.clone()).collect::<Vec<_>>(), golden.members[layer], "layer {layer}");
    }
    assert_eq!(clusters.ffn_groups, golden.ffn_groups);
    assert_eq!((clusters.kept_heads(), clusters.total_heads()), (golden.kept_heads, 144));
    assert_eq!(clusters.kept_ffns(), 9);
    assert_eq!([5, 6, 7, 8, 9, 10, 11].map(|layer| clusters.ffn_layer(layer)), [5, 6, 6, 8, 9, 9, 9]);
}

#[test]
fn strict_matching_of_deit_b_merges_only_layers_with_as_many_centroids() {
    let golden = golden();
    let groups = |eps_ffn| {
        let usual = ClusterSettings::for_image_size(224);
        let settings = ClusterSettings { matching: FfnMatching::Strict, eps_ffn, ..usual };
        let clusters = Clusters::from_distances(&golden.distance, &settings).unwrap();
        // Only layers 5 to 8 have as many centroids as a neighbour; layers 9 and 11 have one, layer 10 has two.
        let counts: Vec<usize> = clusters.layers.iter().map(Vec::len).collect();
        assert_eq!(counts, [5, 3, 4, 6, 5, 4, 4, 4, 4, 1, 2, 1]);
        clusters.ffn_groups
    };
    // Their centroids in priority order differ by 18.7, 29.6 and 41.8 px in the mean.
    assert!(groups(golden.eps).is_empty());
    assert_eq!(groups(25.0), [vec![5, 6]]);
    assert_eq!(groups(35.0), [vec![5, 6, 7]]);
    assert_eq!(groups(1000.0), [vec![5, 6, 7, 8]], "however near, no others match one to one");
}

#[test]
fn with_one_head_per_core_density_groups_are_the_runs_between_large_gaps() {
    for distance in golden().distance {
        for eps in [0.0, 1.0, 10.0, 100.0] {
            let mut order: Vec<usize> = (0..distance.len()).collect();
            order.sort_by(|&a, &b| distance[a].total_cmp(&distance[b]));
            let mut runs: Vec<Vec<usize>> = Vec::new();
            for &head in &order {
                match runs.last_mut().filter(|run| distance[head] - distance[run[run.len() - 1]] <= eps) {
                    Some(run) => run.push(head),
                    None => runs.push(vec![head]),
                }
            }
            runs.iter_mut().for_each(|run| run.sort_unstable());
            runs.sort();
            let mut groups = density_groups(&Neighbours::from_distances(&distance, eps), 1);
            groups.sort();
            assert_eq!(groups, runs);
        }
    }
}
