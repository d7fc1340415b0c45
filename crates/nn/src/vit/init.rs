//! Weights from random numbers.

use std::convert::Infallible;

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use heirloom_plan::weights::{HostTensor, Weights, generator_of};

/// Timm's start of a Vision Transformer: weights, tokens and positions from a normal distribution of deviation 0.02
/// cut at two deviations, norms at one, biases (those of relative places
/// too) at zero, layer scale at 1e-5.
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
}

impl Weights for RandomWeights {
    type Error = Infallible;

    async fn tensor(&mut self, key: &str, shape: &[usize]) -> Result<HostTensor, Infallible> {
        Ok(HostTensor { shape: shape.to_vec(), values: self.values(key, shape.iter().product()) })
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
