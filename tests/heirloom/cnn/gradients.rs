//! Gradients of whole networks against finite differences, in training passes and outside.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Gradients, Int, Tensor, TensorData};
use heirloom_nn::cnn::{BlockKind, Cnn, CnnConfig, Hooks, Shortcut, StageConfig, Statistics, StemConfig};
use heirloom_nn::device::{read, uniform};
use heirloom_train::{HostTensors, cross_entropy, load_model, read_model, smoothed_targets};

use super::{lively, small};

/// Gradients by parameter path; parameters that never train are left out.
struct Collector<'a> {
    path: Vec<String>,
    gradients: &'a Gradients,
    found: Vec<(String, Tensor<1>)>,
    without: Vec<String>,
}

impl ModuleVisitor for Collector<'_> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_string());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let name = self.path.join(".");
        match param.val().grad(self.gradients) {
            Some(gradient) => self.found.push((name, gradient.flatten(0, D - 1))),
            None => self.without.push(name),
        }
    }
}

fn loss(model: &Cnn, is_training: bool, device: &Device) -> Tensor<1> {
    let (size, batch) = (model.config.image_size, 3);
    let images = TensorData::new(uniform(batch * 3 * size * size, 77, 1.0), [batch, 3, size, size]);
    let images = Tensor::<4>::from_data(images, device);
    let targets = smoothed_targets(Tensor::<1, Int>::from_ints([1, 2, 0], device), 5, 0.1);
    let mut statistics = Statistics::default();
    let statistics = is_training.then_some(&mut statistics);
    cross_entropy(model.logits(images, &mut Hooks { statistics, ..Default::default() }), targets)
}

/// Moves the tensors of `chosen` along their gradient and compares what the loss does with what the gradient promises.
async fn check(model: &Cnn, is_training: bool, gradients: &BTreeMap<String, Vec<f32>>, chosen: &str, device: &Device) {
    let mut direction = BTreeMap::new();
    for (name, values) in gradients.iter().filter(|(name, _)| name.contains(chosen)) {
        let picks = uniform(values.len(), 6, 1.0);
        let halved =
            values.iter().zip(picks).map(|(&value, pick)| if pick < 0.0 && values.len() > 1 { 0.0 } else { value });
        direction.insert(name.clone(), halved.collect::<Vec<f32>>());
    }
    assert!(!direction.is_empty(), "`{chosen}` names nothing");
    let norm = direction.values().flatten().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
    assert!(norm > 1e-4, "{chosen}: the gradient is nearly 0 ({norm})");
    // ReLUs bend the loss: a short way, and the mean over several lengths, keeps their kinks apart from a wrong gradient.
    let weights = read_model(model).await.unwrap();
    let mut promised = Vec::new();
    for reach in [1e-2, 2e-3, 5e-4, 2e-4] {
        let mut losses = Vec::new();
        for sign in [1.0, -1.0] {
            let mut moved: HostTensors = weights.clone();
            for (name, values) in &direction {
                for (weight, value) in moved.get_mut(name).unwrap().values.iter_mut().zip(values) {
                    *weight += (sign * reach * f64::from(*value) / norm) as f32;
                }
            }
            let moved = load_model(model.clone(), &moved).unwrap();
            losses.push(f64::from(read(loss(&moved, is_training, device)).await.unwrap()[0]));
        }
        promised.push((losses[0] - losses[1]) / (2.0 * reach));
    }
    let near = promised.iter().any(|found| (found - norm).abs() < 0.03 * norm + 2e-4);
    assert!(near, "{chosen}: differences give {promised:?}, backward {norm}");
}

async fn check_all(config: &CnnConfig, parts: &[&str], is_training: bool) {
    let device = crate::support::device().await;
    let model = lively(config, &device).await;
    let trained = model.clone().train();
    let gradients = loss(&trained, is_training, &device.clone().autodiff()).backward();
    let mut collector = Collector { path: Vec::new(), gradients: &gradients, found: Vec::new(), without: Vec::new() };
    trained.visit(&mut collector);
    assert!(collector.without.iter().all(|name| name.contains("running_")), "{:?}", collector.without);
    assert!(collector.found.iter().all(|(name, _)| !name.contains("running_")));
    let mut found = BTreeMap::new();
    for (name, gradient) in collector.found {
        found.insert(name, read(gradient).await.unwrap());
    }
    for part in parts {
        check(&model, is_training, &found, part, &device).await;
    }
}

fn bottleneck() -> CnnConfig {
    let stage = |input, inner, width, stride| StageConfig {
        block: BlockKind::Bottleneck,
        depth: 2,
        input,
        inner,
        width,
        stride,
        shortcut: Shortcut::Projection,
    };
    CnnConfig {
        stem: Some(StemConfig { width: 3, kernel: 7, stride: 2, pool: true }),
        stages: vec![stage(3, 2, 5, 1), stage(5, 3, 6, 2)],
        image_size: 12,
        ..small(Shortcut::Projection)
    }
}

fn vgg() -> CnnConfig {
    let stage = |depth, input, width| StageConfig {
        block: BlockKind::Plain,
        depth,
        input,
        inner: width,
        width,
        stride: 2,
        shortcut: Shortcut::Projection,
    };
    CnnConfig {
        stem: None,
        stages: vec![stage(1, 3, 4), stage(2, 4, 5)],
        conv_bias: true,
        pooled_side: 2,
        hidden: vec![6],
        hidden_norm: true,
        image_size: 12,
        ..small(Shortcut::Projection)
    }
}

const RESIDUAL: [&str; 6] =
    ["stem.conv.weight", "stages.0", "stages.1", "downsample.weight", "norm.weight", "fc.weight"];

#[test]
fn gradients_of_basic_blocks_with_projections_agree_with_finite_differences() {
    for is_training in [true, false] {
        pollster::block_on(check_all(&small(Shortcut::Projection), &RESIDUAL, is_training));
    }
}

#[test]
fn gradients_of_shortcuts_of_zeros_agree_with_finite_differences() {
    let parts = ["stem.conv.weight", "stages.0", "stages.1", "norm.bias", "fc"];
    for is_training in [true, false] {
        pollster::block_on(check_all(&small(Shortcut::Zeros), &parts, is_training));
    }
}

#[test]
fn gradients_of_bottlenecks_behind_a_pooled_stem_agree_with_finite_differences() {
    for is_training in [true, false] {
        pollster::block_on(check_all(&bottleneck(), &RESIDUAL, is_training));
    }
}

#[test]
fn gradients_of_a_vgg_with_a_norm_in_its_classifier_agree_with_finite_differences() {
    let parts = ["stages.0.blocks.0.convs.0.weight", "stages.1", "norm.weight", "hidden.0.linear", "fc"];
    for is_training in [true, false] {
        pollster::block_on(check_all(&vgg(), &parts, is_training));
    }
}
