//! How much of the ancestor is left in a descendant before any training.

use serde::{Deserialize, Serialize};

use super::DescendantSettings;

/// Descendants of one plan from learngenes of several sizes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SurvivalReport {
    /// The plan.
    pub settings: DescendantSettings,
    /// By rising eps.
    pub points: Vec<Survival>,
    /// Pictures on which they were compared with the ancestor.
    pub pictures: usize,
    /// What it took, s.
    pub seconds: f64,
}

/// One learngene and what its descendant keeps of the ancestor.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Survival {
    /// Largest distance between neighbours in a cluster, px at the ancestor's image size.
    pub eps: f32,
    /// Heads that are kept of the ancestor's layers that the descendant uses.
    pub heads: usize,
    /// Feed-forward networks that its layers start from: layers with equally many clusters may share one.
    pub ffns: usize,
    /// Parameters that the descendant takes from the learngene.
    pub taken: u64,
    /// As expanded.
    pub plain: Nearness,
    /// With its projections fitted to other pictures, so that kept heads make up for the others.
    pub compensated: Nearness,
}

/// How near tokens are to the ancestor's behind the layer that the descendant's last layer comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Nearness {
    /// Mean cosine; 1 is alike.
    pub cosine: f64,
    /// Squared difference, relative to the ancestor's squared length.
    pub error: f64,
}
