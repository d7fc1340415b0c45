//! The initial module of a descendant, from an ancestor on a device and a plan (docs/methods.md, section 1.5).

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::{Device, Int, Tensor, TensorData};
use std::rc::Rc;

use super::compensate::{Fit, Likeness, fit};
use super::expand::{ExpandError, ExpansionPlan, LayerPlan, descendant_config};
use crate::copy::{assemble_vit, detached_clone, detached_layer_scale, detached_mlp, detached_norm};
use crate::{Descendant, InitError, Initializer, SharedFfn};
use heirloom_nn::kernels::{HeadWeights, expand_heads};
use heirloom_nn::model::ModelConfig;
use heirloom_nn::vit::{Attention, Block, LayerNorm, Mlp, RandomWeights, Vit, VitConfig};

/// The learngene, expanded: heads by priority sharing, feed-forward networks of the kept layers, everything else as in
/// the ancestor, and a fresh classifier.
#[derive(Clone, Debug)]
pub struct Inherited {
    ancestor: Vit,
    plan: ExpansionPlan,
    config: VitConfig,
    /// Layers fitted to pictures, if they were.
    fit: Option<Rc<Fit>>,
}

impl Inherited {
    /// A starting point.
    ///
    /// # Errors
    /// When the plan is not of this ancestor, or the picture is no whole number of patches.
    pub fn new(ancestor: Vit, plan: ExpansionPlan, classes: usize, image_size: usize) -> Result<Self, ExpandError> {
        let config = descendant_config(&ancestor.config, &plan, classes, image_size)?;
        Ok(Self { ancestor: ancestor.valid(), plan, config, fit: None })
    }

    /// The plan.
    pub fn plan(&self) -> &ExpansionPlan {
        &self.plan
    }

    /// The same, with its projections fitted to pictures so that the kept heads make up for the others (docs/methods.md,
    /// section 1.9).
    ///
    /// # Shapes
    /// `pictures`: batches of `[batch, channels, image_size, image_size]`; `ridge`: [`super::FIT_RIDGE`]
    ///
    /// # Errors
    /// When the device is lost, or the ancestor lacks a feed-forward network.
    pub async fn fitted(self, pictures: &[Tensor<4>], ridge: f64) -> Result<Self, InitError> {
        let plain = self.vit(RandomWeights { seed: 0 }).await?;
        let fit = fit(&self.ancestor, plain, &self.plan, pictures, Some(ridge)).await?;
        Ok(Self { fit: Some(Rc::new(fit)), ..self })
    }

    /// How much of the ancestor is left in it before any training, on pictures as for [`Inherited::fitted`].
    ///
    /// # Errors
    /// When the device is lost, or the ancestor lacks a feed-forward network.
    pub async fn likeness(&self, pictures: &[Tensor<4>]) -> Result<Likeness, InitError> {
        match &self.fit {
            Some(fit) => Ok(fit.likeness),
            None => self.likeness_on(pictures).await,
        }
    }

    /// As [`Inherited::likeness`], on other pictures than it was fitted to.
    ///
    /// # Errors
    /// When the device is lost, or the ancestor lacks a feed-forward network.
    pub async fn likeness_on(&self, pictures: &[Tensor<4>]) -> Result<Likeness, InitError> {
        let start = self.vit(RandomWeights { seed: 0 }).await?;
        Ok(fit(&self.ancestor, start, &self.plan, pictures, None).await?.likeness)
    }

    /// The descendant with a feed-forward network in every layer.
    async fn vit(&self, random: RandomWeights) -> Result<Vit, InitError> {
        let mut blocks = self.plan.layers.iter().map(|layer| self.block(layer)).collect::<Result<Vec<_>, _>>()?;
        if let Some(fit) = &self.fit {
            blocks.iter_mut().enumerate().for_each(|(layer, block)| fit.apply(layer, block));
        }
        Ok(assemble_vit(&self.ancestor, &self.config, random, blocks, detached_norm).await?)
    }

    fn device(&self) -> Device {
        self.ancestor.device()
    }

    fn block(&self, layer: &LayerPlan) -> Result<Block, InitError> {
        let source = &self.ancestor.blocks[layer.source_layer];
        Ok(Block {
            norm1: detached_norm(&source.norm1),
            attn: expand_attention(&source.attn, layer, &self.device()),
            ls1: source.ls1.as_ref().map(detached_layer_scale),
            norm2: detached_norm(&source.norm2),
            mlp: Some(detached_mlp(self.ffn(layer.ffn_layer)?)),
            ls2: source.ls2.as_ref().map(detached_layer_scale),
        })
    }

    fn ffn(&self, layer: usize) -> Result<&Mlp, InitError> {
        self.ancestor.blocks[layer].mlp.as_ref().ok_or(InitError::NoFeedForward { layer })
    }
}

impl Initializer for Inherited {
    fn config(&self) -> ModelConfig {
        self.config.clone().into()
    }

    async fn start(&self, seed: u64) -> Result<Descendant, InitError> {
        let random = RandomWeights { seed };
        let vit = self.vit(random).await?;
        let mut shared = Vec::with_capacity(self.plan.ffn_groups.len());
        for group in &self.plan.ffn_groups {
            let mlp = detached_mlp(self.ffn(group.ffn_layer)?);
            let key = group.ffn_layer.to_string();
            shared.push(SharedFfn::new(mlp, group.layers.clone(), random, &key, &self.device()));
        }
        Ok(Descendant::sharing(vit, shared))
    }
}

/// The attention of a descendant's layer: rows of q, k, v with their biases and scaled projection columns of the
/// centroid heads, with their biases of relative places; the projection's bias belongs to no head and stays.
fn expand_attention(source: &Attention, layer: &LayerPlan, device: &Device) -> Attention {
    let count = layer.heads.len();
    let heads: Vec<i32> = layer.heads.iter().map(|source| source.head as i32).collect();
    let heads = Tensor::<1, Int>::from_data(TensorData::new(heads, [count]), device);
    let scales: Vec<f32> = layer.heads.iter().map(|source| source.scale).collect();
    let expanded = expand_heads(
        HeadWeights {
            qkv: source.qkv.weight.val(),
            qkv_bias: source.qkv.bias.as_ref().map(Param::val),
            proj: source.proj.weight.val(),
        },
        heads.clone(),
        Tensor::from_data(TensorData::new(scales, [count]), device),
        source.head_dim,
    );
    Attention {
        qkv: Linear { weight: Param::from_tensor(expanded.qkv), bias: expanded.qkv_bias.map(Param::from_tensor) },
        q_norm: source.q_norm.as_ref().map(detached_norm),
        k_norm: source.k_norm.as_ref().map(detached_norm),
        relative_position_bias_table: source
            .relative_position_bias_table
            .as_ref()
            .map(|table| Param::from_tensor(table.val().inner().select(0, heads.clone()))),
        rope_freqs: source
            .rope_freqs
            .as_ref()
            .map(|freqs| Param::from_tensor(freqs.val().inner().select(1, heads.clone()))),
        norm: source.norm.as_ref().map(|norm| norm_of_heads(norm, heads, source.head_dim)),
        proj: Linear { weight: Param::from_tensor(expanded.proj), bias: source.proj.bias.as_ref().map(detached_clone) },
        num_heads: count,
        ..source.clone()
    }
}

/// The norm's weights of some heads' channels.
fn norm_of_heads(norm: &LayerNorm, heads: Tensor<1, Int>, head_dim: usize) -> LayerNorm {
    let ([count], [all]) = (heads.dims(), norm.gamma.dims());
    norm.map(|vector| {
        let rows = vector.val().inner().reshape([all / head_dim, head_dim]).select(0, heads.clone());
        Param::from_tensor(rows.reshape([count * head_dim]))
    })
}
