//! Stored layers, the auxiliary model that is bound to them, and descendants that are not.

use std::convert::Infallible;

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use crate::copy::{assemble_vit, detached_block, detached_linear, detached_norm};
use crate::layers::LayersError;
use crate::weighted::weighted_block;
use crate::{Descendant, InitError, Initializer};
use heirloom_nn::model::ModelConfig;
use heirloom_nn::vit::{Block, HostTensor, RandomWeights, Vit, VitConfig, Weights};
use heirloom_plan::tied::Tying;
use heirloom_train::Classifier;

/// An auxiliary model: stem, norm and head are its own, its layers are read off the stored ones at every pass, so that
/// gradients reach those alone.
#[derive(Module, Debug)]
pub struct TiedVit {
    /// The learngene: a Vision Transformer whose blocks are the stored layers, of a line first `θ_B`, then `θ_A`.
    pub stored: Vit,
    /// How layers follow from them.
    #[module(skip)]
    pub tying: Tying,
    /// Layers of the auxiliary model.
    #[module(skip)]
    pub layers: usize,
}

impl TiedVit {
    /// Random weights for a learngene of this configuration. `θ_A` of a line has norm slopes of 0, so that a norm begins
    /// with `θ_B`'s; a layer scale begins with 1, for the depth is bound already.
    pub async fn start(config: &VitConfig, tying: Tying, layers: usize, seed: u64, device: &Device) -> Self {
        let Ok(stored) = Vit::load(config, &mut Start { random: RandomWeights { seed }, tying }, device).await;
        Self { stored, tying, layers }
    }

    /// The whole model as it computes now; made for one pass.
    pub fn assembled(&self) -> Vit {
        let config = VitConfig { depth: self.layers, ..self.stored.config.clone() };
        Vit { blocks: expand(&self.stored.blocks, self.tying, self.layers), config, ..self.stored.clone() }
    }
}

/// All layers of a depth, bound to the stored ones.
fn expand(stored: &[Block], tying: Tying, layers: usize) -> Vec<Block> {
    (0..layers).filter_map(|layer| weighted_block(stored, &tying.coefficients(layer, layers))).collect()
}

impl Classifier for TiedVit {
    fn logits(&self, images: Tensor<4>, drop_path: Option<Tensor<2>>) -> Tensor<2> {
        Classifier::logits(&self.assembled(), images, drop_path)
    }

    fn branches(&self) -> usize {
        2 * self.layers
    }

    fn classes(&self) -> usize {
        self.stored.classes()
    }
}

struct Start {
    random: RandomWeights,
    tying: Tying,
}

impl Weights for Start {
    type Error = Infallible;

    async fn tensor(&mut self, key: &str, shape: &[usize]) -> Result<HostTensor, Infallible> {
        let mut tensor = self.random.tensor(key, shape).await?;
        let is_slope = self.tying == Tying::Line && key.starts_with("blocks.1.");
        if key.ends_with(".gamma") || is_slope && key.contains("norm") && key.ends_with(".weight") {
            tensor.values.fill(if is_slope { 0.0 } else { 1.0 });
        }
        Ok(tensor)
    }
}

/// A descendant whose layers are read off a learngene and then learn on their own.
#[derive(Clone, Debug)]
pub struct TiedStart {
    stored: Vit,
    tying: Tying,
    config: VitConfig,
    keeps_head: bool,
}

impl TiedStart {
    /// A descendant of `layers` layers. With `keeps_head` its classifier is the learngene's, which tells the same classes
    /// apart; else a fresh one.
    ///
    /// # Errors
    /// When there are no layers or classes, fewer layers than stages, or the picture is no whole number of patches.
    pub fn new(
        stored: &Vit,
        tying: Tying,
        layers: usize,
        sizes: [usize; 2],
        keeps_head: bool,
    ) -> Result<Self, LayersError> {
        let config = tying.config(&stored.config, layers, sizes)?;
        let keeps_head = keeps_head && config.classes == stored.config.classes;
        Ok(Self { stored: stored.valid(), tying, config, keeps_head })
    }

    /// Layers that are stored.
    pub fn stored_layers(&self) -> usize {
        self.tying.stored().min(self.config.depth)
    }

    /// The rule.
    pub fn tying(&self) -> Tying {
        self.tying
    }
}

impl Initializer for TiedStart {
    fn config(&self) -> ModelConfig {
        self.config.clone().into()
    }

    async fn start(&self, seed: u64) -> Result<Descendant, InitError> {
        let (stored, config) = (&self.stored, &self.config);
        let blocks = expand(&stored.blocks, self.tying, config.depth).iter().map(detached_block).collect();
        let mut vit = assemble_vit(stored, config, RandomWeights { seed }, blocks, detached_norm).await?;
        if self.keeps_head {
            vit.head = stored.head.as_ref().map(detached_linear);
            vit.head_dist = stored.head_dist.as_ref().map(detached_linear);
        }
        Ok(vit.into())
    }
}
