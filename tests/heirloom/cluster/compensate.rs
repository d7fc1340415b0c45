//! Compensated expansion: what is exact, and a plain solution beside it.
use burn::tensor::{Device, Tensor};
use heirloom_learngene::Initializer;
use heirloom_learngene::cluster::{
    ClusterOrder, ClusterSettings, Clusters, CopyScale, ExpansionPlan, ExpansionSettings, FIT_RIDGE, FfnMatching,
    Grouping, HeadCluster, Inherited,
};
use heirloom_nn::device::read;
use heirloom_nn::kernels::attention;
use heirloom_nn::vit::{Hooks, Vit, VitConfig};

use super::inherit::{features, make_equal, pictures, settings, small, state};
use crate::support::assert_close;

fn cluster(members: &[usize]) -> HeadCluster {
    HeadCluster { centroid: members[0], members: members.to_vec() }
}

/// Two of four heads are kept in the first two layers, the last layer has one.
fn few_heads() -> Clusters {
    let layers = vec![
        vec![cluster(&[0, 2]), cluster(&[1, 3])],
        vec![cluster(&[1, 2, 3]), cluster(&[0])],
        vec![cluster(&[2, 0, 1, 3])],
    ];
    Clusters { layers, ffn_groups: Vec::new() }
}

fn batches(device: &Device) -> Vec<Tensor<4>> {
    let all = pictures(6, 16, device);
    vec![all.clone().narrow(0, 0, 4), all.narrow(0, 4, 2)]
}

fn distance(one: &[f32], other: &[f32]) -> f64 {
    one.iter().zip(other).map(|(a, b)| f64::from(a - b).powi(2)).sum()
}

on_every_engine! {
    async fn where_nothing_is_dropped_the_fit_changes_nothing(device: Device) {
        let config = VitConfig { layer_scale: true, qk_norm: true, ..small() };
        let ancestor = Vit::load(&config, &mut state(&config, 1), &device).await.unwrap();
        let zero = ClusterSettings {
            eps: 0.0,
            min_heads: 1,
            grouping: Grouping::Density,
            order: ClusterOrder::Increasing,
            eps_ffn: 0.0,
            matching: FfnMatching::Sorted,
        };
        let distance = vec![vec![30.0, 10.0, 20.0, 40.0], vec![1.0, 9.0, 5.0, 3.0], vec![4.0, 3.0, 2.0, 1.0]];
        let clusters = Clusters::from_distances(&distance, &zero).unwrap();
        let plan = ExpansionPlan::from_clusters(&clusters, &settings(&config)).unwrap();
        let plain = Inherited::new(ancestor.clone(), plan, 3, 16).unwrap();
        let fitted = plain.fitted(&batches(&device), FIT_RIDGE).await.unwrap();
        let likeness = fitted.likeness(&[]).await.unwrap();
        assert!(likeness.cosine > 0.99999 && likeness.error < 1e-8, "{likeness:?}");
        let expected = features(&ancestor, pictures(2, 16, &device)).await;
        let found = fitted.start(1).await.unwrap().fold();
        assert_close(&features(found.vit().unwrap(), pictures(2, 16, &device)).await, &expected, 5e-5);
    }

    async fn heads_that_are_equal_are_made_up_for_as_the_ridge_vanishes(device: Device) {
        let config = small();
        let mut weights = state(&config, 2);
        for (layer, of) in [(0, [0, 1, 0, 1]), (1, [0, 1, 1, 1]), (2, [2, 2, 2, 2])] {
            make_equal(&mut weights, &config, layer, of);
        }
        let ancestor = Vit::load(&config, &mut weights, &device).await.unwrap();
        let expected = features(&ancestor, pictures(2, 16, &device)).await;
        // More heads than clusters, and as many: copies share what is written.
        for heads in [2, 5] {
            let settings = ExpansionSettings { heads, copy_scale: CopyScale::Share, ..settings(&config) };
            let plan = ExpansionPlan::from_clusters(&few_heads(), &settings).unwrap();
            let plain = Inherited::new(ancestor.clone(), plan, 5, 16).unwrap();
            let far = plain.likeness(&batches(&device)).await.unwrap();
            assert!(far.error > 1e-2, "without a fit the other heads are missing: {far:?}");
            let mut errors = Vec::new();
            for ridge in [1.0, 1e-2, 1e-6] {
                let fitted = plain.clone().fitted(&batches(&device), ridge).await.unwrap();
                errors.push(fitted.likeness(&[]).await.unwrap().error);
                if ridge < 1e-5 {
                    let found = fitted.start(1).await.unwrap().fold();
                    let found = features(found.vit().unwrap(), pictures(2, 16, &device)).await;
                    assert_close(&found, &expected, 2e-3);
                }
            }
            assert!(errors[0] > errors[1] && errors[1] > errors[2] && errors[2] < 1e-6, "{errors:?}");
        }
    }

    async fn the_first_projection_is_the_plain_solution(device: Device) {
        let config = small();
        let ancestor = Vit::load(&config, &mut state(&config, 3), &device).await.unwrap();
        let settings = ExpansionSettings { heads: 3, copy_scale: CopyScale::Members, ..settings(&config) };
        let plan = ExpansionPlan::from_clusters(&few_heads(), &settings).unwrap();
        let fitted = Inherited::new(ancestor.clone(), plan, 5, 16).unwrap();
        let fitted = fitted.fitted(&batches(&device), FIT_RIDGE).await.unwrap().start(1).await.unwrap().fold();
        let proj = &fitted.vit().unwrap().blocks[0].attn.proj;
        let found = read(proj.weight.val()).await.unwrap();
        let bias = read(proj.bias.as_ref().unwrap().val()).await.unwrap();

        // Heads 0 and 1 are kept, of 8 channels each; 6 pictures of 17 tokens.
        let tokens = ancestor.embed(pictures(6, 16, &device));
        let block = &ancestor.blocks[0];
        let mixed = attention(block.attn.qkv(block.norm1.forward(tokens)), 4);
        let all = f64s(&read(mixed.clone()).await.unwrap());
        let inputs: Vec<Vec<f64>> = all.chunks(32).map(|row| row[..16].to_vec()).collect();
        let weight = f64s(&read(block.attn.proj.weight.val()).await.unwrap());
        let own = f64s(&read(block.attn.proj.bias.as_ref().unwrap().val()).await.unwrap());
        let write = |row: &[f64], out: usize| own[out] + (0..32).map(|at| row[at] * weight[at * 64 + out]).sum::<f64>();
        let mean = |column: usize| inputs.iter().map(|row| row[column]).sum::<f64>() / inputs.len() as f64;
        let means: Vec<f64> = (0..16).map(mean).collect();
        let centred: Vec<Vec<f64>> =
            inputs.iter().map(|row| row.iter().zip(&means).map(|(value, mean)| value - mean).collect()).collect();
        let dot = |a: usize, b: usize| centred.iter().map(|row| row[a] * row[b]).sum::<f64>();
        let ridge = FIT_RIDGE * (0..16).map(|at| dot(at, at)).sum::<f64>() / 16.0;
        for out in [0, 7, 63] {
            let wanted: Vec<f64> = all.chunks(32).map(|row| write(row, out)).collect();
            let wanted_mean = wanted.iter().sum::<f64>() / wanted.len() as f64;
            // (G + ridge) W = Zᵀ Y + ridge W0, by Gauss.
            let mut system: Vec<Vec<f64>> = (0..16)
                .map(|row| {
                    let right: f64 = centred.iter().zip(&wanted).map(|(z, y)| z[row] * (y - wanted_mean)).sum();
                    let mut line: Vec<f64> = (0..16).map(|column| dot(row, column)).collect();
                    line[row] += ridge;
                    line.push(right + ridge * weight[row * 64 + out]);
                    line
                })
                .collect();
            let solved = gauss(&mut system);
            // Three heads for two clusters: the first has two copies, which share its columns.
            for at in 0..16 {
                let (copies, value) = if at < 8 { (2.0, solved[at]) } else { (1.0, solved[at]) };
                let tell = |found: f32| assert!((f64::from(found) - value / copies).abs() < 2e-4, "{at}: {found}, {value}");
                tell(found[at * 64 + out]);
                if at < 8 {
                    tell(found[(16 + at) * 64 + out]);
                }
            }
            let expected = wanted_mean - means.iter().zip(&solved).map(|(mean, weight)| mean * weight).sum::<f64>();
            assert!((f64::from(bias[out]) - expected).abs() < 2e-4, "{} and {expected}", bias[out]);
        }
    }

    async fn a_network_that_stands_for_another_is_fitted_where_it_has_no_map(device: Device) {
        let config = small();
        let ancestor = Vit::load(&config, &mut state(&config, 4), &device).await.unwrap();
        let clusters = Clusters { ffn_groups: vec![vec![0, 1]], ..few_heads() };
        let mut errors = Vec::new();
        for ffn_maps in [false, true] {
            let settings = ExpansionSettings { ffn_maps, copy_scale: CopyScale::Share, ..settings(&config) };
            let plan = ExpansionPlan::from_clusters(&clusters, &settings).unwrap();
            let plain = Inherited::new(ancestor.clone(), plan, 5, 16).unwrap();
            let before = plain.likeness(&batches(&device)).await.unwrap();
            let fitted = plain.fitted(&batches(&device), FIT_RIDGE).await.unwrap();
            let after = fitted.likeness(&[]).await.unwrap();
            assert!(after.error < before.error && after.cosine > before.cosine, "{before:?} {after:?}");
            errors.push(after.error);
            let vit = fitted.start(1).await.unwrap().fold();
            let vit = vit.vit().unwrap();
            let second = |layer: usize| {
                let block = &vit.blocks[layer];
                read(block.mlp.as_ref().unwrap().fc2.weight.val())
            };
            let (kept, stands_in) = (second(0).await.unwrap(), second(1).await.unwrap());
            assert_eq!(distance(&kept, &stands_in) > 1e-3, !ffn_maps);
            assert!(features(vit, pictures(2, 16, &device)).await.iter().all(|value| value.is_finite()));
            let logits = vit.logits(pictures(2, 16, &device), &mut Hooks::default());
            assert_eq!(logits.dims(), [2, 5]);
        }
        assert!(errors[0] < errors[1], "{errors:?}");
    }
}

fn f64s(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&value| f64::from(value)).collect()
}

/// Solves a system whose last column is its right side.
fn gauss(system: &mut [Vec<f64>]) -> Vec<f64> {
    let size = system.len();
    for pivot in 0..size {
        let best = (pivot..size).max_by(|&a, &b| system[a][pivot].abs().total_cmp(&system[b][pivot].abs())).unwrap();
        system.swap(pivot, best);
        for row in (0..size).filter(|row| *row != pivot) {
            let factor = system[row][pivot] / system[pivot][pivot];
            let line = system[pivot].clone();
            system[row].iter_mut().zip(line).for_each(|(value, other)| *value -= factor * other);
        }
    }
    (0..size).map(|row| system[row][size] / system[row][row]).collect()
}
