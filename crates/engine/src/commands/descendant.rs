//! Planning a descendant: what it starts from and what it costs.

use crate::emitter::Emitter;
use crate::error::EngineError;
use crate::workspace::{Planned, PlannedInit, Workspace};
use heirloom_learngene::Initializer;
use heirloom_learngene::cluster::{ExpansionPlan, Inherited};
use heirloom_learngene::layers::{LayersPlan, WholeLayers, layer_names};
use heirloom_learngene::tied::TiedStart;
use heirloom_plan::descendant::Outline;
use heirloom_plan::protocol::{
    DescendantParts, DescendantPlan, DescendantSettings, DescendantSummary, Event, LayersSettings, TiedSettings,
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
        DescendantPlan::Tied(settings) => PlannedInit::Tied(Box::new(read_off(workspace, *settings)?)),
    };
    Ok(Planned { settings, start })
}

fn expand(workspace: &Workspace, settings: &DescendantSettings) -> Result<Inherited, EngineError> {
    let vit = workspace.vit()?;
    let heads = workspace.heads.as_ref().ok_or(EngineError::NoClusters)?;
    let plan = ExpansionPlan::from_clusters(&heads.clusters, &settings.into())?;
    Ok(Inherited::new(vit.clone(), plan, classes(workspace), settings.image_size)?)
}

/// Layers of any depth, from those that were learned.
fn read_off(workspace: &Workspace, settings: TiedSettings) -> Result<TiedStart, EngineError> {
    let TiedSettings { tying, layers, image_size } = settings;
    let ancestor = &workspace.ancestor()?.summary.name;
    let learned = workspace.tied.as_ref().filter(|tied| tied.report.fits(tying, ancestor));
    let learned = learned.ok_or(EngineError::NoTied)?;
    let keeps_head = workspace.dataset.split.as_ref().is_some_and(|split| split.classes == learned.report.classes);
    let sizes = [classes(workspace), image_size];
    Ok(TiedStart::new(&learned.stored, tying, layers, sizes, keeps_head)?)
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
        PlannedInit::Tied(start) => DescendantParts::Tied { tying: start.tying(), layers: layer_names(&config).len() },
    };
    Outline { settings: planned.settings.clone(), parts, config }.summary(pictures, workspace.flops_per_second)
}
