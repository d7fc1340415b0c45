//! Stitched models are ordinary models.

use std::collections::BTreeMap;

use burn::tensor::Device;
use heirloom_learngene::Matrix;
use heirloom_learngene::stitch::{AffineFit, Configuration, StitchNet};
use heirloom_nn::device::read;
use heirloom_nn::model::{Model, ModelConfig};
use heirloom_nn::vit::{Hooks, StitchedConfig, StitchedError, VitConfig};
use heirloom_train::read_model;

use super::{model, model_config, net, pictures};
use crate::support::assert_close;

fn config(at: [usize; 2]) -> StitchedConfig {
    StitchedConfig {
        front: model_config(3, 4),
        end: VitConfig { qkv_bias: false, layer_scale: true, ..model_config(4, 8) },
        front_layer: at[0],
        end_layer: at[1],
    }
}

#[test]
fn a_stitched_configuration_counts_its_parts() {
    let same = StitchedConfig { front: model_config(3, 8), end: model_config(3, 8), front_layer: 1, end_layer: 2 };
    assert_eq!(same.depth(), 3);
    assert_eq!(same.flops(), model_config(3, 8).flops() + 2 * 5 * 8 * 8);
    assert_eq!(same.parameters(), model_config(3, 8).parameters() + 8 * 8 + 8);
    let repeated = StitchedConfig { end_layer: 1, ..same.clone() };
    let layer = model_config(4, 8).parameters() - model_config(3, 8).parameters();
    assert_eq!((repeated.depth(), repeated.parameters()), (4, same.parameters() + layer));
    let json = serde_json::to_string(&ModelConfig::from(same.clone())).unwrap();
    assert_eq!(serde_json::from_str::<ModelConfig>(&json).unwrap(), ModelConfig::from(same));
    let plain = ModelConfig::from(model_config(3, 8));
    assert_eq!(serde_json::from_str::<ModelConfig>(&serde_json::to_string(&plain).unwrap()).unwrap(), plain);
}

#[test]
fn parts_that_do_not_fit_are_refused_in_a_sentence() {
    assert_eq!(config([2, 3]).check(), Ok(()));
    let said = config([3, 0]).check().unwrap_err().to_string();
    assert_eq!(said, "the front model has `3` layers, but the stitch is at layer `3` (from 0): choose one it has");
    assert!(matches!(config([0, 4]).check(), Err(StitchedError::Layer { part: "end", .. })));
    let other = StitchedConfig { end: VitConfig { register_tokens: 2, ..model_config(4, 8) }, ..config([0, 0]) };
    assert!(matches!(other.check(), Err(StitchedError::Tokens { front: 5, end: 7, .. })));
}

on_every_engine! {
    async fn a_stitched_model_has_the_keys_of_its_configuration_and_loads_back(device: Device) {
        for at in [[0, 0], [2, 3], [1, 2]] {
            let config = ModelConfig::from(config(at));
            let Ok(model) = Model::load(&config, &mut crate::train::models::Lively { seed: 9 }, &device).await;
            let state = model.state().await.unwrap();
            let mut found: Vec<_> = state.iter().map(|(key, tensor)| (key.clone(), tensor.shape.clone())).collect();
            let mut expected = config.tensors();
            found.sort();
            expected.sort();
            assert_eq!(found, expected);
            assert_eq!(config.parameters(), read_model(&model).await.unwrap().values().map(|t| t.values.len() as u64).sum::<u64>());
            let mut weights: BTreeMap<_, _> = state.into_iter().collect();
            let again = Model::load(&config, &mut weights, &device).await.unwrap();
            let [one, other] = [&model, &again].map(|model| model.logits(pictures(2, &device), None));
            assert_eq!(read(one).await.unwrap(), read(other).await.unwrap());
        }
    }

    async fn a_configuration_cut_out_answers_exactly_as_the_net_does(device: Device) {
        let net = net(&[[3, 4], [3, 8]], &device).await;
        for configuration in 0..net.configurations().len() {
            let cut = net.cut(configuration);
            assert_eq!(cut.config(), net.configs()[configuration]);
            let whole = read(net.logits(configuration, pictures(2, &device))).await.unwrap();
            assert_eq!(read(cut.logits(pictures(2, &device), None)).await.unwrap(), whole, "{configuration}");
        }
        // The ways differ.
        let answers = [0, 1, 8].map(|configuration| net.logits(configuration, pictures(1, &device)));
        let [first, second, third] = answers;
        let [first, second, third] = [read(first).await.unwrap(), read(second).await.unwrap(), read(third).await.unwrap()];
        assert!(first != second && second != third);
    }

    async fn a_model_stitched_to_itself_by_the_identity_is_that_model(device: Device) {
        let model = model(3, 8, 4, &device).await;
        let net = StitchNet::new(vec![model.clone(), model.clone()], &device).unwrap();
        let identity = AffineFit::linear_map(Matrix::identity(8));
        let net = net.start(&[identity.clone(), identity], &device);
        let expected = read(model.logits(pictures(3, &device), &mut Hooks::default())).await.unwrap();
        let mut compared = 0;
        for (at, configuration) in net.configurations().iter().enumerate() {
            if let Configuration::Stitched { pair, .. } = configuration && pair.front + 1 == pair.end {
                assert_close(&read(net.logits(at, pictures(3, &device))).await.unwrap(), &expected, 1e-5);
                compared += 1;
            }
        }
        assert_eq!(compared, 2);
    }
}
