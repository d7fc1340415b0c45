//! Which layers a configuration means, what they are called (by torchvision; a MobileNetV2's by timm), and how large
//! their maps are. The one place that knows names: tensors, loading and reading back all ask here.

use super::{BlockKind, CnnConfig, Shortcut, StageConfig, StemConfig};

/// What a layer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// `input` is of one group.
    Convolution {
        input: usize,
        output: usize,
        kernel: usize,
        bias: bool,
    },
    Norm {
        width: usize,
    },
    Linear {
        input: usize,
        output: usize,
    },
}

/// A layer under its name; `side` is that of the map it gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Placed {
    pub key: String,
    pub part: Part,
    pub side: usize,
}

/// Names of a layer and its norm.
pub type Pair = [String; 2];

/// Sizes of a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Convolution {
    /// Channels it takes.
    pub input: usize,
    /// Channels it gives.
    pub output: usize,
    /// Side of its kernel; padding keeps the side of the map at stride 1.
    pub kernel: usize,
    /// Its stride.
    pub stride: usize,
    /// Groups of channels that see only themselves: 1, or all channels of a depthwise convolution.
    pub groups: usize,
}

impl Convolution {
    /// PyTorch's shape of its weight.
    pub fn weight_shape(&self) -> [usize; 4] {
        [self.output, self.input / self.groups.max(1), self.kernel, self.kernel]
    }
}

impl StemConfig {
    /// As a convolution of pictures of so many channels.
    pub fn convolution(&self, channels: usize) -> Convolution {
        let Self { width, kernel, stride, .. } = *self;
        Convolution { input: channels, output: width, kernel, stride, groups: 1 }
    }
}

impl StageConfig {
    /// Channels that a block takes.
    pub(super) fn input_of(&self, block: usize) -> usize {
        if block == 0 { self.input } else { self.width }
    }

    /// Stride of a residual block.
    fn stride_of(&self, block: usize) -> usize {
        if block == 0 && self.block != BlockKind::Plain { self.stride } else { 1 }
    }

    /// The convolutions of a block, in order, the shortcut's not among them. torchvision strides a bottleneck at its
    /// 3×3 convolution.
    pub fn convolutions(&self, block: usize) -> Vec<Convolution> {
        let (input, stride, Self { inner, width, .. }) = (self.input_of(block), self.stride_of(block), *self);
        let conv = |input, output, kernel, stride| Convolution { input, output, kernel, stride, groups: 1 };
        match self.block {
            BlockKind::Plain => vec![conv(input, width, 3, 1)],
            BlockKind::Basic => vec![conv(input, width, 3, stride), conv(width, width, 3, 1)],
            BlockKind::Bottleneck => {
                vec![conv(input, inner, 1, 1), conv(inner, inner, 3, stride), conv(inner, width, 1, 1)]
            }
            BlockKind::Inverted => {
                let inner = input * (inner / width.max(1));
                let depthwise = Convolution { groups: inner, ..conv(inner, inner, 3, stride) };
                let expand = (inner != input).then_some(conv(input, inner, 1, 1));
                expand.into_iter().chain([depthwise, conv(inner, width, 1, 1)]).collect()
            }
        }
    }

    /// The shortcut's convolution, where it has one.
    pub fn projection(&self, block: usize) -> Option<Convolution> {
        let (input, stride) = (self.input_of(block), self.stride_of(block));
        let has_shortcut = matches!(self.block, BlockKind::Basic | BlockKind::Bottleneck);
        let is_projected = has_shortcut && self.changes(block) && self.shortcut == Shortcut::Projection;
        is_projected.then_some(Convolution { input, output: self.width, kernel: 1, stride, groups: 1 })
    }

    /// Whether a block gives maps of another size or width than it takes.
    fn changes(&self, block: usize) -> bool {
        self.stride_of(block) != 1 || self.input_of(block) != self.width
    }

    /// Whether a block adds what its shortcut brings.
    pub fn is_residual(&self, block: usize) -> bool {
        match self.block {
            BlockKind::Plain => false,
            BlockKind::Basic | BlockKind::Bottleneck => true,
            BlockKind::Inverted => !self.changes(block),
        }
    }
}

impl CnnConfig {
    /// Whether it is a MobileNetV2 or its first blocks: names as timm's, ReLU6 for ReLU.
    pub fn is_mobile(&self) -> bool {
        self.conv_head.is_some() || self.stages.iter().any(|stage| stage.block == BlockKind::Inverted)
    }

    /// The convolution after the last stage, where there is one.
    pub fn head_convolution(&self) -> Option<Convolution> {
        let (input, kernel, stride, groups) = (self.stages_width(), 1, 1, 1);
        self.conv_head.map(|output| Convolution { input, output, kernel, stride, groups })
    }

    /// Names of the first convolution and its norm.
    pub fn stem_keys(&self) -> Pair {
        [if self.is_mobile() { "conv_stem" } else { "conv1" }.into(), "bn1".into()]
    }

    /// Names of a block's convolution and its norm.
    pub fn conv_keys(&self, stage: usize, block: usize, conv: usize) -> Pair {
        if self.is_mobile() {
            let convs = self.stages[stage].convolutions(block).len();
            let names: &[_] = if convs == 3 { &["conv_pw", "conv_dw", "conv_pwl"] } else { &["conv_dw", "conv_pw"] };
            let name = names.get(conv).copied().unwrap_or_default();
            return [format!("blocks.{stage}.{block}.{name}"), format!("blocks.{stage}.{block}.bn{}", conv + 1)];
        }
        if self.stem.is_some() {
            let (at, conv) = (format!("layer{}.{block}", stage + 1), conv + 1);
            return [format!("{at}.conv{conv}"), format!("{at}.bn{conv}")];
        }
        // A VGG numbers everything: convolution, norm, ReLU, and a pooling at the end of a stage.
        let before = |stage: &StageConfig| 3 * stage.depth + usize::from(stage.stride > 1);
        let at = self.stages[..stage].iter().map(before).sum::<usize>() + 3 * block;
        [format!("features.{at}"), format!("features.{}", at + 1)]
    }

    /// Names of a hidden layer of the classifier and its norm.
    pub fn hidden_keys(&self, at: usize) -> Pair {
        // Without norms torchvision's numbers (linear, ReLU, dropout); with them dropout comes first and each layer
        // takes four (linear, norm, ReLU, dropout).
        let first = if self.hidden_norm { 1 + 4 * at } else { 3 * at };
        [format!("classifier.{first}"), format!("classifier.{}", first + 1)]
    }

    /// Name of the last layer of the classifier.
    pub fn head_key(&self) -> String {
        match self.stem {
            Some(_) if self.is_mobile() => "classifier".into(),
            Some(_) => "fc".into(),
            None => self.hidden_keys(self.hidden.len())[0].clone(),
        }
    }
}

/// Names of the convolution after the last stage and its norm.
pub fn head_conv_keys() -> Pair {
    ["conv_head".into(), "bn2".into()]
}

/// Names of a shortcut's convolution and norm.
pub fn projection_keys(stage: usize, block: usize) -> Pair {
    [0, 1].map(|part| format!("layer{}.{block}.downsample.{part}", stage + 1))
}

/// Side of what a convolution or pooling gives whose padding keeps the side at stride 1.
pub(super) fn strided(side: usize, stride: usize) -> usize {
    side.div_ceil(stride.max(1))
}

/// Sides of the map: after the stem, then after each stage.
pub fn sides(config: &CnnConfig) -> Vec<usize> {
    let after_stem = config.stem.map_or(config.image_size, |stem| {
        let side = strided(config.image_size, stem.stride);
        if stem.pool { strided(side, 2) } else { side }
    });
    let mut sides = vec![after_stem];
    for stage in &config.stages {
        let side = sides[sides.len() - 1];
        // VGG's pooling leaves out what does not fill its window.
        sides.push(if stage.block == BlockKind::Plain {
            side / stage.stride.max(1)
        } else {
            strided(side, stage.stride)
        });
    }
    sides
}

/// All layers in the order of the forward pass.
pub(super) fn layout(config: &CnnConfig) -> Vec<Placed> {
    let (sides, mut all) = (sides(config), Vec::new());
    let mut convolution = |[conv, norm]: Pair, shape: Convolution, side| {
        let ([output, input, kernel, _], bias) = (shape.weight_shape(), config.conv_bias);
        all.push(Placed { key: conv, part: Part::Convolution { input, output, kernel, bias }, side });
        all.push(Placed { key: norm, part: Part::Norm { width: output }, side });
    };
    if let Some(stem) = config.stem {
        convolution(config.stem_keys(), stem.convolution(config.channels), strided(config.image_size, stem.stride));
    }
    for (at, stage) in config.stages.iter().enumerate() {
        for block in 0..stage.depth {
            let mut side = if block == 0 || stage.block == BlockKind::Plain { sides[at] } else { sides[at + 1] };
            let projected = strided(side, stage.stride_of(block));
            for (index, conv) in stage.convolutions(block).into_iter().enumerate() {
                side = strided(side, conv.stride);
                convolution(config.conv_keys(at, block, index), conv, side);
            }
            if let Some(conv) = stage.projection(block) {
                convolution(projection_keys(at, block), conv, projected);
            }
        }
    }
    if let (Some(conv), Some(&side)) = (config.head_convolution(), sides.last()) {
        convolution(head_conv_keys(), conv, side);
    }
    let Some(classes) = config.classes else { return all };
    let mut input = config.pooled();
    for (at, &output) in config.hidden.iter().enumerate() {
        let [linear, norm] = config.hidden_keys(at);
        all.push(Placed { key: linear, part: Part::Linear { input, output }, side: 1 });
        if config.hidden_norm {
            all.push(Placed { key: norm, part: Part::Norm { width: output }, side: 1 });
        }
        input = output;
    }
    all.push(Placed { key: config.head_key(), part: Part::Linear { input, output: classes }, side: 1 });
    all
}
