//! A convolutional network that opens itself to measurement: whoever runs it may look at the map that leaves every
//! stage and every block.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::module::adaptive_avg_pool2d;
use burn::tensor::{Device, Tensor, assert_shape};

use super::{BatchNorm, CnnConfig, ConvNorm, Hidden, Stage, Statistics, Stem};
use crate::kernels::{Activation, linear};

/// Shown a stage and the map that leaves it, `[batch, width, side, side]`.
pub type OnStage<'a> = &'a mut dyn FnMut(usize, &Tensor<4>);
/// Shown a stage, a block of it and the map that leaves the block (before a VGG's pooling).
pub type OnBlock<'a> = &'a mut dyn FnMut(usize, usize, &Tensor<4>);

/// What to do and see on the way through the stages.
#[derive(Default)]
pub struct Hooks<'a> {
    /// Makes it a training pass: batch norms use the batch's own statistics and put them here.
    pub statistics: Option<&'a mut Statistics>,
    /// Shown what leaves each stage.
    pub stages: Option<OnStage<'a>>,
    /// Shown what leaves each block.
    pub blocks: Option<OnBlock<'a>>,
}

/// A convolutional network; parameters have the keys of [`CnnConfig::tensors`].
#[derive(Module, Debug)]
pub struct Cnn {
    /// First convolution; a VGG has none.
    pub stem: Option<Stem>,
    /// Stages.
    pub stages: Vec<Stage>,
    /// The 1×1 convolution after them (MobileNetV2).
    pub conv_head: Option<ConvNorm>,
    /// Hidden layers of the classifier.
    pub hidden: Vec<Hidden>,
    /// Last layer of the classifier.
    pub fc: Option<Linear>,
    /// Hyper-parameters.
    #[module(skip)]
    pub config: CnnConfig,
}

impl Cnn {
    /// The map that is pooled: what leaves the last stage or the convolution after it.
    ///
    /// # Shapes
    /// - images: `[batch, channels, image_size, image_size]`
    /// - output: `[batch, width, side, side]`
    pub fn features(&self, images: Tensor<4>, hooks: &mut Hooks<'_>) -> Tensor<4> {
        let [batch, _, _, _] = images.dims();
        let config = &self.config;
        assert_shape!(images, [batch, config.channels, config.image_size, config.image_size]);
        if let Some(statistics) = &mut hooks.statistics {
            statistics.passes.push(Vec::new());
        }
        let mut map = match &self.stem {
            Some(stem) => stem.forward(images, hooks.statistics.as_deref_mut()),
            None => images,
        };
        for (at, stage) in self.stages.iter().enumerate() {
            let blocks = &mut hooks.blocks;
            map = stage.forward(map, hooks.statistics.as_deref_mut(), &mut |block, map| {
                if let Some(see) = blocks.as_mut() {
                    see(at, block, map);
                }
            });
            if let Some(see) = hooks.stages.as_mut() {
                see(at, &map);
            }
        }
        match &self.conv_head {
            Some(conv) => conv.forward(map, Some(Activation::Relu6), hooks.statistics.as_deref_mut()),
            None => map,
        }
    }

    /// What the classifier sees: `[batch, width * pooled_side * pooled_side]`.
    pub fn pooled(&self, features: Tensor<4>) -> Tensor<2> {
        let [batch, width, side, _] = features.dims();
        let pooled = self.config.pooled_side;
        match pooled {
            1 => features.reshape([batch, width, side * side]).mean_dim(2).reshape([batch, width]),
            _ if pooled == side => features.reshape([batch, width * side * side]),
            _ => adaptive_avg_pool2d(features, [pooled; 2]).reshape([batch, width * pooled * pooled]),
        }
    }

    /// Class scores `[batch, classes]` of what [`Cnn::pooled`] gives; without a classifier that itself.
    pub fn classify(&self, mut pooled: Tensor<2>, hooks: &mut Hooks<'_>) -> Tensor<2> {
        for hidden in &self.hidden {
            pooled = hidden.forward(pooled, hooks.statistics.as_deref_mut());
        }
        match &self.fc {
            Some(fc) => linear(fc, pooled),
            None => pooled,
        }
    }

    /// Class scores `[batch, classes]` of pictures `[batch, channels, image_size, image_size]`; without a classifier the
    /// pooled features.
    pub fn logits(&self, images: Tensor<4>, hooks: &mut Hooks<'_>) -> Tensor<2> {
        let pooled = self.pooled(self.features(images, hooks));
        self.classify(pooled, hooks)
    }

    /// Takes in the batch statistics of training passes: running mean and variance move a tenth of the way, as in
    /// PyTorch.
    pub fn update_running_stats(mut self, statistics: &Statistics) -> Self {
        let mut norms = self.norms_mut();
        for pass in &statistics.passes {
            for (norm, seen) in norms.iter_mut().zip(pass) {
                if let Some(seen) = seen {
                    norm.update_running_stats(seen);
                }
            }
        }
        self
    }

    /// All batch norms in the order of the forward pass.
    fn norms_mut(&mut self) -> Vec<&mut BatchNorm> {
        let stem = self.stem.iter_mut().map(|stem| &mut stem.conv);
        let blocks = self.stages.iter_mut().flat_map(|stage| &mut stage.blocks);
        let convs = stem.chain(blocks.flat_map(|block| block.convs.iter_mut().chain(&mut block.downsample)));
        let hidden = self.hidden.iter_mut().filter_map(|hidden| hidden.norm.as_mut());
        convs.chain(&mut self.conv_head).map(|conv| &mut conv.norm).chain(hidden).collect()
    }

    /// Where its parameters are.
    pub fn device(&self) -> Device {
        let first = self.stem.as_ref().map(|stem| &stem.conv);
        let first = first.or_else(|| self.stages.first()?.blocks.first()?.convs.first());
        first.map_or_else(Device::flex, |conv| conv.weight.val().device())
    }
}
