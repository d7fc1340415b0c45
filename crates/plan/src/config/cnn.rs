//! Hyper-parameters of a convolutional network: ResNets of both styles, VGGs and MobileNetV2s, as a stem, stages and a
//! classifier.

use serde::{Deserialize, Serialize};

use super::{Part, Placed, layout};

/// What a block of a stage does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BlockKind {
    /// VGG: one 3×3 convolution with its norm and ReLU, and no way around it.
    Plain,
    /// ResNet-18 and -34, CIFAR ResNets: two 3×3 convolutions and a shortcut.
    Basic,
    /// ResNet-50: 1×1, 3×3, 1×1 convolutions and a shortcut.
    Bottleneck,
    /// MobileNetV2: an inverted residual (Sandler et al. 2018, section 3.3), that is 1×1, depthwise 3×3 and 1×1
    /// convolutions, the last without an activation. It adds its input where stride and width allow it as it is.
    Inverted,
}

impl BlockKind {
    /// Convolutions of the block, the shortcut's not counted (an inverted residual that does not expand has one less).
    pub fn convolutions(self) -> usize {
        match self {
            Self::Plain => 1,
            Self::Basic => 2,
            Self::Bottleneck | Self::Inverted => 3,
        }
    }
}

/// How a shortcut passes where the width or the size of the map changes (He et al. 2016, section 3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Shortcut {
    /// Option A: every `stride`-th pixel, and channels of zeros on both sides; no parameters.
    Zeros,
    /// Option B: a strided 1×1 convolution with a norm (`downsample.0`, `downsample.1`).
    Projection,
}

/// The first convolution of a ResNet (`conv1`, `bn1`) or MobileNetV2 (`conv_stem`, `bn1`), with its norm and activation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StemConfig {
    /// Channels it gives.
    pub width: usize,
    /// Side of its kernel: 3 for CIFAR, 7 for ImageNet.
    pub kernel: usize,
    /// Its stride.
    pub stride: usize,
    /// Whether a 3×3 max pooling of stride 2 follows.
    pub pool: bool,
}

/// Blocks of one width: `layer1` … of a ResNet, the convolutions between two poolings of a VGG, `blocks.0` … of a
/// MobileNetV2. The unit that Learngene by layers chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StageConfig {
    /// What its blocks do.
    pub block: BlockKind,
    /// Blocks.
    pub depth: usize,
    /// Channels it takes.
    pub input: usize,
    /// Channels inside its blocks; only those of bottlenecks and inverted residuals differ from `width`. Inverted
    /// residuals widen by a factor: `inner` is that of the blocks after the first, `expansion · width`.
    pub inner: usize,
    /// Channels it gives.
    pub width: usize,
    /// How many times the map shrinks: the stride of the first block with a shortcut, or of the max pooling after the
    /// last plain one.
    pub stride: usize,
    /// How its shortcuts pass where they cannot pass as they are; inverted residuals then have none.
    pub shortcut: Shortcut,
}

/// Hyper-parameters of a convolutional network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CnnConfig {
    /// Side of the input picture, px.
    pub image_size: usize,
    /// Colour channels.
    pub channels: usize,
    /// The first convolution; a VGG has none.
    pub stem: Option<StemConfig>,
    /// Stages, in order.
    pub stages: Vec<StageConfig>,
    /// Channels of the 1×1 convolution after the last stage, which a MobileNetV2 has (`conv_head`, `bn2`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conv_head: Option<usize>,
    /// Whether convolutions have biases (VGG).
    pub conv_bias: bool,
    /// Epsilon of the batch norms.
    pub norm_eps: f64,
    /// Side of the map after the last pooling: 1 is the mean of all places.
    pub pooled_side: usize,
    /// Widths of the classifier's hidden layers (VGG).
    pub hidden: Vec<usize>,
    /// Whether those have batch norms.
    pub hidden_norm: bool,
    /// Classes of the classifier; `None` = no classifier, hidden layers included.
    pub classes: Option<usize>,
}

impl CnnConfig {
    /// A ResNet as He et al. built it for CIFAR (section 4.2): 32 px, three stages of `blocks` basic blocks, widths
    /// 16, 32 and 64. Nine blocks are ResNet-56.
    pub fn cifar_resnet(blocks: usize, shortcut: Shortcut, classes: usize) -> Self {
        let stage = |input, width, stride| StageConfig {
            block: BlockKind::Basic,
            depth: blocks,
            input,
            inner: width,
            width,
            stride,
            shortcut,
        };
        Self {
            image_size: 32,
            stem: Some(StemConfig { width: 16, kernel: 3, stride: 1, pool: false }),
            stages: vec![stage(16, 16, 1), stage(16, 32, 2), stage(32, 64, 2)],
            ..Self::resnet(BlockKind::Basic, [1; 4], classes)
        }
    }

    /// torchvision's ResNet for ImageNet: `Basic` with depths 2, 2, 2, 2 is ResNet-18 and with 3, 4, 6, 3 ResNet-34,
    /// `Bottleneck` with 3, 4, 6, 3 ResNet-50.
    pub fn resnet(block: BlockKind, depths: [usize; 4], classes: usize) -> Self {
        let expansion = if block == BlockKind::Bottleneck { 4 } else { 1 };
        let mut input = 64;
        let stages = depths.into_iter().enumerate().map(|(at, depth)| {
            let inner = 64 << at;
            let taken = std::mem::replace(&mut input, expansion * inner);
            let stride = if at == 0 { 1 } else { 2 };
            let shortcut = Shortcut::Projection;
            StageConfig { block, depth, input: taken, inner, width: expansion * inner, stride, shortcut }
        });
        Self {
            image_size: 224,
            channels: 3,
            stem: Some(StemConfig { width: 64, kernel: 7, stride: 2, pool: true }),
            stages: stages.collect(),
            conv_head: None,
            conv_bias: false,
            norm_eps: 1e-5,
            pooled_side: 1,
            hidden: Vec::new(),
            hidden_norm: false,
            classes: Some(classes),
        }
    }

    /// torchvision's VGG with batch norm: depths 2, 2, 3, 3, 3 are VGG16-BN.
    pub fn vgg(depths: [usize; 5], classes: usize) -> Self {
        let mut input = 3;
        let stages = depths.into_iter().zip([64, 128, 256, 512, 512]).map(|(depth, width)| {
            let taken = std::mem::replace(&mut input, width);
            let (block, shortcut) = (BlockKind::Plain, Shortcut::Projection);
            StageConfig { block, depth, input: taken, inner: width, width, stride: 2, shortcut }
        });
        Self {
            stem: None,
            stages: stages.collect(),
            conv_bias: true,
            pooled_side: 7,
            hidden: vec![4096, 4096],
            ..Self::resnet(BlockKind::Basic, [1; 4], classes)
        }
    }

    /// MobileNetV2 for ImageNet (Sandler et al. 2018, table 2), as torchvision and timm build it: `multiplier` times as
    /// wide, channels rounded to multiples of 8.
    pub fn mobilenet_v2(multiplier: f64, classes: usize) -> Self {
        let stem = StemConfig { width: rounded(32.0 * multiplier), kernel: 3, stride: 2, pool: false };
        let mut input = stem.width;
        let table =
            [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)];
        let stages = table.into_iter().map(|(expansion, width, depth, stride)| {
            let width = rounded(f64::from(width) * multiplier);
            let (taken, inner) = (std::mem::replace(&mut input, width), expansion * width);
            let (block, shortcut) = (BlockKind::Inverted, Shortcut::Projection);
            StageConfig { block, depth, input: taken, inner, width, stride, shortcut }
        });
        Self {
            stages: stages.collect(),
            stem: Some(stem),
            conv_head: Some(rounded(1280.0 * multiplier.max(1.0))),
            ..Self::resnet(BlockKind::Basic, [1; 4], classes)
        }
    }

    /// Channels of the map that is pooled.
    pub fn width(&self) -> usize {
        self.conv_head.unwrap_or(self.stages_width())
    }

    /// Channels that the last stage gives.
    pub fn stages_width(&self) -> usize {
        let given = self.stem.map_or(self.channels, |stem| stem.width);
        self.stages.last().map_or(given, |stage| stage.width)
    }

    /// Numbers the classifier sees of a picture.
    pub fn pooled(&self) -> usize {
        self.width() * self.pooled_side * self.pooled_side
    }

    /// Every tensor of the model with its key (torchvision's, of a MobileNetV2 timm's) and PyTorch shape, running
    /// statistics included.
    pub fn tensors(&self) -> Vec<(String, Vec<usize>)> {
        let mut all = Vec::new();
        for Placed { key, part, .. } in layout(self) {
            let mut add = |kind: &str, shape: &[usize]| all.push((format!("{key}.{kind}"), shape.to_vec()));
            match part {
                Part::Convolution { input, output, kernel, bias } => {
                    add("weight", &[output, input, kernel, kernel]);
                    if bias {
                        add("bias", &[output]);
                    }
                }
                Part::Norm { width } => {
                    for kind in ["weight", "bias", "running_mean", "running_var"] {
                        add(kind, &[width]);
                    }
                }
                Part::Linear { input, output } => {
                    add("weight", &[output, input]);
                    add("bias", &[output]);
                }
            }
        }
        all
    }

    /// Parameters in all; running statistics are none.
    pub fn parameters(&self) -> u64 {
        let tensors = self.tensors();
        let trained = tensors.iter().filter(|(key, _)| !key.contains("running_"));
        trained.map(|(_, shape)| shape.iter().map(|&axis| axis as u64).product::<u64>()).sum()
    }

    /// Floating-point operations of one forward pass on one picture; a multiply-add counts as two. Norms are not
    /// counted, as is usual.
    pub fn flops(&self) -> u64 {
        let of = |Placed { part, side, .. }: Placed| match part {
            Part::Convolution { input, output, kernel, .. } => {
                [2, input, output, kernel, kernel, side, side].map(|factor| factor as u64).iter().product()
            }
            Part::Linear { input, output } => 2 * input as u64 * output as u64,
            Part::Norm { .. } => 0,
        };
        layout(self).into_iter().map(of).sum()
    }

    /// Numbers that one picture's forward pass keeps for the backward pass.
    pub fn activations(&self) -> u64 {
        let of = |Placed { part, side, .. }: Placed| match part {
            // Each norm's output is kept beside its input, and ReLU's beside both.
            Part::Convolution { output, .. } => 3 * output as u64 * side as u64 * side as u64,
            Part::Linear { output, .. } => output as u64,
            Part::Norm { .. } => 0,
        };
        layout(self).into_iter().map(of).sum()
    }
}

/// The multiple of 8 next to `width`, but not less than 0.9 of it (`_make_divisible` of both libraries).
fn rounded(width: f64) -> usize {
    let next = (((width + 4.0) / 8.0) as usize * 8).max(8);
    if (next as f64) < 0.9 * width { next + 8 } else { next }
}
