//! A planned descendant.

use heirloom_learngene::cluster::Inherited;
use heirloom_learngene::layers::WholeLayers;
use heirloom_learngene::{Descendant, StartError, StartingPoint};
use heirloom_nn::model::ModelConfig;
use heirloom_plan::protocol::DescendantPlan;

/// The descendant as planned.
pub struct Planned {
    pub settings: DescendantPlan,
    pub start: PlannedStart,
}

/// What a planned descendant starts from, whatever the method.
#[derive(Clone)]
pub enum PlannedStart {
    /// Clusters of heads, expanded.
    Cluster(Box<Inherited>),
    /// Whole layers.
    Layers(Box<WholeLayers>),
}

impl PlannedStart {
    /// Layers that come from the ancestor.
    pub fn inherited_layers(&self) -> usize {
        match self {
            Self::Cluster(start) => start.plan().layers.len(),
            Self::Layers(start) => start.plan().chosen.len(),
        }
    }
}

impl StartingPoint for PlannedStart {
    fn config(&self) -> ModelConfig {
        match self {
            Self::Cluster(start) => start.config(),
            Self::Layers(start) => start.config(),
        }
    }

    async fn start(&self, seed: u64) -> Result<Descendant, StartError> {
        match self {
            Self::Cluster(start) => start.start(seed).await,
            Self::Layers(start) => start.start(seed).await,
        }
    }
}
