//! Weights from random numbers.

use std::convert::Infallible;
use std::f32::consts::{FRAC_PI_2, TAU};

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use heirloom_plan::weights::{HostTensor, Weights, generator_of};

/// How much slower than the first pair of channels one would turn that came after the last, where that is learned.
const ROPE_TEMPERATURE: f32 = 10.0;

/// Timm's start of a Vision Transformer: weights, tokens and positions from a normal distribution of deviation 0.02
/// cut at two deviations, norms at one, biases (those of relative places
/// too) at zero, layer scale at 1e-5; learned frequencies of rotary positions as RoPE-Mixed has them, along axes that each
/// head draws.
///
/// Each tensor's numbers depend on the seed and its key alone, so models that share a tensor share its start, and
/// every engine starts from the same numbers.
#[derive(Clone, Copy, Debug)]
pub struct RandomWeights {
    /// Seed of all tensors.
    pub seed: u64,
}

impl RandomWeights {
    /// The numbers of one tensor.
    pub fn values(&self, key: &str, count: usize) -> Vec<f32> {
        let part = key.rsplit('.').next().unwrap_or(key);
        match part {
            "bias" | "relative_position_bias_table" => vec![0.0; count],
            "gamma" => vec![1e-5; count],
            "weight" if key.contains("norm") => vec![1.0; count],
            _ => {
                let mut random = generator_of(self.seed, key);
                (0..count).map(|_| 0.02 * truncated_normal(&mut random)).collect()
            }
        }
    }

    /// Learned frequencies `[2, heads, pairs]`: half of a head's pairs turn along an axis drawn for it, half across.
    fn rope_freqs(&self, key: &str, [heads, pairs]: [usize; 2]) -> Vec<f32> {
        let (mut random, bands) = (generator_of(self.seed, key), (pairs / 2).max(1));
        let axes: Vec<f32> = (0..heads).map(|_| TAU * random.random::<f32>()).collect();
        let along = |part: fn(f32) -> f32| {
            let axes = axes.clone();
            axes.into_iter().flat_map(move |axis| {
                (0..pairs).map(move |pair| {
                    let size = ROPE_TEMPERATURE.powf(-((pair % bands) as f32) / bands as f32);
                    size * part(axis + (pair / bands) as f32 * FRAC_PI_2)
                })
            })
        };
        along(f32::cos).chain(along(f32::sin)).collect()
    }
}

impl Weights for RandomWeights {
    type Error = Infallible;

    async fn tensor(&mut self, key: &str, shape: &[usize]) -> Result<HostTensor, Infallible> {
        let values = match *shape {
            [2, heads, pairs] if key.ends_with("rope_freqs") => self.rope_freqs(key, [heads, pairs]),
            _ => self.values(key, shape.iter().product()),
        };
        Ok(HostTensor { shape: shape.to_vec(), values })
    }
}

/// A standard normal number within two deviations (Box-Muller, redrawn outside).
pub(super) fn truncated_normal(random: &mut ChaCha8Rng) -> f32 {
    loop {
        let radius = (-2.0 * (1.0 - random.random::<f32>()).ln()).sqrt();
        let normal = radius * (std::f32::consts::TAU * random.random::<f32>()).cos();
        if normal.abs() <= 2.0 {
            return normal;
        }
    }
}
