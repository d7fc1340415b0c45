//! A whole model: a Vision Transformer, or two of them stitched together.

use heirloom_plan::config::{ModelConfig, Pool, VitConfig};

use super::PlayerError;
use super::layers::Linear;
use super::vit::{Block, Embedding, Ending};
use super::weights::Weights;

/// Whether a page can run this model.
///
/// # Errors
/// When it is of another family, or names no classes.
pub fn check_playable(config: &ModelConfig) -> Result<(), PlayerError> {
    let parts = match config {
        ModelConfig::Vit(vit) => vec![vit],
        ModelConfig::Stitched(stitched) => vec![&stitched.front, &stitched.end],
        ModelConfig::Cnn(_) => return Err(PlayerError::Family("a convolutional network")),
    };
    for vit in parts {
        check_sizes(vit)?;
        check_parts(vit)?;
    }
    config.classes().map(drop).ok_or(PlayerError::NoClasses)
}

/// What few models have, and no shipped one.
fn check_parts(vit: &VitConfig) -> Result<(), PlayerError> {
    let options = &vit.options;
    let missing = [
        (options.rms_norm, "root-mean-square norms"),
        (options.patch_norm, "a norm of the patches"),
        (!options.proj_bias, "projections without biases"),
        (options.has_rope_freqs(), "learned rotary frequencies"),
        (options.attn_only_layer_scale, "layer scales of the attention alone"),
    ];
    missing.into_iter().find(|(has, _)| *has).map_or(Ok(()), |(_, what)| Err(PlayerError::Part(what)))
}

/// Numbers that something is divided by, and those that must fit each other.
fn check_sizes(vit: &VitConfig) -> Result<(), PlayerError> {
    let (patch, size) = (vit.patch_size, vit.image_size);
    let positive = [("patch_size", patch), ("num_heads", vit.num_heads), ("head_dim", vit.head_dim)];
    let positive = positive.into_iter().chain([("embed_dim", vit.embed_dim), ("mlp_dim", vit.mlp_dim)]);
    if let Some((what, found)) = positive.into_iter().find(|(_, number)| *number == 0) {
        return Err(PlayerError::Config { what, found });
    }
    if vit.channels != 3 {
        return Err(PlayerError::Config { what: "channels", found: vit.channels });
    }
    // 4096 px a side: larger pictures are no model's.
    if size == 0 || !size.is_multiple_of(patch) || size > 1 << 12 {
        return Err(PlayerError::Config { what: "image_size", found: size });
    }
    let heads = vit.options.attn_pool.map_or(1, |pool| pool.heads);
    if heads == 0 || !vit.embed_dim.is_multiple_of(heads) {
        return Err(PlayerError::Config { what: "attn_pool.heads", found: heads });
    }
    Ok(())
}

/// A model, ready to run.
pub(crate) struct Model {
    embedding: Embedding,
    front: Vec<Block>,
    /// The stitch and the layers behind it.
    behind: Option<(Linear, Vec<Block>)>,
    ending: Ending,
    /// What the model's last part is.
    end: VitConfig,
}

impl Model {
    pub(crate) fn load(config: &ModelConfig, mut weights: Weights<'_>) -> Result<Self, PlayerError> {
        check_playable(config)?;
        match config {
            ModelConfig::Vit(vit) => Ok(Self {
                embedding: Embedding::load(&mut weights, vit)?,
                front: Block::load_all(&mut weights, vit, 0..vit.depth)?,
                behind: None,
                ending: Ending::load(&mut weights, vit)?,
                end: vit.clone(),
            }),
            ModelConfig::Stitched(stitched) => {
                let (front, end) = (&stitched.front, &stitched.end);
                stitched.check().map_err(|error| PlayerError::Damaged(error.to_string()))?;
                let stitch = Linear::load(&mut weights, "stitch", [front.embed_dim, end.embed_dim], true)?;
                weights.prefix = "front.";
                let embedding = Embedding::load(&mut weights, front)?;
                let layers = Block::load_all(&mut weights, front, 0..stitched.front_layer + 1)?;
                weights.prefix = "end.";
                let behind = Block::load_all(&mut weights, end, stitched.end_layer..end.depth)?;
                let ending = Ending::load(&mut weights, end)?;
                Ok(Self { embedding, front: layers, behind: Some((stitch, behind)), ending, end: end.clone() })
            }
            ModelConfig::Cnn(_) => Err(PlayerError::Family("a convolutional network")),
        }
    }

    /// Class scores `[classes]` of a prepared picture `[3, image_size, image_size]`, and what was looked at, `[patches]`.
    pub(crate) fn forward(&self, image: &[f32]) -> (Vec<f32>, Vec<f32>) {
        let count = self.end.tokens();
        let mut tokens = self.embedding.forward(image);
        let mut attended: Vec<Vec<f32>> = self.front.iter().map(|block| block.forward(&mut tokens, count)).collect();
        if let Some((stitch, blocks)) = &self.behind {
            tokens = stitch.forward(&tokens);
            attended.extend(blocks.iter().map(|block| block.forward(&mut tokens, count)));
        }
        (self.ending.forward(tokens), self.rollout(&attended))
    }

    /// Attention rolled out through all layers (Abnar & Zuidema 2020), as the classifier's input sees the patches: half of
    /// each layer's attention is the identity that the residual branch adds. Only that row is wanted, so it is taken back
    /// through the layers from the last one; the product of all matrices is never made.
    fn rollout(&self, attended: &[Vec<f32>]) -> Vec<f32> {
        let (count, prefix) = (self.end.tokens(), self.end.prefix_tokens());
        let mut row = vec![0.0; count];
        match self.end.pool {
            Pool::Cls | Pool::ClsAvg => row[0] = 1.0,
            Pool::Avg | Pool::Map => row[prefix..].fill(1.0 / (count - prefix) as f32),
        }
        for attention in attended.iter().rev() {
            let mut before: Vec<f32> = row.iter().map(|share| share / 2.0).collect();
            for (share, attention) in row.iter().zip(attention.chunks_exact(count)) {
                before.iter_mut().zip(attention).for_each(|(before, attention)| *before += share * attention / 2.0);
            }
            row = before;
        }
        row.split_off(prefix)
    }
}
