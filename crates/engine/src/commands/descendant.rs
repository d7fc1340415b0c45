//! Planning a descendant: what it starts from and what it costs.

use crate::emitter::Emitter;
use crate::error::EngineError;
use crate::workspace::{Planned, PlannedStart, Workspace};
use heirloom_learngene::StartingPoint;
use heirloom_learngene::cluster::{ExpansionPlan, ExpansionSettings, Inherited};
use heirloom_learngene::layers::{LayersPlan, WholeLayers, layer_names, layer_parameters};
use heirloom_nn::model::ModelConfig;
use heirloom_nn::vit::VitConfig;
use heirloom_plan::forecast::TRAINING_PASSES;
use heirloom_plan::protocol::{
    DescendantParts, DescendantPlan, DescendantSettings, DescendantSummary, Event, LayerSource, LayersSettings,
};

/// Numbers held per parameter while training: weight, gradient, two moments.
pub const TRAINING_COPIES: u64 = 4;

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
        DescendantPlan::Cluster(settings) => PlannedStart::Cluster(Box::new(expand(workspace, settings)?)),
        DescendantPlan::Layers(LayersSettings { chosen, layers, image_size, .. }) => {
            let plan = LayersPlan::new(chosen.clone(), *layers);
            let start = WholeLayers::new(ancestor.model.clone(), plan, classes(workspace), *image_size)?;
            PlannedStart::Layers(Box::new(start))
        }
    };
    Ok(Planned { settings, start })
}

fn expand(workspace: &Workspace, settings: &DescendantSettings) -> Result<Inherited, EngineError> {
    let vit = workspace.vit()?;
    let heads = workspace.heads.as_ref().ok_or(EngineError::NoClusters)?;
    let plan = ExpansionPlan::of(&heads.clusters, &expansion_settings(settings))?;
    Ok(Inherited::new(vit.clone(), plan, classes(workspace), settings.image_size)?)
}

/// Classes of a descendant.
fn classes(workspace: &Workspace) -> usize {
    workspace.dataset.set.classes().len().max(2)
}

fn summary(workspace: &Workspace, planned: &Planned) -> DescendantSummary {
    let config = planned.start.config();
    let pictures = workspace.dataset.split.as_ref().map_or(0, |split| split.train.len());
    let seconds = |rate: f64| pictures as f64 * TRAINING_PASSES * config.flops() as f64 / rate;
    let parameters = config.parameters();
    DescendantSummary {
        settings: planned.settings.clone(),
        parts: parts(&planned.start),
        parameters,
        flops: config.flops(),
        bytes: 4 * parameters,
        training_bytes: 4 * TRAINING_COPIES * parameters + 16 * activation_bytes(&config),
        seconds_per_epoch: workspace.flops_per_second.filter(|_| pictures > 0).map(seconds),
    }
}

fn parts(start: &PlannedStart) -> DescendantParts {
    match start {
        PlannedStart::Cluster(start) => {
            let layers = &start.plan().layers;
            DescendantParts::Heads {
                source_layers: layers.iter().map(|layer| layer.source_layer).collect(),
                sources: layers.iter().map(|layer| layer.heads.clone()).collect(),
            }
        }
        PlannedStart::Layers(start) => {
            let (config, chosen) = (start.config(), &start.plan().chosen);
            let layers = layer_names(&config).into_iter().zip(layer_parameters(&config)).enumerate();
            let layer = |(index, (name, parameters)): (usize, (String, u64))| LayerSource {
                name,
                source: chosen.get(index).copied(),
                parameters,
            };
            DescendantParts::Layers(layers.map(layer).collect())
        }
    }
}

/// Bytes of what one picture's forward pass keeps for the backward pass.
pub fn activation_bytes(config: &ModelConfig) -> u64 {
    match config {
        ModelConfig::Vit(config) => layer_bytes(config, config.depth),
        ModelConfig::Cnn(config) => 4 * config.activations(),
        ModelConfig::Stitched(config) => {
            let behind = config.end.depth.saturating_sub(config.end_layer);
            layer_bytes(&config.front, config.front_layer + 1) + layer_bytes(&config.end, behind)
        }
    }
}

/// As [`activation_bytes`], of some layers.
fn layer_bytes(config: &VitConfig, layers: usize) -> u64 {
    let (tokens, width) = (config.tokens() as u64, config.embed_dim as u64);
    let attention = 4 * config.attention_dim() as u64 + 2 * (config.num_heads * config.tokens()) as u64;
    4 * layers as u64 * tokens * (4 * width + attention + 2 * config.mlp_dim as u64)
}

/// The method's settings.
fn expansion_settings(settings: &DescendantSettings) -> ExpansionSettings {
    let DescendantSettings { heads, layers, depth, scale_projection, ffn_maps, .. } = *settings;
    ExpansionSettings { heads, layers, depth, scale_projection, ffn_maps }
}
