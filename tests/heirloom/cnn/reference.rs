//! Every variant against PyTorch, and weights in and out.

use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor};
use heirloom_checkpoint::Checkpoint;
use heirloom_nn::cnn::{Cnn, CnnConfig, Hooks, RandomWeights, Shortcut};
use heirloom_nn::device::read;
use heirloom_nn::model::{Model, ModelConfig};
use heirloom_platform::file::FileHandle;

use super::{FIXTURES, fixture, load, logits, numbers, pictures, reference, small};
use crate::support::assert_close;

on_every_engine! {
    async fn logits_of_every_variant_equal_pytorchs(device: Device) {
        let reference = reference();
        for name in FIXTURES {
            let entries = reference[name].as_array().expect("entries");
            assert!(!entries.is_empty(), "PyTorch said nothing of {name}");
            for entry in entries {
                let size = entry["size"].as_u64().expect("a size") as usize;
                let cnn = load(name, size, &device).await;
                let got = logits(&cnn, pictures(numbers(&entry["pictures"]), size, &device)).await;
                assert_close(&got, &numbers(&entry["logits"]), 2e-4);
            }
        }
    }

    async fn a_resnet_of_transformers_answers_as_there(device: Device) {
        let zoo: serde_json::Value =
            serde_json::from_slice(include_bytes!("../../fixtures/zoo/reference.json")).unwrap();
        let weights = include_bytes!("../../fixtures/zoo/hf_resnet.safetensors").as_slice();
        let config = zoo["resnet"]["config"].to_string().into_bytes();
        let files = [FileHandle::from_bytes("model.safetensors", weights), FileHandle::from_bytes("config.json", config)];
        let checkpoint = Checkpoint::open(&files).await.unwrap();
        checkpoint.check_complete().unwrap();
        assert_eq!((checkpoint.family.as_str(), checkpoint.unexpected.len()), ("ResNet-11 (Hugging Face names)", 0));
        let cnn = Model::load(&checkpoint.config, &mut &checkpoint, &device).await.unwrap();
        let picture = (0..3 * 32 * 32).map(|at| (at * 37 % 101) as f32 / 50.0 - 1.0).collect();
        let got = read(cnn.logits(pictures(picture, 32, &device), None)).await.unwrap();
        assert_close(&got, &numbers(&zoo["resnet"]["scores"]), 1e-4);
    }

    async fn a_networks_state_has_the_keys_and_shapes_of_its_configuration_and_loads_back(device: Device) {
        let vgg = CnnConfig { pooled_side: 2, hidden: vec![7, 6], image_size: 32, ..CnnConfig::vgg([1, 1, 2, 1, 1], 3) };
        let narrow = |mut config: CnnConfig| {
            config.stages.iter_mut().for_each(|stage| {
                let thin = |width: usize| if width == 3 { 3 } else { width / 64 + 1 };
                (stage.input, stage.inner, stage.width) = (thin(stage.input), thin(stage.inner), thin(stage.width));
            });
            config
        };
        let configs = [
            small(Shortcut::Zeros),
            CnnConfig { classes: None, ..small(Shortcut::Projection) },
            narrow(vgg.clone()),
            narrow(CnnConfig { hidden: vec![7], hidden_norm: true, ..vgg }),
        ];
        for config in configs {
            config.check().unwrap();
            let Ok(model) = Cnn::load(&config, &mut RandomWeights { seed: 3 }, &device).await;
            let state = model.state().await.unwrap();
            let found: Vec<_> = state.iter().map(|(key, tensor)| (key.clone(), tensor.shape.clone())).collect();
            assert_eq!(found, config.tensors());
            let images = Tensor::<4>::ones([1, 3, config.image_size, config.image_size], &device);
            let mut weights: BTreeMap<_, _> = state.into_iter().collect();
            let again = Cnn::load(&config, &mut weights, &device).await.unwrap();
            assert_eq!(logits(&model, images.clone()).await, logits(&again, images).await);
        }
    }

    async fn hooks_are_shown_every_stage_and_block(device: Device) {
        let cnn = load("projection", 8, &device).await;
        let (mut stages, mut blocks) = (Vec::new(), Vec::new());
        let mut hooks = Hooks {
            stages: Some(&mut |stage, map: &Tensor<4>| stages.push((stage, map.dims()))),
            blocks: Some(&mut |stage, block, map: &Tensor<4>| blocks.push((stage, block, map.dims()))),
            ..Default::default()
        };
        let features = cnn.features(Tensor::ones([2, 3, 8, 8], &device), &mut hooks);
        assert_eq!(stages, [(0, [2, 4, 8, 8]), (1, [2, 6, 4, 4]), (2, [2, 9, 2, 2])]);
        let expected =
            [(0, 0, [2, 4, 8, 8]), (0, 1, [2, 4, 8, 8]), (1, 0, [2, 6, 4, 4]), (2, 0, [2, 9, 2, 2])];
        assert_eq!(blocks, expected);
        assert_eq!(read(features).await.unwrap().len(), 2 * 9 * 4);
    }
}

#[test]
fn parameters_are_those_of_the_papers_networks() {
    use heirloom_nn::cnn::BlockKind::{Basic, Bottleneck};
    // torchvision's documentation; ResNet-56 with projections as in the given file, with zeros as in the paper's 0.85 M.
    assert_eq!(CnnConfig::resnet(Basic, [2, 2, 2, 2], 1000).parameters(), 11_689_512);
    assert_eq!(CnnConfig::resnet(Basic, [3, 4, 6, 3], 1000).parameters(), 21_797_672);
    assert_eq!(CnnConfig::resnet(Bottleneck, [3, 4, 6, 3], 1000).parameters(), 25_557_032);
    assert_eq!(CnnConfig::vgg([2, 2, 3, 3, 3], 1000).parameters(), 138_365_992);
    assert_eq!(CnnConfig::cifar_resnet(9, Shortcut::Projection, 10).parameters(), 855_770);
    assert_eq!(CnnConfig::cifar_resnet(9, Shortcut::Zeros, 10).parameters(), 853_018);
    // 1.81 and 4.09 G multiply-adds there, without norms and pooling.
    assert_eq!(CnnConfig::resnet(Basic, [2, 2, 2, 2], 1000).flops(), 2 * 1_814_073_344);
    assert_eq!(CnnConfig::resnet(Bottleneck, [3, 4, 6, 3], 1000).flops(), 2 * 4_089_184_256);
}

#[test]
fn a_description_tells_the_families_apart_and_takes_no_unknown_field() {
    let config: ModelConfig = small(Shortcut::Zeros).into();
    let text = serde_json::to_string(&config).unwrap();
    assert_eq!(serde_json::from_str::<ModelConfig>(&text).unwrap(), config);
    let vit: ModelConfig = crate::vit::small().into();
    assert_eq!(serde_json::from_str::<ModelConfig>(&serde_json::to_string(&vit).unwrap()).unwrap(), vit);
    let unknown = text.replacen('{', "{\"groups\": 2, ", 1);
    assert!(serde_json::from_str::<ModelConfig>(&unknown).is_err());
    // A description that fits no family says no more than that; the family itself says what it does not know.
    let said = serde_json::from_str::<CnnConfig>(&unknown).unwrap_err().to_string();
    assert!(said.starts_with("unknown field `groups`"), "{said}");
}

#[test]
fn random_networks_start_as_torchvisions_and_alike_for_equal_seeds() {
    pollster::block_on(async {
        let (config, device) = (CnnConfig::cifar_resnet(1, Shortcut::Projection, 10), heirloom_nn::device::cpu());
        let state = |seed| async move {
            let config = CnnConfig::cifar_resnet(1, Shortcut::Projection, 10).into();
            Model::random(&config, seed, &heirloom_nn::device::cpu()).await.state().await.unwrap()
        };
        let (one, other) = (state(1).await, state(2).await);
        assert_eq!(one, Model::random(&config.into(), 1, &device).await.state().await.unwrap());
        let of = |state: &[(String, heirloom_plan::weights::HostTensor)], key: &str| {
            state.iter().find(|(name, _)| name == key).expect("a key").1.values.clone()
        };
        let weight = of(&one, "layer3.0.conv2.weight");
        assert_ne!(weight, of(&other, "layer3.0.conv2.weight"));
        let square: f64 = weight.iter().map(|&value| f64::from(value).powi(2)).sum();
        let deviation = (square / weight.len() as f64).sqrt();
        let expected = (2.0_f64 / (64.0 * 9.0)).sqrt();
        assert!((deviation / expected - 1.0).abs() < 0.02, "{deviation} instead of {expected}");
        assert!(of(&one, "fc.weight").iter().all(|value| value.abs() <= 0.125));
        assert!(of(&one, "layer2.0.downsample.1.running_var").iter().all(|&value| value == 1.0));
        assert!(of(&one, "bn1.weight").iter().all(|&value| value == 1.0));
    });
}

#[test]
fn fixtures_are_small() {
    assert!(FIXTURES.iter().all(|name| fixture(name).len() < 30_000));
}
