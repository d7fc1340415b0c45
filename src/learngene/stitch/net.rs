//! Several models and the stitch layers between neighbours, as one module.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{Device, Tensor};

use super::{AffineFit, Pair, slide};
use crate::model::{Model, ModelConfig};
use crate::vit::{Stitched, StitchedConfig, StitchedError, Vit, VitConfig};

/// One way through the net.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Configuration {
    /// A whole anchor.
    Anchor {
        /// Which one, the smallest first.
        anchor: usize,
    },
    /// The front of an anchor, a stitch layer, the end of the next larger anchor.
    Stitched {
        /// The smaller anchor.
        front: usize,
        /// The larger anchor.
        end: usize,
        /// Where they are joined; `stitch` counts through all stitch layers of the net.
        pair: Pair,
    },
}

/// Why models cannot form a net.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StitchError {
    /// Nothing to stitch.
    #[error("`{0}` models were given, at least 2 are needed to stitch")]
    TooFew(usize),
    /// Two neighbours do not fit.
    #[error(transparent)]
    Neighbours(#[from] StitchedError),
    /// Not small to large.
    #[error("model `{larger}` (from 0) takes fewer operations than the one before it: give the smallest first")]
    Order {
        /// The one that is not larger.
        larger: usize,
    },
    /// Other classes.
    #[error("the models name `{found:?}` classes, expected the same number from all")]
    Classes {
        /// Classes of each.
        found: Vec<Option<usize>>,
    },
}

/// All ways through anchors of these configurations, smallest first, and what each is as a model of its own. The last
/// stitch layer's number says how many there are.
///
/// They run from the smallest anchor over its stitches to the next one, and so on: with three anchors of 12 layers
/// 3 + 2 · 34 = 71.
///
/// # Errors
/// When there are fewer than two anchors, they are not ordered, or two neighbours do not fit.
pub fn ways(anchors: &[VitConfig]) -> Result<Vec<(Configuration, ModelConfig)>, StitchError> {
    if anchors.len() < 2 {
        return Err(StitchError::TooFew(anchors.len()));
    }
    let classes: Vec<_> = anchors.iter().map(|anchor| anchor.classes).collect();
    if classes.windows(2).any(|two| two[0] != two[1]) {
        return Err(StitchError::Classes { found: classes });
    }
    let anchor = |at: usize| (Configuration::Anchor { anchor: at }, anchors[at].clone().into());
    let (mut ways, mut first) = (vec![anchor(0)], 0);
    for front in 0..anchors.len() - 1 {
        let end = front + 1;
        let (small, large) = (&anchors[front], &anchors[end]);
        if large.flops() < small.flops() {
            return Err(StitchError::Order { larger: end });
        }
        let slide = slide(small.depth, large.depth);
        for pair in slide.pairs {
            let config = StitchedConfig {
                front: small.clone(),
                end: large.clone(),
                front_layer: pair.front,
                end_layer: pair.end,
            };
            config.check()?;
            let pair = Pair { stitch: first + pair.stitch, ..pair };
            ways.push((Configuration::Stitched { front, end, pair }, config.into()));
        }
        first += slide.stitches;
        ways.push(anchor(end));
    }
    Ok(ways)
}

/// Anchors, smallest first, and the stitch layers between neighbours (nearest stitching). It owns every weight once;
/// its configurations share them.
#[derive(Module, Debug)]
pub struct StitchNet {
    /// The models, smallest first.
    pub anchors: Vec<Vit>,
    /// Stitch layers, `[D_front, D_end]` with bias.
    pub stitches: Vec<Linear>,
    #[module(skip)]
    configurations: Vec<Configuration>,
    #[module(skip)]
    configs: Vec<ModelConfig>,
}

impl StitchNet {
    /// A net whose stitch layers are still zero; [`StitchNet::start`] gives them their start values.
    ///
    /// # Errors
    /// As [`ways`].
    pub fn new(anchors: Vec<Vit>, device: &Device) -> Result<Self, StitchError> {
        let configs: Vec<VitConfig> = anchors.iter().map(|anchor| anchor.config.clone()).collect();
        let (configurations, configs) = ways(&configs)?.into_iter().unzip();
        let mut net = Self { anchors, stitches: Vec::new(), configurations, configs };
        net.stitches = net.joined().into_iter().map(|joined| net.zero(joined, device)).collect();
        Ok(net)
    }

    fn zero(&self, [front, end]: [usize; 2], device: &Device) -> Linear {
        let width = |anchor: usize| self.anchors[anchor].config.embed_dim;
        AffineFit::zero(width(front), width(end)).linear(device)
    }

    /// Gives every stitch layer its start value, in order.
    ///
    /// # Panics
    /// When there are not as many as stitch layers, or their widths are others.
    #[must_use]
    pub fn start(mut self, fits: &[AffineFit], device: &Device) -> Self {
        assert_eq!(fits.len(), self.stitches.len(), "one start value per stitch layer");
        let widths = self.widths();
        for (at, fit) in fits.iter().enumerate() {
            assert_eq!([fit.weight.columns, fit.weight.rows], widths[at], "widths of stitch layer {at}");
            self.stitches[at] = fit.linear(device);
        }
        self
    }

    /// Widths that each stitch layer joins, `[D_front, D_end]`.
    pub fn widths(&self) -> Vec<[usize; 2]> {
        self.stitches.iter().map(|stitch| stitch.weight.dims()).collect()
    }

    /// The anchors that each stitch layer joins, `[front, end]`.
    pub fn joined(&self) -> Vec<[usize; 2]> {
        let mut joined = Vec::new();
        for configuration in &self.configurations {
            // Stitch layers are met in their order.
            if let Configuration::Stitched { front, end, pair } = configuration
                && pair.stitch == joined.len()
            {
                joined.push([*front, *end]);
            }
        }
        joined
    }

    /// All ways through, by increasing anchor.
    pub fn configurations(&self) -> &[Configuration] {
        &self.configurations
    }

    /// What each way through is as a model of its own.
    pub fn configs(&self) -> &[ModelConfig] {
        &self.configs
    }

    /// The model of a configuration, sharing its weights with the net: under training gradients flow to them.
    ///
    /// # Panics
    /// When there is no such configuration.
    pub fn assembled(&self, configuration: usize) -> Model {
        match (self.configurations[configuration], &self.configs[configuration]) {
            (Configuration::Stitched { front, end, pair }, ModelConfig::Stitched(config)) => {
                let [front, end] = [front, end].map(|anchor| &self.anchors[anchor]);
                Stitched::cut(front, &self.stitches[pair.stitch], end, config).into()
            }
            (Configuration::Anchor { anchor } | Configuration::Stitched { end: anchor, .. }, _) => {
                self.anchors[anchor].clone().into()
            }
        }
    }

    /// A configuration as an ordinary model of its own, without autodiff; the rest of the net can be let go.
    ///
    /// # Panics
    /// When there is no such configuration.
    pub fn cut(&self, configuration: usize) -> Model {
        self.assembled(configuration).valid()
    }

    /// Class scores `[batch, classes]` of pictures `[batch, channels, image_size, image_size]` by one configuration.
    ///
    /// # Panics
    /// When there is no such configuration.
    pub fn logits(&self, configuration: usize, images: Tensor<4>) -> Tensor<2> {
        self.assembled(configuration).logits(images, None)
    }

    /// Stored parameters: every anchor and every stitch layer once.
    pub fn parameters(&self) -> u64 {
        self.num_params() as u64
    }
}
