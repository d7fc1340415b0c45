//! From the shapes of a MobileNetV2 to its configuration.
//!
//! Shapes tell widths and factors of expansion, but neither strides nor, in torchvision's one list of blocks, where a
//! stage begins: both are those of the paper's table 2, and a network of another build is refused.

use super::error::CheckpointError;
use super::infer::{Inferred, Shapes};
use super::infer_cnn::{CnnReader, NORM_EPS, check_bounds};
use heirloom_plan::config::{BlockKind, CnnConfig, Pair, Shortcut, StageConfig, StemConfig, head_conv_keys};

/// Strides of the stages.
const STRIDES: [usize; 7] = [1, 2, 2, 2, 1, 2, 1];
/// Blocks of the stages.
const DEPTHS: [usize; 7] = [1, 2, 3, 4, 3, 3, 1];

/// The file's names of a whole network, in order.
pub(super) struct Names {
    stem: Pair,
    /// Of each block: its stage where the names tell it, and its convolutions.
    blocks: Vec<(Option<usize>, Vec<Pair>)>,
    head: Pair,
    classifier: String,
}

fn pair(conv: String, norm: String) -> Pair {
    [conv, norm]
}

/// timm's: `blocks.1.0.conv_pw`.
pub(super) fn timm_blocks(shapes: &Shapes) -> Names {
    let has = |at: &str, conv: &str| shapes.contains_key(&format!("{at}.{conv}.weight"));
    let mut blocks = Vec::new();
    for stage in 0.. {
        let places = (0..).map(|block| format!("blocks.{stage}.{block}"));
        let before = blocks.len();
        blocks.extend(places.take_while(|at| has(at, "conv_dw")).map(|at| {
            let convs: &[_] =
                if has(&at, "conv_pwl") { &["conv_pw", "conv_dw", "conv_pwl"] } else { &["conv_dw", "conv_pw"] };
            let named =
                convs.iter().zip(1..).map(|(conv, number)| pair(format!("{at}.{conv}"), format!("{at}.bn{number}")));
            (Some(stage), named.collect())
        }));
        if blocks.len() == before {
            break;
        }
    }
    let stem = pair("conv_stem".into(), "bn1".into());
    Names { stem, blocks, head: head_conv_keys(), classifier: "classifier".into() }
}

/// torchvision's: `features.2.conv.0.0`, blocks numbered through, the last convolution after them.
pub(super) fn numbered_blocks(shapes: &Shapes) -> Names {
    let has = |key: &str| shapes.contains_key(&format!("{key}.weight"));
    let within = |at: &str| pair(format!("{at}.0"), format!("{at}.1"));
    let places = (1..).map(|at| format!("features.{at}.conv")).take_while(|at| has(&format!("{at}.0.0")));
    let blocks: Vec<(Option<usize>, Vec<Pair>)> = places
        .map(|at| {
            let wrapped = 1 + usize::from(has(&format!("{at}.1.0")));
            let last = pair(format!("{at}.{wrapped}"), format!("{at}.{}", wrapped + 1));
            (None, (0..wrapped).map(|conv| within(&format!("{at}.{conv}"))).chain([last]).collect())
        })
        .collect();
    let head = within(&format!("features.{}", blocks.len() + 1));
    let classifier = if has("classifier") { "classifier" } else { "classifier.1" };
    Names { stem: within("features.0"), blocks, head, classifier: classifier.into() }
}

/// Channels of a block.
#[derive(Clone, Copy, Debug)]
struct Widths {
    input: usize,
    expansion: usize,
    output: usize,
}

impl CnnReader<'_> {
    /// A MobileNetV2 whose parts have these names.
    pub(super) fn mobilenet(mut self, names: &Names) -> Result<Inferred, CheckpointError> {
        let [width, channels, kernel] = self.convolution(&weight(&names.stem))?;
        if kernel != 3 {
            return Err(
                self.unfit(format!("a network whose first convolution is {kernel}×{kernel}, not MobileNetV2's 3×3"))
            );
        }
        if names.blocks.is_empty() {
            return Err(self.unfit(format!(
                "a network that begins with `{}`, but has no inverted residuals",
                weight(&names.stem)
            )));
        }
        let stages = self.mobile_stages(names)?;
        let [conv_head, ..] = self.convolution(&weight(&names.head))?;
        let classes = self.shapes.get(&format!("{}.weight", names.classifier)).and_then(|shape| shape.first().copied());
        let config = CnnConfig {
            image_size: self.image_size(224, "ImageNet's habit"),
            channels,
            stem: Some(StemConfig { width, kernel, stride: 2, pool: false }),
            stages,
            conv_head: Some(conv_head),
            conv_bias: false,
            norm_eps: NORM_EPS,
            pooled_side: 1,
            hidden: Vec::new(),
            hidden_norm: false,
            classes,
        };
        check_bounds(self.file, &config)?;
        let renamed = renamed(names, &config);
        let is_known =
            |key: &String| renamed.iter().any(|(from, _)| key.rsplit_once('.').is_some_and(|(part, _)| part == from));
        let foreign = self
            .shapes
            .keys()
            .find(|key| ["blocks.", "features."].iter().any(|part| key.starts_with(part)) && !is_known(key));
        if let Some(key) = foreign {
            return Err(self.unfit(format!("a MobileNet with parts that version 2 does not have (`{key}`)")));
        }
        Ok(Inferred { renamed, ..Inferred::plain(config.into(), self.assumptions) })
    }

    fn mobile_stages(&self, names: &Names) -> Result<Vec<StageConfig>, CheckpointError> {
        let widths: Vec<Widths> = names.blocks.iter().map(|(_, convs)| self.widths(convs)).collect::<Result<_, _>>()?;
        let mut depths: Vec<usize> = Vec::new();
        for (at, (stage, _)) in names.blocks.iter().enumerate() {
            let is_next = match stage {
                Some(stage) => *stage + 1 > depths.len(),
                None => at == 0 || widths[at].output != widths[at - 1].output,
            };
            match depths.last_mut() {
                Some(depth) if !is_next => *depth += 1,
                _ => depths.push(1),
            }
        }
        // Narrow networks have neighbouring stages of one width.
        if names.blocks[0].0.is_none() && widths.len() == DEPTHS.iter().sum::<usize>() {
            depths = DEPTHS.to_vec();
        }
        if depths.len() != STRIDES.len() {
            return Err(self.unfit(format!(
                "inverted residuals in {} stages, where MobileNetV2 has {}: nothing says which of them make the map smaller",
                depths.len(),
                STRIDES.len()
            )));
        }
        let mut first = 0;
        let stage = |(depth, stride): (usize, usize)| {
            let Widths { input, expansion, output: width } = widths[first];
            first += depth;
            let (block, shortcut, inner) = (BlockKind::Inverted, Shortcut::Projection, expansion.saturating_mul(width));
            StageConfig { block, depth, input, inner, width, stride, shortcut }
        };
        Ok(depths.into_iter().zip(STRIDES).map(stage).collect())
    }

    fn widths(&self, convs: &[Pair]) -> Result<Widths, CheckpointError> {
        let depthwise = &convs[convs.len() - 2];
        let [inner, group, kernel] = self.convolution(&weight(depthwise))?;
        if group != 1 || kernel != 3 {
            let key = weight(depthwise);
            return Err(self.unfit(format!(
                "a convolution of {kernel}×{kernel} in groups of {group} (`{key}`), where MobileNetV2 has 3×3 depthwise ones"
            )));
        }
        let [output, ..] = self.convolution(&weight(&convs[convs.len() - 1]))?;
        let input = if convs.len() == 3 { self.convolution(&weight(&convs[0]))?[1] } else { inner };
        Ok(Widths { input, expansion: inner / input.max(1), output })
    }
}

fn weight([conv, _]: &Pair) -> String {
    format!("{conv}.weight")
}

/// The file's modules and what they are called here.
fn renamed(names: &Names, config: &CnnConfig) -> Vec<(String, String)> {
    let places =
        config.stages.iter().enumerate().flat_map(|(stage, one)| (0..one.depth).map(move |block| (stage, block)));
    let blocks = names.blocks.iter().zip(places).flat_map(|((_, convs), (stage, block))| {
        convs.iter().enumerate().map(move |(conv, from)| (from, config.conv_keys(stage, block, conv)))
    });
    let ends = [(&names.stem, config.stem_keys()), (&names.head, head_conv_keys())];
    let pairs = ends.into_iter().chain(blocks).flat_map(|(from, to)| from.clone().into_iter().zip(to));
    pairs.chain([(names.classifier.clone(), config.head_key())]).collect()
}
