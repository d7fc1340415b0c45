//! The exact checks of expansion: what a descendant computes before it is trained.
use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor, TensorData};
use heirloom_learngene::cluster::{
    ClusterOrder, ClusterSettings, Clusters, CopyScale, DepthChoice, ExpansionPlan, ExpansionSettings, FfnMatching,
    Grouping, HeadCluster, Inherited, cluster_measured,
};
use heirloom_learngene::{Initializer, Scratch};
use heirloom_nn::device::{read, uniform};
use heirloom_nn::vit::{Hooks, HostTensor, Pool, RandomWeights, Vit, VitConfig};
use heirloom_plan::resample::resample_pos_embed;

use crate::support::assert_close;

/// Width 64, 17 tokens, 4 heads of 8 channels (not `embed_dim` together), 3 layers.
pub fn small() -> VitConfig {
    VitConfig {
        image_size: 16,
        patch_size: 4,
        channels: 3,
        embed_dim: 64,
        depth: 3,
        num_heads: 4,
        head_dim: 8,
        mlp_dim: 96,
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
        classes: Some(5),
    }
}

pub fn pictures(batch: usize, size: usize, device: &Device) -> Tensor<4> {
    let shape = [batch, 3, size, size];
    Tensor::from_data(TensorData::new(uniform(shape.iter().product(), 7, 1.0), shape), device)
}

/// Random weights ten times as large as at the start of training, so that every part shows, biases and norms included.
pub fn state(config: &VitConfig, seed: u64) -> BTreeMap<String, HostTensor> {
    let tensors = config.tensors().into_iter().map(|(key, shape)| {
        let count = shape.iter().product();
        let random = RandomWeights { seed }.values(&format!("{key}.random"), count);
        let base = if key.contains("norm") && key.ends_with("weight") || key.ends_with("gamma") { 1.0 } else { 0.0 };
        (key, HostTensor { shape, values: random.into_iter().map(|x| base + 10.0 * x).collect() })
    });
    tensors.collect()
}

pub fn settings(config: &VitConfig) -> ExpansionSettings {
    ExpansionSettings {
        heads: config.num_heads,
        layers: config.depth,
        depth: DepthChoice::First,
        copy_scale: CopyScale::Members,
        ffn_maps: true,
    }
}

pub async fn features(vit: &Vit, images: Tensor<4>) -> Vec<f32> {
    read(vit.features(images, &mut Hooks::default())).await.unwrap()
}

on_every_engine! {
    async fn with_eps_zero_and_equal_size_the_features_are_the_ancestors(device: Device) {
        let variants = [
            small(),
            VitConfig { layer_scale: true, qkv_bias: false, register_tokens: 2, qk_norm: true, ..small() },
            // What belongs to a head: its biases of relative places, its part of a norm; how it is turned belongs to all.
            VitConfig { pos_embed_prefix: false, options: crate::vit::biased(), ..small() },
            VitConfig { options: crate::vit::turned(), pool: Pool::ClsAvg, ..small() },
            VitConfig { options: crate::vit::mixed(), ..small() },
            VitConfig { options: crate::vit::rms(), ..small() },
            VitConfig { pos_embed_prefix: false, register_tokens: 2, options: crate::vit::centred(), ..small() },
        ];
        for config in variants {
            let ancestor = Vit::load(&config, &mut state(&config, 1), &device).await.unwrap();
            let distance = vec![vec![30.0, 10.0, 20.0, 40.0], vec![1.0, 9.0, 5.0, 3.0], vec![4.0, 3.0, 2.0, 1.0]];
            let zero = ClusterSettings {
                eps: 0.0,
                min_heads: 1,
                grouping: Grouping::Density,
                // Heads come in another order, which must not matter.
                order: ClusterOrder::Increasing,
                eps_ffn: 0.0,
                matching: FfnMatching::Sorted,
            };
            let clusters = Clusters::from_distances(&distance, &zero).unwrap();
            let plan = ExpansionPlan::from_clusters(&clusters, &settings(&config)).unwrap();
            assert_eq!(plan.layers[0].heads.iter().map(|source| source.head).collect::<Vec<_>>(), [1, 2, 0, 3]);
            let expected = features(&ancestor, pictures(2, 16, &device)).await;
            let descendant = Inherited::new(ancestor, plan, 3, 16).unwrap().start(1).await.unwrap();
            assert_eq!(descendant.config().classes(), Some(3));
            assert_close(&features(descendant.fold().vit().unwrap(), pictures(2, 16, &device)).await, &expected, 2e-5);
        }
    }

    async fn heads_that_are_equal_can_be_dropped_or_copied_when_the_projection_is_scaled(device: Device) {
        let config = small();
        let mut weights = state(&config, 2);
        // Heads 0 and 2 are equal in layer 0, heads 1, 2 and 3 in layer 1, all in layer 2.
        for (layer, of) in [(0, [0, 1, 0, 3]), (1, [0, 1, 1, 1]), (2, [0, 0, 0, 0])] {
            make_equal(&mut weights, &config, layer, of);
        }
        let cluster = |members: &[usize]| HeadCluster { centroid: members[members.len() - 1], members: members.to_vec() };
        let layers = vec![
            vec![cluster(&[0, 2]), cluster(&[1]), cluster(&[3])],
            vec![cluster(&[1, 2, 3]), cluster(&[0])],
            vec![cluster(&[0, 1, 2, 3])],
        ];
        let clusters = Clusters { layers, ffn_groups: Vec::new() };
        let ancestor = Vit::load(&config, &mut weights, &device).await.unwrap();
        let expected = features(&ancestor, pictures(2, 16, &device)).await;
        for (heads, copy_scale) in [(3, CopyScale::Members), (4, CopyScale::Members), (7, CopyScale::Members), (4, CopyScale::Literal)] {
            let settings = ExpansionSettings { heads, copy_scale, ..settings(&config) };
            let plan = ExpansionPlan::from_clusters(&clusters, &settings).unwrap();
            let inherited = Inherited::new(ancestor.clone(), plan, 5, 16).unwrap();
            let found = features(inherited.start(1).await.unwrap().fold().vit().unwrap(), pictures(2, 16, &device)).await;
            if copy_scale == CopyScale::Members {
                assert_close(&found, &expected, 2e-5);
            } else {
                let most = found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                assert!(most > 1e-2, "without the scale the function changes, here by {most}");
            }
        }
    }

    async fn a_smaller_picture_gets_resampled_positions_and_fewer_layers_their_own(device: Device) {
        let config = VitConfig { distilled: true, ..small() };
        let ancestor = Vit::load(&config, &mut state(&config, 3), &device).await.unwrap();
        let single = ClusterSettings { grouping: Grouping::Single, ..ClusterSettings::for_image_size(16) };
        let clusters = Clusters::from_distances(&vec![vec![0.0; 4]; 3], &ClusterSettings { eps_ffn: 0.0, ..single }).unwrap();
        let settings = ExpansionSettings { layers: 2, heads: 3, depth: DepthChoice::Even, ..settings(&config) };
        let plan = ExpansionPlan::from_clusters(&clusters, &settings).unwrap();
        let inherited = Inherited::new(ancestor, plan, 7, 8).unwrap();
        let vit = inherited.start(4).await.unwrap().fold();
        let logits = vit.logits(pictures(2, 8, &device), None);
        assert_eq!(logits.dims(), [2, 7]);
        let found: BTreeMap<String, HostTensor> = vit.state().await.unwrap().into_iter().collect();
        let mut shapes: Vec<_> = found.iter().map(|(key, tensor)| (key.clone(), tensor.shape.clone())).collect();
        let mut expected_shapes = inherited.config().tensors();
        shapes.sort();
        expected_shapes.sort();
        assert_eq!(shapes, expected_shapes);
        let ancestor = state(&config, 3);
        let positions = resample_pos_embed(&ancestor["pos_embed"].values, 2, (4, 4), (2, 2), 64);
        assert_close(&found["pos_embed"].values, &positions, 0.0);
        assert_close(&found["blocks.1.norm2.weight"].values, &ancestor["blocks.1.norm2.weight"].values, 0.0);
        assert_close(&found["blocks.1.attn.proj.bias"].values, &ancestor["blocks.1.attn.proj.bias"].values, 0.0);
        // Rows [q, k, v][head][channel]: the first three of four heads of each part.
        let (kept, all) = (&found["blocks.0.attn.qkv.weight"].values, &ancestor["blocks.0.attn.qkv.weight"].values);
        for part in 0..3 {
            let rows = 3 * 8 * 64;
            assert_close(&kept[part * rows..][..rows], &all[part * 4 * 8 * 64..][..rows], 0.0);
        }
        let scratch = Scratch { config: inherited.config(), device: device.clone() };
        let scratch = scratch.start(4).await.unwrap().fold();
        let scratch: BTreeMap<String, HostTensor> = scratch.state().await.unwrap().into_iter().collect();
        for key in ["head.weight", "head.bias", "head_dist.weight"] {
            assert_close(&found[key].values, &scratch[key].values, 0.0);
        }
        let other = inherited.start(5).await.unwrap().fold().state().await.unwrap();
        let other: BTreeMap<String, HostTensor> = other.into_iter().collect();
        assert_ne!(other["head.weight"], found["head.weight"], "another seed, the same classifier");
        assert_eq!(other["blocks.0.attn.qkv.weight"], found["blocks.0.attn.qkv.weight"]);
    }

    async fn heads_measured_on_a_device_cluster_as_on_the_host(device: Device) {
        let flat: Vec<f32> = uniform(5 * 12, 3, 60.0).iter().map(|x| 60.0 + x).collect();
        let distance: Vec<Vec<f32>> = flat.chunks(12).map(<[f32]>::to_vec).collect();
        let density = ClusterSettings::for_image_size(224);
        let tight = ClusterSettings { eps: 4.0, min_heads: 3, ..density };
        let [k_means, single] = [Grouping::KMeans { clusters: 4 }, Grouping::Single]
            .map(|grouping| ClusterSettings { grouping, ..density });
        let others = [tight, k_means, single];
        for settings in [density].iter().chain(&others) {
            let tensor = Tensor::<2>::from_data(TensorData::new(flat.clone(), [5, 12]), &device);
            let measured = cluster_measured(tensor, settings).await.unwrap();
            assert_eq!(measured.distance, distance);
            assert_eq!(measured.clusters, Clusters::from_distances(&distance, settings).unwrap());
        }
    }
}

/// Gives head `i` of a layer the weights of head `of[i]`.
pub fn make_equal(weights: &mut BTreeMap<String, HostTensor>, config: &VitConfig, layer: usize, of: [usize; 4]) {
    let (width, channels) = (config.embed_dim, config.head_dim);
    let key = |part: &str| format!("blocks.{layer}.attn.{part}");
    let rows: Vec<(usize, usize)> = (0..3)
        .flat_map(|part| of.iter().enumerate().map(move |(to, from)| (part * 4 + to, part * 4 + from)))
        .flat_map(|(to, from)| (0..channels).map(move |channel| (to * channels + channel, from * channels + channel)))
        .collect();
    let qkv = weights.get_mut(&key("qkv.weight")).unwrap();
    let source = qkv.values.clone();
    for &(to, from) in &rows {
        qkv.values[to * width..][..width].copy_from_slice(&source[from * width..][..width]);
    }
    let bias = weights.get_mut(&key("qkv.bias")).unwrap();
    let source = bias.values.clone();
    rows.iter().for_each(|&(to, from)| bias.values[to] = source[from]);
    let proj = weights.get_mut(&key("proj.weight")).unwrap();
    let source = proj.values.clone();
    let all = config.attention_dim();
    for &(to, from) in &rows[..all] {
        (0..width).for_each(|row| proj.values[row * all + to] = source[row * all + from]);
    }
}
