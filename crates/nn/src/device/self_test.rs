//! The start-up self-test: some adapters compute wrong numbers without a word (zero products, zero gradients), so a
//! device is used only if a matmul, a softmax, a layer norm, one backward pass and our own kernel agree with stored
//! numbers.

use burn::tensor::activation::{gelu, softmax};
use burn::tensor::module::layer_norm;
use burn::tensor::{Device, Tensor, TensorData};

use super::{read, uniform};
use crate::kernels::{PatchGeometry, attention_distance};

/// Relative tolerance: f32 sums in another order, and the looser `exp` and `erf` of graphics drivers.
const TOLERANCE: f32 = 2e-3;

/// First value, middle value and mean magnitude of each result; made by `tests/fixtures/self_test/make.py`.
const MATMUL: [f32; 3] = [3.480_424e-1, 7.820_439e-1, 7.354_792_6e-1];
const SOFTMAX: [f32; 3] = [6.101_920_9e-3, 1.351_948_2e-2, 7.692_307_7e-3];
const LAYER_NORM: [f32; 3] = [2.900_073_3e-1, 1.073_212, 7.946_105e-1];
const BACKWARD: [f32; 3] = [-1.994_735e-4, 4.998_343_7e-4, 3.106_781_7e-3];
const ATTENTION_DISTANCE: [f32; 3] = [2.959_658_7e1, 2.999_958_6e1, 2.979_808_6e1];

/// A check that failed.
#[derive(Debug, thiserror::Error, serde::Serialize)]
pub enum SelfTestError {
    /// A result could not be read.
    #[error("{check} gave no result ({reason})")]
    NoResult {
        /// Which check.
        check: &'static str,
        /// What the device said.
        reason: String,
    },
    /// A result is wrong.
    #[error("{check} gave {found:?} instead of {expected:?}")]
    Wrong {
        /// Which check.
        check: &'static str,
        /// First value, middle value, mean magnitude.
        found: [f32; 3],
        /// What they should be.
        expected: [f32; 3],
    },
}

/// Runs all checks and says what each found.
///
/// # Errors
/// The first check that fails.
pub async fn self_test(device: &Device) -> Result<Vec<String>, SelfTestError> {
    let tensor = |rows: usize, columns: usize, seed: u32, scale: f32, device: &Device| {
        Tensor::<2>::from_data(TensorData::new(uniform(rows * columns, seed, scale), [rows, columns]), device)
    };
    let mut lines = Vec::new();
    let (x, w1) = (tensor(65, 192, 1, 1.0, device), tensor(192, 130, 2, 0.2, device));
    let hidden = x.matmul(w1);
    lines.push(check("matmul", hidden.clone(), MATMUL).await?);
    lines.push(check("softmax", softmax(hidden.clone(), 1), SOFTMAX).await?);
    let (gamma, beta) = (Tensor::ones([130], device), Tensor::zeros([130], device));
    lines.push(check("layer norm", layer_norm(hidden, gamma, Some(beta), 1e-6), LAYER_NORM).await?);

    let tracked = device.clone().autodiff();
    let w1 = tensor(192, 130, 2, 0.2, &tracked).require_grad();
    let (x, w2) = (tensor(65, 192, 1, 1.0, &tracked), tensor(130, 7, 3, 0.2, &tracked));
    let loss = gelu(x.matmul(w1.clone())).matmul(w2).square().mean();
    let no_gradient = || SelfTestError::NoResult { check: "backward pass", reason: "no gradient".into() };
    let gradient = w1.grad(&loss.backward()).ok_or_else(no_gradient)?;
    lines.push(check("backward pass", gradient, BACKWARD).await?);

    let heads = |seed| Tensor::<4>::from_data(TensorData::new(uniform(272, seed, 3.0), [1, 2, 17, 8]), device);
    let geometry = PatchGeometry { grid: 4, patch_size: 16, prefix_tokens: 1, renormalise: false };
    let distance = attention_distance(heads(4), heads(5), geometry).distance;
    lines.push(check("attention distance", distance, ATTENTION_DISTANCE).await?);
    Ok(lines)
}

async fn check(check: &'static str, result: Tensor<2>, expected: [f32; 3]) -> Result<String, SelfTestError> {
    let values = read(result).await.map_err(|error| SelfTestError::NoResult { check, reason: error.to_string() })?;
    let mean = values.iter().map(|value| value.abs()).sum::<f32>() / values.len() as f32;
    let found = [values[0], values[values.len() / 2], mean];
    // Not `difference > tolerance`: a NaN must fail.
    let is_close = |(found, expected): (&f32, &f32)| (found - expected).abs() <= TOLERANCE * expected.abs().max(1e-3);
    if found.iter().zip(&expected).all(is_close) {
        Ok(format!("{check}: {:.4e} (stored {:.4e})", found[2], expected[2]))
    } else {
        Err(SelfTestError::Wrong { check, found, expected })
    }
}
