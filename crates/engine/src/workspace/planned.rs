//! A planned descendant.

use heirloom_learngene::cluster::Inherited;
use heirloom_learngene::layers::WholeLayers;
use heirloom_learngene::{Descendant, InitError, Initializer};
use heirloom_nn::model::ModelConfig;
use heirloom_plan::protocol::DescendantPlan;

/// The descendant as planned.
pub struct Planned {
    pub settings: DescendantPlan,
    pub start: PlannedInit,
}

/// What a planned descendant starts from, whatever the method.
#[derive(Clone)]
pub enum PlannedInit {
    /// Clusters of heads, expanded.
    Cluster(Box<Inherited>),
    /// Whole layers.
    Layers(Box<WholeLayers>),
}

impl PlannedInit {
    /// Layers that come from the ancestor.
    pub fn inherited_layers(&self) -> usize {
        match self {
            Self::Cluster(start) => start.plan().layers.len(),
            Self::Layers(start) => start.plan().chosen.len(),
        }
    }
}

impl Initializer for PlannedInit {
    fn config(&self) -> ModelConfig {
        match self {
            Self::Cluster(start) => start.config(),
            Self::Layers(start) => start.config(),
        }
    }

    async fn start(&self, seed: u64) -> Result<Descendant, InitError> {
        match self {
            Self::Cluster(start) => start.start(seed).await,
            Self::Layers(start) => start.start(seed).await,
        }
    }
}
