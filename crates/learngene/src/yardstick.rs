//! The ancestor as it is (docs/methods.md, section 5.5): what a new last layer of its classifier can be fitted to, and the
//! model with that layer.

use std::cell::RefCell;

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::{Tensor, TensorData};
use heirloom_nn::cnn::{BlockKind, Cnn, Hooks as CnnHooks};
use heirloom_nn::model::{Model, ModelConfig};
use heirloom_nn::vit::{Hooks, Vit, VitConfig};
use heirloom_train::LinearHead;

use crate::layers::WholeLayers;
use crate::{InitError, Initializer};

/// What a classifier can be fitted to: the model as it is, and, where that is another reading of the same tensors, with
/// its tokens pooled the other way. Either is a model that timm knows; the two pooled tokens side by side would be none.
pub fn kinds(config: &ModelConfig) -> Vec<ModelConfig> {
    let other = config.vit().and_then(VitConfig::other_pool);
    [config.clone()].into_iter().chain(other.map(ModelConfig::Vit)).collect()
}

/// Has a model pool its tokens as one of its [`kinds`] does.
pub fn read_as(model: &mut Model, kind: usize) {
    let config = kinds(&model.config()).into_iter().nth(kind);
    if let (Model::Vit(vit), Some(ModelConfig::Vit(config))) = (model, config) {
        vit.config = config;
    }
}

/// All layers of an ancestor, those of its classifier that lie before the last included, with a last layer that is yet to
/// be fitted. It depends on no seed.
///
/// # Errors
/// When the ancestor's weights cannot be read.
pub async fn as_it_is(ancestor: &Model, whole: &WholeLayers) -> Result<Model, InitError> {
    let mut model = whole.start(0).await?.fold();
    if let (Model::Cnn(cnn), Model::Cnn(ancestor)) = (&mut model, ancestor)
        && ancestor.hidden.len() == cnn.hidden.len()
    {
        // A VGG's hidden layers; whole layers leave them out with the classifier.
        cnn.hidden = ancestor.hidden.iter().map(Module::valid).collect();
    }
    Ok(model)
}

/// The model of the first `blocks` blocks, without a classifier; `None` where it cannot be cut there
/// ([`ModelConfig::cut`]).
pub fn cut(model: &Model, blocks: usize) -> Option<Model> {
    match (model, model.config().cut(blocks)?) {
        (Model::Vit(vit), ModelConfig::Vit(config)) => {
            let mut vit = Vit { config, head: None, head_dist: None, ..vit.clone() };
            vit.blocks.truncate(blocks);
            Some(Model::Vit(vit))
        }
        (Model::Cnn(cnn), ModelConfig::Cnn(config)) => {
            let mut stages = cnn.stages.clone();
            stages.truncate(config.stages.len());
            if let (Some(last), Some(stage)) = (stages.last_mut(), config.stages.last()) {
                last.blocks.truncate(stage.depth);
            }
            Some(Model::Cnn(Cnn { stages, config, conv_head: None, hidden: Vec::new(), fc: None, ..cnn.clone() }))
        }
        _ => None,
    }
}

/// What the last layer of the classifier sees of pictures: of the models of the first `cuts` blocks each (ascending,
/// [`cut`]), then of the whole one, for each of its [`kinds`]. One pass gives all.
///
/// # Shapes
/// - images: `[batch, channels, image_size, image_size]`
/// - output: `[batch, width]` each; of a distilled model both tokens side by side
pub fn head_features(model: &Model, images: Tensor<4>, cuts: &[usize]) -> Vec<Tensor<2>> {
    let is_cut = |blocks: usize| cuts.binary_search(&blocks).is_ok();
    match model {
        Model::Vit(vit) => {
            let mut readings = Vec::new();
            let mut see = |layer: usize, tokens: &Tensor<3>| {
                if is_cut(layer + 1) {
                    let normed = vit.norm.as_ref().map_or(tokens.clone(), |norm| norm.forward(tokens.clone()));
                    readings.extend(pooled_both_ways(vit, normed));
                }
            };
            let features = vit.features(images, &mut Hooks { tokens: Some(&mut see), ..Hooks::default() });
            readings.extend(pooled_both_ways(vit, features));
            readings
        }
        Model::Cnn(cnn) => {
            let ends = cnn.config.ends();
            let means = RefCell::new(Vec::new());
            let see = |at: (usize, usize), map: &Tensor<4>| {
                if ends.iter().position(|end| *end == at).is_some_and(|block| is_cut(block + 1)) {
                    means.borrow_mut().push(map.clone().mean_dim(3).mean_dim(2).flatten(1, 3));
                }
            };
            let is_plain = |stage: usize| cnn.config.stages[stage].block == BlockKind::Plain;
            let mut blocks = |stage: usize, block: usize, map: &Tensor<4>| {
                if !is_plain(stage) {
                    see((stage, block + 1), map);
                }
            };
            // Of a plain stage what its pooling leaves.
            let mut stages = |stage: usize, map: &Tensor<4>| {
                if is_plain(stage) {
                    see((stage, cnn.config.stages[stage].depth), map);
                }
            };
            let mut cnn = cnn.clone();
            cnn.fc = None;
            let mut hooks = CnnHooks { blocks: Some(&mut blocks), stages: Some(&mut stages), ..CnnHooks::default() };
            let last = cnn.logits(images, &mut hooks);
            let mut readings = means.take();
            readings.push(last);
            readings
        }
        Model::Stitched(stitched) => vec![stitched.logits(images, &mut Hooks::default())],
    }
}

/// Of normed tokens what each of the [`kinds`] pools.
fn pooled_both_ways(vit: &Vit, features: Tensor<3>) -> Vec<Tensor<2>> {
    let pooled = vit.pooled(features.clone());
    if vit.config.distilled {
        return vec![Tensor::cat(vec![pooled, distilled(vit, features)], 1)];
    }
    let other = vit.config.other_pool().map(|config| Vit { config, ..vit.clone() }.pooled(features));
    [pooled].into_iter().chain(other).collect()
}

/// The distillation token: `[batch, width]`.
fn distilled(vit: &Vit, features: Tensor<3>) -> Tensor<2> {
    let [batch, _, width] = features.dims();
    features.narrow(1, usize::from(vit.config.cls_token), 1).reshape([batch, width])
}

/// Gives a model the fitted classifier, and has it see what that was fitted to. Of a distilled one, which answers with the
/// mean of two, each gets twice its part.
pub fn put_head(model: &mut Model, head: &LinearHead) {
    read_as(model, head.kind);
    let classes = head.bias.len();
    let all = head.weight.len() / classes.max(1);
    let device = model.device();
    let part = |first: usize, width: usize, factor: f32| {
        // burn keeps `[width, classes]`.
        let turned = (0..width * classes).map(|at| factor * head.weight[at % classes * all + first + at / classes]);
        let bias = TensorData::new(head.bias.clone(), [classes]);
        Linear {
            weight: Param::from_data(TensorData::new(turned.collect::<Vec<f32>>(), [width, classes]), &device),
            bias: Some(Param::from_data(bias, &device)),
        }
    };
    match model {
        Model::Vit(vit) if vit.config.distilled => {
            vit.head = Some(part(0, all / 2, 2.0));
            vit.head_dist = Some(part(all / 2, all / 2, 2.0));
        }
        Model::Vit(vit) => vit.head = Some(part(0, all, 1.0)),
        Model::Cnn(cnn) => cnn.fc = Some(part(0, all, 1.0)),
        Model::Stitched(_) => {}
    }
}
