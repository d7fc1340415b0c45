//! Plans of descendants.

use crate::cluster_account::deit;
use heirloom_plan::cluster::expand::sharing_map;
use heirloom_plan::cluster::{
    Clusters, CopyScale, DepthChoice, ExpandError, ExpansionPlan, ExpansionSettings, FfnGroup, HeadCluster,
    descendant_config,
};

fn settings(heads: usize, layers: usize) -> ExpansionSettings {
    ExpansionSettings { heads, layers, depth: DepthChoice::First, copy_scale: CopyScale::Members, ffn_maps: true }
}

/// Four layers; clusters of sizes 3, 2, 1 with centroids 4, 0, 5 everywhere; layers 1, 2, 3 share a network.
fn clusters() -> Clusters {
    let layer = vec![
        HeadCluster { centroid: 4, members: vec![1, 3, 4] },
        HeadCluster { centroid: 0, members: vec![0, 2] },
        HeadCluster { centroid: 5, members: vec![5] },
    ];
    Clusters { layers: vec![layer; 4], ffn_groups: vec![vec![1, 2, 3]] }
}

#[test]
fn eight_heads_from_five_clusters_wrap_around() {
    assert_eq!(sharing_map(5, 8), [0, 1, 2, 3, 4, 0, 1, 2]);
}

#[test]
fn heads_are_shared_in_priority_order_and_scaled_by_members_over_copies() {
    let plan = ExpansionPlan::from_clusters(&clusters(), &settings(4, 4)).unwrap();
    let heads = &plan.layers[2].heads;
    assert_eq!(heads.iter().map(|s| s.cluster).collect::<Vec<_>>(), [0, 1, 2, 0]);
    assert_eq!(heads.iter().map(|s| s.head).collect::<Vec<_>>(), [4, 0, 5, 4]);
    assert_eq!(heads.iter().map(|s| s.members).collect::<Vec<_>>(), [3, 2, 1, 3]);
    assert_eq!(heads.iter().map(|s| s.scale).collect::<Vec<_>>(), [1.5, 2.0, 1.0, 1.5]);
    let literal = ExpansionSettings { copy_scale: CopyScale::Literal, ..settings(4, 4) };
    let plan = ExpansionPlan::from_clusters(&clusters(), &literal).unwrap();
    assert!(plan.layers.iter().flat_map(|layer| &layer.heads).all(|source| source.scale == 1.0));
}

#[test]
fn fewer_heads_than_clusters_keep_the_largest() {
    let plan = ExpansionPlan::from_clusters(&clusters(), &settings(2, 1)).unwrap();
    assert_eq!(plan.layers[0].heads.iter().map(|s| s.members).collect::<Vec<_>>(), [3, 2]);
}

#[test]
fn depth_is_the_first_layers_or_evenly_spaced_ones() {
    let source = |depth, layers| {
        let plan =
            ExpansionPlan::from_clusters(&clusters(), &ExpansionSettings { depth, ..settings(3, layers) }).unwrap();
        plan.layers.iter().map(|layer| layer.source_layer).collect::<Vec<_>>()
    };
    assert_eq!(source(DepthChoice::First, 2), [0, 1]);
    assert_eq!(source(DepthChoice::Even, 2), [0, 2]);
    assert_eq!(source(DepthChoice::Even, 3), [0, 1, 2]);
    assert_eq!(source(DepthChoice::Even, 4), [0, 1, 2, 3]);
}

#[test]
fn layers_of_a_group_start_from_the_network_it_kept() {
    let plan = ExpansionPlan::from_clusters(&clusters(), &settings(3, 4)).unwrap();
    assert_eq!(plan.layers.iter().map(|layer| layer.ffn_layer).collect::<Vec<_>>(), [0, 1, 1, 1]);
    assert_eq!(plan.ffn_groups, [FfnGroup { ffn_layer: 1, layers: vec![1, 2, 3] }]);
    assert_eq!(plan.ffn_group_of(3).map(|(group, at)| (group.ffn_layer, at)), Some((1, 2)));
    assert_eq!(plan.ffn_group_of(0), None);
    // Evenly spaced, layer 2 of the ancestor is alone of its group: no map, and still the kept network.
    let even = ExpansionSettings { depth: DepthChoice::Even, ..settings(3, 2) };
    let plan = ExpansionPlan::from_clusters(&clusters(), &even).unwrap();
    assert_eq!((plan.layers[1].source_layer, plan.layers[1].ffn_layer), (2, 1));
    assert!(plan.ffn_groups.is_empty());
    let off = ExpansionSettings { ffn_maps: false, ..settings(3, 4) };
    let plan = ExpansionPlan::from_clusters(&clusters(), &off).unwrap();
    assert!(plan.ffn_groups.is_empty());
    assert_eq!(plan.layers[3].ffn_layer, 1);
}

#[test]
fn impossible_descendants_are_refused() {
    let error = |heads, layers| ExpansionPlan::from_clusters(&clusters(), &settings(heads, layers)).unwrap_err();
    assert_eq!(error(0, 2), ExpandError::Zero { name: "heads" });
    assert_eq!(error(2, 0), ExpandError::Zero { name: "layers" });
    let text = error(2, 5).to_string();
    assert_eq!(text, "the descendant has `5` layers, the ancestor `4`: choose at most `4`");
}

#[test]
fn the_descendant_keeps_width_and_head_size() {
    let plan = ExpansionPlan::from_clusters(&clusters(), &settings(4, 3)).unwrap();
    let ancestor = deit(384, 6);
    let config = descendant_config(&ancestor, &plan, 5, 112).unwrap();
    assert_eq!((config.depth, config.num_heads, config.classes, config.image_size), (3, 4, Some(5), 112));
    assert_eq!((config.embed_dim, config.head_dim, config.mlp_dim, config.attention_dim()), (384, 64, 1536, 256));
    assert_eq!(descendant_config(&ancestor, &plan, 0, 112), Err(ExpandError::Zero { name: "classes" }));
    let odd = ExpandError::ImageSize { image_size: 100, patch_size: 16 };
    assert_eq!(descendant_config(&ancestor, &plan, 5, 100), Err(odd));
    // Three layers with head 5 at most, and an ancestor of three heads.
    let other = ExpandError::OtherAncestor { found: "at least 3 × 6".into(), expected: "12 × 3".into() };
    assert_eq!(descendant_config(&deit(192, 3), &plan, 5, 112), Err(other));
}

#[test]
fn scales_of_copies_are_read_as_earlier_versions_wrote_them() {
    use heirloom_plan::protocol::DescendantSettings;
    use heirloom_plan::settings::Settings;
    let saved = |scale: &str| {
        let text = format!(
            r#"{{"heads":3,"layers":2,"image_size":64,"depth":"First","scale_projection":{scale},"ffn_maps":true}}"#
        );
        serde_json::from_str::<DescendantSettings>(&text).map(|settings| (settings.copy_scale, settings.compensate))
    };
    // Whoever kept a project before copies were fitted gets it as it was.
    assert_eq!(saved("true").unwrap(), (CopyScale::Members, false));
    assert_eq!(saved("false").unwrap(), (CopyScale::Literal, false));
    assert_eq!(saved(r#""share""#).unwrap(), (CopyScale::Share, false));
    assert!(saved(r#""half""#).unwrap_err().to_string().contains("`half` is no scale of copies"));
    for scale in CopyScale::ALL {
        let text = serde_json::to_string(&scale).unwrap();
        assert_eq!(serde_json::from_str::<CopyScale>(&text).unwrap(), scale);
        assert_eq!(Settings::from_fragment(&format!("#scale={}", scale.name())).copy_scale, scale);
    }
    assert_eq!(Settings::from_fragment("#scale=0").copy_scale, CopyScale::Literal);
    assert_eq!(Settings::from_fragment("#scale=1").copy_scale, CopyScale::Members);
}

#[test]
fn copies_write_together_what_their_scale_says() {
    let cluster = |members: &[usize]| HeadCluster { centroid: members[0], members: members.to_vec() };
    let clusters =
        Clusters { layers: vec![vec![cluster(&[0, 2, 4]), cluster(&[1]), cluster(&[3])]], ffn_groups: Vec::new() };
    for (copy_scale, expected) in
        [(CopyScale::Share, [1.0; 3]), (CopyScale::Members, [3.0, 1.0, 1.0]), (CopyScale::Literal, [3.0, 2.0, 2.0])]
    {
        let settings = ExpansionSettings { copy_scale, ..settings(7, 1) };
        let plan = ExpansionPlan::from_clusters(&clusters, &settings).unwrap();
        let together = |cluster: usize| -> f32 {
            plan.layers[0].heads.iter().filter(|source| source.cluster == cluster).map(|source| source.scale).sum()
        };
        let found = [0, 1, 2].map(together);
        assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{copy_scale:?}: {found:?}");
    }
}
