//! Which whole layers of an ancestor a descendant takes: the learngene's, or those of an arm to compare with.

use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::config::SeamError;

/// Why a descendant of whole layers cannot be planned.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, serde::Serialize)]
pub enum LayersError {
    /// No layers or classes.
    #[error("the descendant has 0 `{name}`, expected at least 1")]
    Zero {
        /// `layers` or `classes`.
        name: &'static str,
    },
    /// A layer the ancestor has not.
    #[error("layer `{layer}` is chosen, but the ancestor has `{available}` layers: choose among those")]
    NoLayer {
        /// The layer, counted from 1.
        layer: usize,
        /// Layers of the ancestor.
        available: usize,
    },
    /// Not in the ancestor's order.
    #[error("layer `{layer}` is chosen after layer `{before}`, expected the ancestor's order and no layer twice")]
    Order {
        /// The later one, counted from 1.
        layer: usize,
        /// The one before it, counted from 1.
        before: usize,
    },
    /// Fewer layers than are inherited.
    #[error("the descendant has `{layers}` layers but inherits `{chosen}`: give it more, or choose fewer")]
    TooShallow {
        /// Layers asked for.
        layers: usize,
        /// Layers chosen.
        chosen: usize,
    },
    /// A picture that is no whole number of patches.
    #[error("pictures of `{image_size}` px cannot be cut into patches of `{patch_size}` px: choose a multiple")]
    ImageSize {
        /// Side asked for, px.
        image_size: usize,
        /// Side of a patch, px.
        patch_size: usize,
    },
    /// Layers of two models.
    #[error("this ancestor is stitched from two models, whose layers differ in width: open one of them whole instead")]
    Stitched,
    /// Two stages that do not fit each other.
    #[error(transparent)]
    Seam(#[from] SeamError),
}

/// Whole layers of an ancestor, from the input on, and random ones above them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayersPlan {
    /// Layers of the ancestor, ascending, 0-based.
    pub chosen: Vec<usize>,
    /// Layers of the descendant: the chosen ones, and random ones on top.
    pub layers: usize,
}

impl LayersPlan {
    /// These layers, in the ancestor's order.
    pub fn new(mut chosen: Vec<usize>, layers: usize) -> Self {
        chosen.sort_unstable();
        Self { chosen, layers }
    }

    /// The ancestor's first `count` layers.
    pub fn first(count: usize, layers: usize) -> Self {
        Self { chosen: (0..count).collect(), layers }
    }

    /// The last `count` of the ancestor's `available` layers.
    pub fn last(count: usize, layers: usize, available: usize) -> Self {
        Self { chosen: (available.saturating_sub(count)..available).collect(), layers }
    }

    /// The first third of `count` layers, rounded up, from the ancestor's beginning and the others from its end: of twelve
    /// layers and six wanted, the first sixth and the last third.
    pub fn ends(count: usize, layers: usize, available: usize) -> Self {
        let count = count.min(available);
        let first = count.div_ceil(3);
        Self { chosen: (0..first).chain(available - (count - first)..available).collect(), layers }
    }

    /// Any `count` of the ancestor's `available` layers, the same for the same seed.
    pub fn random(count: usize, layers: usize, available: usize, seed: u64) -> Self {
        let mut all: Vec<usize> = (0..available).collect();
        all.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
        all.truncate(count);
        Self::new(all, layers)
    }

    /// All of the ancestor's layers: plain fine-tuning.
    pub fn whole(available: usize) -> Self {
        Self { chosen: (0..available).collect(), layers: available }
    }

    /// Checks the plan against an ancestor of `available` layers.
    ///
    /// # Errors
    /// When a layer is not there, comes twice or out of order, or there is no room for it.
    pub fn check(&self, available: usize) -> Result<(), LayersError> {
        let (layers, chosen) = (self.layers, self.chosen.len());
        if layers == 0 {
            return Err(LayersError::Zero { name: "layers" });
        }
        if layers < chosen {
            return Err(LayersError::TooShallow { layers, chosen });
        }
        if let Some(&layer) = self.chosen.iter().find(|&&layer| layer >= available) {
            return Err(LayersError::NoLayer { layer: layer + 1, available });
        }
        match self.chosen.windows(2).find(|pair| pair[0] >= pair[1]) {
            Some(pair) => Err(LayersError::Order { layer: pair[1] + 1, before: pair[0] + 1 }),
            None => Ok(()),
        }
    }
}
