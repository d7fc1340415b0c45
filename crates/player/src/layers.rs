//! The parts of a layer, named as in timm, on rows of one picture's tokens.

use std::f32::consts::PI;

use heirloom_lanes::{LayerNorm, Matrix, Onto, add_rows, gelu, gemm, layer_norm};
use heirloom_plan::config::Activation;

use super::PlayerError;
use super::weights::Weights;

/// A linear layer.
pub(crate) struct Linear {
    /// `[outputs, inputs]`.
    weight: Vec<f32>,
    bias: Option<Vec<f32>>,
    inputs: usize,
    outputs: usize,
}

impl Linear {
    pub(crate) fn load(
        weights: &mut Weights<'_>,
        key: &str,
        [inputs, outputs]: [usize; 2],
        has_bias: bool,
    ) -> Result<Self, PlayerError> {
        let weight = weights.take(&format!("{key}.weight"), &[outputs, inputs])?;
        Self { weight, bias: None, inputs, outputs }.with_bias(weights, key, has_bias)
    }

    /// A convolution whose stride is its kernel, on patches.
    pub(crate) fn load_patches(
        weights: &mut Weights<'_>,
        key: &str,
        [outputs, channels, side]: [usize; 3],
        has_bias: bool,
    ) -> Result<Self, PlayerError> {
        let weight = weights.take(&format!("{key}.weight"), &[outputs, channels, side, side])?;
        Self { weight, bias: None, inputs: channels * side * side, outputs }.with_bias(weights, key, has_bias)
    }

    fn with_bias(self, weights: &mut Weights<'_>, key: &str, has_bias: bool) -> Result<Self, PlayerError> {
        let bias = has_bias.then(|| weights.take(&format!("{key}.bias"), &[self.outputs])).transpose()?;
        Ok(Self { bias, ..self })
    }

    /// `[rows, inputs]` to `[rows, outputs]`.
    pub(crate) fn forward(&self, input: &[f32]) -> Vec<f32> {
        let rows = input.len() / self.inputs;
        let mut output = vec![0.0; rows * self.outputs];
        let weight = Matrix::new(&self.weight, self.outputs, self.inputs).transposed();
        gemm(Matrix::new(input, rows, self.inputs), weight, &mut output, self.outputs, Onto::Nothing);
        if let Some(bias) = &self.bias {
            add_rows(&mut output, bias);
        }
        output
    }
}

/// A layer norm.
pub(crate) struct Norm {
    weight: Vec<f32>,
    bias: Vec<f32>,
    epsilon: f32,
}

impl Norm {
    pub(crate) fn load(weights: &mut Weights<'_>, key: &str, width: usize, epsilon: f64) -> Result<Self, PlayerError> {
        let mut part = |part: &str| weights.take(&format!("{key}.{part}"), &[width]);
        Ok(Self { weight: part("weight")?, bias: part("bias")?, epsilon: epsilon as f32 })
    }

    /// `[rows, width]` to the same.
    pub(crate) fn forward(&self, input: &[f32]) -> Vec<f32> {
        let mut output = vec![0.0; input.len()];
        let mut statistics = vec![[0.0; 2]; input.len() / self.weight.len()];
        let norm = LayerNorm { weight: &self.weight, bias: Some(&self.bias), epsilon: self.epsilon };
        layer_norm(input, norm, &mut output, &mut statistics);
        output
    }
}

/// The feed-forward network (`mlp`).
pub(crate) struct Mlp {
    pub fc1: Linear,
    pub norm: Option<Norm>,
    pub fc2: Linear,
    pub activation: Activation,
    /// Whether the rows of `fc1` are `[gate, value]` (SwiGLU).
    pub gated: bool,
}

impl Mlp {
    /// `[tokens, embed_dim]` to the same.
    pub(crate) fn forward(&self, tokens: &[f32]) -> Vec<f32> {
        let hidden = self.fc1.forward(tokens);
        let hidden = match self.gated {
            false => activate(self.activation, hidden),
            true => {
                let width = self.fc1.outputs / 2;
                let rows = hidden.chunks_exact(2 * width);
                let gate = activate(self.activation, rows.clone().flat_map(|row| &row[..width]).copied().collect());
                gate.iter().zip(rows.flat_map(|row| &row[width..])).map(|(gate, value)| gate * value).collect()
            }
        };
        let hidden = self.norm.as_ref().map(|norm| norm.forward(&hidden)).unwrap_or(hidden);
        self.fc2.forward(&hidden)
    }
}

/// An activation, element by element.
fn activate(activation: Activation, mut values: Vec<f32>) -> Vec<f32> {
    let bend: fn(f32) -> f32 = match activation {
        Activation::Gelu => {
            let mut bent = vec![0.0; values.len()];
            gelu(&values, &mut bent);
            return bent;
        }
        Activation::GeluTanh => |x| 0.5 * x * (1.0 + ((2.0 / PI).sqrt() * (x + 0.044_715 * x * x * x)).tanh()),
        Activation::QuickGelu => |x| x / (1.0 + (-1.702 * x).exp()),
        Activation::Silu => |x| x / (1.0 + (-x).exp()),
        Activation::Relu => |x| x.max(0.0),
    };
    values.iter_mut().for_each(|value| *value = bend(*value));
    values
}

/// Adds a branch, scaled by channel where there is a layer scale (`gamma`).
pub(crate) fn add_branch(tokens: &mut [f32], branch: &[f32], gamma: Option<&[f32]>) {
    match gamma {
        None => tokens.iter_mut().zip(branch).for_each(|(token, branch)| *token += branch),
        Some(gamma) => {
            let rows = tokens.chunks_exact_mut(gamma.len()).zip(branch.chunks_exact(gamma.len()));
            for (tokens, branch) in rows {
                tokens.iter_mut().zip(branch).zip(gamma).for_each(|((token, branch), gamma)| *token += branch * gamma);
            }
        }
    }
}
