//! Planning a descendant: what it starts from and what it costs.

use crate::emitter::Emitter;
use crate::error::EngineError;
use crate::workspace::{Planned, PlannedInit, Workspace};
use heirloom_learngene::Initializer;
use heirloom_learngene::cluster::{ExpansionPlan, Inherited};
use heirloom_learngene::layers::{LayersPlan, WholeLayers};
use heirloom_plan::descendant::Outline;
use heirloom_plan::protocol::{
    DescendantParts, DescendantPlan, DescendantSettings, DescendantSummary, Event, LayersSettings,
};

/// Plans a descendant in place of the one before.
pub fn plan_descendant(workspace: &mut Workspace, settings: DescendantPlan) -> Result<Event, EngineError> {
    let planned = plan(workspace, settings)?;
    let summary = summary(workspace, &planned);
    workspace.planned = Some(planned);
    Ok(Event::Descendant(summary))
}

/// The same plan from other clusters.
pub fn plan_again(workspace: &mut Workspace, emitter: &Emitter) {
    if let Some(settings) = workspace.planned.as_ref().map(|planned| planned.settings.clone()) {
        emitter.answer(plan_descendant(workspace, settings));
    }
}

/// What a descendant starts from.
///
/// # Errors
/// When something is missing, or does not fit.
pub fn plan(workspace: &Workspace, settings: DescendantPlan) -> Result<Planned, EngineError> {
    let ancestor = workspace.ancestor()?;
    let start = match &settings {
        DescendantPlan::Cluster(settings) => PlannedInit::Cluster(Box::new(expand(workspace, settings)?)),
        DescendantPlan::Layers(LayersSettings { chosen, layers, image_size, .. }) => {
            let plan = LayersPlan::new(chosen.clone(), *layers);
            let start = WholeLayers::new(ancestor.model.clone(), plan, classes(workspace), *image_size)?;
            PlannedInit::Layers(Box::new(start))
        }
    };
    Ok(Planned { settings, start })
}

fn expand(workspace: &Workspace, settings: &DescendantSettings) -> Result<Inherited, EngineError> {
    let vit = workspace.vit()?;
    let heads = workspace.heads.as_ref().ok_or(EngineError::NoClusters)?;
    let plan = ExpansionPlan::from_clusters(&heads.clusters, &settings.into())?;
    Ok(Inherited::new(vit.clone(), plan, classes(workspace), settings.image_size)?)
}

/// Classes of a descendant.
fn classes(workspace: &Workspace) -> usize {
    workspace.dataset.set.classes().len().max(2)
}

fn summary(workspace: &Workspace, planned: &Planned) -> DescendantSummary {
    let config = planned.start.config();
    let pictures = workspace.dataset.split.as_ref().map_or(0, |split| split.train.len());
    let parts = match &planned.start {
        PlannedInit::Cluster(start) => DescendantParts::of_heads(start.plan()),
        PlannedInit::Layers(start) => DescendantParts::from_layers(start.plan(), &config),
    };
    Outline { settings: planned.settings.clone(), parts, config }.summary(pictures, workspace.flops_per_second)
}
