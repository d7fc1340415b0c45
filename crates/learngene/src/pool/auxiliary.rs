//! An auxiliary model and the maps through which it listens to the ancestor.

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::AuxiliaryPlan;
use heirloom_nn::vit::{AttentionPoolConfig, Hooks, RandomWeights, Rope, Vit, VitConfig, VitOptions};
use heirloom_plan::pool::Basis;

/// Where the auxiliary model listens to the ancestor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Positions {
    /// Nowhere: only the ancestor's answers count. An anchor of SN-Net, which knows no common ancestor inside.
    None,
    /// After its last block.
    #[default]
    End,
    /// After a third, two thirds and all of its blocks (the smallest auxiliary model).
    FrontMidEnd,
    /// After every block ([`place_of`]).
    Every,
}

impl Positions {
    /// Blocks that are compared, `(student, ancestor)`, from 0: `s−1 ↔ T−1`, or at `s/3−1`, `2s/3−1` and `s−1` (the
    /// ancestor likewise). A student of fewer than three blocks has fewer positions; the deeper ancestor block is kept.
    pub fn pairs(self, student: usize, ancestor: usize) -> Vec<(usize, usize)> {
        let at = |third: usize, depth: usize| (third * depth / 3).max(1) - 1;
        let thirds = match self {
            Self::None => 1..1,
            Self::End => 3..4,
            Self::FrontMidEnd => 1..4,
            Self::Every => {
                let pair = |block| Some((block, place_of(block, student, ancestor)?));
                return (0..student).filter_map(pair).collect();
            }
        };
        let mut pairs: Vec<(usize, usize)> = Vec::new();
        for (student, ancestor) in thirds.map(|third| (at(third, student), at(third, ancestor))) {
            pairs.retain(|(taken, _)| *taken != student);
            pairs.push((student, ancestor));
        }
        pairs
    }
}

/// The ancestor's block whose tokens a student's block stands for, `⌊(block + 1) T / s⌋ − 1`, both from 0. `None` where
/// that is the embedding, in the first blocks of a student that is deeper than its ancestor.
pub fn place_of(block: usize, student: usize, ancestor: usize) -> Option<usize> {
    let blocks = (block as u64 + 1) * ancestor as u64 / student.max(1) as u64;
    (blocks as usize).checked_sub(1)
}

/// Why an auxiliary model cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, serde::Serialize)]
pub enum AuxiliaryError {
    /// Nothing of something.
    #[error("the auxiliary model has 0 `{name}`, expected at least 1")]
    Zero {
        /// `blocks`, `channels` or `classes`.
        name: &'static str,
    },
    /// A picture that is no whole number of patches.
    #[error("pictures of `{image_size}` px cannot be cut into patches of `{patch_size}` px: choose a multiple")]
    ImageSize {
        /// Side asked for, px.
        image_size: usize,
        /// Side of a patch, px.
        patch_size: usize,
    },
}

/// The configuration of an auxiliary model: the ancestor's patches and tokens, so that tokens can be compared one by
/// one, its own depth and width. Heads are of the ancestor's size where that divides the width, else of the largest
/// smaller size that does; an attention pooling has as many of them as the layers.
///
/// # Errors
/// When there are no blocks, channels or classes, or the picture is no whole number of patches.
pub fn auxiliary_config(
    ancestor: &VitConfig,
    [depth, width]: [usize; 2],
    classes: usize,
    image_size: usize,
) -> Result<VitConfig, AuxiliaryError> {
    for (name, value) in [("blocks", depth), ("channels", width), ("classes", classes)] {
        if value == 0 {
            return Err(AuxiliaryError::Zero { name });
        }
    }
    let patch_size = ancestor.patch_size;
    if image_size == 0 || !image_size.is_multiple_of(patch_size) {
        return Err(AuxiliaryError::ImageSize { image_size, patch_size });
    }
    let largest =
        |fits: fn(usize) -> bool| (1..=ancestor.head_dim).rev().find(|&size| width.is_multiple_of(size) && fits(size));
    // Heads that cannot be turned by their places leave positions to the tokens.
    let turned = ancestor.options.rope.and_then(|rope| Some((rope, largest(Rope::fits)?)));
    let head_dim = turned.map(|(_, size)| size).or_else(|| largest(|_| true)).unwrap_or(1);
    let num_heads = width / head_dim;
    let options = VitOptions {
        rope: turned.map(|(rope, _)| rope),
        pos_embed: ancestor.options.pos_embed || ancestor.options.rope.is_some() && turned.is_none(),
        attn_pool: ancestor.options.attn_pool.map(|_| AttentionPoolConfig { heads: num_heads, mlp_dim: 4 * width }),
        ..ancestor.options
    };
    Ok(VitConfig {
        image_size,
        embed_dim: width,
        depth,
        num_heads,
        head_dim,
        mlp_dim: 4 * width,
        qkv_bias: true,
        qk_norm: false,
        layer_scale: false,
        options,
        classes: Some(classes),
        ..ancestor.clone()
    })
}

/// An auxiliary model in distillation, with its maps: all of it trains, and the maps are kept with the pool, for stitch
/// layers start from them. In a shared basis it has none: its lessons come in its own coordinates.
#[derive(Module, Debug)]
pub struct Auxiliary {
    /// The model.
    pub student: Vit,
    /// `M_p`: `Linear(D_T → D_S)` without bias, one per position, on block outputs.
    pub token_maps: Vec<Linear>,
    /// `N_p`: the same on what attention gives after its projection.
    pub attention_maps: Vec<Linear>,
    /// Blocks that are compared, `(student, ancestor)`.
    #[module(skip)]
    pub pairs: Vec<(usize, usize)>,
}

/// What a model shows on the way, at some of its blocks.
pub struct Activations {
    /// `[batch, classes]`, or pooled features without a classifier.
    pub logits: Tensor<2>,
    /// Block outputs, `[batch, tokens, width]` each.
    pub tokens: Vec<Tensor<3>>,
    /// Attention outputs after the projection, `[batch, tokens, width]` each.
    pub attended: Vec<Tensor<3>>,
}

impl Auxiliary {
    /// A model with random weights, and with random maps unless the basis is shared; equal for equal seeds and widths.
    pub async fn start(
        AuxiliaryPlan { config, positions }: &AuxiliaryPlan,
        ancestor: &VitConfig,
        basis: Basis,
        seed: u64,
        device: &Device,
    ) -> Self {
        let mut random = RandomWeights { seed };
        let Ok(student) = Vit::load(config, &mut random, device).await;
        let pairs = positions.pairs(config.depth, ancestor.depth);
        let maps = |kind: &str| -> Vec<Linear> {
            let map = |at: usize| {
                let shape = [ancestor.embed_dim, config.embed_dim];
                let values = random.values(&format!("{kind}.{at}.weight"), shape[0] * shape[1]);
                Linear { weight: Param::from_data(TensorData::new(values, shape), device), bias: None }
            };
            let count = if basis.is_shared() { 0 } else { pairs.len() };
            (0..count).map(map).collect()
        };
        Self { student, token_maps: maps("token_maps"), attention_maps: maps("attention_maps"), pairs }
    }

    /// Looks at pictures `[batch, channels, image_size, image_size]`.
    pub fn look(&self, images: Tensor<4>) -> Activations {
        let blocks: Vec<usize> = self.pairs.iter().map(|(student, _)| *student).collect();
        watch(&self.student, &blocks, images)
    }
}

/// What a model answers to pictures `[batch, channels, image_size, image_size]`, and what it shows at `blocks`, which
/// ascend.
pub fn watch(model: &Vit, blocks: &[usize], images: Tensor<4>) -> Activations {
    let (mut tokens, mut attended) = (Vec::new(), Vec::new());
    let mut see_tokens = |layer: usize, seen: &Tensor<3>| {
        if blocks.contains(&layer) {
            tokens.push(seen.clone());
        }
    };
    let mut see_attended = |layer: usize, seen: &Tensor<3>| {
        if blocks.contains(&layer) {
            attended.push(seen.clone());
        }
    };
    let mut hooks = Hooks { tokens: Some(&mut see_tokens), attended: Some(&mut see_attended), ..Default::default() };
    let logits = model.logits(images, &mut hooks);
    Activations { logits, tokens, attended }
}
