//! Stages of a CNN as layers: what is inherited, what does not fit, and what is compared.
use std::collections::BTreeMap;
#[cfg(not(target_arch = "wasm32"))]
use std::collections::BTreeSet;

#[cfg(not(target_arch = "wasm32"))]
use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::tensor::{Device, Tensor};
use heirloom_learngene::Initializer;
use heirloom_learngene::layers::{
    LayersPlan, WholeLayers, layer_features, layer_names, layer_parameters, pseudo_config,
};
use heirloom_nn::cnn::{CnnConfig, RandomWeights, Shortcut};
use heirloom_nn::device::{read, uniform};
use heirloom_nn::model::{Model, ModelConfig};
use heirloom_nn::vit::HostTensor;

use crate::cluster::inherit::pictures;
use crate::support::assert_close;

/// Three stages of 16, 32 and 64 channels, one block each, for pictures of 8 px.
fn config(blocks: usize) -> ModelConfig {
    CnnConfig { image_size: 8, ..CnnConfig::cifar_resnet(blocks, Shortcut::Projection, 4) }.into()
}

/// An ancestor whose running statistics and norms are no longer those of a start.
async fn ancestor(device: &Device) -> Model {
    struct Trained(RandomWeights);
    impl heirloom_nn::vit::Weights for Trained {
        type Error = std::convert::Infallible;
        async fn tensor(&mut self, key: &str, shape: &[usize]) -> Result<HostTensor, Self::Error> {
            let mut values = self.0.values(key, shape);
            if shape.len() == 1 {
                let noise = uniform(values.len(), key.len() as u32, 0.2);
                values.iter_mut().zip(noise).for_each(|(value, noise)| *value += noise);
            }
            Ok(HostTensor { shape: shape.to_vec(), values })
        }
    }
    let Ok(model) = Model::load(&config(1), &mut Trained(RandomWeights { seed: 3 }), device).await;
    model
}

type State = BTreeMap<String, Vec<f32>>;

async fn state(model: &Model) -> State {
    model.state().await.unwrap().into_iter().map(|(key, tensor)| (key, tensor.values)).collect()
}

fn of(state: &State, part: &str) -> State {
    state.iter().filter(|(key, _)| key.starts_with(part)).map(|(key, values)| (key.clone(), values.clone())).collect()
}

fn refused(ancestor: &Model, chosen: &[usize], layers: usize) -> Option<String> {
    let plan = LayersPlan { chosen: chosen.to_vec(), layers };
    WholeLayers::new(ancestor.clone(), plan, 2, 8).err().map(|error| error.to_string())
}

on_every_engine! {
    async fn chosen_stages_come_with_their_statistics_and_random_ones_lie_on_top(device: Device) {
        let ancestor = ancestor(&device).await;
        let start = WholeLayers::new(ancestor.clone(), LayersPlan::first(1, 3), 2, 8).unwrap();
        let descendant = start.start(5).await.unwrap();
        let [old, new] = [state(&ancestor).await, state(&descendant.clone().fold()).await];
        for part in ["conv1.", "bn1.", "layer1."] {
            assert!(!of(&old, part).is_empty());
            assert_eq!(of(&new, part), of(&old, part), "{part} is inherited");
        }
        for part in ["layer2.", "layer3."] {
            assert_eq!(of(&new, part).keys().collect::<Vec<_>>(), of(&old, part).keys().collect::<Vec<_>>());
            assert_ne!(of(&new, part), of(&old, part), "{part} starts afresh");
        }
        let names = ["layer1", "layer2", "layer3"];
        assert_eq!(layer_names(&start.config()), names);
        let counted = layer_parameters(&start.config());
        for (name, count) in names.iter().zip(counted) {
            let stage = of(&new, name);
            let trained = stage.iter().filter(|(key, _)| !key.contains("running_"));
            assert_eq!(trained.map(|(_, values)| values.len() as u64).sum::<u64>(), count, "{name}");
        }
        assert_eq!(descendant.fold().logits(pictures(2, 8, &device), None).dims(), [2, 2]);
    }

    async fn the_whole_cnn_sees_what_it_saw(device: Device) {
        let ancestor = ancestor(&device).await;
        let whole = WholeLayers::new(ancestor.clone(), LayersPlan::whole(3), 2, 8).unwrap();
        let whole = whole.start(1).await.unwrap().fold();
        let seen = layer_features(&[&ancestor, &whole], &pictures(2, 8, &device));
        // 8, 4 and 2 places along an edge, all averaged to 2.
        assert_eq!(seen[0].iter().map(Tensor::dims).collect::<Vec<_>>(), [[8, 16], [8, 32], [8, 64]]);
        for (expected, found) in seen[0].iter().zip(&seen[1]) {
            assert_close(&read(found.clone()).await.unwrap(), &read(expected.clone()).await.unwrap(), 1e-6);
        }
    }

    async fn stages_that_do_not_fit_are_refused_with_the_seam(device: Device) {
        let ancestor = ancestor(&device).await;
        assert_eq!(refused(&ancestor, &[0, 1], 2), None);
        assert_eq!(refused(&ancestor, &[1], 2), None, "the second stage takes the stem's 16 channels");
        assert_eq!(refused(&ancestor, &[0, 1, 2], 5), None, "beyond the last stage more of it follow");
        let after = |before: &str| {
            format!(
                "stage 3 of the ancestor takes maps of 32 channels, but {before} before it gives 16; choose a stage \
                 between them too, or leave one of them out"
            )
        };
        assert_eq!(refused(&ancestor, &[2], 2), Some(after("the stem")));
        assert_eq!(refused(&ancestor, &[0, 2], 2), Some(after("stage 1 of the ancestor")));
    }
}

#[test]
fn a_pseudo_descendant_keeps_the_stages_and_has_fewer_blocks() {
    let depths = |ancestor: &ModelConfig, layers| {
        let pseudo = pseudo_config(ancestor, layers, 2, 8).unwrap();
        pseudo.cnn().unwrap().stages.iter().map(|stage| (stage.depth, stage.width)).collect::<Vec<_>>()
    };
    assert_eq!(depths(&config(9), 3), [(3, 16), (3, 32), (3, 64)]);
    assert_eq!(depths(&config(3), 3), [(2, 16), (2, 32), (2, 64)], "always fewer than the ancestor");
    assert_eq!(depths(&config(1), 3), [(1, 16), (1, 32), (1, 64)], "one block cannot become fewer");
}

#[cfg(not(target_arch = "wasm32"))]
#[test]
fn the_learngene_of_a_cnn_is_stem_and_stages_without_running_statistics() {
    #[derive(Default)]
    struct Names {
        path: Vec<String>,
        found: BTreeMap<ParamId, String>,
    }
    impl ModuleVisitor for Names {
        fn enter_module(&mut self, name: &str, _container_type: &str) {
            self.path.push(name.to_string());
        }
        fn exit_module(&mut self, _name: &str, _container_type: &str) {
            self.path.pop();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.found.insert(param.id, self.path.join("."));
        }
    }
    pollster::block_on(async {
        let ancestor = ancestor(&heirloom_nn::device::cpu()).await;
        let start = WholeLayers::new(ancestor, LayersPlan::first(2, 3), 2, 8).unwrap();
        let descendant = start.start(1).await.unwrap();
        let mut names = Names::default();
        descendant.visit(&mut names);
        let held: BTreeSet<&String> = descendant.learngene().iter().map(|id| &names.found[id]).collect();
        assert!(!held.is_empty());
        for name in names.found.values() {
            let is_inherited = ["stem", "stages.0.", "stages.1."].iter().any(|part| name.contains(part));
            assert_eq!(held.contains(name), is_inherited && !name.contains("running_"), "{name}");
        }
    });
}
