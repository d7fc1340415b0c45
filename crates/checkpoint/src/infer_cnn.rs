//! From the shapes of a convolutional network to its configuration.
//!
//! What shapes do not tell (strides, poolings, the size of pictures) follows from the habits of the two styles: a 7×7
//! stem means torchvision's ImageNet networks, a 3×3 one those for CIFAR. Whatever was assumed is said.

use super::description::Hints;
use super::error::CheckpointError;
use super::infer::{Inferred, Shapes};
use super::naming::{Style, layer_of};
use super::nearest::nearest;
use super::stored::MAX_ELEMENTS;
use heirloom_plan::config::{BlockKind, CnnConfig, Shortcut, StageConfig, StemConfig};

/// Epsilon of PyTorch's batch norms, which no file says and hardly anybody changes.
pub(super) const NORM_EPS: f64 = 1e-5;

pub(super) struct CnnReader<'a> {
    pub file: &'a str,
    pub shapes: &'a Shapes,
    pub hints: &'a Hints,
    pub assumptions: Vec<String>,
}

impl CnnReader<'_> {
    pub(super) fn unfit(&self, found: String) -> CheckpointError {
        CheckpointError::OtherModel { name: self.file.into(), found }
    }

    fn missing(&self, key: &str) -> CheckpointError {
        let nearest = nearest(key, self.shapes.keys().map(String::as_str)).map(String::from);
        CheckpointError::Missing { key: key.into(), nearest }
    }

    /// Shape of a convolution's weight: output, input, side of the kernel.
    pub(super) fn convolution(&self, key: &str) -> Result<[usize; 3], CheckpointError> {
        match self.shapes.get(key).map(Vec::as_slice) {
            Some(&[output, input, high, wide]) if high == wide => Ok([output, input, high]),
            Some(shape) => Err(self
                .unfit(format!("`{key}` of shape {shape:?}, where a convolution [out, in, side, side] is expected"))),
            None => Err(self.missing(key)),
        }
    }

    pub(super) fn image_size(&mut self, usual: usize, why: &str) -> usize {
        if let Some(said) = self.hints.image_size {
            return said;
        }
        self.assumptions.push(format!("pictures of {usual} px, {why}: nothing says their size"));
        usual
    }

    /// A ResNet under torchvision's names.
    pub(super) fn resnet(mut self) -> Result<Inferred, CheckpointError> {
        let [width, channels, kernel] = self.convolution("conv1.weight")?;
        let stem = match kernel {
            3 => StemConfig { width, kernel, stride: 1, pool: false },
            7 => StemConfig { width, kernel, stride: 2, pool: true },
            _ => {
                return Err(
                    self.unfit(format!("a ResNet whose first convolution is {kernel}×{kernel}, not 3×3 or 7×7"))
                );
            }
        };
        let has_projections = self.shapes.keys().any(|key| key.contains(".downsample."));
        let shortcut = if has_projections { Shortcut::Projection } else { Shortcut::Zeros };
        let count = (1..).take_while(|at| self.shapes.contains_key(&format!("layer{at}.0.conv1.weight"))).count();
        let stages: Vec<_> = (1..=count).map(|at| self.stage(at, shortcut)).collect::<Result<_, _>>()?;
        let (usual, why) =
            if kernel == 3 { (32, "the habit of ResNets with a 3×3 stem") } else { (224, "ImageNet's habit") };
        let config = CnnConfig {
            image_size: self.image_size(usual, why),
            channels,
            stem: Some(stem),
            stages,
            conv_head: None,
            conv_bias: false,
            norm_eps: NORM_EPS,
            pooled_side: 1,
            hidden: Vec::new(),
            hidden_norm: false,
            classes: self.shapes.get("fc.weight").and_then(|shape| shape.first().copied()),
        };
        check_bounds(self.file, &config)?;
        let known: Vec<String> = config.tensors().into_iter().map(|(key, _)| key).collect();
        let foreign = self.shapes.keys().find(|key| key.starts_with("layer") && !known.contains(key));
        if let Some(key) = foreign {
            return Err(self.unfit(format!("a ResNet whose blocks have parts that are not known here (`{key}`)")));
        }
        Ok(Inferred::plain(config.into(), self.assumptions))
    }

    fn stage(&self, at: usize, shortcut: Shortcut) -> Result<StageConfig, CheckpointError> {
        let before = format!("layer{at}.");
        let depth = 1 + self.shapes.keys().filter_map(|key| Some(layer_of(key, &before)?.0)).max().unwrap_or(0);
        let [inner, input, _] = self.convolution(&format!("{before}0.conv1.weight"))?;
        let is_bottleneck = self.shapes.contains_key(&format!("{before}0.conv3.weight"));
        let (block, width) = match is_bottleneck {
            true => (BlockKind::Bottleneck, self.convolution(&format!("{before}0.conv3.weight"))?[0]),
            false => (BlockKind::Basic, inner),
        };
        let second = format!("{before}0.conv2.weight");
        let [_, grouped, _] = self.convolution(&second)?;
        if is_bottleneck && grouped < inner {
            return Err(self.unfit(format!("a ResNeXt, whose convolutions come in groups (`{second}`)")));
        }
        let stride = if at == 1 { 1 } else { 2 };
        Ok(StageConfig { block, depth, input, inner, width, stride, shortcut })
    }

    /// A VGG with batch norm, whatever lies between its convolutions.
    pub(super) fn vgg(mut self) -> Result<Inferred, CheckpointError> {
        let convs = self.vgg_convolutions()?;
        let channels = convs[0].input;
        let pooled_after = self.poolings(&convs);
        let stages = stages(&convs, &pooled_after);
        let linears = self.linears()?;
        let last = convs[convs.len() - 1].output;
        let pooled_side = match linears.first() {
            None => 1,
            Some(&(_, input, _)) => {
                let places = input / last.max(1);
                let side = places.isqrt();
                // At most `input`, whatever a file claims: `side` is a root of `input / last`.
                if side * side * last != input || side == 0 {
                    let found = format!(
                        "a VGG whose classifier reads {input} numbers, which no square map of {last} channels has"
                    );
                    return Err(self.unfit(found));
                }
                side
            }
        };
        let usual = pooled_side.checked_shl(stages.iter().filter(|stage| stage.stride > 1).count() as u32);
        let usual = usual.filter(|size| (1..=1 << 14).contains(size)).unwrap_or(224);
        let (hidden, head) = linears.split_at(linears.len().saturating_sub(1));
        let hidden_norm =
            hidden.iter().any(|(at, ..)| self.has(&format!("classifier.{}.running_mean", at.unwrap_or(0) + 1)));
        let config = CnnConfig {
            image_size: self.image_size(usual, "which fit its poolings and classifier"),
            channels,
            stem: None,
            stages,
            conv_head: None,
            conv_bias: self.has(&format!("features.{}.bias", convs[0].at)),
            norm_eps: NORM_EPS,
            pooled_side,
            hidden: hidden.iter().map(|(_, _, output)| *output).collect(),
            hidden_norm,
            classes: head.first().map(|(_, _, classes)| *classes),
        };
        check_bounds(self.file, &config)?;
        let renamed = renamed(&config, &convs, &linears);
        Ok(Inferred { renamed, ..Inferred::plain(config.into(), self.assumptions) })
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.shapes.contains_key(key)
    }

    fn vgg_convolutions(&self) -> Result<Vec<Numbered>, CheckpointError> {
        let mut convs = Vec::new();
        for (key, shape) in self.shapes {
            let Some((at, "weight")) = layer_of(key, "features.") else { continue };
            if shape.len() == 1 {
                continue;
            }
            let [output, input, kernel] = self.convolution(key)?;
            if kernel != 3 {
                return Err(
                    self.unfit(format!("an AlexNet or its like, with a convolution of {kernel}×{kernel} (`{key}`)"))
                );
            }
            convs.push(Numbered { at, input, output });
        }
        convs.sort_by_key(|conv| conv.at);
        let bare = convs.iter().find(|conv| !self.has(&format!("features.{}.running_mean", conv.at + 1)));
        match (bare, convs.is_empty()) {
            (Some(conv), _) => {
                let found = format!("a VGG without batch norm (nothing of it follows `features.{}`)", conv.at);
                Err(self.unfit(found))
            }
            (None, true) => Err(self.missing("features.0.weight")),
            (None, false) => Ok(convs),
        }
    }

    /// For each convolution, whether a pooling follows it.
    fn poolings(&mut self, convs: &[Numbered]) -> Vec<bool> {
        let gaps: Vec<usize> = convs.windows(2).map(|pair| pair[1].at - pair[0].at).collect();
        let (least, most) = (gaps.iter().min().copied().unwrap_or(0), gaps.iter().max().copied().unwrap_or(0));
        if least < most {
            // A pooling takes a number of its own.
            return gaps.iter().map(|&gap| gap > least).chain([true]).collect();
        }
        let changes = convs.windows(2).map(|pair| pair[0].output != pair[1].output);
        let mut pooled: Vec<bool> = changes.chain([true]).collect();
        // VGG's last two stages are equally wide, so widths alone do not part them.
        let start = pooled.iter().rev().skip(1).position(|&pooled| pooled).map_or(0, |back| convs.len() - 1 - back);
        let (runs, last) = (pooled.iter().filter(|&&pooled| pooled).count(), convs.len() - start);
        if runs == 4 && last % 2 == 0 {
            pooled[start + last / 2 - 1] = true;
        }
        self.assumptions.push(
            "a pooling wherever the width changes, after the last convolution, and half-way through the widest ones, \
             VGG's habit: the numbering leaves room for something after every convolution"
                .into(),
        );
        pooled
    }

    /// Number, input and output of the classifier's layers, in order; no number = the classifier is one layer.
    fn linears(&self) -> Result<Vec<(Option<usize>, usize, usize)>, CheckpointError> {
        let mut linears = Vec::new();
        for (key, shape) in self.shapes.iter().filter(|(_, shape)| shape.len() == 2) {
            let &[output, input] = shape.as_slice() else { continue };
            match (key.as_str(), layer_of(key, "classifier.")) {
                ("classifier.weight", _) => linears.push((None, input, output)),
                (_, Some((at, "weight"))) => linears.push((Some(at), input, output)),
                _ => {}
            }
        }
        linears.sort();
        match linears.windows(2).find(|pair| pair[0].2 != pair[1].1) {
            Some(pair) => {
                let (gives, takes) = (pair[0].2, pair[1].1);
                Err(self.unfit(format!(
                    "a classifier whose layers do not follow: one gives {gives}, the next takes {takes}"
                )))
            }
            None => Ok(linears),
        }
    }
}

/// A convolution under its number in `features`.
#[derive(Clone, Copy, Debug)]
struct Numbered {
    at: usize,
    input: usize,
    output: usize,
}

/// Cuts at poolings and, should it ever be needed, at a change of width without one.
fn stages(convs: &[Numbered], pooled: &[bool]) -> Vec<StageConfig> {
    let mut stages: Vec<StageConfig> = Vec::new();
    let mut is_open = false;
    for (conv, &pooled) in convs.iter().zip(pooled) {
        let stride = if pooled { 2 } else { 1 };
        match stages.last_mut().filter(|stage| is_open && stage.width == conv.output) {
            Some(stage) => {
                stage.depth += 1;
                stage.stride = stride;
            }
            None => stages.push(StageConfig {
                block: BlockKind::Plain,
                depth: 1,
                input: conv.input,
                inner: conv.output,
                width: conv.output,
                stride,
                shortcut: Shortcut::Projection,
            }),
        }
        is_open = !pooled;
    }
    stages
}

/// The file's modules and what they are called here.
fn renamed(config: &CnnConfig, convs: &[Numbered], linears: &[(Option<usize>, usize, usize)]) -> Vec<(String, String)> {
    let mut renamed = Vec::new();
    let mut convs = convs.iter();
    for (stage, one) in config.stages.iter().enumerate() {
        for (block, conv) in (0..one.depth).zip(&mut convs) {
            let [name, norm] = config.conv_keys(stage, block, 0);
            renamed.push((format!("features.{}", conv.at), name));
            renamed.push((format!("features.{}", conv.at + 1), norm));
        }
    }
    for (index, (at, ..)) in linears.iter().enumerate() {
        let [linear, norm] = config.hidden_keys(index);
        let Some(at) = at else {
            renamed.push(("classifier".into(), config.head_key()));
            continue;
        };
        renamed.push((format!("classifier.{at}"), linear));
        if index < config.hidden.len() && config.hidden_norm {
            renamed.push((format!("classifier.{}", at + 1), norm));
        }
    }
    renamed
}

/// Keeps absurd numbers from being multiplied, and stages that do not follow from being built.
pub(super) fn check_bounds(file: &str, config: &CnnConfig) -> Result<(), CheckpointError> {
    let damaged = |problem: String| Err(CheckpointError::Damaged { name: file.into(), problem });
    let stem = config.stem.unwrap_or(StemConfig { width: 1, kernel: 3, stride: 1, pool: false });
    let of_stages = |of: fn(&StageConfig) -> usize| config.stages.iter().map(of).max().unwrap_or(0);
    let least = |of: fn(&StageConfig) -> usize| config.stages.iter().map(of).min().unwrap_or(0);
    let hidden = |pick: fn(usize, usize) -> usize| config.hidden.iter().copied().reduce(pick).unwrap_or(1);
    let bounds = [
        ("image_size", config.image_size, 1 << 14),
        ("channels", config.channels, 64),
        ("stem.width", stem.width, 1 << 14),
        ("stem.kernel", stem.kernel, 32),
        ("stem.stride", stem.stride, 8),
        ("stages", config.stages.len(), 64),
        ("depth", of_stages(|stage| stage.depth), 1 << 9),
        ("input", of_stages(|stage| stage.input), 1 << 14),
        ("inner", of_stages(|stage| stage.inner), 1 << 14),
        ("width", of_stages(|stage| stage.width), 1 << 14),
        ("stride", of_stages(|stage| stage.stride), 8),
        ("input", least(|stage| stage.input), 1 << 14),
        ("inner", least(|stage| stage.inner), 1 << 14),
        ("width", least(|stage| stage.width), 1 << 14),
        ("conv_head", config.conv_head.unwrap_or(1), 1 << 14),
        ("pooled_side", config.pooled_side, 64),
        ("hidden layers", config.hidden.len() + 1, 16),
        ("hidden", hidden(usize::max), 1 << 17),
        ("hidden", hidden(usize::min), 1 << 17),
        ("classes", config.classes.unwrap_or(1), 1 << 20),
    ];
    if let Some((name, value, most)) = bounds.into_iter().find(|(_, value, most)| !(1..=*most).contains(value)) {
        return damaged(format!("`{name}` would be {value}, between 1 and {most} makes sense"));
    }
    if stem.kernel.is_multiple_of(2) {
        return damaged(format!("the first convolution would be {0}×{0}, an odd side makes sense", stem.kernel));
    }
    if let Err(error) = config.check() {
        return damaged(error.to_string());
    }
    let elements = |(_, shape): &(String, Vec<usize>)| shape.iter().map(|&axis| axis as u64).product::<u64>();
    match config.tensors().iter().map(elements).max() {
        Some(elements) if elements > MAX_ELEMENTS as u64 => {
            damaged(format!("one tensor would have {elements} elements"))
        }
        _ => Ok(()),
    }
}

/// Family in words, e.g. `ResNet-56 (torchvision names)`.
pub(super) fn family(config: &CnnConfig, hints: &Hints, style: Style) -> String {
    let convolutions: usize = config.stages.iter().map(|stage| stage.depth * stage.block.convolutions()).sum();
    let family = match config.stem {
        Some(_) if config.is_mobile() => "MobileNetV2".to_string(),
        // Numbered as in the papers: the first convolution and the classifier are counted, a VGG's three layers too.
        Some(_) => format!("ResNet-{}", convolutions + 2),
        None => format!("VGG{} with batch norm", convolutions + 3),
    };
    let names = style.words();
    match &hints.architecture {
        _ if hints.own.is_some() => format!("{family} (made here, {names})"),
        Some(architecture) => format!("{family} `{architecture}` ({names})"),
        None => format!("{family} ({names})"),
    }
}
