//! Learngene Pool (Shi et al., AAAI 2024): several small models distilled from one ancestor, whose blocks are the
//! *learngene instances*; stitched together they give models of many sizes.
//!
//! A pool is a [`StitchNet`](super::stitch::StitchNet) whose anchors are the auxiliary models. This module says what
//! they look like, how they listen to the ancestor ([`Auxiliary`]), and how stitch layers start from the maps that were
//! learned on the way ([`StitchInit`]). Training is `train::pool`'s.

mod anchors;
mod auxiliary;
mod distill;
mod frozen;
mod plan;
mod pooling;
mod starts;
mod state;
mod teacher;

pub use auxiliary::{Activations, Auxiliary, AuxiliaryError, Positions, auxiliary_config, watch};
pub use distill::{DistillTargets, Probe, distillation_loss, soft_targets};
pub use frozen::frozen;
pub use heirloom_plan::pool::StitchInit;
pub use plan::{AuxiliaryPlan, PoolAdvance, PoolMeasurements, PoolPlan, Teaches};
pub use pooling::PoolTrainer;
pub use starts::{LearnedMaps, learned, pseudo_inverse, random};
pub use state::{PoolHeader, PoolParts, PoolState};
pub use teacher::{FeatureKey, Features, MemoryFeatures, NoFeatures, Teacher};
