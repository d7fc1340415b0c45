//! What every method produces, and the one question all of them answer.

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::tensor::{Device, Tensor};

use super::SharedFfn;
use super::cluster::ExpandError;
use super::layers::LayersError;
use super::yardstick::head_features;
use heirloom_nn::cnn::Statistics;
use heirloom_nn::device::ReadError;
use heirloom_nn::model::{Model, ModelConfig};
use heirloom_nn::vit::{Mlp, RandomWeights, Vit};
use heirloom_train::Classifier;
use serde::{Deserialize, Serialize};
use std::rc::Rc;

/// Why a descendant cannot start.
#[derive(Debug, thiserror::Error, serde::Serialize)]
pub enum InitError {
    /// The plan does not fit.
    #[error(transparent)]
    Plan(#[from] ExpandError),
    /// The layers do not fit.
    #[error(transparent)]
    Layers(#[from] LayersError),
    /// The ancestor's weights could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The pictures that a start is fitted to could not be read.
    #[error("the start cannot be fitted to the pictures: {0}")]
    Pictures(String),
    /// The ancestor lends its feed-forward networks from somewhere else.
    #[error("layer `{layer}` of the ancestor has no feed-forward network of its own: fold its maps first")]
    NoFeedForward {
        /// The layer, 0-based.
        layer: usize,
    },
}

/// Where a descendant starts: given an ancestor (or several, or none), what is its initial module?
///
/// A race compares starting points without knowing which is which. Modules are equal for equal seeds.
pub trait Initializer {
    /// The descendant's configuration; the same for all seeds.
    fn config(&self) -> ModelConfig;

    /// Its initial module, not yet under training (`Module::train` turns gradients on).
    ///
    /// # Errors
    /// When the ancestor does not give what is needed.
    fn start(&self, seed: u64) -> impl Future<Output = Result<Descendant, InitError>>;

    /// Does a piece of what has to be done before [`Initializer::start`], and says how much is done of how much; `None`
    /// when nothing is left.
    fn prepare(&self) -> impl Future<Output = Result<Option<(usize, usize)>, InitError>> {
        std::future::ready(Ok(None))
    }

    /// A module of the same shape, whose weights are about to be replaced.
    fn blank(&self, seed: u64) -> impl Future<Output = Result<Descendant, InitError>> {
        self.start(seed)
    }
}

/// Random weights, as the family starts with them.
#[derive(Clone, Debug)]
pub struct Scratch {
    /// The descendant's configuration.
    pub config: ModelConfig,
    /// Where it shall live.
    pub device: Device,
}

impl Initializer for Scratch {
    fn config(&self) -> ModelConfig {
        self.config.clone()
    }

    async fn start(&self, seed: u64) -> Result<Descendant, InitError> {
        let device = self.device.clone().inner();
        let model = Model::random(&self.config, seed, &device).await;
        Ok(Descendant { fresh: parameters(&model), ..model.into() })
    }
}

/// A descendant in training: a model, some of whose layers may share a feed-forward network if it is a Vision
/// Transformer.
#[derive(Module, Debug)]
pub struct Descendant {
    /// Everything that no layers share; layers of a group have no feed-forward network here.
    model: Model,
    /// Groups of layers that share one.
    ffn_maps: Vec<SharedFfn>,
    /// Whole layers inherited, from the input on.
    #[module(skip)]
    inherited: usize,
    /// Parameters that were not.
    #[module(skip)]
    fresh: Vec<ParamId>,
    /// Whether it is trained on from where it is good already.
    #[module(skip)]
    is_tuned: bool,
}

impl<M: Into<Model>> From<M> for Descendant {
    /// A descendant that shares nothing.
    fn from(model: M) -> Self {
        let model = model.into();
        Self { fresh: classifier(&model), model, ffn_maps: Vec::new(), inherited: 0, is_tuned: false }
    }
}

impl Descendant {
    /// A model and the groups whose layers take their feed-forward network from a map instead of their own.
    pub fn sharing(mut vit: Vit, ffn_maps: Vec<SharedFfn>) -> Self {
        for layer in ffn_maps.iter().flat_map(|group| &group.layers) {
            vit.blocks[*layer].mlp = None;
        }
        Self { ffn_maps, ..Self::from(vit) }
    }

    /// A descendant whose stem and first `inherited` layers are an ancestor's, as they were. `fresh` is what starts from
    /// random numbers besides the classifier.
    pub fn from_layers(model: impl Into<Model>, inherited: usize, fresh: Vec<ParamId>) -> Self {
        let mut descendant = Self { inherited, ..Self::from(model) };
        descendant.fresh.extend(fresh);
        descendant
    }

    /// A model that is good already and trained on: the first quarter of its layers, with the stem, and its norms of batches
    /// stay as they are. They say what pictures have in common, and of few pictures that would be learned worse.
    pub fn tuned(model: impl Into<Model>) -> Self {
        let model = model.into();
        let layers = match &model {
            Model::Vit(vit) => vit.blocks.len(),
            Model::Cnn(cnn) => cnn.stages.len(),
            Model::Stitched(_) => 0,
        };
        Self { is_tuned: true, inherited: layers / 4, fresh: Vec::new(), ..Self::from(model) }
    }

    /// What of a tuned model never trains.
    fn held(&self) -> Vec<ParamId> {
        if !self.is_tuned {
            return Vec::new();
        }
        let mut norms = Norms::default();
        self.model.visit(&mut norms);
        self.learngene().into_iter().chain(norms.found).collect()
    }

    /// Parameters of the stem and the layers inherited whole; none where parts of layers were.
    pub fn learngene(&self) -> Vec<ParamId> {
        if self.inherited == 0 {
            return Vec::new();
        }
        let mut trained = Trained::default();
        match &self.model {
            Model::Vit(vit) => {
                let tokens = [&vit.cls_token, &vit.dist_token, &vit.reg_token, &vit.pos_embed].into_iter().flatten();
                trained.found.extend(tokens.map(|token| token.id));
                vit.patch_embed.visit(&mut trained);
                vit.blocks[..self.inherited].iter().for_each(|block| block.visit(&mut trained));
            }
            Model::Stitched(_) => {}
            Model::Cnn(cnn) => {
                cnn.stem.visit(&mut trained);
                cnn.stages[..self.inherited].iter().for_each(|stage| stage.visit(&mut trained));
            }
        }
        trained.found
    }

    /// Its configuration.
    pub fn config(&self) -> ModelConfig {
        self.model.config()
    }

    /// A descendant of the architecture that [`Classifier::blueprint`] describes, whose weights are about to be replaced.
    ///
    /// # Errors
    /// When it is no such description.
    pub async fn of_blueprint(blueprint: &str, device: &Device) -> Result<Self, serde_json::Error> {
        let Blueprint { config, ffn_maps, inherited, is_tuned } = serde_json::from_str(blueprint)?;
        let mut model = Model::random(&config, 0, device).await;
        let Model::Vit(vit) = &mut model else { return Ok(Self { inherited, is_tuned, ..model.into() }) };
        let mut groups = Vec::new();
        for layers in ffn_maps {
            let mlps = layers.iter().map(|&layer| vit.blocks.get_mut(layer).and_then(|block| block.mlp.take()));
            if let Some(mlp) = mlps.collect::<Vec<_>>().into_iter().flatten().next() {
                groups.push(SharedFfn::new(mlp, layers, RandomWeights { seed: 0 }, "", device));
            }
        }
        Ok(Self { ffn_maps: groups, inherited, is_tuned, ..model.into() })
    }

    /// Groups of layers that share a feed-forward network.
    pub fn ffn_maps(&self) -> &[SharedFfn] {
        &self.ffn_maps
    }

    /// The whole model as it computes now: maps applied. Under training gradients flow through it to the shared
    /// weights and the maps; it is made for one forward pass, [`Descendant::fold`] is for keeping.
    pub fn assembled(&self) -> Model {
        self.assemble(self.model.clone(), SharedFfn::mapped)
    }

    /// A plain model with the same function, without autodiff: every layer has its own feed-forward network. For the
    /// end of training and for export.
    pub fn fold(self) -> Model {
        self.assemble(self.model.valid(), SharedFfn::folded)
    }

    fn assemble(&self, mut model: Model, mlp: impl Fn(&SharedFfn, usize) -> Mlp) -> Model {
        let Model::Vit(vit) = &mut model else { return model };
        for group in &self.ffn_maps {
            for (position, &layer) in group.layers.iter().enumerate() {
                vit.blocks[layer].mlp = Some(mlp(group, position));
            }
        }
        model
    }

    /// Class scores `[batch, classes]` of pictures `[batch, channels, image_size, image_size]`; see [`Model::logits`].
    pub fn logits(&self, images: Tensor<4>, drop_path: Option<Tensor<2>>) -> Tensor<2> {
        self.assembled().logits(images, drop_path)
    }

    /// Class scores in a training pass; see [`Model::forward_train`].
    pub fn forward_train(
        &self,
        images: Tensor<4>,
        drop_path: Option<Tensor<2>>,
        statistics: &mut Statistics,
    ) -> Tensor<2> {
        self.assembled().forward_train(images, drop_path, statistics)
    }

    /// Takes in the batch statistics of training passes; see [`Model::update_running_stats`].
    pub fn update_running_stats(self, statistics: &Statistics) -> Self {
        Self { model: self.model.update_running_stats(statistics), ..self }
    }
}

/// What a descendant is, its weights aside.
#[derive(Serialize, Deserialize)]
struct Blueprint {
    config: ModelConfig,
    /// Layers of each group that shares a feed-forward network.
    ffn_maps: Vec<Vec<usize>>,
    inherited: usize,
    is_tuned: bool,
}

impl Classifier for Descendant {
    fn blueprint(&self) -> Option<Rc<str>> {
        let ffn_maps = self.ffn_maps.iter().map(|group| group.layers.clone()).collect();
        let blueprint =
            Blueprint { config: self.config(), ffn_maps, inherited: self.inherited, is_tuned: self.is_tuned };
        serde_json::to_string(&blueprint).ok().map(Rc::from)
    }

    fn head_features(&self, images: Tensor<4>, cuts: &[usize]) -> Vec<Tensor<2>> {
        head_features(&self.assembled(), images, cuts)
    }

    fn learngene(&self) -> Vec<ParamId> {
        self.learngene()
    }

    fn held(&self) -> Vec<ParamId> {
        self.held()
    }

    fn fresh(&self) -> Vec<ParamId> {
        self.fresh.clone()
    }

    fn added(&self) -> Vec<(ParamId, ParamId)> {
        self.ffn_maps.iter().map(|group| (group.map.id, group.mlp.fc1.weight.id)).collect()
    }

    fn logits(&self, images: Tensor<4>, drop_path: Option<Tensor<2>>) -> Tensor<2> {
        self.logits(images, drop_path)
    }

    fn forward_train(&self, images: Tensor<4>, drop_path: Option<Tensor<2>>, statistics: &mut Statistics) -> Tensor<2> {
        self.forward_train(images, drop_path, statistics)
    }

    fn update_running_stats(self, statistics: &Statistics) -> Self {
        self.update_running_stats(statistics)
    }

    fn branches(&self) -> usize {
        self.config().branches()
    }

    fn classes(&self) -> usize {
        self.config().outputs()
    }
}

/// What training may change in a part of a model.
pub(super) fn parameters(part: &impl Module) -> Vec<ParamId> {
    let mut trained = Trained::default();
    part.visit(&mut trained);
    trained.found
}

/// Parameters of the layers that give a model's scores, which every start draws anew.
fn classifier(model: &Model) -> Vec<ParamId> {
    match model {
        Model::Vit(vit) => parameters(&(vit.head.clone(), vit.head_dist.clone())),
        Model::Stitched(stitched) => parameters(&(stitched.end.head.clone(), stitched.end.head_dist.clone())),
        Model::Cnn(cnn) => parameters(&(cnn.hidden.clone(), cnn.fc.clone())),
    }
}

/// Collects what training may change: running statistics of a batch norm are parameters too, but never trained.
#[derive(Default)]
struct Trained {
    path: Vec<String>,
    found: Vec<ParamId>,
}

impl ModuleVisitor for Trained {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_string());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if !self.path.last().is_some_and(|name| name.starts_with("running_")) {
            self.found.push(param.id);
        }
    }
}

/// Collects scale and shift of the batch norms, which have running statistics beside them.
#[derive(Default)]
struct Norms {
    path: Vec<String>,
    found: Vec<ParamId>,
    /// Weight and bias of the module that is being visited.
    own: Vec<ParamId>,
}

impl ModuleVisitor for Norms {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_string());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        match self.path.last().map(String::as_str) {
            Some("weight") => self.own = vec![param.id],
            Some("bias") => self.own.push(param.id),
            // It comes behind the two.
            Some("running_mean") => self.found.append(&mut self.own),
            _ => {}
        }
    }
}
