//! Tests of `cnn`. Fixtures: `tests/fixtures/cnn` (made by `make.py` there).

#[cfg(not(target_arch = "wasm32"))]
mod files;
#[cfg(not(target_arch = "wasm32"))]
mod gradients;
mod mobile;
mod reference;
mod training;
mod units;

use std::convert::Infallible;

use burn::tensor::{Device, Tensor, TensorData};
use heirloom_checkpoint::Checkpoint;
use heirloom_nn::cnn::{BlockKind, Cnn, CnnConfig, Hooks, Shortcut, StageConfig, StemConfig};
use heirloom_nn::device::{read, uniform};
use heirloom_plan::weights::{HostTensor, Weights};
use heirloom_platform::file::FileHandle;

/// Networks of the fixtures, by name.
pub fn fixture(name: &str) -> &'static [u8] {
    match name {
        "projection" => include_bytes!("../fixtures/cnn/projection.safetensors"),
        "zeros" => include_bytes!("../fixtures/cnn/zeros.safetensors"),
        "basic" => include_bytes!("../fixtures/cnn/basic.safetensors"),
        "bottleneck" => include_bytes!("../fixtures/cnn/bottleneck.safetensors"),
        "vgg" => include_bytes!("../fixtures/cnn/vgg.safetensors"),
        "vgg_dropout" => include_bytes!("../fixtures/cnn/vgg_dropout.safetensors"),
        other => panic!("no fixture {other}"),
    }
}

pub const FIXTURES: [&str; 6] = ["projection", "zeros", "basic", "bottleneck", "vgg", "vgg_dropout"];

pub async fn open(name: &str) -> Checkpoint {
    let file = FileHandle::from_bytes(format!("{name}.safetensors"), fixture(name));
    Checkpoint::open(&[file]).await.unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The fixture's network for pictures of `size` px.
pub async fn load(name: &str, size: usize, device: &Device) -> Cnn {
    let checkpoint = open(name).await;
    let config = CnnConfig { image_size: size, ..checkpoint.config.cnn().expect("a network").clone() };
    Cnn::load(&config, &mut &checkpoint, device).await.unwrap()
}

/// Numbers of reference.json.
pub fn numbers(value: &serde_json::Value) -> Vec<f32> {
    serde_json::from_value(value.clone()).expect("numbers")
}

pub fn reference() -> serde_json::Value {
    serde_json::from_str(include_str!("../fixtures/cnn/reference.json")).expect("a fixture")
}

pub fn pictures(values: Vec<f32>, size: usize, device: &Device) -> Tensor<4> {
    let count = values.len() / (3 * size * size);
    Tensor::from_data(TensorData::new(values, [count, 3, size, size]), device)
}

/// 8 px, three stages of one block each: widths 4, 6 and 9.
pub fn small(shortcut: Shortcut) -> CnnConfig {
    let stage = |input, width, stride| StageConfig {
        block: BlockKind::Basic,
        depth: 1,
        input,
        inner: width,
        width,
        stride,
        shortcut,
    };
    CnnConfig {
        image_size: 8,
        channels: 3,
        stem: Some(StemConfig { width: 4, kernel: 3, stride: 1, pool: false }),
        stages: vec![stage(4, 4, 1), stage(4, 6, 2), stage(6, 9, 2)],
        conv_head: None,
        conv_bias: false,
        norm_eps: 1e-5,
        pooled_side: 1,
        hidden: Vec::new(),
        hidden_norm: false,
        classes: Some(5),
    }
}

/// Weights without a pattern: norms around one, running statistics away from where they start.
pub struct Lively {
    pub seed: u32,
}

impl Weights for Lively {
    type Error = Infallible;

    async fn tensor(&mut self, key: &str, shape: &[usize]) -> Result<HostTensor, Infallible> {
        self.seed += 1;
        let count: usize = shape.iter().product();
        let reach = if shape.len() > 1 { (3.0 / (count / shape[0]) as f32).sqrt() } else { 0.3 };
        let mut values = uniform(count, self.seed, reach);
        if shape.len() == 1 && (key.ends_with("weight") || key.ends_with("var")) {
            values.iter_mut().for_each(|value| *value += 1.0);
        }
        Ok(HostTensor { shape: shape.to_vec(), values })
    }
}

pub async fn lively(config: &CnnConfig, device: &Device) -> Cnn {
    let Ok(cnn) = Cnn::load(config, &mut Lively { seed: 1 }, device).await;
    cnn
}

pub async fn logits(cnn: &Cnn, images: Tensor<4>) -> Vec<f32> {
    read(cnn.logits(images, &mut Hooks::default())).await.unwrap()
}
