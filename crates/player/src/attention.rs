//! Multi-head self-attention (`attn`), with what tells it places, and attention pooling (`attn_pool`).

use heirloom_lanes::{Matrix, Onto, gemm, softmax_rows_with_lse};
use heirloom_plan::config::{AttentionPoolConfig, VitConfig, relative_index};

use super::PlayerError;
use super::layers::{Linear, Mlp, Norm};
use super::weights::Weights;

/// Multi-head self-attention with a fused `qkv`.
pub(crate) struct Attention {
    qkv: Linear,
    /// Norms of each head's queries and keys, if any.
    qk_norm: Option<[Norm; 2]>,
    /// How queries and keys are turned by their places, if they are.
    turns: Option<Turns>,
    /// What is added to the scores, `[heads, tokens, tokens]`, if anything is.
    bias: Option<Vec<f32>>,
    norm: Option<Norm>,
    proj: Linear,
    heads: usize,
    head_dim: usize,
}

/// Cosine and sine by which each pair of channels turns, `[patches, pairs]`.
struct Turns {
    table: Vec<[f32; 2]>,
    pairs: usize,
    /// Whether channel `i` is paired with `i + pairs`; otherwise neighbours are pairs.
    halves: bool,
    /// Tokens before the patches, which have no place.
    prefix: usize,
}

impl Attention {
    pub(crate) fn load(weights: &mut Weights<'_>, key: &str, config: &VitConfig) -> Result<Self, PlayerError> {
        let VitConfig { embed_dim, num_heads: heads, head_dim, norm_eps, options, .. } = *config;
        let width = config.attention_dim();
        let named = |part: &str| format!("{key}.{part}");
        let qkv = Linear::load(weights, &named("qkv"), [embed_dim, 3 * width], config.qkv_bias)?;
        let qk_norm = match config.qk_norm {
            true => Some([
                Norm::load(weights, &named("q_norm"), head_dim, norm_eps)?,
                Norm::load(weights, &named("k_norm"), head_dim, norm_eps)?,
            ]),
            false => None,
        };
        let turns = options.rope.map(|rope| {
            let angles = rope.angles(config.grid(), head_dim);
            let table = angles.into_iter().map(|angle| [angle.cos(), angle.sin()]).collect();
            Turns { table, pairs: head_dim / 2, halves: rope.halves, prefix: config.prefix_tokens() }
        });
        let bias = match options.relative_bias {
            true => {
                let table = weights.take(&named("relative_position_bias_table"), &[config.relative_rows(), heads])?;
                let rows = relative_index(config.tokens());
                Some(
                    (0..heads)
                        .flat_map(|head| rows.iter().map(move |row| (row, head)))
                        .map(|(row, head)| table[row * heads + head])
                        .collect(),
                )
            }
            false => None,
        };
        let norm = options.attn_norm.then(|| Norm::load(weights, &named("norm"), width, norm_eps)).transpose()?;
        let proj = Linear::load(weights, &named("proj"), [width, embed_dim], true)?;
        Ok(Self { qkv, qk_norm, turns, bias, norm, proj, heads, head_dim })
    }

    /// Normed tokens `[tokens, embed_dim]` to the same, and the mean over the heads of what each token attends to,
    /// `[tokens, tokens]`.
    pub(crate) fn forward(&self, normed: &[f32], count: usize) -> (Vec<f32>, Vec<f32>) {
        let (head_dim, width) = (self.head_dim, self.heads * self.head_dim);
        let mut qkv = self.qkv.forward(normed);
        self.prepare(&mut qkv);
        let (mut mixed, mut mean) = (vec![0.0; count * width], vec![0.0; count * count]);
        let (mut scores, mut lse) = (vec![0.0; count * count], vec![0.0; count]);
        let scale = 1.0 / (head_dim as f32).sqrt();
        for head in 0..self.heads {
            let part =
                |part: usize| Matrix::strided(&qkv[part * width + head * head_dim..], count, head_dim, 3 * width);
            gemm(part(0), part(1).transposed(), &mut scores, count, Onto::Nothing);
            match &self.bias {
                Some(bias) => {
                    let bias = &bias[head * count * count..][..count * count];
                    scores.iter_mut().zip(bias).for_each(|(score, bias)| *score = *score * scale + bias);
                    softmax_rows_with_lse(&mut scores, count, 1.0, &mut lse);
                }
                None => softmax_rows_with_lse(&mut scores, count, scale, &mut lse),
            }
            mean.iter_mut().zip(&scores).for_each(|(mean, share)| *mean += share / self.heads as f32);
            gemm(Matrix::new(&scores, count, count), part(2), &mut mixed[head * head_dim..], width, Onto::Nothing);
        }
        let mixed = self.norm.as_ref().map(|norm| norm.forward(&mixed)).unwrap_or(mixed);
        (self.proj.forward(&mixed), mean)
    }

    /// Norms queries and keys by head, and turns them, where the model does so.
    fn prepare(&self, qkv: &mut [f32]) {
        let width = self.heads * self.head_dim;
        for (token, row) in qkv.chunks_exact_mut(3 * width).enumerate() {
            for part in 0..2 {
                let heads = &mut row[part * width..(part + 1) * width];
                if let Some(norms) = &self.qk_norm {
                    let normed = norms[part].forward(heads);
                    heads.copy_from_slice(&normed);
                }
                if let Some(turns) = &self.turns {
                    heads.chunks_exact_mut(self.head_dim).for_each(|head| turns.turn(head, token));
                }
            }
        }
    }
}

impl Turns {
    /// Turns the channels of one head of a token.
    fn turn(&self, head: &mut [f32], token: usize) {
        let Some(patch) = token.checked_sub(self.prefix) else { return };
        for (pair, [cos, sin]) in self.table[patch * self.pairs..][..self.pairs].iter().enumerate() {
            let (a, b) = if self.halves { (pair, pair + self.pairs) } else { (2 * pair, 2 * pair + 1) };
            let (one, other) = (head[a], head[b]);
            (head[a], head[b]) = (one * cos - other * sin, other * cos + one * sin);
        }
    }
}

/// Attention pooling: a learned query asks the tokens, and a feed-forward network follows its answer.
pub(crate) struct AttentionPool {
    latent: Vec<f32>,
    q: Linear,
    kv: Linear,
    proj: Linear,
    norm: Norm,
    mlp: Mlp,
    heads: usize,
    /// The first token that is asked.
    first: usize,
}

impl AttentionPool {
    pub(crate) fn load(
        weights: &mut Weights<'_>,
        config: &VitConfig,
        AttentionPoolConfig { heads, mlp_dim }: AttentionPoolConfig,
    ) -> Result<Self, PlayerError> {
        let width = config.embed_dim;
        let latent = weights.take("attn_pool.latent", &[1, 1, width])?;
        let mut linear = |part: &str, sizes| Linear::load(weights, &format!("attn_pool.{part}"), sizes, true);
        let (q, kv) = (linear("q", [width, width])?, linear("kv", [width, 2 * width])?);
        let proj = linear("proj", [width, width])?;
        let (fc1, fc2) = (linear("mlp.fc1", [width, mlp_dim])?, linear("mlp.fc2", [mlp_dim, width])?);
        let norm = Norm::load(weights, "attn_pool.norm", width, config.norm_eps)?;
        let mlp = Mlp { fc1, norm: None, fc2, activation: config.pool_activation(), gated: false };
        let first = if config.pool_sees_prefix() { 0 } else { config.prefix_tokens() };
        Ok(Self { latent, q, kv, proj, norm, mlp, heads, first })
    }

    /// `[tokens, embed_dim]` to `[embed_dim]`.
    pub(crate) fn forward(&self, tokens: &[f32]) -> Vec<f32> {
        let width = self.latent.len();
        let tokens = &tokens[self.first * width..];
        let (count, head_dim) = (tokens.len() / width, width / self.heads);
        let (query, kv) = (self.q.forward(&self.latent), self.kv.forward(tokens));
        let (mut mixed, mut scores, mut lse) = (vec![0.0; width], vec![0.0; count], [0.0]);
        for at in (0..width).step_by(head_dim) {
            let part = |from: usize| Matrix::strided(&kv[from + at..], count, head_dim, 2 * width);
            let query = Matrix::new(&query[at..at + head_dim], 1, head_dim);
            gemm(query, part(0).transposed(), &mut scores, count, Onto::Nothing);
            softmax_rows_with_lse(&mut scores, count, 1.0 / (head_dim as f32).sqrt(), &mut lse);
            gemm(Matrix::new(&scores, 1, count), part(width), &mut mixed[at..], width, Onto::Nothing);
        }
        let mut answer = self.proj.forward(&mixed);
        let branch = self.mlp.forward(&self.norm.forward(&answer));
        answer.iter_mut().zip(branch).for_each(|(answer, branch)| *answer += branch);
        answer
    }
}
