//! Weights on the host, as files hold them, and where they come from. What the families of models share.

use std::collections::BTreeMap;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use sha2::{Digest, Sha256};

/// One tensor on the host: PyTorch shape, row-major values.
#[derive(Clone, Debug, PartialEq)]
pub struct HostTensor {
    /// Shape as PyTorch has it (`[out, in]` for linear weights).
    pub shape: Vec<usize>,
    /// Values, row-major.
    pub values: Vec<f32>,
}

/// Where weights come from: a file, a generator, another model.
///
/// Implementors return the tensor of a key (timm's for Vision Transformers, torchvision's for convolutional networks)
/// in PyTorch's shape.
pub trait Weights {
    /// What can go wrong.
    type Error;

    /// The tensor of `key`, which must have `shape`.
    fn tensor(&mut self, key: &str, shape: &[usize]) -> impl Future<Output = Result<HostTensor, Self::Error>>;
}

/// Why a tensor in memory does not serve.
#[derive(Debug, thiserror::Error, serde::Serialize)]
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

/// Weights in memory, by key.
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

/// The generator of one tensor's start: it depends on the seed and the key alone, so models that share a tensor share
/// its start, and every engine starts from the same numbers.
pub fn generator_of(seed: u64, key: &str) -> ChaCha8Rng {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(&Sha256::digest(format!("{seed}/{key}")));
    ChaCha8Rng::from_seed(bytes)
}

/// `[rows, columns]` to `[columns, rows]`.
pub fn transpose(values: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    let mut turned = Vec::with_capacity(values.len());
    for column in 0..columns {
        turned.extend((0..rows).map(|row| values[row * columns + column]));
    }
    turned
}
