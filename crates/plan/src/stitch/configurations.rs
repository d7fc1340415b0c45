//! All ways through models that are stitched.

use super::{Pair, slide};
use crate::config::{ModelConfig, StitchedConfig, StitchedError, VitConfig};

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
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, serde::Serialize)]
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
pub fn stitch_configurations(anchors: &[VitConfig]) -> Result<Vec<(Configuration, ModelConfig)>, StitchError> {
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
