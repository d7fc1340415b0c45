//! Attention as one looks at it: what the classifier's input sees of a picture, in one layer or through all of them.
//!
//! These matrices are stored only here, for one picture at a time; measuring streams over them instead.

use burn::tensor::Tensor;
use burn::tensor::activation::softmax;

use super::{Hooks, Pool, Vit};

impl Vit {
    /// Attention of every head of one layer: `[batch, heads, tokens, tokens]`, rows (queries) sum to 1.
    ///
    /// # Panics
    /// When there is no such layer.
    pub fn attention(&self, images: Tensor<4>, layer: usize) -> Tensor<4> {
        let (query, key) = self.queries_and_keys(images, layer);
        probabilities(query, key)
    }

    /// Attention rolled out through all layers (Abnar & Zuidema 2020): the product over the layers of the mean over the
    /// heads, half of it replaced by the identity that the residual branch adds. `[batch, tokens, tokens]`, rows sum to 1.
    pub fn rollout(&self, images: Tensor<4>) -> Tensor<3> {
        let tokens = self.embed(images);
        let [batch, count, _] = tokens.dims();
        let mut rolled = Tensor::<2>::eye(count, &tokens.device()).unsqueeze::<3>().expand([batch, count, count]);
        let mut see = |_: usize, query: &Tensor<4>, key: &Tensor<4>| {
            let mean = probabilities(query.clone(), key.clone()).mean_dim(1).reshape([batch, count, count]);
            rolled = (mean.matmul(rolled.clone()) + rolled.clone()) / 2.0;
        };
        self.encode(tokens, &mut Hooks { heads: Some(&mut see), ..Default::default() });
        rolled
    }

    /// What the classifier's input sees of each patch: the CLS token's row, or the mean of the patches' rows where the
    /// classifier sees their mean or a learned query asks them all.
    ///
    /// # Shapes
    /// `[batch, heads, tokens, tokens] -> [batch, heads, patches]`; the patches' shares sum to at most 1.
    pub fn seen(&self, attention: Tensor<4>) -> Tensor<3> {
        let [batch, heads, tokens, _] = attention.dims();
        let prefix = self.config.prefix_tokens();
        let patches = tokens - prefix;
        let to_patches = attention.narrow(3, prefix, patches);
        let row = match self.config.pool {
            Pool::Cls | Pool::ClsAvg => to_patches.narrow(2, 0, 1),
            Pool::Avg | Pool::Map => to_patches.narrow(2, prefix, patches).mean_dim(2),
        };
        row.reshape([batch, heads, patches])
    }
}

/// `softmax(q k^T / sqrt(head_dim))`: `[batch, heads, tokens, head_dim]` twice to `[batch, heads, tokens, tokens]`.
pub fn probabilities(query: Tensor<4>, key: Tensor<4>) -> Tensor<4> {
    let [_, _, _, head_dim] = query.dims();
    softmax(query.matmul(key.transpose()) / (head_dim as f32).sqrt(), 3)
}
