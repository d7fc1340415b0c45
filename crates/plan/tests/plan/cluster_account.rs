//! Parameters of learngenes.

use heirloom_plan::cluster::{
    Clusters, CopyScale, DepthChoice, ExpansionPlan, ExpansionSettings, HeadCluster, learngene_parameters,
    taken_parameters, whole_layers_parameters,
};
use heirloom_plan::config::{Pool, VitConfig};

pub fn deit(embed_dim: usize, num_heads: usize) -> VitConfig {
    VitConfig {
        image_size: 224,
        patch_size: 16,
        channels: 3,
        embed_dim,
        depth: 12,
        num_heads,
        head_dim: 64,
        mlp_dim: 4 * embed_dim,
        qkv_bias: true,
        qk_norm: false,
        layer_scale: false,
        cls_token: true,
        distilled: false,
        register_tokens: 0,
        pos_embed_prefix: true,
        pool: Pool::Cls,
        options: Default::default(),
        norm_eps: 1e-6,
        classes: Some(1000),
    }
}

/// Clusters that keep so many heads of each layer and merge the feed-forward networks of the last layers.
fn keeping(heads: &[usize], merged_ffns: usize) -> Clusters {
    let cluster = |head| HeadCluster { centroid: head, members: vec![head] };
    let layers: Vec<Vec<HeadCluster>> = heads.iter().map(|&count| (0..count).map(cluster).collect()).collect();
    let depth = layers.len();
    let ffn_groups = if merged_ffns == 0 { Vec::new() } else { vec![(depth - 1 - merged_ffns..depth).collect()] };
    Clusters { layers, ffn_groups }
}

#[test]
fn deit_s_with_30_heads_and_10_ffns_stores_15_165_696_parameters() {
    let clusters = keeping(&[6, 4, 4, 3, 3, 2, 2, 2, 1, 1, 1, 1], 2);
    assert_eq!((clusters.kept_heads(), clusters.kept_ffns()), (30, 10));
    assert_eq!(learngene_parameters(&deit(384, 6), &clusters), 15_165_696);
}

#[test]
fn ten_whole_deit_s_layers_hold_18_116_736_parameters() {
    assert_eq!(whole_layers_parameters(&deit(384, 6), 10), 18_116_736);
}

#[test]
fn biases_of_attention_are_counted_when_the_ancestor_has_them() {
    // The published counts without qkv and projection biases differ by 30 heads' qkv bias; the projection's bias is
    // part of every ancestor here, 12 layers of 384.
    let ancestor = VitConfig { qkv_bias: false, ..deit(384, 6) };
    let clusters = keeping(&[6, 4, 4, 3, 3, 2, 2, 2, 1, 1, 1, 1], 2);
    assert_eq!(learngene_parameters(&ancestor, &clusters) - 12 * 384, 15_155_328);
    assert_eq!(whole_layers_parameters(&ancestor, 10) - 10 * 384, 18_101_376);
}

#[test]
fn deit_ti_and_deit_b_come_near_the_rounded_counts() {
    let tiny = learngene_parameters(&deit(192, 3), &keeping(&[3, 3, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2], 2));
    assert_eq!(tiny / 10_000, 448);
    let base = learngene_parameters(&deit(768, 12), &keeping(&[5, 3, 4, 6, 5, 4, 4, 4, 4, 1, 2, 1], 3));
    assert_eq!(base / 100_000, 517);
}

#[test]
fn everything_kept_is_the_ancestor_without_its_classifiers() {
    let ancestor = VitConfig {
        layer_scale: true,
        qk_norm: true,
        register_tokens: 4,
        distilled: true,
        pool: Pool::Avg,
        options: Default::default(),
        ..deit(192, 3)
    };
    let heads = 2 * (1000 * 192 + 1000);
    let all = keeping(&[3; 12], 0);
    assert_eq!(learngene_parameters(&ancestor, &all), ancestor.parameters() - heads);
    assert_eq!(whole_layers_parameters(&ancestor, 12), ancestor.parameters() - heads);
}

fn taken(clusters: &Clusters, heads: usize, layers: usize, depth: DepthChoice) -> u64 {
    let settings = ExpansionSettings { heads, layers, depth, copy_scale: CopyScale::Share, ffn_maps: true };
    taken_parameters(&deit(384, 6), &ExpansionPlan::from_clusters(clusters, &settings).unwrap())
}

#[test]
fn a_descendant_takes_only_the_heads_layers_and_networks_that_it_starts_from() {
    let clusters = keeping(&[6, 4, 4, 3, 3, 2, 2, 2, 1, 1, 1, 1], 2);
    assert_eq!(taken(&clusters, 6, 12, DepthChoice::First), 15_165_696, "all of it");
    // Of a head 3 × 64 rows of 384 with their biases, and 384 × 64 columns; 30 heads, of which 26 and 20 are left.
    let head = 3 * 64 * 384 + 3 * 64 + 384 * 64;
    let four = taken(&clusters, 4, 12, DepthChoice::First);
    assert_eq!(15_165_696 - four, 2 * head, "the first layer's last two");
    let two = taken(&clusters, 2, 12, DepthChoice::First);
    assert_eq!(four - two, (3 * 2 + 2) * head);
    // Six layers: heads, norms and networks of the others stay behind.
    let networks = 2 * 384 * 1536 + 1536 + 384;
    let layer = 5 * 384;
    let six = taken(&clusters, 6, 6, DepthChoice::First);
    assert_eq!(15_165_696 - six, 8 * head + 4 * networks + 6 * layer);
    // Layers 0, 2, … 10: the last one's network is that of layer 9, whose norms and heads are not taken.
    let even = taken(&clusters, 6, 6, DepthChoice::Even);
    assert_eq!(15_165_696 - even, (4 + 3 + 2 + 2 + 1 + 1) * head + 4 * networks + 6 * layer);
}
