//! Rates by the size of each tensor.

use super::models::{plain_settings, tiny, tiny_batch};
use super::optimiser::PLAIN;
use crate::cnn::{lively, small};
use crate::support::assert_close;
use burn::module::{Module, Param, ParamId};
use burn::tensor::{Device, Tensor};
use heirloom_learngene::layers::{LayersPlan, WholeLayers};
use heirloom_learngene::{Descendant, Initializer, Scratch};
use heirloom_nn::cnn::Shortcut;
use heirloom_nn::device::read;
use heirloom_nn::model::Model;
use heirloom_nn::vit::{Vit, VitConfig};
use heirloom_train::{AdamWSettings, Classifier, LEAST_RMS, Run, RunHeader, RunSettings, Schedule, parts_of_model};
use std::collections::BTreeSet;

/// One tensor of each kind.
#[derive(Module, Debug)]
struct Kinds {
    weight: Param<Tensor<1>>,
    bias: Param<Tensor<1>>,
    map: Param<Tensor<1>>,
    head: Param<Tensor<1>>,
}

impl Classifier for Kinds {
    fn logits(&self, _images: Tensor<4>, _drop_path: Option<Tensor<2>>) -> Tensor<2> {
        self.head.val().unsqueeze()
    }

    fn branches(&self) -> usize {
        0
    }

    fn classes(&self) -> usize {
        2
    }

    fn fresh(&self) -> Vec<ParamId> {
        vec![self.head.id]
    }

    fn added(&self) -> Vec<(ParamId, ParamId)> {
        vec![(self.map.id, self.weight.id)]
    }
}

fn settings(relative: f64, fresh: f64) -> RunSettings {
    RunSettings {
        schedule: Schedule::constant(relative),
        adamw: AdamWSettings { weight_decay: 0.5, ..PLAIN },
        fresh_lr: Some(fresh),
        ..plain_settings(0.0)
    }
}

/// Paths of the parameters that start from random numbers.
fn fresh(descendant: &Descendant) -> BTreeSet<String> {
    struct Names(Vec<ParamId>, Vec<String>, BTreeSet<String>);
    impl burn::module::ModuleVisitor for Names {
        fn enter_module(&mut self, name: &str, _container: &str) {
            self.1.push(name.to_owned());
        }
        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.1.pop();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if self.0.contains(&param.id) {
                self.2.insert(self.1.join("."));
            }
        }
    }
    let mut names = Names(Classifier::fresh(descendant), Vec::new(), BTreeSet::new());
    descendant.visit(&mut names);
    names.2
}

on_every_engine! {
    async fn each_tensor_moves_by_its_own_size_and_a_fresh_one_by_its_own_rate(device: Device) {
        let param = |values: [f32; 2]| Param::from_tensor(Tensor::<1>::from_floats(values, &device));
        let model = Kinds {
            weight: param([0.7, -0.1]),
            bias: param([0.0, 0.0]),
            map: param([5.0, 0.0]),
            head: param([0.2, -0.4]),
        };
        let mut run = Run::start(model, settings(0.01, 0.002)).await.unwrap();
        let scales: Vec<_> = run.settings().lr_scales.iter().map(|group| (group.prefix.clone(), group.scale)).collect();
        // The root of (0.49 + 0.01) / 2 is 0.5.
        let expected = [("weight", 0.5), ("bias", LEAST_RMS), ("map", 0.5), ("head", 0.2)];
        for ((prefix, scale), (name, size)) in scales.iter().zip(expected) {
            assert!(prefix == name && (scale - size).abs() < 1e-7, "{prefix}: {scale}");
        }
        assert_eq!(scales.len(), 4);
        // Every gradient is 3, so AdamW's first step is the rate, after a decay of half the rate's share.
        run.step_by(|model| {
            let all = [&model.weight, &model.bias, &model.map, &model.head].map(|param| param.val().sum());
            Tensor::cat(all.to_vec(), 0).sum() * 3.0
        })
        .await
        .unwrap();
        let model = run.model().unwrap();
        // Rates: 0.005, 0.00001, 0.005 and 0.002; x becomes x - rate / 2 * x - rate.
        let expected = [
            [0.7 - 0.00175 - 0.005, -0.1 + 0.00025 - 0.005],
            [-0.00001, -0.00001],
            [5.0 - 0.0125 - 0.005, -0.005],
            [0.2 - 0.0002 - 0.002, -0.4 + 0.0004 - 0.002],
        ];
        for (param, expected) in [model.weight, model.bias, model.map, model.head].into_iter().zip(expected) {
            assert_close(&read(param.val()).await.unwrap(), &expected, 1e-6);
        }
    }

    async fn a_restored_run_keeps_the_rates_of_its_start(device: Device) {
        let mut run = Run::start(tiny(3, &device).await, settings(0.02, 0.001)).await.unwrap();
        let first = run.settings().clone();
        for step in 0..2 {
            let (images, labels) = tiny_batch(step, &device);
            run.step(images, labels).await.unwrap();
        }
        let mut state = run.save().await.unwrap();
        let json = serde_json::to_string(&state.header).unwrap();
        state.header = serde_json::from_str::<RunHeader>(&json).unwrap();
        assert_eq!(state.header.settings, first, "to the last digit");
        let mut restored = Run::restore(tiny(99, &device).await, state).unwrap();
        for step in 2..4 {
            let (images, labels) = tiny_batch(step, &device);
            run.step(images.clone(), labels.clone()).await.unwrap();
            restored.step(images, labels).await.unwrap();
        }
        let [expected, found] = [run.save().await.unwrap(), restored.save().await.unwrap()];
        assert_eq!(found.header, expected.header);
        for (name, tensor) in &expected.tensors {
            assert_close(&found.tensors[name].values, &tensor.values, 1e-6);
        }
    }

    async fn what_starts_from_random_numbers_is_known(device: Device) {
        let config = VitConfig { depth: 2, ..super::models::tiny_config() };
        let ancestor = Vit::load(&config, &mut crate::cluster::inherit::state(&config, 4), &device).await.unwrap();
        let layers = |chosen: usize| WholeLayers::new(ancestor.clone().into(), LayersPlan::first(chosen, 2), 3, 4).unwrap();
        let head: BTreeSet<_> = ["head.bias", "head.weight"].map(|name| format!("model.Vit.{name}")).into();
        assert_eq!(fresh(&layers(2).start(1).await.unwrap()), head);
        let found = fresh(&layers(1).start(1).await.unwrap());
        let is_random = |name: &String| name.contains("blocks.1.") || name.contains("Vit.norm.") || name.contains("head");
        assert!(found.iter().all(is_random) && found.len() == 2 + 2 + 12, "{found:?}");
        let network: Model = lively(&small(Shortcut::Projection), &device).await.into();
        let found = fresh(&WholeLayers::new(network, LayersPlan::first(2, 3), 3, 8).unwrap().start(1).await.unwrap());
        let is_random = |name: &String| name.contains("stages.2.") || name.contains(".fc.");
        assert!(found.len() > 4 && found.iter().all(is_random), "{found:?}");
        let scratch = Scratch { config: config.into(), device: device.clone() }.start(1).await.unwrap();
        assert_eq!(fresh(&scratch).len(), parts_of_model(&scratch).len(), "all of it");
    }
}
