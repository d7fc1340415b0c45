//! The benchmark's weights: what every engine starts from.

use std::collections::BTreeMap;
use std::convert::Infallible;

use heirloom_nn::device::uniform;
use heirloom_nn::vit::{HostTensor, Weights};

/// Uniform in ±0.04, seeded by their place in its list; norms one, biases zero.
pub struct BenchWeights {
    seeds: BTreeMap<String, u32>,
}

impl BenchWeights {
    /// Of a transformer with `depth` layers.
    pub fn new(depth: usize) -> Self {
        let front = ["patch_embed.proj.weight", "patch_embed.proj.bias", "cls_token", "pos_embed"];
        let layer = ["norm1", "attn.qkv", "attn.proj", "norm2", "mlp.fc1", "mlp.fc2"];
        let pair = |part: &str| [format!("{part}.weight"), format!("{part}.bias")];
        let layers =
            (0..depth).flat_map(|l| layer.map(|part| pair(&format!("blocks.{l}.{part}"))).into_iter().flatten());
        let back = [pair("norm"), pair("head")].into_iter().flatten();
        let keys = front.into_iter().map(String::from).chain(layers).chain(back);
        Self { seeds: keys.zip(1..).collect() }
    }
}

impl Weights for BenchWeights {
    type Error = Infallible;

    async fn tensor(&mut self, key: &str, shape: &[usize]) -> Result<HostTensor, Infallible> {
        let count = shape.iter().product();
        let seed = self.seeds.get(key).copied().unwrap_or(0);
        let values = match key {
            key if key.ends_with("bias") => vec![0.0; count],
            key if key.contains("norm") => vec![1.0; count],
            // The benchmark writes linear weights `[in, out]`, timm `[out, in]`.
            key if key.ends_with("weight") => transpose(&uniform(count, seed, 0.04), shape[0]),
            _ => uniform(count, seed, 0.04),
        };
        Ok(HostTensor { shape: shape.to_vec(), values })
    }
}

fn transpose(values: &[f32], rows: usize) -> Vec<f32> {
    (0..rows).flat_map(|row| values.iter().skip(row).step_by(rows)).copied().collect()
}
