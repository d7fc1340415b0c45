//! The initial module of a descendant, from an ancestor on a device and a plan (section 1.5).
//!
//! Weights never leave the device, except position embeddings for another picture size: they are resampled on the
//! host.

use burn::module::{Module, Param};
use burn::nn::{LayerNorm, Linear};
use burn::tensor::{Device, Int, Tensor, TensorData};

use super::expand::{ExpandError, ExpansionPlan, LayerPlan, descendant_config};
use crate::checkpoint::resample_pos_embed;
use crate::device::read;
use crate::kernels::{HeadWeights, expand_heads};
use crate::learngene::ffn_maps::{fresh, fresh_linear, fresh_mlp};
use crate::learngene::{Descendant, SharedFfn, StartError, StartingPoint};
use crate::model::ModelConfig;
use crate::vit::{Attention, Block, LayerScale, Mlp, PatchEmbed, RandomWeights, Vit, VitConfig};

/// The learngene, expanded: heads by priority sharing, feed-forward networks of the kept layers, everything else as in
/// the ancestor, and a fresh classifier.
#[derive(Clone, Debug)]
pub struct Inherited {
    ancestor: Vit,
    plan: ExpansionPlan,
    config: VitConfig,
}

impl Inherited {
    /// A starting point.
    ///
    /// # Errors
    /// When the plan is not of this ancestor, or the picture is no whole number of patches.
    pub fn new(ancestor: Vit, plan: ExpansionPlan, classes: usize, image_size: usize) -> Result<Self, ExpandError> {
        let config = descendant_config(&ancestor.config, &plan, classes, image_size)?;
        Ok(Self { ancestor: ancestor.valid(), plan, config })
    }

    /// The plan.
    pub fn plan(&self) -> &ExpansionPlan {
        &self.plan
    }

    fn device(&self) -> Device {
        self.ancestor.pos_embed.val().device()
    }

    async fn pos_embed(&self) -> Result<Param<Tensor<3>>, StartError> {
        let (old, new) = (self.ancestor.config.grid(), self.config.grid());
        if old == new {
            return Ok(fresh(&self.ancestor.pos_embed));
        }
        let (rows, width) = (self.config.pos_embed_prefix_rows(), self.config.embed_dim);
        let values = read(self.ancestor.pos_embed.val()).await?;
        let values = resample_pos_embed(&values, rows, (old, old), (new, new), width);
        Ok(Param::from_data(TensorData::new(values, [1, rows + new * new, width]), &self.device()))
    }

    fn block(&self, layer: &LayerPlan) -> Result<Block, StartError> {
        let source = &self.ancestor.blocks[layer.source_layer];
        Ok(Block {
            norm1: fresh_norm(&source.norm1),
            attn: expand_attention(&source.attn, layer, &self.device()),
            ls1: source.ls1.as_ref().map(fresh_layer_scale),
            norm2: fresh_norm(&source.norm2),
            mlp: Some(fresh_mlp(self.ffn(layer.ffn_layer)?)),
            ls2: source.ls2.as_ref().map(fresh_layer_scale),
        })
    }

    fn ffn(&self, layer: usize) -> Result<&Mlp, StartError> {
        self.ancestor.blocks[layer].mlp.as_ref().ok_or(StartError::NoFeedForward { layer })
    }

    /// A fresh classifier with the start that [`crate::learngene::Scratch`] has for the same seed.
    fn classifier(&self, key: &str, random: RandomWeights) -> Option<Linear> {
        let (width, classes) = (self.config.embed_dim, self.config.classes?);
        // Numbers are drawn in the file's order `[classes, width]`.
        let drawn = random.values(&format!("{key}.weight"), classes * width);
        let weight = (0..width * classes).map(|i| drawn[i % classes * width + i / classes]).collect();
        let bias = random.values(&format!("{key}.bias"), classes);
        let device = self.device();
        Some(Linear {
            weight: Param::from_data(TensorData::new::<f32, _>(weight, [width, classes]), &device),
            bias: Some(Param::from_data(TensorData::new(bias, [classes]), &device)),
        })
    }
}

impl StartingPoint for Inherited {
    fn config(&self) -> ModelConfig {
        self.config.clone().into()
    }

    async fn start(&self, seed: u64) -> Result<Descendant, StartError> {
        let (ancestor, random) = (&self.ancestor, RandomWeights { seed });
        let patch_embed = &ancestor.patch_embed;
        let vit = Vit {
            patch_embed: PatchEmbed { proj: fresh_linear(&patch_embed.proj), patch_size: patch_embed.patch_size },
            cls_token: ancestor.cls_token.as_ref().map(fresh),
            dist_token: ancestor.dist_token.as_ref().map(fresh),
            reg_token: ancestor.reg_token.as_ref().map(fresh),
            pos_embed: self.pos_embed().await?,
            blocks: self.plan.layers.iter().map(|layer| self.block(layer)).collect::<Result<_, _>>()?,
            norm: ancestor.norm.as_ref().map(fresh_norm),
            fc_norm: ancestor.fc_norm.as_ref().map(fresh_norm),
            head: self.classifier("head", random),
            head_dist: if self.config.distilled { self.classifier("head_dist", random) } else { None },
            config: self.config.clone(),
        };
        let mut shared = Vec::with_capacity(self.plan.ffn_groups.len());
        for group in &self.plan.ffn_groups {
            let mlp = fresh_mlp(self.ffn(group.ffn_layer)?);
            let key = group.ffn_layer.to_string();
            shared.push(SharedFfn::new(mlp, group.layers.clone(), random, &key, &self.device()));
        }
        Ok(Descendant::sharing(vit, shared))
    }
}

/// The attention of a descendant's layer: rows of q, k, v with their biases and scaled projection columns of the
/// centroid heads; the projection's bias belongs to no head and stays.
fn expand_attention(source: &Attention, layer: &LayerPlan, device: &Device) -> Attention {
    let count = layer.heads.len();
    let heads: Vec<i32> = layer.heads.iter().map(|source| source.head as i32).collect();
    let scales: Vec<f32> = layer.heads.iter().map(|source| source.scale).collect();
    let expanded = expand_heads(
        HeadWeights {
            qkv: source.qkv.weight.val(),
            qkv_bias: source.qkv.bias.as_ref().map(Param::val),
            proj: source.proj.weight.val(),
        },
        Tensor::<1, Int>::from_data(TensorData::new(heads, [count]), device),
        Tensor::from_data(TensorData::new(scales, [count]), device),
        source.head_dim,
    );
    Attention {
        qkv: Linear { weight: Param::from_tensor(expanded.qkv), bias: expanded.qkv_bias.map(Param::from_tensor) },
        q_norm: source.q_norm.as_ref().map(fresh_norm),
        k_norm: source.k_norm.as_ref().map(fresh_norm),
        proj: Linear { weight: Param::from_tensor(expanded.proj), bias: source.proj.bias.as_ref().map(fresh) },
        num_heads: count,
        head_dim: source.head_dim,
    }
}

fn fresh_norm(norm: &LayerNorm) -> LayerNorm {
    let mut own = norm.clone();
    own.gamma = fresh(&norm.gamma);
    own.beta = norm.beta.as_ref().map(fresh);
    own
}

fn fresh_layer_scale(layer_scale: &LayerScale) -> LayerScale {
    LayerScale { gamma: fresh(&layer_scale.gamma) }
}
