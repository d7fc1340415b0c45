//! Learngene Pool (Shi et al., AAAI 2024): several small models distilled from one ancestor, whose blocks are the
//! *learngene instances*; stitched together they give models of many sizes.
//!
//! A pool is a [`StitchNet`](super::stitch::StitchNet) whose anchors are the auxiliary models. This module says what
//! they look like, how they listen to the ancestor ([`Auxiliary`], [`SharedBasis`]), how stitch layers start from that
//! ([`StitchInit`]), and trains it all ([`PoolTrainer`]).

mod anchors;
mod auxiliary;
mod basis;
mod distill;
mod frozen;
mod listening;
mod plan;
mod pooling;
mod starts;
mod state;
mod teacher;
mod token_sums;

pub use auxiliary::{Activations, Auxiliary, AuxiliaryError, Positions, auxiliary_config, place_of, watch};
pub use basis::{BasisError, BasisPlan, Coordinates, SharedBasis};
pub use distill::{DistillTargets, DistillWeights, Probe, distillation_loss, soft_targets};
pub use frozen::frozen;
pub use heirloom_plan::pool::{Basis, StitchInit};
pub use plan::{AuxiliaryPlan, PoolAdvance, PoolMeasurements, PoolPlan, Teaches, with_stitch_rate};
pub use pooling::PoolTrainer;
pub use starts::{LearnedMaps, pseudo_inverse, random, transposed};
pub use state::{PoolHeader, PoolParts, PoolState};
pub use teacher::{FeatureKey, Features, MemoryFeatures, NoFeatures, Teacher};
pub use token_sums::{PlaceMoments, TokenSums};
