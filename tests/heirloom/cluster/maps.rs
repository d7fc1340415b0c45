//! Feed-forward networks shared through a learnable map: start, gradients, training, folding.
use burn::module::Module;
use burn::tensor::{Device, Int, Tensor};
use heirloom_learngene::cluster::{Clusters, ExpansionPlan, ExpansionSettings, HeadCluster, Inherited};
use heirloom_learngene::{Descendant, Initializer};
use heirloom_nn::device::read;
use heirloom_nn::vit::Vit;
use heirloom_train::{AdamWSettings, Optimiser, cross_entropy, smoothed_targets};

use super::inherit::{features, pictures, settings, small, state};
use crate::support::assert_close;

/// A descendant whose layers 1 and 2 share the feed-forward network of layer 1, with or without a map.
async fn descendant(ffn_maps: bool, device: &Device) -> (Vit, Descendant) {
    let config = small();
    let ancestor = Vit::load(&config, &mut state(&config, 6), device).await.unwrap();
    let heads = (0..4).map(|head| HeadCluster { centroid: head, members: vec![head] }).collect();
    let clusters = Clusters { layers: vec![heads; 3], ffn_groups: vec![vec![1, 2]] };
    let plan = ExpansionPlan::from_clusters(&clusters, &ExpansionSettings { ffn_maps, ..settings(&config) }).unwrap();
    let started = Inherited::new(ancestor.clone(), plan, 5, 16).unwrap().start(2).await.unwrap();
    (ancestor, started)
}

fn labels(device: &Device) -> Tensor<1, Int> {
    Tensor::from_ints([0, 3, 1], device)
}

fn loss(model: &Descendant, device: &Device) -> Tensor<1> {
    let logits = model.logits(pictures(3, 16, device), None);
    cross_entropy(logits, smoothed_targets(labels(device), 5, 0.1))
}

on_every_engine! {
    async fn a_map_at_its_start_leaves_the_function_unchanged(device: Device) {
        let (_, mapped) = descendant(true, &device).await;
        let (_, copied) = descendant(false, &device).await;
        assert_eq!((mapped.ffn_maps().len(), copied.ffn_maps().len()), (1, 0));
        let expected = features(copied.fold().vit().unwrap(), pictures(2, 16, &device)).await;
        assert_close(&features(mapped.assembled().vit().unwrap(), pictures(2, 16, &device)).await, &expected, 0.0);
        let map = read(mapped.ffn_maps()[0].map.val()).await.unwrap();
        assert!(map[..4].iter().all(|&x| x != 0.0) && map[4..].iter().all(|&x| x == 0.0), "{map:?}");
    }

    async fn the_maps_last_layer_learns_from_step_0_and_its_first_layer_from_step_1(device: Device) {
        let device = device.autodiff();
        let (_, model) = descendant(true, &device).await;
        let mut model = model.train();
        let mut optimiser = Optimiser::new(AdamWSettings::default());
        for step in 0..2 {
            let group = &model.ffn_maps()[0];
            let (map, shared) = (group.map.val(), group.mlp.fc1.weight.val());
            let gradients = loss(&model, &device).backward();
            let gradient = read(map.grad(&gradients).unwrap()).await.unwrap();
            let (first, last) = gradient.split_at(2 * 2);
            assert!(last.iter().all(|&g| g != 0.0), "last layer at step {step}: {last:?}");
            assert_eq!(first.iter().all(|&g| g != 0.0), step > 0, "first layer at step {step}: {first:?}");
            assert!(read(shared.grad(&gradients).unwrap()).await.unwrap().iter().any(|&g| g != 0.0));
            drop((gradients, map, shared));
            let loss = loss(&model, &device);
            model = optimiser.step(1e-2, model, loss).model;
        }
    }

    async fn folding_changes_nothing_and_training_leaves_the_ancestor_alone(device: Device) {
        let device = device.autodiff();
        let (ancestor, model) = descendant(true, &device).await;
        let before = features(&ancestor, pictures(2, 16, &device)).await;
        let mut model = model.train();
        let mut optimiser = Optimiser::new(AdamWSettings::default());
        let mut losses = Vec::new();
        for _ in 0..3 {
            let loss = loss(&model, &device);
            losses.extend(read(loss.clone().inner()).await.unwrap());
            model = optimiser.step(3e-3, model, loss).model;
        }
        assert!(losses[2] < losses[0], "three steps on the same pictures: {losses:?}");
        let model = model.valid();
        let inner = device.clone().inner();
        let expected = read(model.logits(pictures(2, 16, &inner), None)).await.unwrap();
        let parameters = model.num_params();
        let folded = model.fold();
        assert_eq!(folded.num_params() as u64, folded.config().parameters());
        assert!(parameters < folded.num_params(), "a shared network is stored once");
        let found = read(folded.logits(pictures(2, 16, &inner), None)).await.unwrap();
        assert_close(&found, &expected, 0.0);
        let state = folded.state().await.unwrap();
        let fc1 = |layer: usize| &state.iter().find(|(key, _)| *key == format!("blocks.{layer}.mlp.fc1.weight")).unwrap().1;
        assert_ne!(fc1(1), fc1(2), "after training the layers of a group differ");
        assert_close(&features(&ancestor, pictures(2, 16, &device)).await, &before, 0.0);
    }
}
