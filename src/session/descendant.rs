//! Planning a descendant: what it starts from and what it costs.

use super::protocol::{DepthChoice, DescendantSettings, DescendantSummary, Event, HeadSource};
use super::runner::Runner;
use crate::learngene::StartingPoint;
use crate::learngene::cluster::{self, ExpandError, ExpansionPlan, ExpansionSettings, Inherited};
use crate::model::ModelConfig;
use crate::vit::VitConfig;

/// Work of one training step against one forward pass: forward, and twice as much backward.
pub(super) const TRAINING_PASSES: f64 = 3.0;
/// Numbers held per parameter while training: weight, gradient, two moments.
const TRAINING_COPIES: u64 = 4;

/// The descendant as planned.
pub(super) struct Planned {
    pub settings: DescendantSettings,
    pub inherited: Inherited,
}

impl Runner {
    pub(super) fn plan_descendant(&mut self, settings: DescendantSettings) {
        match self.plan(settings) {
            Some(Ok(planned)) => {
                self.say(Event::Descendant(self.summary(&planned)));
                self.planned = Some(planned);
            }
            Some(Err(error)) => self.fail(error),
            None => self.fail("no heads are clustered yet; measure the heads first"),
        }
    }

    /// The same plan from other clusters.
    pub(super) fn plan_again(&mut self) {
        if let Some(settings) = self.planned.as_ref().map(|planned| planned.settings) {
            self.plan_descendant(settings);
        }
    }

    /// `None` before heads are clustered.
    pub(super) fn plan(&self, settings: DescendantSettings) -> Option<Result<Planned, ExpandError>> {
        let (vit, heads) = (self.ancestor.as_ref()?.vit().ok()?, self.heads.as_ref()?);
        let classes = self.pictures.set.classes().len().max(2);
        let plan = ExpansionPlan::of(&heads.clusters, &expansion_settings(&settings));
        Some(plan.and_then(|plan| {
            let inherited = Inherited::new(vit.clone(), plan, classes, settings.image_size)?;
            Ok(Planned { settings, inherited })
        }))
    }

    fn summary(&self, planned: &Planned) -> DescendantSummary {
        let Planned { settings, inherited } = planned;
        let (plan, config) = (inherited.plan(), inherited.config());
        let source =
            |one: &cluster::HeadSource| HeadSource { cluster: one.cluster, head: one.head, members: one.members };
        let pictures = self.pictures.split.as_ref().map_or(0, |split| split.train.len());
        let seconds = |rate: f64| pictures as f64 * TRAINING_PASSES * config.flops() as f64 / rate;
        let parameters = config.parameters();
        DescendantSummary {
            settings: *settings,
            source_layers: plan.layers.iter().map(|layer| layer.source_layer).collect(),
            sources: plan.layers.iter().map(|layer| layer.heads.iter().map(source).collect()).collect(),
            parameters,
            flops: config.flops(),
            bytes: 4 * parameters,
            training_bytes: 4 * TRAINING_COPIES * parameters + 16 * activation_bytes(&config),
            seconds_per_epoch: self.flops_per_second.filter(|_| pictures > 0).map(seconds),
        }
    }
}

/// Bytes of what one picture's forward pass keeps for the backward pass.
fn activation_bytes(config: &ModelConfig) -> u64 {
    match config {
        ModelConfig::Vit(config) => layer_bytes(config, config.depth),
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
    let DescendantSettings { heads, layers, scale_projection, ffn_maps, .. } = *settings;
    let depth = match settings.depth {
        DepthChoice::First => cluster::DepthChoice::First,
        DepthChoice::Even => cluster::DepthChoice::Even,
    };
    ExpansionSettings { heads, layers, depth, scale_projection, ffn_maps }
}
