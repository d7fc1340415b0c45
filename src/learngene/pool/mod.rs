//! Learngene Pool (Shi et al., AAAI 2024): several small models distilled from one ancestor, whose blocks are the
//! *learngene instances*; stitched together they give models of many sizes.
//!
//! A pool is a [`StitchNet`](super::stitch::StitchNet) whose anchors are the auxiliary models. This module says what
//! they look like, how they listen to the ancestor ([`Auxiliary`]), and how stitch layers start from the maps that were
//! learned on the way ([`StitchStart`]). Training is `train::pool`'s.

mod auxiliary;
mod budget;
mod frozen;
mod starts;

pub use auxiliary::{Auxiliary, AuxiliaryError, Positions, Shown, auxiliary_config, watch};
pub use budget::{Budget, Candidate, best_within, milliseconds};
pub use frozen::frozen;
pub use starts::{LearnedMaps, StitchStart, learned, pseudo_inverse, random};
