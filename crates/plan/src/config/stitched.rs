//! Hyper-parameters of two Vision Transformers stitched together (SN-Net, Pan et al. 2023).

use serde::{Deserialize, Serialize};

use super::VitConfig;

/// Hyper-parameters of a stitched model: both models it is cut from, and where they are cut.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StitchedConfig {
    /// The model that sees the picture; its layers after `front_layer`, its norm and its classifier are not used.
    pub front: VitConfig,
    /// The model that answers; its embedding and its layers before `end_layer` are not used.
    pub end: VitConfig,
    /// Last layer of the front that is used, `j`.
    pub front_layer: usize,
    /// First layer of the end that is used, `k`.
    pub end_layer: usize,
}

/// Why two models cannot be stitched.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, serde::Serialize)]
pub enum StitchedError {
    /// No such layer.
    #[error("the {part} model has `{depth}` layers, but the stitch is at layer `{layer}` (from 0): choose one it has")]
    Layer {
        /// `front` or `end`.
        part: &'static str,
        /// Layer asked for.
        layer: usize,
        /// Layers there are.
        depth: usize,
    },
    /// Other tokens.
    #[error(
        "the front model gives `{front}` tokens ({front_prefix} before the patches), the end model takes `{end}` \
         ({end_prefix} before the patches): stitch models with the same tokens"
    )]
    Tokens {
        /// Tokens of the front.
        front: usize,
        /// Those before the patches.
        front_prefix: usize,
        /// Tokens of the end.
        end: usize,
        /// Those before the patches.
        end_prefix: usize,
    },
}

impl StitchedConfig {
    /// Whether the parts fit.
    ///
    /// # Errors
    /// When a layer does not exist or the tokens of the two models differ.
    pub fn check(&self) -> Result<(), StitchedError> {
        let Self { front, end, front_layer, end_layer } = self;
        for (part, layer, depth) in [("front", *front_layer, front.depth), ("end", *end_layer, end.depth)] {
            if layer >= depth {
                return Err(StitchedError::Layer { part, layer, depth });
            }
        }
        let kinds = |config: &VitConfig| (config.cls_token, config.distilled, config.register_tokens, config.grid());
        if kinds(front) != kinds(end) {
            return Err(StitchedError::Tokens {
                front: front.tokens(),
                front_prefix: front.prefix_tokens(),
                end: end.tokens(),
                end_prefix: end.prefix_tokens(),
            });
        }
        Ok(())
    }

    /// Layers on the way: `j + 1 + (n − k)`.
    pub fn depth(&self) -> usize {
        self.front_layer + 1 + self.end.depth.saturating_sub(self.end_layer)
    }

    /// The front alone, ending with its last used layer.
    pub fn front_part(&self) -> VitConfig {
        VitConfig { depth: self.front_layer + 1, classes: None, ..self.front.clone() }
    }

    /// Every tensor with its key and PyTorch shape: timm's keys behind `front.` and `end.` (layers keep their numbers),
    /// and `stitch`.
    pub fn tensors(&self) -> Vec<(String, Vec<usize>)> {
        let is_ending = |key: &str| {
            key.starts_with("norm.")
                || key.starts_with("fc_norm.")
                || key.starts_with("attn_pool.")
                || key.starts_with("head")
        };
        let layer = |key: &str| key.strip_prefix("blocks.")?.split('.').next()?.parse::<usize>().ok();
        let front = self.front_part().tensors().into_iter().filter(|(key, _)| !is_ending(key));
        let end = self.end.tensors().into_iter();
        let end = end.filter(|(key, _)| layer(key).map_or(is_ending(key), |layer| layer >= self.end_layer));
        let (input, output) = (self.front.embed_dim, self.end.embed_dim);
        let stitch = [("stitch.weight".to_string(), vec![output, input]), ("stitch.bias".to_string(), vec![output])];
        let named = |part: &'static str| move |(key, shape): (String, Vec<usize>)| (format!("{part}.{key}"), shape);
        front.map(named("front")).chain(stitch).chain(end.map(named("end"))).collect()
    }

    /// Parameters in all.
    pub fn parameters(&self) -> u64 {
        self.tensors().iter().map(|(_, shape)| shape.iter().map(|&axis| axis as u64).product::<u64>()).sum()
    }

    /// Floating-point operations of one forward pass on one picture; a multiply-add counts as two.
    pub fn flops(&self) -> u64 {
        let (front, end) = (&self.front, &self.end);
        let layers = end.depth.saturating_sub(self.end_layer);
        let embedding = VitConfig { depth: 0, classes: None, ..end.clone() }.flops();
        let ending = VitConfig { depth: layers, ..end.clone() }.flops() - embedding;
        let stitch = 2 * front.tokens() as u64 * front.embed_dim as u64 * end.embed_dim as u64;
        self.front_part().flops() + stitch + ending
    }
}
