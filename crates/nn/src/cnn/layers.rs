//! The parts of a convolutional network; a block reads like the papers (He et al. 2016, Simonyan and Zisserman 2015,
//! Sandler et al. 2018).

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::Tensor;
use burn::tensor::activation::relu;
use burn::tensor::module::{avg_pool2d, max_pool2d};
use burn::tensor::ops::{AvgPoolOptions, MaxPoolOptions};

use super::{BatchNorm, BlockKind, Statistics};
use crate::kernels::{Activation, Affine, convolution, convolution_affine, linear};

/// What follows the convolutions within a block of this kind.
fn activation_of(kind: BlockKind) -> Activation {
    if kind == BlockKind::Inverted { Activation::Relu6 } else { Activation::Relu }
}

/// A convolution and its norm. Padding keeps the side of the map at stride 1.
#[derive(Module, Debug)]
pub struct ConvNorm {
    /// `[output, input, kernel, kernel]`; of a depthwise one `[output, 1, kernel, kernel]`.
    pub weight: Param<Tensor<4>>,
    /// `[output]`.
    pub bias: Option<Param<Tensor<1>>>,
    /// Norm of what it gives.
    pub norm: BatchNorm,
    /// Stride.
    #[module(skip)]
    pub stride: usize,
}

impl ConvNorm {
    /// `[batch, input, side, side]` to `[batch, output, side / stride, side / stride]`. Where no statistics are collected, or
    /// the norm is frozen, it is part of the convolution.
    pub fn forward(
        &self,
        map: Tensor<4>,
        activation: Option<Activation>,
        statistics: Option<&mut Statistics>,
    ) -> Tensor<4> {
        let bias = self.bias.as_ref().map(Param::val);
        let is_frozen = self.norm.is_frozen(&map);
        let statistics = match statistics {
            Some(statistics) if is_frozen => {
                statistics.skip_norm();
                None
            }
            statistics => statistics,
        };
        if statistics.is_none() {
            let (scale, shift) = self.norm.affine(bias);
            return convolution_affine(map, self.weight.val(), self.stride, Affine { scale, shift, activation });
        }
        let map = convolution(map, self.weight.val(), self.stride);
        let map = match bias {
            Some(bias) => map + bias.reshape([1, -1, 1, 1]),
            None => map,
        };
        let map = self.norm.forward(map, statistics);
        match activation {
            Some(activation) => activation.forward(map),
            None => map,
        }
    }
}

/// The first convolution of a ResNet or MobileNetV2.
#[derive(Module, Debug)]
pub struct Stem {
    /// The convolution and its norm.
    pub conv: ConvNorm,
    /// What follows.
    #[module(skip)]
    pub activation: Activation,
    /// Whether a 3×3 max pooling of stride 2 follows.
    #[module(skip)]
    pub pool: bool,
}

impl Stem {
    /// `[batch, channels, side, side]` to `[batch, width, ..]`.
    pub fn forward(&self, images: Tensor<4>, statistics: Option<&mut Statistics>) -> Tensor<4> {
        let map = self.conv.forward(images, Some(self.activation), statistics);
        if !self.pool {
            return map;
        }
        max_pool2d(map, MaxPoolOptions::new([3; 2]).with_stride([2; 2]).with_padding([1; 2]))
    }
}

/// One block of a stage.
#[derive(Module, Debug)]
pub struct Block {
    /// Its convolutions, in order.
    pub convs: Vec<ConvNorm>,
    /// The shortcut's convolution, if it has one.
    pub downsample: Option<ConvNorm>,
    /// What it does.
    #[module(skip)]
    pub kind: BlockKind,
    /// Whether it adds what its shortcut brings.
    #[module(skip)]
    pub is_residual: bool,
}

impl Block {
    /// `relu(f(x) + x)`; a plain block is `relu(f(x))`, an inverted residual `f(x) + x` or `f(x)` with ReLU6 within.
    ///
    /// # Shapes
    /// `[batch, input, side, side]` to `[batch, width, side / stride, side / stride]`
    pub fn forward(&self, map: Tensor<4>, mut statistics: Option<&mut Statistics>) -> Tensor<4> {
        let (mut branch, last) = (map.clone(), self.convs.len().saturating_sub(1));
        let is_cut = !self.is_residual && self.kind != BlockKind::Inverted;
        for (at, conv) in self.convs.iter().enumerate() {
            let activation = (at < last || is_cut).then(|| activation_of(self.kind));
            branch = conv.forward(branch, activation, statistics.as_deref_mut());
        }
        match (self.kind, self.is_residual) {
            (_, false) => return branch,
            (BlockKind::Inverted, true) => return branch + map,
            (_, true) => {}
        }
        let shortcut = match &self.downsample {
            Some(conv) => conv.forward(map, None, statistics),
            None => padded(map, branch.dims()),
        };
        relu(branch + shortcut)
    }
}

/// Option A: every so many pixels, and channels of zeros on both sides, so that the map has the shape of the branch.
fn padded(map: Tensor<4>, [batch, width, side, _]: [usize; 4]) -> Tensor<4> {
    let [_, channels, before, _] = map.dims();
    let stride = before.div_ceil(side.max(1)).max(1);
    // A mean over one pixel takes that pixel, and every engine has its gradient.
    let map = if stride > 1 { avg_pool2d(map, AvgPoolOptions::new([1; 2]).with_stride([stride; 2])) } else { map };
    let missing = width - channels;
    if missing == 0 {
        return map;
    }
    let zeros = |count| Tensor::<4>::zeros([batch, count, side, side], &map.device());
    let front = missing / 2;
    let parts = [(front > 0).then(|| zeros(front)), Some(map.clone()), Some(zeros(missing - front))];
    Tensor::cat(parts.into_iter().flatten().collect(), 1)
}

/// Blocks of one width: the unit that Learngene by layers chooses.
#[derive(Module, Debug)]
pub struct Stage {
    /// Its blocks.
    pub blocks: Vec<Block>,
    /// Side of the max pooling after them; 1 = none.
    #[module(skip)]
    pub pool: usize,
}

impl Stage {
    /// `[batch, input, side, side]` to `[batch, width, side / stride, side / stride]`; `see` is shown each block's place
    /// and what leaves it.
    pub fn forward(
        &self,
        mut map: Tensor<4>,
        mut statistics: Option<&mut Statistics>,
        see: &mut dyn FnMut(usize, &Tensor<4>),
    ) -> Tensor<4> {
        for (at, block) in self.blocks.iter().enumerate() {
            map = block.forward(map, statistics.as_deref_mut());
            see(at, &map);
        }
        if self.pool > 1 { max_pool2d(map, MaxPoolOptions::new([self.pool; 2])) } else { map }
    }
}

/// A hidden layer of the classifier (VGG). Its dropout is left out: the draws of a resumed run must be those of an
/// undisturbed one, and weight decay and augmentation do the same work on small picture sets.
#[derive(Module, Debug)]
pub struct Hidden {
    /// `[input, output]`.
    pub linear: Linear,
    /// Its norm, if any.
    pub norm: Option<BatchNorm>,
}

impl Hidden {
    /// `[batch, input]` to `[batch, output]`.
    pub fn forward(&self, values: Tensor<2>, statistics: Option<&mut Statistics>) -> Tensor<2> {
        let values = linear(&self.linear, values);
        relu(match &self.norm {
            Some(norm) => norm.forward(values, statistics),
            None => values,
        })
    }
}
