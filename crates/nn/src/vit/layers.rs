//! The parts of a Vision Transformer, named as in timm; a block reads like the paper (Dosovitskiy et al. 2021).

use std::f32::consts::PI;

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::activation::{relu, sigmoid, silu};
use burn::tensor::{Tensor, assert_shape};

use super::{Activation, Attention, LayerNorm};
use crate::kernels::{AttentionDistance, PatchGeometry, gelu, linear, linear_gelu};

/// Cuts a picture into patches and projects each (`patch_embed`).
#[derive(Module, Debug)]
pub struct PatchEmbed {
    /// `[channels * patch * patch, embed_dim]`: a convolution whose stride is its kernel is a matmul on patches.
    pub proj: Linear,
    /// Norm of the patches, if any.
    pub norm: Option<LayerNorm>,
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
        let patches = linear(&self.proj, patches);
        self.norm.as_ref().map_or(patches.clone(), |norm| norm.forward(patches))
    }
}

/// The feed-forward network (`mlp`).
#[derive(Module, Debug)]
pub struct Mlp {
    /// `[embed_dim, mlp_dim]`; `[embed_dim, 2 * mlp_dim]` of a gated one, columns ordered `[gate, value]`.
    pub fc1: Linear,
    /// Norm of the hidden channels, if any.
    pub norm: Option<LayerNorm>,
    /// `[mlp_dim, embed_dim]`.
    pub fc2: Linear,
    /// What bends the numbers between the two.
    #[module(skip)]
    pub activation: Activation,
    /// Whether the activated gate multiplies the value (SwiGLU, Shazeer 2020).
    #[module(skip)]
    pub gated: bool,
}

impl Mlp {
    /// `[batch, tokens, embed_dim]` to the same.
    pub fn forward(&self, tokens: Tensor<3>) -> Tensor<3> {
        linear(&self.fc2, self.hidden(tokens))
    }

    /// What `fc2` reads: `[batch, tokens, embed_dim]` to `[batch, tokens, mlp_dim]`.
    pub fn hidden(&self, tokens: Tensor<3>) -> Tensor<3> {
        let hidden = match (self.activation, self.gated) {
            (Activation::Gelu, false) => linear_gelu(&self.fc1, tokens),
            (activation, false) => activate(activation, linear(&self.fc1, tokens)),
            (activation, true) => {
                let hidden = linear(&self.fc1, tokens);
                let [_, _, width] = hidden.dims();
                let [gate, value] = [0, width / 2].map(|start| hidden.clone().narrow(2, start, width / 2));
                activate(activation, gate) * value
            }
        };
        self.norm.as_ref().map_or(hidden.clone(), |norm| norm.forward(hidden))
    }
}

/// An activation, element by element.
fn activate(activation: Activation, tensor: Tensor<3>) -> Tensor<3> {
    match activation {
        Activation::Gelu => gelu(tensor),
        Activation::GeluTanh => {
            let cube = tensor.clone() * tensor.clone() * tensor.clone();
            let inner = (tensor.clone() + cube * 0.044_715) * (2.0 / PI).sqrt();
            tensor * (inner.tanh() + 1.0) * 0.5
        }
        Activation::QuickGelu => tensor.clone() * sigmoid(tensor * 1.702),
        Activation::Silu => silu(tensor),
        Activation::Relu => relu(tensor),
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

/// Shown the queries and keys of a layer; see [`Attention::queries_and_keys`].
pub type OnLayerHeads<'a> = &'a mut dyn FnMut(&Tensor<4>, &Tensor<4>);
/// Shown how far each head looks.
pub type OnLayerDistance<'a> = &'a mut dyn FnMut(AttentionDistance);

/// What whoever runs a layer wants of its attention.
#[derive(Default)]
pub struct Look<'a> {
    /// Who looks at queries and keys.
    pub heads: Option<OnLayerHeads<'a>>,
    /// Where the patches lie, and who is shown how far the heads look; the layer then has no gradient.
    pub distance: Option<(PatchGeometry, OnLayerDistance<'a>)>,
    /// Shown what attention gave after its projection, before layer scale and residual: `[batch, tokens, embed_dim]`.
    pub attended: Option<&'a mut dyn FnMut(&Tensor<3>)>,
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
    /// `x + attn(norm1(x))`; `keep` (`[batch]`) scales each sample's branch.
    pub fn forward_attn(&self, tokens: Tensor<3>, keep: Option<Tensor<1>>, look: Look<'_>) -> Tensor<3> {
        let qkv = self.attn.qkv(self.norm1.forward(tokens.clone()));
        if let Some(see) = look.heads {
            let [query, key] = self.attn.queries_and_keys(&qkv);
            see(&query, &key);
        }
        let attended = match look.distance {
            Some((geometry, see)) => {
                let (attended, distance) = self.attn.forward_measured(qkv, geometry);
                see(distance);
                attended
            }
            None => self.attn.forward(qkv),
        };
        if let Some(see) = look.attended {
            see(&attended);
        }
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
