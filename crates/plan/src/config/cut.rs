//! Models that end before their ancestor does (docs/methods.md, section 5.5).

use super::{BlockKind, CnnConfig, ModelConfig, VitConfig};

/// Depths that are proposed at most.
const MOST: usize = 12;

impl ModelConfig {
    /// Blocks one after the other: the layers of a Vision Transformer, the residual blocks (a VGG's stages) of a CNN.
    pub fn blocks(&self) -> usize {
        match self {
            Self::Vit(config) => config.depth,
            Self::Cnn(config) => config.ends().len(),
            Self::Stitched(config) => config.depth(),
        }
    }

    /// The model of the first `blocks` blocks, without a classifier; `None` where it cannot be cut there.
    pub fn cut(&self, blocks: usize) -> Option<Self> {
        match self {
            Self::Vit(config) => {
                let fits = (1..=config.depth).contains(&blocks);
                fits.then(|| VitConfig { depth: blocks, classes: None, ..config.clone() }.into())
            }
            Self::Cnn(config) => config.cut(blocks).map(Self::Cnn),
            Self::Stitched(_) => None,
        }
    }

    /// Depths worth trying, ascending: from a third of the blocks on, the whole model not among them.
    pub fn cuts(&self) -> Vec<usize> {
        let (blocks, whole) = (self.blocks(), self.body());
        let differs = |&blocks: &usize| self.cut(blocks).is_some_and(|cut| cut.body() < whole);
        let all: Vec<usize> = (blocks.div_ceil(3).max(1)..=blocks).filter(differs).collect();
        let wanted = all.len().min(MOST);
        // The deepest is always one of them.
        (1..=wanted).map(|at| all[at * all.len() / wanted - 1]).collect()
    }

    /// Parameters without those of the classifier.
    fn body(&self) -> u64 {
        match self {
            Self::Vit(config) => VitConfig { classes: None, ..config.clone() }.parameters(),
            Self::Cnn(config) => CnnConfig { classes: None, ..config.clone() }.parameters(),
            Self::Stitched(config) => config.parameters(),
        }
    }
}

impl CnnConfig {
    /// Where blocks end: stage and blocks of it, for each. Plain stages are pooled at their ends and cut nowhere else.
    pub fn ends(&self) -> Vec<(usize, usize)> {
        let of_stage = |(at, stage): (usize, &super::StageConfig)| {
            let first = if stage.block == BlockKind::Plain { stage.depth } else { 1 };
            (first..=stage.depth).map(move |blocks| (at, blocks)).collect::<Vec<_>>()
        };
        self.stages.iter().enumerate().flat_map(of_stage).collect()
    }

    /// See [`ModelConfig::cut`]: without what follows the blocks, a mean of all places before the classifier.
    pub fn cut(&self, blocks: usize) -> Option<Self> {
        let (stage, depth) = *self.ends().get(blocks.checked_sub(1)?)?;
        let mut stages = self.stages[..=stage].to_vec();
        stages[stage].depth = depth;
        let (conv_head, hidden, pooled_side, classes) = (None, Vec::new(), 1, None);
        Some(Self { stages, conv_head, hidden, pooled_side, classes, ..self.clone() })
    }
}
