//! Hyper-parameters of every family behind one face.

use serde::{Deserialize, Serialize};

use super::{CnnConfig, StitchedConfig, VitConfig};

/// Hyper-parameters of a model of any family. As JSON they are those of the family itself, whose fields tell it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ModelConfig {
    /// A Vision Transformer.
    Vit(VitConfig),
    /// The front of one Vision Transformer stitched to the end of another.
    Stitched(StitchedConfig),
    /// A convolutional network.
    Cnn(CnnConfig),
}

impl From<VitConfig> for ModelConfig {
    fn from(config: VitConfig) -> Self {
        Self::Vit(config)
    }
}

impl From<StitchedConfig> for ModelConfig {
    fn from(config: StitchedConfig) -> Self {
        Self::Stitched(config)
    }
}

impl From<CnnConfig> for ModelConfig {
    fn from(config: CnnConfig) -> Self {
        Self::Cnn(config)
    }
}

impl ModelConfig {
    /// The Vision Transformer's, if it is one.
    pub fn vit(&self) -> Option<&VitConfig> {
        match self {
            Self::Vit(config) => Some(config),
            Self::Stitched(_) | Self::Cnn(_) => None,
        }
    }

    /// The convolutional network's, if it is one.
    pub fn cnn(&self) -> Option<&CnnConfig> {
        match self {
            Self::Cnn(config) => Some(config),
            Self::Vit(_) | Self::Stitched(_) => None,
        }
    }

    /// Side of the input picture, px.
    pub fn image_size(&self) -> usize {
        match self {
            Self::Vit(config) => config.image_size,
            Self::Stitched(config) => config.front.image_size,
            Self::Cnn(config) => config.image_size,
        }
    }

    /// Side of a patch, px; 1 where there are none.
    pub fn patch_size(&self) -> usize {
        self.vit().map_or(1, |config| config.patch_size)
    }

    /// Classes of the classifier; `None` = no classifier.
    pub fn classes(&self) -> Option<usize> {
        match self {
            Self::Vit(config) => config.classes,
            Self::Stitched(config) => config.end.classes,
            Self::Cnn(config) => config.classes,
        }
    }

    /// Numbers that a model gives for a picture.
    pub fn outputs(&self) -> usize {
        match self {
            Self::Vit(config) => config.classes.unwrap_or(config.pooled_dim()),
            Self::Stitched(config) => config.end.classes.unwrap_or(config.end.pooled_dim()),
            Self::Cnn(config) => config.classes.unwrap_or(config.pooled()),
        }
    }

    /// Numbers that the last layer of the classifier sees of a picture; of a distilled model those of both.
    pub fn head_width(&self) -> u64 {
        let vit = |config: &VitConfig| config.embed_dim as u64 * if config.distilled { 2 } else { 1 };
        match self {
            Self::Vit(config) => vit(config),
            Self::Stitched(config) => vit(&config.end),
            Self::Cnn(config) => config.hidden.last().copied().unwrap_or(config.pooled()) as u64,
        }
    }

    /// Residual branches that drop-path may leave out; 0 when the family has none.
    pub fn branches(&self) -> usize {
        match self {
            Self::Vit(config) => 2 * config.depth,
            Self::Stitched(config) => 2 * config.depth(),
            Self::Cnn(_) => 0,
        }
    }

    /// Every tensor of the model with its key and PyTorch shape.
    pub fn tensors(&self) -> Vec<(String, Vec<usize>)> {
        match self {
            Self::Vit(config) => config.tensors(),
            Self::Stitched(config) => config.tensors(),
            Self::Cnn(config) => config.tensors(),
        }
    }

    /// Parameters in all.
    pub fn parameters(&self) -> u64 {
        match self {
            Self::Vit(config) => config.parameters(),
            Self::Stitched(config) => config.parameters(),
            Self::Cnn(config) => config.parameters(),
        }
    }

    /// Floating-point operations of one forward pass on one picture; a multiply-add counts as two.
    pub fn flops(&self) -> u64 {
        match self {
            Self::Vit(config) => config.flops(),
            Self::Stitched(config) => config.flops(),
            Self::Cnn(config) => config.flops(),
        }
    }
}
