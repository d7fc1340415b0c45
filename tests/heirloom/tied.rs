//! Tied layers: what is read off them, where gradients go, and what learning does.

use std::collections::BTreeMap;

#[cfg(not(target_arch = "wasm32"))]
use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use heirloom_learngene::Initializer;
use heirloom_learngene::tied::{TiedStart, TiedVit, Tying, tempered_divergence};
use heirloom_nn::device::read;
use heirloom_nn::vit::{HostTensor, Vit, VitConfig};
use heirloom_train::Classifier;

use crate::cluster::inherit::{pictures, small, state};
use crate::support::assert_close;
#[cfg(not(target_arch = "wasm32"))]
use crate::train::gradients::agree;

type Weights = BTreeMap<String, HostTensor>;

async fn tied(tying: Tying, layers: usize, device: &Device) -> (TiedVit, Weights) {
    let config = VitConfig { depth: tying.stored(), qk_norm: true, ..small() };
    let weights = state(&config, 3);
    let stored = Vit::load(&config, &mut weights.clone(), device).await.unwrap();
    (TiedVit { stored, tying, layers }, weights)
}

async fn read_off(model: &TiedVit, layers: usize, keeps_head: bool) -> Weights {
    let start = TiedStart::new(&model.stored, model.tying, layers, [5, 16], keeps_head).unwrap();
    start.start(9).await.unwrap().fold().state().await.unwrap().into_iter().collect()
}

#[cfg(not(target_arch = "wasm32"))]
fn divergence(model: &TiedVit, device: &Device) -> Tensor<1> {
    let taught = Tensor::from_data(TensorData::new(heirloom_nn::device::uniform(10, 5, 2.0), [2, 5]), device);
    tempered_divergence(model.logits(pictures(2, 16, device), None), taught, 2.0)
}

on_every_engine! {
    async fn every_tensor_of_every_layer_lies_on_the_line(device: Device) {
        let (model, stored) = tied(Tying::Line, 6, &device).await;
        for layers in [1, 3, 5] {
            let found = read_off(&model, layers, true).await;
            for (key, tensor) in found.iter().filter(|(key, _)| key.starts_with("blocks.")) {
                let (layer, part) = key["blocks.".len()..].split_once('.').unwrap();
                let share = (layer.parse::<usize>().unwrap() + 1) as f32 / layers as f32;
                let [base, slope] = [0, 1].map(|one| &stored[&format!("blocks.{one}.{part}")].values);
                let expected: Vec<f32> = base.iter().zip(slope).map(|(base, slope)| base + share * slope).collect();
                assert_close(&tensor.values, &expected, 1e-6);
            }
            for key in ["cls_token", "pos_embed", "norm.weight", "head.weight", "head.bias"] {
                assert_eq!(found[key], stored[key], "{key}");
            }
            assert_ne!(read_off(&model, layers, false).await["head.weight"], stored["head.weight"]);
        }
    }

    async fn layers_of_a_stage_are_the_stored_one(device: Device) {
        let (model, stored) = tied(Tying::Stages(3), 3, &device).await;
        let found = read_off(&model, 7, true).await;
        for (layer, stage) in [0, 0, 0, 1, 1, 2, 2].into_iter().enumerate() {
            for part in ["attn.qkv.weight", "mlp.fc2.bias", "norm1.weight", "attn.q_norm.weight"] {
                assert_eq!(found[&format!("blocks.{layer}.{part}")], stored[&format!("blocks.{stage}.{part}")], "{part}");
            }
        }
    }

    async fn a_descendant_as_deep_as_the_auxiliary_model_computes_the_same(device: Device) {
        let (model, _) = tied(Tying::Line, 4, &device).await;
        let start = TiedStart::new(&model.stored, model.tying, 4, [5, 16], true).unwrap();
        let descendant = start.start(1).await.unwrap().fold();
        let images = pictures(2, 16, &device);
        let expected = read(model.logits(images.clone(), None)).await.unwrap();
        assert_close(&read(descendant.logits(images, None)).await.unwrap(), &expected, 1e-5);
    }

    async fn a_new_line_begins_with_flat_norms(device: Device) {
        let config = VitConfig { depth: 2, ..small() };
        let model = TiedVit::start(&config, Tying::Line, 3, 1, &device).await;
        let found: Weights = model.stored.state().await.unwrap().into_iter().collect();
        assert!(found["blocks.1.norm1.weight"].values.iter().all(|value| *value == 0.0));
        assert!(found["blocks.0.norm1.weight"].values.iter().all(|value| *value == 1.0));
        assert!(found["norm.weight"].values.iter().all(|value| *value == 1.0));
        assert!(found["blocks.1.attn.qkv.weight"].values.iter().any(|value| *value != 0.0));
    }

    async fn the_divergence_is_nothing_between_equal_answers_and_that_of_the_host_between_others(device: Device) {
        let upload = |values: [f32; 3]| Tensor::<2>::from_data(TensorData::new(values.to_vec(), [1, 3]), &device);
        let (student, teacher) = ([0.5, -1.0, 2.0], [1.0, 0.0, -0.5]);
        let same = read(tempered_divergence(upload(teacher), upload(teacher), 3.0)).await.unwrap()[0];
        assert!(same.abs() < 1e-6, "{same}");
        let share = |logits: [f32; 3]| {
            let all: Vec<f64> = logits.iter().map(|logit| (f64::from(*logit) / 3.0).exp()).collect();
            let sum: f64 = all.iter().sum();
            all.into_iter().map(|one| one / sum).collect::<Vec<_>>()
        };
        let pairs = share(teacher).into_iter().zip(share(student));
        let expected: f64 = 9.0 * pairs.map(|(taught, said)| taught * (taught / said).ln()).sum::<f64>();
        let found = read(tempered_divergence(upload(student), upload(teacher), 3.0)).await.unwrap();
        assert_close(&found, &[expected as f32], 1e-5);
    }
}

#[cfg(not(target_arch = "wasm32"))]
#[test]
fn gradients_of_stored_layers_agree_with_finite_differences() {
    pollster::block_on(async {
        let device = crate::support::device().await;
        for tying in [Tying::Line, Tying::Stages(2)] {
            let (model, _) = tied(tying, 4, &device).await;
            for (draw, layer) in ["stored.blocks.0.", "stored.blocks.1."].into_iter().enumerate() {
                let chosen = |path: &str| path.starts_with(layer);
                agree(&model, &|model| divergence(model, &device), &chosen, draw as u32).await;
            }
        }
    });
}

#[cfg(not(target_arch = "wasm32"))]
#[test]
fn the_gradient_of_the_base_is_the_sum_over_the_layers_and_of_the_slope_the_weighted_sum() {
    pollster::block_on(async {
        let device = crate::support::device().await;
        let (model, _) = tied(Tying::Line, 4, &device).await;
        let weight = |vit: &Vit, layer: usize| vit.blocks[layer].mlp.as_ref().unwrap().fc1.weight.val();

        let bound = model.clone().train();
        let gradients = divergence(&bound, &device).backward();
        let mut found = Vec::new();
        for layer in [0, 1] {
            found.push(read(weight(&bound.stored, layer).grad(&gradients).unwrap().flatten::<1>(0, 1)).await.unwrap());
        }
        // The same function of layers that are free.
        let start = TiedStart::new(&model.stored, model.tying, 4, [5, 16], true).unwrap();
        let heirloom_nn::model::Model::Vit(free) = start.start(1).await.unwrap().fold() else { panic!("no ViT") };
        let free = free.train();
        let taught = Tensor::from_data(TensorData::new(heirloom_nn::device::uniform(10, 5, 2.0), [2, 5]), &device);
        let said = Classifier::logits(&free, pictures(2, 16, &device), None);
        let gradients = tempered_divergence(said, taught, 2.0).backward();
        let mut expected = vec![vec![0.0; found[0].len()]; 2];
        for layer in 0..4 {
            let gradient = weight(&free, layer).grad(&gradients).unwrap().flatten::<1>(0, 1);
            for (at, value) in read(gradient).await.unwrap().into_iter().enumerate() {
                expected[0][at] += value;
                expected[1][at] += value * (layer + 1) as f32 / 4.0;
            }
        }
        assert!(expected[0].iter().any(|value| value.abs() > 1e-4), "no gradient to compare");
        assert_close(&found[0], &expected[0], 1e-5);
        assert_close(&found[1], &expected[1], 1e-5);
    });
}
