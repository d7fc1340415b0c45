//! Weights from random numbers, as torchvision starts its networks.

use std::convert::Infallible;

use rand::Rng;

use heirloom_plan::weights::{HostTensor, Weights, generator_of};

/// torchvision's start: convolutions from a normal distribution of variance `2 / (output · kernel²)` (He et al. 2015,
/// fan out), norms at one and zero, a ResNet's `fc` uniform within `1 / √input`, a VGG's linear layers and a
/// MobileNetV2's classifier normal with deviation 0.01 and no bias.
///
/// Each tensor's numbers depend on the seed and its key alone.
#[derive(Clone, Copy, Debug)]
pub struct RandomWeights {
    /// Seed of all tensors.
    pub seed: u64,
}

impl RandomWeights {
    /// The numbers of one tensor.
    pub fn values(&self, key: &str, shape: &[usize]) -> Vec<f32> {
        let count = shape.iter().product();
        let mut random = generator_of(self.seed, key);
        let mut normal = |deviation: f64| -> Vec<f32> {
            let draw = || {
                let radius = (-2.0 * (1.0 - random.random::<f64>()).ln()).sqrt();
                (deviation * radius * (std::f64::consts::TAU * random.random::<f64>()).cos()) as f32
            };
            std::iter::repeat_with(draw).take(count).collect()
        };
        match (shape, key) {
            (&[output, _, kernel, _], _) => normal((2.0 / (output * kernel * kernel) as f64).sqrt()),
            (&[_, input], "fc.weight") => {
                let most = 1.0 / (input as f32).sqrt();
                std::iter::repeat_with(|| random.random_range(-most..=most)).take(count).collect()
            }
            (&[_, _], _) => normal(0.01),
            (_, key) if key.ends_with(".weight") || key.ends_with(".running_var") => vec![1.0; count],
            _ => vec![0.0; count],
        }
    }
}

impl Weights for RandomWeights {
    type Error = Infallible;

    async fn tensor(&mut self, key: &str, shape: &[usize]) -> Result<HostTensor, Infallible> {
        Ok(HostTensor { shape: shape.to_vec(), values: self.values(key, shape) })
    }
}
