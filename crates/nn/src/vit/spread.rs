//! A start for training a Vision Transformer from nothing on small pictures in little time: its heads look differently
//! far from the first step on.
//!
//! A short training from [`RandomWeights`] leaves every head looking everywhere: locality is what takes a Vision
//! Transformer longest to learn. Here positions are waves, and the queries and keys of each head are laid out so that
//! it looks at one place beside its own, in a spot of its own size (the idea of convolutional starts; Trockman and Kolter,
//! "Mimetic initialization", 2023). Everything trains afterwards. The patch embedding sees edges and colours as strongly as
//! brightness, which in natural pictures is far stronger.

use std::convert::Infallible;
use std::f32::consts::PI;

use rand::Rng;

use super::init::truncated_normal;
use super::{HostTensor, RandomWeights, VitConfig, Weights};
use heirloom_plan::weights::generator_of;

/// What a head looks at when training begins.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Gaze {
    /// How much more the middle of the spot counts than what is far from it, in logits along one axis.
    peak: f32,
    /// Radius of the spot, patches.
    radius: f32,
    /// How far the spot may lie from the head's own place along each axis, patches.
    offset: i32,
}

/// From the nearest to the farthest; the heads of a layer are spread over them.
const GAZES: [Gaze; 6] = [
    Gaze { peak: 4.0, radius: 0.6, offset: 0 },
    Gaze { peak: 4.0, radius: 0.6, offset: 1 },
    Gaze { peak: 4.0, radius: 0.7, offset: 2 },
    Gaze { peak: 3.0, radius: 1.2, offset: 1 },
    Gaze { peak: 1.5, radius: 2.0, offset: 0 },
    Gaze { peak: 0.0, radius: 2.0, offset: 0 },
];
/// Deviation of a position channel after a layer's first norm, roughly: what the waves' amplitude of 1 becomes.
const NORMED_WAVE: f32 = 1.2;
/// Deviation of what the patch embedding gives.
const CONTENT: f32 = 0.7;

/// Start values whose heads look differently far; see the module.
#[derive(Clone, Debug)]
pub struct SpreadHeads {
    /// Seed of all tensors.
    pub seed: u64,
    /// The model they are for.
    pub config: VitConfig,
}

impl SpreadHeads {
    /// Waves along one axis; each has sine and cosine along both.
    fn waves(&self) -> usize {
        self.config.head_dim.min(self.config.embed_dim) / 4
    }

    /// Angle that a wave advances from one patch to the next. Over a grid of as many patches as there are waves, they
    /// are an orthogonal basis that does not wrap around.
    fn frequency(&self, wave: usize) -> f32 {
        PI * (wave as f32 + 0.5) / self.config.grid().max(self.waves()) as f32
    }

    /// `[rows, embed_dim]`: `sin x, cos x, sin y, cos y` of each wave in the first channels.
    fn positions(&self) -> Vec<f32> {
        let (grid, width) = (self.config.grid(), self.config.embed_dim);
        let mut values = vec![0.0; self.config.pos_embed_prefix_rows() * width];
        for place in 0..grid * grid {
            let start = values.len();
            values.resize(start + width, 0.0);
            for wave in 0..self.waves() {
                let frequency = self.frequency(wave);
                let angles = [(place % grid) as f32 * frequency, (place / grid) as f32 * frequency];
                for (axis, angle) in angles.into_iter().enumerate() {
                    let at = start + 4 * wave + 2 * axis;
                    (values[at], values[at + 1]) = (angle.sin(), angle.cos());
                }
            }
        }
        values
    }

    /// `[3 * heads * head_dim, embed_dim]`: small noise in queries and keys with the waves on top, values as usual.
    fn qkv(&self, key: &str) -> Vec<f32> {
        let VitConfig { embed_dim: width, num_heads: heads, head_dim, .. } = self.config;
        let mut random = generator_of(self.seed, key);
        let value_scale = (width as f32).sqrt().recip();
        let mut values = Vec::with_capacity(3 * heads * head_dim * width);
        for part in [0.02, 0.02, value_scale] {
            values.extend((0..heads * head_dim * width).map(|_| part * truncated_normal(&mut random)));
        }
        for head in 0..heads {
            let gaze = GAZES[head * GAZES.len() / heads];
            let mut place = || random.random_range(-gaze.offset..=gaze.offset) as f32;
            let offset = [place(), place()];
            let falling = |wave| (-(self.frequency(wave) * gaze.radius).powi(2) / 2.0).exp();
            let sum: f32 = (0..self.waves()).map(falling).sum();
            // q · k / sqrt(head_dim) along one axis is `peak` where the key's place is the spot's middle.
            let strength = gaze.peak * (head_dim as f32).sqrt() / (NORMED_WAVE * NORMED_WAVE * sum);
            for wave in 0..self.waves() {
                let size = (strength * falling(wave)).sqrt();
                for (axis, offset) in offset.into_iter().enumerate() {
                    let channel = 4 * wave + 2 * axis;
                    let (sin, cos) = (self.frequency(wave) * offset).sin_cos();
                    let query = head * head_dim + channel;
                    let mut add = |row: usize, column: usize, value: f32| values[row * width + column] += size * value;
                    add(query, channel, cos);
                    add(query, channel + 1, sin);
                    add(query + 1, channel, -sin);
                    add(query + 1, channel + 1, cos);
                    add(heads * head_dim + query, channel, 1.0);
                    add(heads * head_dim + query + 1, channel + 1, 1.0);
                }
            }
        }
        values
    }

    /// `[embed_dim, channels, patch, patch]`: random mixtures of the patch's cosine waves, the finer ones stronger, as
    /// natural pictures have less of them.
    fn patches(&self, key: &str) -> Vec<f32> {
        let VitConfig { embed_dim, channels, patch_size: patch, .. } = self.config;
        let mut random = generator_of(self.seed, key);
        let cosine = |wave: usize, place: usize| {
            let scale = if wave == 0 { 1.0 } else { 2.0_f32.sqrt() } / (patch as f32).sqrt();
            scale * (PI * wave as f32 * (place as f32 + 0.5) / patch as f32).cos()
        };
        // Brightness, then differences of the channels, which are about three times as weak.
        let colour = |mixture: usize, channel: usize| match (mixture, channels) {
            (0, _) => (channels as f32).sqrt().recip(),
            (1, 3) => [1.0, 0.0, -1.0][channel] * 3.0 / 2.0_f32.sqrt(),
            (2, 3) => [-1.0, 2.0, -1.0][channel] * 3.0 / 6.0_f32.sqrt(),
            _ => f32::from(mixture == channel),
        };
        let fine = (patch / 2).max(1);
        let brightness = 0.9 * (channels as f32).sqrt() * patch as f32;
        let scale = CONTENT / (brightness * ((channels * fine * fine) as f32).sqrt());
        let mut values = Vec::with_capacity(embed_dim * channels * patch * patch);
        for _ in 0..embed_dim {
            let mut mixed = vec![0.0; channels * patch * patch];
            for (mixture, across, down) in every(channels, fine) {
                let gain = 1.0 + 1.5 * ((across * across + down * down) as f32).sqrt();
                let share = scale * gain * truncated_normal(&mut random);
                for (at, value) in mixed.iter_mut().enumerate() {
                    let (channel, row, column) = (at / (patch * patch), at / patch % patch, at % patch);
                    *value += share * colour(mixture, channel) * cosine(down, row) * cosine(across, column);
                }
            }
            values.extend(mixed);
        }
        values
    }

    fn values(&self, key: &str, shape: &[usize]) -> Vec<f32> {
        let count = shape.iter().product();
        let scaled = |scale: f32| -> Vec<f32> {
            let mut random = generator_of(self.seed, key);
            (0..count).map(|_| scale * truncated_normal(&mut random)).collect()
        };
        let fan_in = || (shape.iter().skip(1).product::<usize>().max(1) as f32).sqrt().recip();
        // What is added to the tokens, layer after layer, shall not outgrow them.
        let residual = (self.config.depth.max(1) as f32).sqrt().recip();
        match key {
            "pos_embed" => self.positions(),
            "patch_embed.proj.weight" => self.patches(key),
            _ if key.ends_with("attn.qkv.weight") => self.qkv(key),
            _ if key.ends_with("mlp.fc1.weight") => scaled(fan_in()),
            _ if key.ends_with("attn.proj.weight") || key.ends_with("mlp.fc2.weight") => scaled(residual * fan_in()),
            _ => RandomWeights { seed: self.seed }.values(key, count),
        }
    }
}

/// Every colour mixture with every pair of waves.
fn every(mixtures: usize, waves: usize) -> impl Iterator<Item = (usize, usize, usize)> {
    (0..mixtures * waves * waves).map(move |at| (at / (waves * waves), at / waves % waves, at % waves))
}

impl Weights for SpreadHeads {
    type Error = Infallible;

    async fn tensor(&mut self, key: &str, shape: &[usize]) -> Result<HostTensor, Infallible> {
        Ok(HostTensor { shape: shape.to_vec(), values: self.values(key, shape) })
    }
}
