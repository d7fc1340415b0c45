//! Planning a descendant and the races of it, as far as that is arithmetic: where the parts come from, what they weigh,
//! and how long training will take. Page and engine ask the same functions, so that a slider needs no message and what
//! is shown is what is trained.

use super::cluster::{self, Clusters, ExpandError, ExpansionPlan, ExpansionSettings};
use super::config::{ModelConfig, VitConfig};
use super::forecast::{Cost, Forecast, TRAINING_PASSES, Work};
use super::layers::{self, LayersError, LayersPlan, layer_names, layer_parameters};
use super::protocol::{
    DescendantParts, DescendantPlan, DescendantSettings, DescendantSummary, ExperimentSettings, Init, LayerSource,
    LayersSettings, TiedSettings, TrainSettings, TrainingForecast,
};

/// Numbers held per parameter while training: weight, gradient, two moments.
pub const TRAINING_COPIES: u64 = 4;
/// Pictures of a step when memory is estimated.
const USUAL_BATCH: u64 = 16;
/// What is said where a method wants heads and the ancestor has none.
pub const NO_HEADS: &str = "this ancestor has no attention heads; open a Vision Transformer, or choose another method";

/// Why a descendant is not planned.
#[derive(Debug, thiserror::Error, serde::Serialize)]
pub enum PlanError {
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

/// What plans are made from, besides their settings.
#[derive(Clone, Copy, Debug, Default)]
pub struct Basis<'a> {
    /// The ancestor.
    pub ancestor: Option<&'a ModelConfig>,
    /// Its heads, as they are clustered.
    pub clusters: Option<&'a Clusters>,
    /// Pictures of each class, to train and to judge on; zeros while they are too few to be divided.
    pub pictures: &'a [[usize; 2]],
    /// What training reached on this machine.
    pub flops_per_second: Option<f64>,
}

/// A planned descendant without its weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Outline {
    /// The settings that gave it.
    pub settings: DescendantPlan,
    /// Where its parts come from.
    pub parts: DescendantParts,
    /// Its configuration, with the new classifier.
    pub config: ModelConfig,
}

impl Basis<'_> {
    /// Plans a descendant.
    ///
    /// # Errors
    /// When there is nothing to inherit from, or the settings do not fit it.
    pub fn outline(&self, settings: &DescendantPlan) -> Result<Outline, PlanError> {
        let ancestor = self.ancestor.ok_or(PlanError::NoAncestor)?;
        let classes = self.pictures.len().max(2);
        let (parts, config) = match settings {
            DescendantPlan::Cluster(settings) => {
                let vit = ancestor.vit().ok_or(PlanError::Family(NO_HEADS))?;
                let plan = ExpansionPlan::from_clusters(self.clusters.ok_or(PlanError::NoHeads)?, &settings.into())?;
                let config = cluster::descendant_config(vit, &plan, classes, settings.image_size)?;
                (DescendantParts::of_heads(&plan), config.into())
            }
            DescendantPlan::Layers(LayersSettings { chosen, layers, image_size, .. }) => {
                let plan = LayersPlan::new(chosen.clone(), *layers);
                let config = layers::descendant_config(ancestor, &plan, classes, *image_size)?;
                (DescendantParts::from_layers(&plan, &config), config)
            }
            DescendantPlan::Tied(TiedSettings { tying, layers, image_size }) => {
                let vit = ancestor.vit().ok_or(PlanError::Family(NO_HEADS))?;
                let config = tying.config(vit, *layers, [classes, *image_size])?;
                (DescendantParts::Tied { tying: *tying, layers: *layers }, config.into())
            }
        };
        Ok(Outline { settings: settings.clone(), parts, config })
    }

    /// Plans a descendant and says what it costs.
    ///
    /// # Errors
    /// As [`Basis::outline`].
    pub fn summary(&self, settings: &DescendantPlan) -> Result<DescendantSummary, PlanError> {
        let pictures = self.pictures.iter().map(|[training, _]| training).sum();
        Ok(self.outline(settings)?.summary(pictures, self.flops_per_second))
    }

    /// How much an experiment is; `None` when one of its races cannot be run. Why not is said when it is started: a
    /// number being typed is no reason for a message.
    pub fn forecast(&self, settings: &ExperimentSettings) -> Option<TrainingForecast> {
        let races = settings.races();
        let mut costs = races.iter().map(|race| self.cost(race)).collect::<Option<Vec<_>>>()?;
        // Races on the same pictures share one fitted classifier.
        let pictures = |race: &TrainSettings| (race.share.to_bits(), race.descendant.image_size());
        for at in 1..races.len() {
            if races[..at].iter().any(|before| pictures(before) == pictures(&races[at])) {
                costs[at] = costs[at].clone().prepared();
            }
        }
        let runs = |race: &TrainSettings| race.seeds * race.arms.iter().filter(|arm| !arm.is_frozen()).count();
        Some(TrainingForecast {
            races: races.len(),
            runs: races.iter().map(runs).sum(),
            steps: races.iter().map(|race| race.steps * runs(race)).sum(),
            seconds: Forecast::new(self.flops_per_second).seconds(Work::default(), &costs),
        })
    }

    fn cost(&self, race: &TrainSettings) -> Option<Cost> {
        let outline = self.outline(&race.descendant).ok()?;
        let configs = race.arms.iter().map(|&start| outline.start(start, self.ancestor?).ok());
        let configs = configs.collect::<Option<Vec<_>>>()?;
        let training = self.pictures.iter().map(|[training, _]| share_of(race.share, *training)).sum();
        let judging = self.pictures.iter().map(|[_, judging]| judging).sum();
        let is_possible = training > 0 && race.batch > 0 && race.steps > 0 && race.seeds > 0 && !configs.is_empty();
        is_possible.then(|| Cost::of(race, &configs, [training, judging]))
    }
}

/// Pictures of a class that a share of it leaves; one at least.
pub fn share_of(share: f64, pictures: usize) -> usize {
    ((share.clamp(0.0, 1.0) * pictures as f64).round() as usize).max(1).min(pictures)
}

impl Outline {
    /// What it costs, when it is trained on so many pictures.
    pub fn summary(self, pictures: usize, flops_per_second: Option<f64>) -> DescendantSummary {
        let (parameters, flops) = (self.config.parameters(), self.config.flops());
        let seconds = |rate: f64| pictures as f64 * TRAINING_PASSES * flops as f64 / rate;
        DescendantSummary {
            settings: self.settings,
            parts: self.parts,
            parameters,
            flops,
            bytes: 4 * parameters,
            training_bytes: 4 * TRAINING_COPIES * parameters + USUAL_BATCH * activation_bytes(&self.config),
            seconds_per_epoch: flops_per_second.filter(|_| pictures > 0).map(seconds),
        }
    }

    /// Layers that come from the ancestor; of tied ones those that are stored.
    fn inherited_layers(&self) -> usize {
        match &self.parts {
            DescendantParts::Heads { source_layers, .. } => source_layers.len(),
            DescendantParts::Layers(layers) => layers.iter().filter(|layer| layer.source.is_some()).count(),
            DescendantParts::Tied { tying, layers } => tying.stored().min(*layers),
        }
    }

    /// The configuration of an arm of a race of it.
    ///
    /// # Errors
    /// When the ancestor's family does not know that start, or the descendant does not fit it.
    pub fn start(&self, start: Init, ancestor: &ModelConfig) -> Result<ModelConfig, PlanError> {
        let (classes, size) = (self.config.classes().unwrap_or_default(), self.config.image_size());
        let (layers, available) = (layer_names(&self.config).len(), layer_names(ancestor).len());
        let count = self.inherited_layers().min(available);
        let plan = match start {
            Init::Inherited | Init::Scratch => return Ok(self.config.clone()),
            Init::Selection | Init::Line => {
                let (Some(ancestor), Some(own)) = (ancestor.vit(), self.config.vit()) else {
                    return Err(PlanError::Family(NO_HEADS));
                };
                return match start {
                    Init::Line => Ok(VitConfig { num_heads: ancestor.num_heads, ..own.clone() }.into()),
                    _ if layers > available => Err(ExpandError::TooDeep { layers, available }.into()),
                    _ => Ok(self.config.clone()),
                };
            }
            Init::First => LayersPlan::first(count, layers),
            Init::Last => LayersPlan::last(count, layers, available),
            Init::Ends => LayersPlan::ends(count, layers, available),
            Init::Random => LayersPlan::random(count, layers, available, 0),
            Init::Whole | Init::Frozen | Init::Tuned => LayersPlan::whole(available),
        };
        Ok(layers::descendant_config(ancestor, &plan, classes, size)?)
    }
}

impl DescendantParts {
    /// Those of a learngene of heads, expanded.
    pub fn of_heads(plan: &ExpansionPlan) -> Self {
        Self::Heads {
            source_layers: plan.layers.iter().map(|layer| layer.source_layer).collect(),
            sources: plan.layers.iter().map(|layer| layer.heads.clone()).collect(),
        }
    }

    /// Those of whole layers.
    pub fn from_layers(plan: &LayersPlan, config: &ModelConfig) -> Self {
        let layers = layer_names(config).into_iter().zip(layer_parameters(config)).enumerate();
        let layer = |(index, (name, parameters)): (usize, (String, u64))| LayerSource {
            name,
            source: plan.chosen.get(index).copied(),
            parameters,
        };
        Self::Layers(layers.map(layer).collect())
    }
}

impl From<&DescendantSettings> for ExpansionSettings {
    fn from(settings: &DescendantSettings) -> Self {
        let DescendantSettings { heads, layers, depth, copy_scale, ffn_maps, .. } = *settings;
        Self { heads, layers, depth, copy_scale, ffn_maps }
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
