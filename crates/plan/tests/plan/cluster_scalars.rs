//! Groups and centroids of a few scalars.

use heirloom_plan::cluster::density::{Neighbours, centroid, density_groups, k_means_groups};
use heirloom_plan::cluster::distance::scaled_eps;
use heirloom_plan::cluster::{ClusterError, ClusterOrder, ClusterSettings, Clusters, FfnMatching, Grouping};

fn groups(distance: &[f32], eps: f32, min_heads: usize) -> Vec<Vec<usize>> {
    density_groups(&Neighbours::from_distances(distance, eps), min_heads)
}

fn settings(eps: f32, eps_ffn: f32) -> ClusterSettings {
    ClusterSettings {
        eps,
        min_heads: 1,
        grouping: Grouping::Density,
        order: ClusterOrder::Priority,
        eps_ffn,
        matching: FfnMatching::Sorted,
    }
}

#[test]
fn a_gap_of_exactly_eps_is_inside() {
    assert_eq!(groups(&[0.0, 10.0, 20.5], 10.0, 1), [vec![0, 1], vec![2]]);
}

#[test]
fn eps_zero_joins_only_equal_heads() {
    assert_eq!(groups(&[3.0, 1.0, 3.0, 2.0], 0.0, 1), [vec![0, 2], vec![1], vec![3]]);
}

#[test]
fn border_heads_join_but_do_not_lead_on() {
    // 2.0 is near 1.0 and 3.0 only; with four heads per core only 0.0 .. 1.0 are core.
    let distance = [0.0, 0.5, 1.0, 0.7, 2.0, 3.0];
    assert_eq!(groups(&distance, 1.0, 4), [vec![0, 1, 2, 3, 4], vec![5]]);
    assert_eq!(groups(&distance, 1.0, 1), [vec![0, 1, 2, 3, 4, 5]]);
}

#[test]
fn a_noise_head_is_a_cluster_of_its_own() {
    assert_eq!(groups(&[50.0, 0.0, 1.0, 2.0, 90.0], 1.0, 2), [vec![1, 2, 3], vec![0], vec![4]]);
    assert_eq!(groups(&[0.0, 1.0], 1.0, 3), [vec![0], vec![1]]);
}

#[test]
fn a_border_head_between_two_groups_joins_the_one_found_first() {
    // Heads 0, 2, 3 (around 2.0) and 4, 5, 6 (around 0.0) are core, head 1 at 1.0 is near one core head of each.
    let distance = [2.0, 1.0, 2.2, 2.1, 0.0, -0.2, -0.1];
    assert_eq!(groups(&distance, 1.0, 4), [vec![0, 1, 2, 3], vec![4, 5, 6]]);
}

#[test]
fn two_member_cluster_breaks_its_tie_by_lowest_head() {
    assert_eq!(centroid(&[0.0, 7.3, 2.9], &[1, 2]), 1);
    assert_eq!(centroid(&[0.0, 2.9, 7.3], &[1, 2]), 1);
}

#[test]
fn a_tie_within_a_thousandth_goes_to_the_lowest_head() {
    assert_eq!(centroid(&[10.0009, 10.0, 8.0, 12.0], &[0, 1, 2, 3]), 0);
    assert_eq!(centroid(&[10.1, 10.0, 8.0, 12.0], &[0, 1, 2, 3]), 1);
}

#[test]
fn eps_grows_with_the_picture() {
    assert_eq!(scaled_eps(224), 10.0);
    assert_eq!(scaled_eps(112), 5.0);
    assert_eq!(scaled_eps(448), 20.0);
}

#[test]
fn orders_rank_the_same_clusters_differently() {
    let distance = vec![vec![80.0, 10.0, 45.0, 46.0, 11.0, 12.0]];
    let centroids = |order| {
        let clusters = Clusters::from_distances(&distance, &ClusterSettings { order, ..settings(5.0, 5.0) }).unwrap();
        clusters.layers[0].iter().map(|cluster| cluster.centroid).collect::<Vec<_>>()
    };
    assert_eq!(centroids(ClusterOrder::Priority), [4, 2, 0]);
    assert_eq!(centroids(ClusterOrder::Original), [0, 4, 2]);
    assert_eq!(centroids(ClusterOrder::Increasing), [4, 2, 0]);
    assert_eq!(centroids(ClusterOrder::Decreasing), [0, 2, 4]);
}

#[test]
fn clusters_of_equal_size_are_ranked_by_their_lowest_member() {
    let clusters = Clusters::from_distances(&[vec![90.0, 50.0, 91.0, 51.0, 10.0]], &settings(2.0, 2.0)).unwrap();
    let members: Vec<Vec<usize>> = clusters.layers[0].iter().map(|cluster| cluster.members.clone()).collect();
    assert_eq!(members, [vec![0, 2], vec![1, 3], vec![4]]);
}

#[test]
fn k_means_finds_the_best_partition() {
    assert_eq!(k_means_groups(&[1.0, 20.0, 2.0, 21.0, 90.0], 3), [vec![4], vec![1, 3], vec![0, 2]]);
    assert_eq!(k_means_groups(&[5.0, 1.0], 7), [vec![0], vec![1]]);
    assert_eq!(k_means_groups(&[5.0, 1.0, 3.0], 1), [vec![0, 1, 2]]);
    // Against every partition of the sorted scalars into three runs.
    let distance = [3.0_f32, 17.0, 8.0, 41.0, 9.5, 22.0, 30.0, 1.0];
    let spread = |members: &[usize]| {
        let mean = members.iter().map(|&m| distance[m]).sum::<f32>() / members.len() as f32;
        members.iter().map(|&m| (distance[m] - mean).powi(2)).sum::<f32>()
    };
    let mut order: Vec<usize> = (0..8).collect();
    order.sort_by(|&a, &b| distance[a].total_cmp(&distance[b]));
    let cuts = (1..7).flat_map(|a| (a + 1..8).map(move |b| (a, b)));
    let costs = cuts.map(|(a, b)| spread(&order[..a]) + spread(&order[a..b]) + spread(&order[b..]));
    let best = costs.fold(f32::INFINITY, f32::min);
    let found: f32 = k_means_groups(&distance, 3).iter().map(|members| spread(members)).sum();
    assert!((found - best).abs() < 1e-3, "found {found}, best {best}");
}

#[test]
fn no_clustering_keeps_every_head() {
    let none = ClusterSettings { grouping: Grouping::Single, ..settings(0.0, 0.0) };
    let clusters = Clusters::from_distances(&[vec![1.0, 1.0, 1.0]], &none).unwrap();
    assert_eq!(clusters.kept_heads(), 3);
    assert!(clusters.ffn_groups.is_empty());
}

#[test]
fn ffns_of_agreeing_layers_chain_and_the_limit_itself_is_outside() {
    let layer = |d: f32| vec![d, d + 1.0];
    let distance = [layer(10.0), layer(14.0), layer(18.0), layer(23.0)];
    let clusters = Clusters::from_distances(&distance, &settings(2.0, 5.0)).unwrap();
    assert_eq!(clusters.ffn_groups, [vec![0, 1, 2]]);
    assert_eq!(clusters.kept_ffns(), 2);
    assert!(Clusters::from_distances(&distance, &settings(2.0, 0.0)).unwrap().ffn_groups.is_empty());
}

#[test]
fn sorted_matching_keeps_singletons_where_a_layer_has_nothing_else() {
    let groups = |layers: [&[f32]; 2]| {
        Clusters::from_distances(&layers.map(<[f32]>::to_vec), &settings(2.0, 5.0)).unwrap().ffn_groups
    };
    // Layer 0 has only singletons, so layer 1 keeps its singleton too, and both have two centroids, 1 px apart.
    assert_eq!(groups([&[10.0, 40.0], &[11.0, 41.0, 41.5]]), [vec![0, 1]]);
    assert!(groups([&[10.0, 40.0, 70.0], &[11.0, 41.0, 41.5]]).is_empty(), "three centroids and two");
    // Where both have clusters, singletons count for nothing: 40 and 41 are left.
    assert_eq!(groups([&[10.0, 40.0, 40.5], &[41.0, 41.5, 90.0]]), [vec![0, 1]]);
}

#[test]
fn tables_of_a_device_give_the_same_clusters() {
    let distance = vec![vec![10.0, 3.0, 12.0, 50.0], vec![1.0, 2.0, 3.0, 4.0]];
    let settings = settings(2.5, 2.5);
    let tables: Vec<Neighbours> = distance.iter().map(|layer| Neighbours::from_distances(layer, 2.5)).collect();
    assert_eq!(
        Clusters::from_neighbours(&distance, &tables, &settings),
        Clusters::from_distances(&distance, &settings)
    );
    let error = Clusters::from_neighbours(&distance, &tables[..1], &settings).unwrap_err();
    assert_eq!(error, ClusterError::Neighbours { found: "[4]".into(), expected: "[4, 4]".into() });
    assert!(Neighbours::from_table(vec![true; 5]).is_none());
}

#[test]
fn bad_settings_and_bad_distances_are_refused_with_the_place() {
    let good = [vec![1.0, 2.0]];
    assert!(matches!(
        Clusters::from_distances(&good, &settings(-1.0, 1.0)),
        Err(ClusterError::Threshold { name: "eps", .. })
    ));
    assert!(matches!(
        Clusters::from_distances(&good, &settings(1.0, f32::NAN)),
        Err(ClusterError::Threshold { name: "eps_ffn", .. })
    ));
    assert!(matches!(Clusters::from_distances(&[], &settings(1.0, 1.0)), Err(ClusterError::NoHeads { layer: 0 })));
    let error = Clusters::from_distances(&[vec![1.0], vec![0.0, f32::NAN]], &settings(1.0, 1.0)).unwrap_err();
    assert!(error.to_string().starts_with("the distance of head `1` in layer `1` is `NaN`"), "{error}");
    let zero = ClusterSettings { eps: 1.0, min_heads: 0, ..settings(1.0, 1.0) };
    assert_eq!(Clusters::from_distances(&good, &zero), Err(ClusterError::Zero { name: "min_heads" }));
}
