//! Weights from random numbers and from memory.

use std::collections::BTreeMap;
use std::convert::Infallible;

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use sha2::{Digest, Sha256};

use super::{HostTensor, Weights};

/// Timm's start of a Vision Transformer: weights, tokens and positions from a normal distribution of deviation 0.02
/// cut at two deviations, norms at one, biases at zero, layer scale at 1e-5.
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
            "bias" => vec![0.0; count],
            "gamma" => vec![1e-5; count],
            "weight" if key.contains("norm") => vec![1.0; count],
            _ => {
                let mut seed = [0; 32];
                seed.copy_from_slice(&Sha256::digest(format!("{}/{key}", self.seed)));
                let mut random = ChaCha8Rng::from_seed(seed);
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
fn truncated_normal(random: &mut ChaCha8Rng) -> f32 {
    loop {
        let radius = (-2.0 * (1.0 - random.random::<f32>()).ln()).sqrt();
        let normal = radius * (std::f32::consts::TAU * random.random::<f32>()).cos();
        if normal.abs() <= 2.0 {
            return normal;
        }
    }
}

/// Why a tensor in memory does not serve.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Not there.
    #[error("the weights hold no `{0}`")]
    Missing(String),
    /// There in another shape.
    #[error("`{key}` has shape {found:?}, but {expected:?} is needed")]
    Shape {
        /// Its key.
        key: String,
        /// Its shape.
        found: Vec<usize>,
        /// The shape asked for.
        expected: Vec<usize>,
    },
}

/// Weights in memory, by timm key.
impl Weights for BTreeMap<String, HostTensor> {
    type Error = StateError;

    async fn tensor(&mut self, key: &str, shape: &[usize]) -> Result<HostTensor, StateError> {
        let tensor = self.get(key).ok_or_else(|| StateError::Missing(key.to_string()))?;
        if tensor.shape != shape {
            let (found, expected) = (tensor.shape.clone(), shape.to_vec());
            return Err(StateError::Shape { key: key.to_string(), found, expected });
        }
        Ok(tensor.clone())
    }
}
