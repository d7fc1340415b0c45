//! The ancestor as it is (docs/methods.md, section 5.5): what a new last layer of its classifier can be fitted to, and the
//! model with that layer.

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::{Tensor, TensorData};
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

/// What the last layer of the classifier sees of pictures, for each of the model's [`kinds`].
///
/// # Shapes
/// - images: `[batch, channels, image_size, image_size]`
/// - output: `[batch, width]` each; of a distilled model both tokens side by side
pub fn head_features(model: &Model, images: Tensor<4>) -> Vec<Tensor<2>> {
    match model {
        Model::Vit(vit) => {
            let features = vit.features(images, &mut Hooks::default());
            let pooled = vit.pooled(features.clone());
            if vit.config.distilled {
                return vec![Tensor::cat(vec![pooled, distilled(vit, features)], 1)];
            }
            let other = vit.config.other_pool().map(|config| Vit { config, ..vit.clone() }.pooled(features));
            [pooled].into_iter().chain(other).collect()
        }
        Model::Cnn(cnn) => {
            let mut cnn = cnn.clone();
            cnn.fc = None;
            vec![cnn.logits(images, &mut Default::default())]
        }
        Model::Stitched(stitched) => vec![stitched.logits(images, &mut Hooks::default())],
    }
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
