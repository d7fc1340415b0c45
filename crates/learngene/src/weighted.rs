//! Weighted sums of layers, tensor by tensor. Under training gradients flow through them to the layers themselves.

use burn::module::{Param, ParamId};
use burn::nn::Linear;
use burn::tensor::Tensor;

use heirloom_nn::vit::{Attention, Block, LayerNorm, LayerScale, Mlp};

/// `Σ_i weights[i] · blocks[i]`, whose tensors are no parameters of their own: clone them detached to keep them. `None`
/// without layers, or where one has no feed-forward network or all weights are 0.
pub(super) fn weighted_block(blocks: &[Block], weights: &[f64]) -> Option<Block> {
    Weighted { blocks, weights }.block()
}

/// Layers, and how much of each is wanted.
struct Weighted<'a> {
    blocks: &'a [Block],
    weights: &'a [f64],
}

impl Weighted<'_> {
    /// The weighted sum of one parameter over the layers; `None` where they do not have it.
    fn param<const D: usize>(&self, pick: impl Fn(&Block) -> Option<&Param<Tensor<D>>>) -> Option<Param<Tensor<D>>> {
        let mut sum: Option<Tensor<D>> = None;
        for (block, &weight) in self.blocks.iter().zip(self.weights) {
            let part = pick(block)?.val();
            if weight != 0.0 {
                let part = if weight == 1.0 { part } else { part.mul_scalar(weight) };
                sum = Some(match sum {
                    Some(sum) => sum + part,
                    None => part,
                });
            }
        }
        // What is computed is no leaf, so it must not ask for a gradient of its own.
        sum.map(|sum| Param::initialized(ParamId::new(), sum))
    }

    fn linear(&self, pick: impl Fn(&Block) -> Option<&Linear>) -> Option<Linear> {
        let weight = self.param(|block| Some(&pick(block)?.weight))?;
        Some(Linear { weight, bias: self.param(|block| pick(block)?.bias.as_ref()) })
    }

    fn norm(&self, pick: impl Fn(&Block) -> Option<&LayerNorm>) -> Option<LayerNorm> {
        let epsilon = pick(self.blocks.first()?)?.epsilon;
        let gamma = self.param(|block| Some(&pick(block)?.gamma))?;
        Some(LayerNorm { gamma, beta: self.param(|block| pick(block)?.beta.as_ref()), epsilon })
    }

    fn scale(&self, pick: impl Fn(&Block) -> Option<&LayerScale>) -> Option<LayerScale> {
        Some(LayerScale { gamma: self.param(|block| Some(&pick(block)?.gamma))? })
    }

    fn block(&self) -> Option<Block> {
        let first = self.blocks.first()?;
        let form = first.mlp.as_ref()?;
        Some(Block {
            norm1: self.norm(|block| Some(&block.norm1))?,
            attn: Attention {
                qkv: self.linear(|block| Some(&block.attn.qkv))?,
                q_norm: self.norm(|block| block.attn.q_norm.as_ref()),
                k_norm: self.norm(|block| block.attn.k_norm.as_ref()),
                relative_position_bias_table: self.param(|block| block.attn.relative_position_bias_table.as_ref()),
                rope_freqs: self.param(|block| block.attn.rope_freqs.as_ref()),
                norm: self.norm(|block| block.attn.norm.as_ref()),
                proj: self.linear(|block| Some(&block.attn.proj))?,
                ..first.attn.clone()
            },
            ls1: self.scale(|block| block.ls1.as_ref()),
            norm2: self.norm(|block| Some(&block.norm2))?,
            mlp: Some(Mlp {
                fc1: self.linear(|block| Some(&block.mlp.as_ref()?.fc1))?,
                norm: self.norm(|block| block.mlp.as_ref()?.norm.as_ref()),
                fc2: self.linear(|block| Some(&block.mlp.as_ref()?.fc2))?,
                activation: form.activation,
                gated: form.gated,
            }),
            ls2: self.scale(|block| block.ls2.as_ref()),
        })
    }
}
