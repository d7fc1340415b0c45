//! Gradients of whole models against finite differences, on odd sizes.

use super::models::Lively;
use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Gradients, Int, Tensor, TensorData};
use heirloom_nn::device::{read, uniform};
use heirloom_nn::vit::{Pool, Vit, VitConfig};
use heirloom_train::{Classifier, HostTensors, cross_entropy, load_model, read_model, smoothed_targets};
use std::collections::BTreeMap;

/// Collects gradients by parameter path.
struct Collector<'a> {
    path: Vec<String>,
    gradients: &'a Gradients,
    chosen: &'a dyn Fn(&str) -> bool,
    found: Vec<(String, Tensor<1>)>,
}

impl ModuleVisitor for Collector<'_> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_string());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let gradient = param.val().grad(self.gradients);
        if !(self.chosen)(&self.path.join(".")) {
            return;
        }
        let gradient = gradient.unwrap_or_else(|| panic!("`{}` has no gradient", self.path.join(".")));
        self.found.push((self.path.join("."), gradient.flatten(0, D - 1)));
    }
}

fn loss(model: &Vit, device: &Device) -> Tensor<1> {
    let VitConfig { channels, image_size, .. } = model.config;
    let count = 2 * channels * image_size * image_size;
    let images = TensorData::new(uniform(count, 77, 1.0), [2, channels, image_size, image_size]);
    let targets = smoothed_targets(Tensor::<1, Int>::from_ints([1, 2], device), model.classes(), 0.1);
    cross_entropy(Classifier::logits(model, Tensor::from_data(images, device), None), targets)
}

async fn check(config: &VitConfig, chosen: &dyn Fn(&str) -> bool, device: &Device, draw: u32) {
    let Ok(model) = Vit::load(config, &mut Lively { seed: 40 }, device).await;
    agree(&model, &|model| loss(model, device), chosen, draw).await;
}

/// Moves the weights of the tensors in `chosen` along their gradient and compares what the loss does with what the
/// gradient promises. A random half of the entries moves, so that a gradient that is only right on the whole fails.
pub async fn agree<M: Module>(model: &M, loss: &dyn Fn(&M) -> Tensor<1>, chosen: &dyn Fn(&str) -> bool, draw: u32) {
    let weights = read_model(model).await.unwrap();
    let trained = model.clone().train();
    let gradients = loss(&trained).backward();
    let mut collector = Collector { path: Vec::new(), gradients: &gradients, chosen, found: Vec::new() };
    trained.visit(&mut collector);
    let mut direction = BTreeMap::new();
    for (name, gradient) in collector.found {
        let mut values = read(gradient).await.unwrap();
        let picks = uniform(values.len(), draw, 1.0);
        if values.len() > 1 {
            values.iter_mut().zip(picks).filter(|(_, pick)| *pick < 0.0).for_each(|(value, _)| *value = 0.0);
        }
        direction.insert(name, values);
    }
    assert!(!direction.is_empty(), "nothing was chosen");
    let square: f64 = direction.values().flatten().map(|value| f64::from(*value) * f64::from(*value)).sum();
    let norm = square.sqrt();
    assert!(norm > 1e-4, "{:?}: the gradient is nearly 0 ({norm})", direction.keys());
    // Far enough that f32 sees the difference, near enough that the curvature of third order does not.
    let reach = (0.01 / norm).min(0.05);
    let mut losses = Vec::new();
    for sign in [1.0, -1.0] {
        let mut moved: HostTensors = weights.clone();
        for (name, values) in &direction {
            let tensor = moved.get_mut(name).unwrap();
            for (weight, value) in tensor.values.iter_mut().zip(values) {
                *weight += (sign * reach * f64::from(*value) / norm) as f32;
            }
        }
        let moved = load_model(model.clone(), &moved).unwrap();
        losses.push(f64::from(read(loss(&moved)).await.unwrap()[0]));
    }
    let found = (losses[0] - losses[1]) / (2.0 * reach);
    let names: Vec<_> = direction.keys().collect();
    assert!((found - norm).abs() < 0.02 * norm + 1e-4, "{names:?}: differences give {found}, backward {norm}");
}

fn odd() -> VitConfig {
    VitConfig { num_heads: 3, head_dim: 5, classes: Some(7), ..crate::vit::small() }
}

on_every_engine! {
    async fn gradients_of_a_vit_with_odd_sizes_agree_with_finite_differences(device: Device) {
        let parts: [&[&str]; 5] = [
            &["cls_token", "pos_embed", "patch_embed"],
            &["attn.qkv"],
            &["attn.proj", "norm1"],
            &["mlp", "norm2"],
            &["head", "norm."],
        ];
        for part in parts {
            check(&odd(), &|name| part.iter().any(|piece| name.contains(piece)), &device, 5).await;
        }
    }
}

#[test]
fn gradients_of_every_tensor_of_every_variant_agree_with_finite_differences() {
    pollster::block_on(async {
        let device = crate::support::device().await;
        let variants = [
            odd(),
            VitConfig { qkv_bias: false, layer_scale: true, register_tokens: 2, ..odd() },
            VitConfig { distilled: true, qk_norm: true, ..odd() },
            VitConfig { pool: Pool::Avg, pos_embed_prefix: false, ..odd() },
            VitConfig { options: crate::vit::gated(), ..odd() },
            VitConfig { options: crate::vit::bare(), ..odd() },
            VitConfig { pos_embed_prefix: false, options: crate::vit::biased(), ..odd() },
            VitConfig { head_dim: 4, options: crate::vit::turned(), ..odd() },
            VitConfig { head_dim: 4, options: crate::vit::mixed(), ..odd() },
            VitConfig { options: crate::vit::rms(), ..odd() },
            VitConfig { pool: Pool::Map, options: crate::vit::asked(), ..odd() },
        ];
        for config in &variants {
            let Ok(model) = Vit::load(config, &mut Lively { seed: 1 }, &device).await;
            // A shift of all keys leaves attention as it is, so the shift of their norm has no gradient at all.
            let names = read_model(&model).await.unwrap().into_keys();
            for name in names.filter(|name| !name.ends_with("k_norm.beta")) {
                check(config, &|other| other == name, &device, 6).await;
            }
        }
    });
}
