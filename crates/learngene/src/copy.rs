//! Parts of an ancestor as parts of a descendant: same values, parameters of their own, without autodiff.
//!
//! Weights never leave the device, except position embeddings for another picture size: they are resampled on the
//! host.

use burn::module::Param;
use burn::nn::Linear;
use burn::tensor::{Device, Tensor, TensorData};

use heirloom_nn::device::{ReadError, read};
use heirloom_nn::vit::{
    Attention, AttentionPool, Block, LayerNorm, LayerScale, Mlp, PatchEmbed, RandomWeights, Vit, VitConfig,
};
use heirloom_plan::resample::resample_pos_embed;

/// A parameter of its own with the same values.
pub(super) fn detached_clone<const D: usize>(param: &Param<Tensor<D>>) -> Param<Tensor<D>> {
    Param::from_tensor(param.val().inner())
}

/// A linear layer of its own with the same values.
pub(super) fn detached_linear(linear: &Linear) -> Linear {
    Linear { weight: detached_clone(&linear.weight), bias: linear.bias.as_ref().map(detached_clone) }
}

/// A feed-forward network of its own with the same values.
pub(super) fn detached_mlp(mlp: &Mlp) -> Mlp {
    Mlp {
        fc1: detached_linear(&mlp.fc1),
        norm: mlp.norm.as_ref().map(detached_norm),
        fc2: detached_linear(&mlp.fc2),
        activation: mlp.activation,
        gated: mlp.gated,
    }
}

/// A norm of its own with the same values.
pub(super) fn detached_norm(norm: &LayerNorm) -> LayerNorm {
    norm.map(detached_clone)
}

/// A layer scale of its own with the same values.
pub(super) fn detached_layer_scale(layer_scale: &LayerScale) -> LayerScale {
    LayerScale { gamma: detached_clone(&layer_scale.gamma) }
}

/// A patch embedding of its own with the same values.
fn fresh_patch_embed(patch_embed: &PatchEmbed) -> PatchEmbed {
    PatchEmbed {
        proj: detached_linear(&patch_embed.proj),
        norm: patch_embed.norm.as_ref().map(detached_norm),
        patch_size: patch_embed.patch_size,
    }
}

/// An attention pooling of its own with the same values.
fn detached_attn_pool(pool: &AttentionPool) -> AttentionPool {
    AttentionPool {
        latent: detached_clone(&pool.latent),
        q: detached_linear(&pool.q),
        kv: detached_linear(&pool.kv),
        proj: detached_linear(&pool.proj),
        norm: detached_norm(&pool.norm),
        mlp: detached_mlp(&pool.mlp),
        num_heads: pool.num_heads,
    }
}

/// A whole layer of its own with the same values.
pub(super) fn detached_block(block: &Block) -> Block {
    let attn = &block.attn;
    Block {
        norm1: detached_norm(&block.norm1),
        attn: Attention {
            qkv: detached_linear(&attn.qkv),
            q_norm: attn.q_norm.as_ref().map(detached_norm),
            k_norm: attn.k_norm.as_ref().map(detached_norm),
            relative_position_bias_table: attn.relative_position_bias_table.as_ref().map(detached_clone),
            rope_freqs: attn.rope_freqs.as_ref().map(detached_clone),
            norm: attn.norm.as_ref().map(detached_norm),
            proj: detached_linear(&attn.proj),
            ..attn.clone()
        },
        ls1: block.ls1.as_ref().map(detached_layer_scale),
        norm2: detached_norm(&block.norm2),
        mlp: block.mlp.as_ref().map(detached_mlp),
        ls2: block.ls2.as_ref().map(detached_layer_scale),
    }
}

/// Blocks in copies of everything that stands around the ancestor's, with `norm`'s norms behind them and a fresh
/// classifier.
///
/// # Errors
/// When positions cannot be read from the device.
pub(super) async fn assemble_vit(
    ancestor: &Vit,
    config: &VitConfig,
    random: RandomWeights,
    mut blocks: Vec<Block>,
    norm: impl Fn(&LayerNorm) -> LayerNorm,
) -> Result<Vit, ReadError> {
    let device = ancestor.device();
    let head_dist = || classifier(config, "head_dist", random, &device);
    fit_relative_bias(&mut blocks, ancestor.config.grid(), config.grid()).await?;
    Ok(Vit {
        patch_embed: fresh_patch_embed(&ancestor.patch_embed),
        cls_token: ancestor.cls_token.as_ref().map(detached_clone),
        dist_token: ancestor.dist_token.as_ref().map(detached_clone),
        reg_token: ancestor.reg_token.as_ref().map(detached_clone),
        pos_embed: detached_pos_embed(ancestor, config).await?,
        norm_pre: ancestor.norm_pre.as_ref().map(detached_norm),
        blocks,
        norm: ancestor.norm.as_ref().map(&norm),
        fc_norm: ancestor.fc_norm.as_ref().map(&norm),
        attn_pool: ancestor.attn_pool.as_ref().map(detached_attn_pool),
        head: classifier(config, "head", random, &device),
        head_dist: if config.has_dist_head() { head_dist() } else { None },
        config: config.clone(),
    })
}

/// The ancestor's position embeddings for the descendant's grid of patches, if it has any.
///
/// # Errors
/// When the grids differ and the device cannot be read.
pub(super) async fn detached_pos_embed(
    ancestor: &Vit,
    config: &VitConfig,
) -> Result<Option<Param<Tensor<3>>>, ReadError> {
    let Some(positions) = &ancestor.pos_embed else { return Ok(None) };
    let (old, new) = (ancestor.config.grid(), config.grid());
    if old == new {
        return Ok(Some(detached_clone(positions)));
    }
    let (rows, width) = (config.pos_embed_prefix_rows(), config.embed_dim);
    let values = read(positions.val()).await?;
    let values = resample_pos_embed(&values, rows, (old, old), (new, new), width);
    Ok(Some(Param::from_data(TensorData::new(values, [1, rows + new * new, width]), &ancestor.device())))
}

/// Resamples the biases of relative places, which were learned on a grid of `old` patches a side, for one of `new`; those
/// of layers that have tables of `new` already stay.
///
/// # Errors
/// When the grids differ and the device cannot be read.
pub(super) async fn fit_relative_bias(blocks: &mut [Block], old: usize, new: usize) -> Result<(), ReadError> {
    for table in blocks.iter_mut().filter_map(|block| block.attn.relative_position_bias_table.as_mut()) {
        let [heads, rows] = table.dims();
        let (from, to) = (2 * old - 1, 2 * new - 1);
        if old == new || rows != from * from + 3 {
            continue;
        }
        let device = table.val().device();
        let mut values = Vec::with_capacity(heads * (to * to + 3));
        for head in read(table.val()).await?.chunks(rows) {
            let (steps, cls) = head.split_at(from * from);
            values.extend(resample_pos_embed(steps, 0, (from, from), (to, to), 1));
            values.extend(cls);
        }
        *table = Param::from_data(TensorData::new(values, [heads, to * to + 3]), &device);
    }
    Ok(())
}

/// A fresh classifier with the start that [`super::Scratch`] has for the same seed; `None` without classes.
pub(super) fn classifier(config: &VitConfig, key: &str, random: RandomWeights, device: &Device) -> Option<Linear> {
    let (width, classes) = (config.pooled_dim(), config.classes?);
    // Numbers are drawn in the file's order `[classes, width]`.
    let drawn = random.values(&format!("{key}.weight"), classes * width);
    let weight = (0..width * classes).map(|i| drawn[i % classes * width + i / classes]).collect();
    let bias = random.values(&format!("{key}.bias"), classes);
    Some(Linear {
        weight: Param::from_data(TensorData::new::<f32, _>(weight, [width, classes]), device),
        bias: Some(Param::from_data(TensorData::new(bias, [classes]), device)),
    })
}
