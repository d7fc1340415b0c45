//! Models the training tests share.

use burn::tensor::{Device, Int, Tensor, TensorData};
use heirloom_nn::device::uniform;
use heirloom_nn::vit::{HostTensor, Pool, Vit, VitConfig, Weights};
use heirloom_train::{AdamWSettings, Decay, RunSettings, Schedule};
use std::convert::Infallible;

/// Workload W0 of the peer benchmark: 2 layers, width 64, 17 tokens, 10 classes.
pub fn w0_config() -> VitConfig {
    VitConfig {
        image_size: 16,
        patch_size: 4,
        channels: 3,
        embed_dim: 64,
        depth: 2,
        num_heads: 2,
        head_dim: 32,
        mlp_dim: 256,
        qkv_bias: true,
        qk_norm: false,
        layer_scale: false,
        cls_token: true,
        distilled: false,
        register_tokens: 0,
        pos_embed_prefix: true,
        pool: Pool::Cls,
        options: Default::default(),
        norm_eps: 1e-6,
        classes: Some(10),
    }
}

/// Smaller still, for software WebGPU: 1 layer, width 8, 5 tokens, 3 classes.
pub fn tiny_config() -> VitConfig {
    VitConfig {
        image_size: 4,
        patch_size: 2,
        embed_dim: 8,
        depth: 1,
        num_heads: 2,
        head_dim: 4,
        mlp_dim: 12,
        classes: Some(3),
        ..w0_config()
    }
}

/// The peers' start weights: uniform in ±0.04, seeded by the place of the tensor in their list.
pub struct PeerWeights;

impl PeerWeights {
    fn place(key: &str) -> u32 {
        const PARTS: [&str; 12] = [
            "norm1.weight",
            "norm1.bias",
            "attn.qkv.weight",
            "attn.qkv.bias",
            "attn.proj.weight",
            "attn.proj.bias",
            "norm2.weight",
            "norm2.bias",
            "mlp.fc1.weight",
            "mlp.fc1.bias",
            "mlp.fc2.weight",
            "mlp.fc2.bias",
        ];
        match key {
            "patch_embed.proj.weight" => 0,
            "cls_token" => 2,
            "pos_embed" => 3,
            "head.weight" => 4 + 12 * 2 + 2,
            _ => {
                let (layer, part) = key.strip_prefix("blocks.").and_then(|key| key.split_once('.')).expect("a block");
                let part = PARTS.iter().position(|known| *known == part).expect("a known part");
                4 + 12 * layer.parse::<u32>().expect("a layer") + part as u32
            }
        }
    }
}

impl Weights for PeerWeights {
    type Error = Infallible;

    async fn tensor(&mut self, key: &str, shape: &[usize]) -> Result<HostTensor, Infallible> {
        let count = shape.iter().product();
        let values = if key.ends_with("bias") {
            vec![0.0; count]
        } else if key.contains("norm") {
            vec![1.0; count]
        } else {
            let values = uniform(count, Self::place(key) + 1, 0.04);
            // The peers hold linear weights as [in, out].
            if shape.len() == 2 || shape.len() == 4 { transposed(&values, shape[0]) } else { values }
        };
        Ok(HostTensor { shape: shape.to_vec(), values })
    }
}

/// `[columns, rows]` to `[rows, columns]`.
fn transposed(values: &[f32], rows: usize) -> Vec<f32> {
    let columns = values.len() / rows;
    (0..rows * columns).map(|at| values[(at % columns) * rows + at / columns]).collect()
}

/// Start weights large enough that attention is not flat: uniform in ±0.5, norms around 1.
pub struct Lively {
    pub seed: u32,
}

impl Weights for Lively {
    type Error = Infallible;

    async fn tensor(&mut self, key: &str, shape: &[usize]) -> Result<HostTensor, Infallible> {
        self.seed += 1;
        let mut values = uniform(shape.iter().product(), self.seed, 0.5);
        if key.contains("norm") && key.ends_with("weight") {
            values.iter_mut().for_each(|value| *value += 1.0);
        }
        Ok(HostTensor { shape: shape.to_vec(), values })
    }
}

pub async fn w0(device: &Device) -> Vit {
    let Ok(model) = Vit::load(&w0_config(), &mut PeerWeights, device).await;
    model
}

/// The peers' images and labels of W0.
pub fn w0_batch(device: &Device) -> (Tensor<4>, Tensor<1, Int>) {
    let images = TensorData::new(uniform(4 * 3 * 16 * 16, 9001, 1.7), [4, 3, 16, 16]);
    (Tensor::from_data(images, device), Tensor::from_ints([0, 1, 2, 3], device))
}

pub async fn tiny(seed: u32, device: &Device) -> Vit {
    let Ok(model) = Vit::load(&tiny_config(), &mut Lively { seed }, device).await;
    model
}

/// Batch `step` for [`tiny`]: 4 pictures of noise with labels 0, 1, 2, 0.
pub fn tiny_batch(step: usize, device: &Device) -> (Tensor<4>, Tensor<1, Int>) {
    let images = TensorData::new(uniform(4 * 3 * 16, 100 + step as u32, 1.0), [4, 3, 4, 4]);
    (Tensor::from_data(images, device), Tensor::from_ints([0, 1, 2, 0], device))
}

pub const W0_ADAMW: AdamWSettings =
    AdamWSettings { betas: [0.9, 0.999], epsilon: 1e-8, weight_decay: 0.05, decay: Decay::Every, clip_norm: None };

/// As the peer benchmark trains.
pub fn plain_settings(lr: f64) -> RunSettings {
    RunSettings {
        schedule: Schedule::constant(lr),
        adamw: W0_ADAMW,
        label_smoothing: 0.0,
        drop_path: 0.0,
        freeze_steps: 0,
        lr_scales: Vec::new(),
        fresh_lr: None,
        seed: 0,
    }
}
