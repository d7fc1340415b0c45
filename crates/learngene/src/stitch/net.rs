//! Several models and the stitch layers between neighbours, as one module.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{Device, Tensor};

use super::{AffineFit, Configuration, StitchError, stitch_configurations};
use heirloom_nn::model::{Model, ModelConfig};
use heirloom_nn::vit::{Stitched, Vit, VitConfig};

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
    /// As [`stitch_configurations`](super::stitch_configurations).
    pub fn new(anchors: Vec<Vit>, device: &Device) -> Result<Self, StitchError> {
        let configs: Vec<VitConfig> = anchors.iter().map(|anchor| anchor.config.clone()).collect();
        let (configurations, configs) = stitch_configurations(&configs)?.into_iter().unzip();
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
