//! Multi-head self-attention (`attn`), with what tells it places.

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::Tensor;
use burn::tensor::activation::softmax;

use super::places::{relative_bias, turn};
use super::{LayerNorm, Rope};
use crate::kernels::{
    AttentionDistance, PatchGeometry, attention, attention_distance_composed, attention_measured, linear,
};

/// Multi-head self-attention with a fused `qkv` (`attn`); its heads together need not be as wide as the tokens.
#[derive(Module, Debug)]
pub struct Attention {
    /// `[embed_dim, 3 * heads * head_dim]`; columns ordered `[q, k, v][head][channel]`.
    pub qkv: Linear,
    /// Norm of each head's queries, if any.
    pub q_norm: Option<LayerNorm>,
    /// Norm of each head's keys, if any.
    pub k_norm: Option<LayerNorm>,
    /// `[heads, rows]`: what is added to the scores for each step between two places, if anything is.
    pub relative_position_bias_table: Option<Param<Tensor<2>>>,
    /// Norm of what the heads gave, `[heads * head_dim]`, if any.
    pub norm: Option<LayerNorm>,
    /// `[heads * head_dim, embed_dim]`.
    pub proj: Linear,
    /// Heads.
    #[module(skip)]
    pub num_heads: usize,
    /// Channels of a head.
    #[module(skip)]
    pub head_dim: usize,
    /// `[2, heads, head_dim / 2]`: how far each pair of channels turns with every column and every row, where that is
    /// learned ([`RopeGrid::Learned`](super::RopeGrid::Learned)).
    pub rope_freqs: Option<Param<Tensor<3>>>,
    /// How queries and keys are turned by their places, if they are.
    #[module(skip)]
    pub rope: Option<Rope>,
    /// Tokens before the patches, which have no place.
    #[module(skip)]
    pub prefix_tokens: usize,
}

impl Attention {
    /// Queries, keys and values side by side, normed and turned where the model does so:
    /// `[batch, tokens, 3 * heads * head_dim]`.
    pub fn qkv(&self, tokens: Tensor<3>) -> Tensor<3> {
        let qkv = linear(&self.qkv, tokens);
        if self.q_norm.is_none() && self.k_norm.is_none() && self.rope.is_none() {
            return qkv;
        }
        let [batch, count, width] = qkv.dims();
        let part = |i: usize| qkv.clone().narrow(2, i * width / 3, width / 3);
        let prepared = |norm: Option<&LayerNorm>, part: Tensor<3>| {
            let mut heads = part.reshape([batch, count, self.num_heads, self.head_dim]);
            if let Some(norm) = norm {
                heads = norm.forward(heads);
            }
            if let Some(rope) = &self.rope {
                heads = turn(heads, rope, self.rope_freqs.as_ref().map(Param::val), self.prefix_tokens);
            }
            heads.reshape([batch, count, width / 3])
        };
        let (query, key) = (prepared(self.q_norm.as_ref(), part(0)), prepared(self.k_norm.as_ref(), part(1)));
        Tensor::cat(vec![query, key, part(2)], 2)
    }

    /// Queries and keys of `qkv` as attention compares them, unscaled: their softmax(q · kᵀ / sqrt(channels)) is what the
    /// heads attend to. With a bias of relative places each query carries its row of the bias besides, and each key the
    /// place in it, so that the product holds the bias.
    ///
    /// # Shapes
    /// `[batch, heads, tokens, channels]` each; the channels are `head_dim`, with a bias `head_dim + tokens`.
    pub fn queries_and_keys(&self, qkv: &Tensor<3>) -> [Tensor<4>; 2] {
        let [query, key] = [0, 1].map(|i| self.heads(qkv, i));
        let Some(bias) = self.bias(qkv) else { return [query, key] };
        let [batch, heads, tokens, head_dim] = query.dims();
        let channels = (head_dim + tokens) as f32;
        let bias = (bias * channels.sqrt()).unsqueeze::<4>().expand([batch, heads, tokens, tokens]);
        let places = Tensor::<2>::eye(tokens, &qkv.device()).unsqueeze::<4>().expand([batch, heads, tokens, tokens]);
        let query = query * (channels / head_dim as f32).sqrt();
        [Tensor::cat(vec![query, bias], 3), Tensor::cat(vec![key, places], 3)]
    }

    /// Queries (0), keys (1) or values (2): `[batch, heads, tokens, head_dim]`.
    fn heads(&self, qkv: &Tensor<3>, part: usize) -> Tensor<4> {
        let [batch, count, width] = qkv.dims();
        let part = qkv.clone().narrow(2, part * width / 3, width / 3);
        part.reshape([batch, count, self.num_heads, self.head_dim]).swap_dims(1, 2)
    }

    /// What is added to the scores, `[heads, tokens, tokens]`.
    fn bias(&self, qkv: &Tensor<3>) -> Option<Tensor<3>> {
        let table = self.relative_position_bias_table.as_ref()?;
        Some(relative_bias(table.val(), qkv.dims()[1]))
    }

    /// Values mixed by attention, as the projection reads them: `[batch, tokens, heads * head_dim]`.
    pub fn mixed(&self, qkv: Tensor<3>) -> Tensor<3> {
        let mixed = match self.bias(&qkv) {
            None => attention(qkv, self.num_heads),
            Some(bias) => self.mixed_with(&qkv, bias),
        };
        self.normed(mixed)
    }

    fn mixed_with(&self, qkv: &Tensor<3>, bias: Tensor<3>) -> Tensor<3> {
        let [batch, count, width] = qkv.dims();
        let [query, key, value] = [0, 1, 2].map(|part| self.heads(qkv, part));
        let scores = query.matmul(key.transpose()) / (self.head_dim as f32).sqrt() + bias.unsqueeze();
        softmax(scores, 3).matmul(value).swap_dims(1, 2).reshape([batch, count, width / 3])
    }

    fn normed(&self, mixed: Tensor<3>) -> Tensor<3> {
        self.norm.as_ref().map_or(mixed.clone(), |norm| norm.forward(mixed))
    }

    /// Values mixed by attention and projected: `[batch, tokens, embed_dim]`.
    pub fn forward(&self, qkv: Tensor<3>) -> Tensor<3> {
        linear(&self.proj, self.mixed(qkv))
    }

    /// [`Attention::forward`] and how far the heads look; without a gradient.
    pub fn forward_measured(&self, qkv: Tensor<3>, geometry: PatchGeometry) -> (Tensor<3>, AttentionDistance) {
        if self.relative_position_bias_table.is_some() {
            let [query, key] = self.queries_and_keys(&qkv);
            return (self.forward(qkv), attention_distance_composed(query, key, geometry));
        }
        let (mixed, distance) = attention_measured(qkv, self.num_heads, geometry);
        (linear(&self.proj, self.normed(mixed)), distance)
    }
}
