//! A Vision Transformer that opens itself to measurement: whoever runs it may look at queries, keys and tokens of
//! every layer, so that nothing has to be stored that is not asked for.

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::{Device, Tensor, assert_shape};

use super::{AttentionPool, Block, LayerNorm, Look, PatchEmbed, Pool, VitConfig};
use crate::kernels::{AttentionDistance, PatchGeometry, linear};

/// Shown a layer, its queries and its keys.
pub type OnHeads<'a> = &'a mut dyn FnMut(usize, &Tensor<4>, &Tensor<4>);
/// Shown a layer and how far its heads look.
pub type OnDistance<'a> = &'a mut dyn FnMut(usize, AttentionDistance);
/// Shown a layer and tokens, `[batch, tokens, embed_dim]`.
pub type OnTokens<'a> = &'a mut dyn FnMut(usize, &Tensor<3>);

/// What to do and see on the way through the layers.
#[derive(Default)]
pub struct Hooks<'a> {
    /// Shown the layer, its queries and its keys (see [`super::Attention::queries_and_keys`]).
    pub heads: Option<OnHeads<'a>>,
    /// Where the patches lie, and who is shown each layer's attention distance; the model then has no gradient.
    pub distance: Option<(PatchGeometry, OnDistance<'a>)>,
    /// Shown the layer and the tokens that leave it (`[batch, tokens, embed_dim]`).
    pub tokens: Option<OnTokens<'a>>,
    /// Shown the layer and what its attention gave after the projection, before the residual (`[batch, tokens, embed_dim]`).
    pub attended: Option<OnTokens<'a>>,
    /// Drop-path: `[2 * layers, batch]`, each residual branch's factor per sample (0, or 1 / keep probability).
    pub drop_path: Option<Tensor<2>>,
}

/// A Vision Transformer; parameters have timm's keys (see [`VitConfig::tensors`]).
#[derive(Module, Debug)]
pub struct Vit {
    /// Patches to tokens.
    pub patch_embed: PatchEmbed,
    /// `[1, 1, embed_dim]`.
    pub cls_token: Option<Param<Tensor<3>>>,
    /// `[1, 1, embed_dim]`.
    pub dist_token: Option<Param<Tensor<3>>>,
    /// `[1, registers, embed_dim]`.
    pub reg_token: Option<Param<Tensor<3>>>,
    /// `[1, prefix rows + patches, embed_dim]`, if tokens have positions.
    pub pos_embed: Option<Param<Tensor<3>>>,
    /// Norm before the first layer, if any.
    pub norm_pre: Option<LayerNorm>,
    /// Layers.
    pub blocks: Vec<Block>,
    /// Norm of all tokens, unless the classifier sees their mean.
    pub norm: Option<LayerNorm>,
    /// Norm of the mean token, if the classifier sees that.
    pub fc_norm: Option<LayerNorm>,
    /// What pools the tokens, if a learned query does.
    pub attn_pool: Option<AttentionPool>,
    /// Classifier.
    pub head: Option<Linear>,
    /// Classifier on the distillation token.
    pub head_dist: Option<Linear>,
    /// Hyper-parameters.
    #[module(skip)]
    pub config: VitConfig,
}

impl Vit {
    /// Where its parameters are.
    pub fn device(&self) -> Device {
        self.patch_embed.proj.weight.val().device()
    }

    /// Pictures to tokens with positions, as they enter the first layer.
    ///
    /// # Shapes
    /// - images: `[batch, channels, image_size, image_size]`
    /// - output: `[batch, tokens, embed_dim]`
    pub fn embed(&self, images: Tensor<4>) -> Tensor<3> {
        let tokens = self.placed(images);
        self.norm_pre.as_ref().map_or(tokens.clone(), |norm| norm.forward(tokens))
    }

    /// Patches, and the tokens before them, with their positions.
    fn placed(&self, images: Tensor<4>) -> Tensor<3> {
        let [batch, _, _, _] = images.dims();
        let config = &self.config;
        assert_shape!(images, [batch, config.channels, config.image_size, config.image_size]);
        let patches = self.patch_embed.forward(images);
        let width = config.embed_dim;
        let row = |token: &Param<Tensor<3>>| {
            let [_, count, _] = token.dims();
            token.val().expand([batch, count, width])
        };
        let front = [&self.cls_token, &self.dist_token].into_iter().flatten().map(row);
        let registers = self.reg_token.iter().map(row);
        let Some(positions) = self.pos_embed.as_ref().map(Param::val) else {
            return Tensor::cat(front.chain(registers).chain([patches]).collect(), 1);
        };
        if config.pos_embed_prefix {
            // timm adds positions to CLS and patches, then slips the registers in between.
            let prefix = config.pos_embed_prefix_rows();
            let tokens = Tensor::cat(front.chain([patches]).collect(), 1) + positions;
            if self.reg_token.is_none() {
                return tokens;
            }
            if prefix == 0 {
                return Tensor::cat(registers.chain([tokens]).collect(), 1);
            }
            let [_, count, _] = tokens.dims();
            let (head, tail) = (tokens.clone().narrow(1, 0, prefix), tokens.narrow(1, prefix, count - prefix));
            return Tensor::cat([head].into_iter().chain(registers).chain([tail]).collect(), 1);
        }
        let patches = patches + positions;
        Tensor::cat(front.chain(registers).chain([patches]).collect(), 1)
    }

    /// Tokens through all layers, without the final norm: `[batch, tokens, embed_dim]`.
    pub fn encode(&self, tokens: Tensor<3>, hooks: &mut Hooks<'_>) -> Tensor<3> {
        encode(&self.blocks, 0, tokens, hooks)
    }

    /// Queries and keys of one layer, without computing the layers after it; see [`super::Attention::queries_and_keys`].
    ///
    /// # Panics
    /// When there is no such layer.
    pub fn queries_and_keys(&self, images: Tensor<4>, layer: usize) -> (Tensor<4>, Tensor<4>) {
        let mut tokens = self.embed(images);
        for block in &self.blocks[..layer] {
            tokens = block.forward_mlp(block.forward_attn(tokens, None, Look::default()), None);
        }
        let block = &self.blocks[layer];
        let [query, key] = block.attn.queries_and_keys(&block.attn.qkv(block.norm1.forward(tokens)));
        (query, key)
    }

    /// All tokens after the final norm (if the model has one): `[batch, tokens, embed_dim]`.
    pub fn features(&self, images: Tensor<4>, hooks: &mut Hooks<'_>) -> Tensor<3> {
        let tokens = self.encode(self.embed(images), hooks);
        self.norm.as_ref().map_or(tokens.clone(), |norm| norm.forward(tokens))
    }

    /// What the classifier sees: `[batch, pooled_dim]`.
    pub fn pooled(&self, features: Tensor<3>) -> Tensor<2> {
        pooled(&self.config, self.fc_norm.as_ref(), self.attn_pool.as_ref(), features)
    }

    /// Class scores `[batch, classes]`; without a classifier the pooled features. A distilled model gives the mean of
    /// its two classifiers, as DeiT does when it is not training.
    pub fn logits(&self, images: Tensor<4>, hooks: &mut Hooks<'_>) -> Tensor<2> {
        let features = self.features(images, hooks);
        let pooled = self.pooled(features.clone());
        classify([self.head.as_ref(), self.head_dist.as_ref()], features, pooled)
    }
}

/// Tokens through some layers; hooks are told that the first one is layer `first`, drop-path has two rows a layer.
pub(super) fn encode(blocks: &[Block], first: usize, mut tokens: Tensor<3>, hooks: &mut Hooks<'_>) -> Tensor<3> {
    let [batch, _, _] = tokens.dims();
    for (at, block) in blocks.iter().enumerate() {
        let layer = first + at;
        let keep = |branch: usize| {
            hooks.drop_path.as_ref().map(|all| all.clone().narrow(0, 2 * layer + branch, 1).reshape([batch]))
        };
        let (attend, feed) = (keep(0), keep(1));
        let mut heads = hooks.heads.as_mut().map(|see| |query: &Tensor<4>, key: &Tensor<4>| see(layer, query, key));
        let mut distance = hooks.distance.as_mut().map(|(at, see)| (*at, |found| see(layer, found)));
        let mut attended = hooks.attended.as_mut().map(|see| |attended: &Tensor<3>| see(layer, attended));
        let look = Look {
            heads: heads.as_mut().map(|see| see as _),
            distance: distance.as_mut().map(|(geometry, see)| (*geometry, see as _)),
            attended: attended.as_mut().map(|see| see as _),
        };
        tokens = block.forward_attn(tokens, attend, look);
        tokens = block.forward_mlp(tokens, feed);
        if let Some(see) = hooks.tokens.as_mut() {
            see(layer, &tokens);
        }
    }
    tokens
}

/// See [`Vit::pooled`].
pub(super) fn pooled(
    config: &VitConfig,
    fc_norm: Option<&LayerNorm>,
    attn_pool: Option<&AttentionPool>,
    features: Tensor<3>,
) -> Tensor<2> {
    let [batch, count, width] = features.dims();
    if let Some(attn_pool) = attn_pool {
        let first = if config.pool_sees_prefix() { 0 } else { config.prefix_tokens() };
        return attn_pool.forward(features.narrow(1, first, count - first));
    }
    let prefix = config.prefix_tokens();
    let mean = |tokens: Tensor<3>| tokens.narrow(1, prefix, count - prefix).mean_dim(1).reshape([batch, width]);
    match config.pool {
        Pool::Cls | Pool::Map => features.narrow(1, 0, 1).reshape([batch, width]),
        Pool::ClsAvg => {
            let cls = features.clone().narrow(1, 0, 1).reshape([batch, width]);
            Tensor::cat(vec![cls, mean(features)], 1)
        }
        Pool::Avg => {
            let mean = mean(features);
            fc_norm.map_or(mean.clone(), |norm| norm.forward(mean))
        }
    }
}

/// Class scores by the classifier and, if there is one, that of the distillation token; see [`Vit::logits`].
pub(super) fn classify(heads: [Option<&Linear>; 2], features: Tensor<3>, pooled: Tensor<2>) -> Tensor<2> {
    let [batch, _, width] = features.dims();
    match heads {
        [Some(head), Some(head_dist)] => {
            let distilled = features.narrow(1, 1, 1).reshape([batch, width]);
            (linear(head, pooled) + linear(head_dist, distilled)) / 2.0
        }
        [Some(head), None] => linear(head, pooled),
        [None, _] => pooled,
    }
}
