//! Which layers a configuration means, what torchvision calls them, and how large their maps are. The one place that
//! knows names: tensors, loading and reading back all ask here.

use super::{BlockKind, CnnConfig, Shortcut, StageConfig};

/// What a layer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Convolution { input: usize, output: usize, kernel: usize, bias: bool },
    Norm { width: usize },
    Linear { input: usize, output: usize },
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

/// Input, output, kernel and stride of a convolution.
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
        let conv = |input, output, kernel, stride| Convolution { input, output, kernel, stride };
        match self.block {
            BlockKind::Plain => vec![conv(input, width, 3, 1)],
            BlockKind::Basic => vec![conv(input, width, 3, stride), conv(width, width, 3, 1)],
            BlockKind::Bottleneck => {
                vec![conv(input, inner, 1, 1), conv(inner, inner, 3, stride), conv(inner, width, 1, 1)]
            }
        }
    }

    /// The shortcut's convolution, where it has one.
    pub fn projection(&self, block: usize) -> Option<Convolution> {
        let (input, stride) = (self.input_of(block), self.stride_of(block));
        let changes = self.block != BlockKind::Plain && (stride != 1 || input != self.width);
        let is_projected = changes && self.shortcut == Shortcut::Projection;
        is_projected.then_some(Convolution { input, output: self.width, kernel: 1, stride })
    }
}

impl CnnConfig {
    /// torchvision's names of a block's convolution and its norm.
    pub fn conv_keys(&self, stage: usize, block: usize, conv: usize) -> Pair {
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
            Some(_) => "fc".into(),
            None => self.hidden_keys(self.hidden.len())[0].clone(),
        }
    }
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
    let mut convolution = |[conv, norm]: Pair, Convolution { input, output, kernel, .. }: Convolution, side| {
        let bias = config.conv_bias;
        all.push(Placed { key: conv, part: Part::Convolution { input, output, kernel, bias }, side });
        all.push(Placed { key: norm, part: Part::Norm { width: output }, side });
    };
    if let Some(stem) = config.stem {
        let conv = Convolution { input: config.channels, output: stem.width, kernel: stem.kernel, stride: stem.stride };
        convolution(["conv1".into(), "bn1".into()], conv, strided(config.image_size, stem.stride));
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
