//! A planned descendant.

use heirloom_learngene::cluster::Inherited;
use heirloom_learngene::layers::WholeLayers;
use heirloom_learngene::tied::TiedStart;
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
    /// Layers read off those that were learned.
    Tied(Box<TiedStart>),
}

impl PlannedInit {
    /// Layers that come from the ancestor; of tied ones those that are stored.
    pub fn inherited_layers(&self) -> usize {
        match self {
            Self::Cluster(start) => start.plan().layers.len(),
            Self::Layers(start) => start.plan().chosen.len(),
            Self::Tied(start) => start.stored_layers(),
        }
    }
}

impl Initializer for PlannedInit {
    fn config(&self) -> ModelConfig {
        match self {
            Self::Cluster(start) => start.config(),
            Self::Layers(start) => start.config(),
            Self::Tied(start) => start.config(),
        }
    }

    async fn start(&self, seed: u64) -> Result<Descendant, InitError> {
        match self {
            Self::Cluster(start) => start.start(seed).await,
            Self::Layers(start) => start.start(seed).await,
            Self::Tied(start) => start.start(seed).await,
        }
    }
}
