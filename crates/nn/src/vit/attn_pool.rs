//! Attention pooling (`attn_pool`; SigLIP): a learned query asks all tokens, and a feed-forward network follows its answer.

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::Tensor;

use super::look::probabilities;
use super::{LayerNorm, Mlp};
use crate::kernels::linear;

/// What pools the tokens; its heads together are as wide as they are.
#[derive(Module, Debug)]
pub struct AttentionPool {
    /// The query, `[1, 1, embed_dim]`.
    pub latent: Param<Tensor<3>>,
    /// `[embed_dim, embed_dim]`.
    pub q: Linear,
    /// `[embed_dim, 2 * embed_dim]`; columns ordered `[k, v][head][channel]`.
    pub kv: Linear,
    /// `[embed_dim, embed_dim]`.
    pub proj: Linear,
    /// Norm before the feed-forward network.
    pub norm: LayerNorm,
    /// Feed-forward network.
    pub mlp: Mlp,
    /// Heads.
    #[module(skip)]
    pub num_heads: usize,
}

impl AttentionPool {
    /// `[batch, tokens, embed_dim]` to `[batch, embed_dim]`.
    pub fn forward(&self, tokens: Tensor<3>) -> Tensor<2> {
        let [batch, count, width] = tokens.dims();
        let heads = |part: Tensor<3>| {
            let [batch, count, _] = part.dims();
            part.reshape([batch, count, self.num_heads, width / self.num_heads]).swap_dims(1, 2)
        };
        let query = heads(linear(&self.q, self.latent.val()).expand([batch, 1, width]));
        let kv = linear(&self.kv, tokens);
        let [key, value] = [0, 1].map(|part| heads(kv.clone().narrow(2, part * width, width)));
        debug_assert_eq!(key.dims()[2], count);
        let mixed = probabilities(query, key).matmul(value).swap_dims(1, 2).reshape([batch, 1, width]);
        let answer = linear(&self.proj, mixed);
        let pooled = answer.clone() + self.mlp.forward(self.norm.forward(answer));
        pooled.reshape([batch, width])
    }
}
