//! Planning a descendant: what it starts from and what it costs.

use super::open::Ancestor;
use super::runner::Runner;
use heirloom_learngene::cluster::{ExpansionPlan, Inherited};
use heirloom_learngene::layers::{LayersPlan, WholeLayers};
use heirloom_learngene::{Descendant, StartError, StartingPoint};
use heirloom_nn::model::ModelConfig;
use heirloom_plan::descendant::{Outline, PlanError};
use heirloom_plan::protocol::{
    DescendantParts, DescendantPlan, DescendantSettings, DescendantSummary, Event, LayersSettings,
};

/// The descendant as planned.
pub(super) struct Planned {
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

impl Runner {
    pub(super) fn plan_descendant(&mut self, settings: DescendantPlan) {
        match self.plan(settings) {
            Ok(planned) => {
                self.say(Event::Descendant(self.summary(&planned)));
                self.planned = Some(planned);
            }
            Err(error) => self.fail(error),
        }
    }

    /// The same plan from other clusters.
    pub(super) fn plan_again(&mut self) {
        if let Some(settings) = self.planned.as_ref().map(|planned| planned.settings.clone()) {
            self.plan_descendant(settings);
        }
    }

    pub(super) fn plan(&self, settings: DescendantPlan) -> Result<Planned, PlanError> {
        let ancestor = self.ancestor.as_ref().ok_or(PlanError::NoAncestor)?;
        let start = match &settings {
            DescendantPlan::Cluster(settings) => PlannedStart::Cluster(Box::new(self.expand(ancestor, settings)?)),
            DescendantPlan::Layers(LayersSettings { chosen, layers, image_size, .. }) => {
                let plan = LayersPlan::new(chosen.clone(), *layers);
                let start = WholeLayers::new(ancestor.model.clone(), plan, self.classes(), *image_size)?;
                PlannedStart::Layers(Box::new(start))
            }
        };
        Ok(Planned { settings, start })
    }

    fn expand(&self, ancestor: &Ancestor, settings: &DescendantSettings) -> Result<Inherited, PlanError> {
        let vit = ancestor.vit().map_err(PlanError::Family)?;
        let heads = self.heads.as_ref().ok_or(PlanError::NoHeads)?;
        let plan = ExpansionPlan::of(&heads.clusters, &settings.into())?;
        Ok(Inherited::new(vit.clone(), plan, self.classes(), settings.image_size)?)
    }

    /// Classes of a descendant.
    fn classes(&self) -> usize {
        self.pictures.set.classes().len().max(2)
    }

    fn summary(&self, planned: &Planned) -> DescendantSummary {
        let config = planned.start.config();
        let pictures = self.pictures.split.as_ref().map_or(0, |split| split.train.len());
        let parts = match &planned.start {
            PlannedStart::Cluster(start) => DescendantParts::of_heads(start.plan()),
            PlannedStart::Layers(start) => DescendantParts::of_layers(start.plan(), &config),
        };
        Outline { settings: planned.settings.clone(), parts, config }.summary(pictures, self.flops_per_second)
    }
}
