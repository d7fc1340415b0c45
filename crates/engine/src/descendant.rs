//! Planning a descendant: what it starts from and what it costs.

use super::open::Ancestor;
use super::runner::Runner;
use heirloom_learngene::cluster::{ExpandError, ExpansionPlan, ExpansionSettings, Inherited};
use heirloom_learngene::layers::{LayersError, LayersPlan, WholeLayers, layer_names, layer_parameters};
use heirloom_learngene::{Descendant, StartError, StartingPoint};
use heirloom_nn::model::ModelConfig;
use heirloom_nn::vit::VitConfig;
use heirloom_plan::forecast::TRAINING_PASSES;
use heirloom_plan::protocol::{
    DescendantParts, DescendantPlan, DescendantSettings, DescendantSummary, Event, LayerSource, LayersSettings,
};

/// Numbers held per parameter while training: weight, gradient, two moments.
pub(super) const TRAINING_COPIES: u64 = 4;

/// Why a descendant is not planned.
#[derive(Debug, thiserror::Error)]
pub(super) enum PlanError {
    /// Nothing to inherit from.
    #[error("no ancestor is open yet; open a checkpoint first")]
    NoAncestor,
    /// Nothing is condensed yet.
    #[error("no heads are clustered yet; measure the heads first")]
    NoHeads,
    /// The method is not for this family.
    #[error("{0}")]
    Family(&'static str),
    /// The heads do not fit.
    #[error(transparent)]
    Expand(#[from] ExpandError),
    /// The layers do not fit.
    #[error(transparent)]
    Layers(#[from] LayersError),
}

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
        let plan = ExpansionPlan::of(&heads.clusters, &expansion_settings(settings))?;
        Ok(Inherited::new(vit.clone(), plan, self.classes(), settings.image_size)?)
    }

    /// Classes of a descendant.
    fn classes(&self) -> usize {
        self.pictures.set.classes().len().max(2)
    }

    fn summary(&self, planned: &Planned) -> DescendantSummary {
        let config = planned.start.config();
        let pictures = self.pictures.split.as_ref().map_or(0, |split| split.train.len());
        let seconds = |rate: f64| pictures as f64 * TRAINING_PASSES * config.flops() as f64 / rate;
        let parameters = config.parameters();
        DescendantSummary {
            settings: planned.settings.clone(),
            parts: parts(&planned.start),
            parameters,
            flops: config.flops(),
            bytes: 4 * parameters,
            training_bytes: 4 * TRAINING_COPIES * parameters + 16 * activation_bytes(&config),
            seconds_per_epoch: self.flops_per_second.filter(|_| pictures > 0).map(seconds),
        }
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
pub(super) fn activation_bytes(config: &ModelConfig) -> u64 {
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
pub fn expansion_settings(settings: &DescendantSettings) -> ExpansionSettings {
    let DescendantSettings { heads, layers, depth, scale_projection, ffn_maps, .. } = *settings;
    ExpansionSettings { heads, layers, depth, scale_projection, ffn_maps }
}
