//! The parts of a Vision Transformer, named as in timm; a block reads like the paper (Dosovitskiy et al. 2021).

use burn::module::{Module, Param};
use burn::nn::{LayerNorm, Linear};
use burn::tensor::module::attention;
use burn::tensor::ops::AttentionModuleOptions;
use burn::tensor::{Tensor, assert_shape};

use crate::kernels::gelu;

/// Cuts a picture into patches and projects each (`patch_embed`).
#[derive(Module, Debug)]
pub struct PatchEmbed {
    /// `[channels * patch * patch, embed_dim]`: a convolution whose stride is its kernel is a matmul on patches.
    pub proj: Linear,
    /// Side of a patch, px.
    #[module(skip)]
    pub patch_size: usize,
}

impl PatchEmbed {
    /// # Shapes
    /// - images: `[batch, channels, size, size]`
    /// - output: `[batch, grid * grid, embed_dim]`
    pub fn forward(&self, images: Tensor<4>) -> Tensor<3> {
        let [batch, channels, height, width] = images.dims();
        let patch = self.patch_size;
        let (rows, columns) = (height / patch, width / patch);
        let patches = images
            .reshape([batch, channels, rows, patch, columns, patch])
            .permute([0, 2, 4, 1, 3, 5])
            .reshape([batch, rows * columns, channels * patch * patch]);
        self.proj.forward(patches)
    }
}

/// Multi-head self-attention with a fused `qkv` (`attn`); its heads together need not be as wide as the tokens.
#[derive(Module, Debug)]
pub struct Attention {
    /// `[embed_dim, 3 * heads * head_dim]`; columns ordered `[q, k, v][head][channel]`.
    pub qkv: Linear,
    /// Norm of each head's queries, if any.
    pub q_norm: Option<LayerNorm>,
    /// Norm of each head's keys, if any.
    pub k_norm: Option<LayerNorm>,
    /// `[heads * head_dim, embed_dim]`.
    pub proj: Linear,
    /// Heads.
    #[module(skip)]
    pub num_heads: usize,
    /// Channels of a head.
    #[module(skip)]
    pub head_dim: usize,
}

impl Attention {
    /// Queries, keys and values, each `[batch, heads, tokens, head_dim]`.
    pub fn heads(&self, tokens: Tensor<3>) -> [Tensor<4>; 3] {
        let [batch, count, _] = tokens.dims();
        let qkv = self.qkv.forward(tokens).reshape([batch, count, 3, self.num_heads, self.head_dim]);
        let part = |i: usize| {
            let part = qkv.clone().narrow(2, i, 1);
            part.reshape([batch, count, self.num_heads, self.head_dim]).swap_dims(1, 2)
        };
        let [q, k, v] = [part(0), part(1), part(2)];
        let q = self.q_norm.as_ref().map_or(q.clone(), |norm| norm.forward(q));
        let k = self.k_norm.as_ref().map_or(k.clone(), |norm| norm.forward(k));
        [q, k, v]
    }

    /// Values mixed by attention and projected: `[batch, tokens, embed_dim]`.
    pub fn forward(&self, [q, k, v]: [Tensor<4>; 3]) -> Tensor<3> {
        let [batch, heads, tokens, head_dim] = q.dims();
        let mixed = attention(q, k, v, None, None, AttentionModuleOptions::default());
        self.proj.forward(mixed.swap_dims(1, 2).reshape([batch, tokens, heads * head_dim]))
    }
}

/// The feed-forward network (`mlp`), with the erf form of GELU.
#[derive(Module, Debug)]
pub struct Mlp {
    /// `[embed_dim, mlp_dim]`.
    pub fc1: Linear,
    /// `[mlp_dim, embed_dim]`.
    pub fc2: Linear,
}

impl Mlp {
    /// `[batch, tokens, embed_dim]` to the same.
    pub fn forward(&self, tokens: Tensor<3>) -> Tensor<3> {
        self.fc2.forward(gelu(self.fc1.forward(tokens)))
    }
}

/// Learned scale of a residual branch (`ls1`, `ls2`; CaiT, DINOv2).
#[derive(Module, Debug)]
pub struct LayerScale {
    /// `[embed_dim]`.
    pub gamma: Param<Tensor<1>>,
}

impl LayerScale {
    /// `[batch, tokens, embed_dim]` to the same.
    pub fn forward(&self, tokens: Tensor<3>) -> Tensor<3> {
        tokens * self.gamma.val().unsqueeze()
    }
}

/// What a layer shows on the way.
pub enum Activation<'a> {
    /// Queries and keys, `[batch, heads, tokens, head_dim]` each, unscaled.
    Heads(&'a Tensor<4>, &'a Tensor<4>),
    /// What attention gave after its projection, before layer scale and residual: `[batch, tokens, embed_dim]`.
    Attended(&'a Tensor<3>),
}

/// One layer: attention and feed-forward network, each normed first and added to what came in.
#[derive(Module, Debug)]
pub struct Block {
    /// Norm before attention.
    pub norm1: LayerNorm,
    /// Attention.
    pub attn: Attention,
    /// Scale of the attention branch, if any.
    pub ls1: Option<LayerScale>,
    /// Norm before the feed-forward network.
    pub norm2: LayerNorm,
    /// Feed-forward network; none while a descendant in training shares one among layers (`learngene::Descendant`),
    /// and then the layer has no such branch.
    pub mlp: Option<Mlp>,
    /// Scale of the feed-forward branch, if any.
    pub ls2: Option<LayerScale>,
}

impl Block {
    /// `x + attn(norm1(x))`; `see` is shown what attention sees and gives, `keep` (`[batch]`) scales each sample's branch.
    pub fn forward_attn(
        &self,
        tokens: Tensor<3>,
        keep: Option<Tensor<1>>,
        on_activation: &mut dyn FnMut(Activation<'_>),
    ) -> Tensor<3> {
        let heads = self.attn.heads(self.norm1.forward(tokens.clone()));
        on_activation(Activation::Heads(&heads[0], &heads[1]));
        let attended = self.attn.forward(heads);
        on_activation(Activation::Attended(&attended));
        let branch = scale(attended, self.ls1.as_ref(), keep);
        tokens + branch
    }

    /// `x + mlp(norm2(x))`; `keep` (`[batch]`) scales each sample's branch.
    pub fn forward_mlp(&self, tokens: Tensor<3>, keep: Option<Tensor<1>>) -> Tensor<3> {
        let Some(mlp) = &self.mlp else { return tokens };
        let branch = scale(mlp.forward(self.norm2.forward(tokens.clone())), self.ls2.as_ref(), keep);
        tokens + branch
    }
}

/// Layer scale and drop-path of a branch.
fn scale(branch: Tensor<3>, layer_scale: Option<&LayerScale>, keep: Option<Tensor<1>>) -> Tensor<3> {
    let branch = match layer_scale {
        Some(layer_scale) => layer_scale.forward(branch),
        None => branch,
    };
    match keep {
        Some(keep) => {
            let [batch, _, _] = branch.dims();
            assert_shape!(keep, [batch]);
            branch * keep.reshape([batch, 1, 1])
        }
        None => branch,
    }
}
