//! What the layers of models make of pictures, as examples for a comparison.
//!
//! A token of a Vision Transformer is an example; two models have the same tokens when picture size and patches are. The
//! maps of a CNN shrink from stage to stage, so all are averaged down to the smallest of them, and a place is an example:
//! with one number per picture and channel instead, few pictures would be few examples.

use burn::tensor::Tensor;
use burn::tensor::module::adaptive_avg_pool2d;

use heirloom_nn::cnn;
use heirloom_nn::model::Model;
use heirloom_nn::vit;

/// What leaves a layer, before it becomes examples.
enum Layer {
    /// `[batch, tokens, embed_dim]`.
    Tokens(Tensor<3>),
    /// `[batch, channels, side, side]`.
    Map(Tensor<4>),
}

/// What leaves every layer of every model, per model and layer.
///
/// # Shapes
/// - images: `[batch, channels, image_size, image_size]`
/// - output: `[batch * tokens, embed_dim]`, or `[batch * side * side, channels]` with the side of the smallest map
pub fn layer_features(models: &[&Model], images: &Tensor<4>) -> Vec<Vec<Tensor<2>>> {
    let seen: Vec<Vec<Layer>> = models.iter().map(|model| layers(model, images.clone())).collect();
    let side = seen.iter().flatten().filter_map(Layer::side).min().unwrap_or(1);
    seen.into_iter().map(|layers| layers.into_iter().map(|layer| layer.examples(side)).collect()).collect()
}

fn layers(model: &Model, images: Tensor<4>) -> Vec<Layer> {
    let mut found = Vec::new();
    match model {
        Model::Vit(vit) => {
            let mut see = |_: usize, tokens: &Tensor<3>| found.push(Layer::Tokens(tokens.clone()));
            vit.encode(vit.embed(images), &mut vit::Hooks { tokens: Some(&mut see), ..Default::default() });
        }
        Model::Stitched(stitched) => {
            let mut see = |_: usize, tokens: &Tensor<3>| found.push(Layer::Tokens(tokens.clone()));
            stitched.logits(images, &mut vit::Hooks { tokens: Some(&mut see), ..Default::default() });
        }
        Model::Cnn(cnn) => {
            let mut see = |_: usize, map: &Tensor<4>| found.push(Layer::Map(map.clone()));
            cnn.features(images, &mut cnn::Hooks { stages: Some(&mut see), ..Default::default() });
        }
    }
    found
}

impl Layer {
    /// Places along an edge of its map.
    fn side(&self) -> Option<usize> {
        match self {
            Self::Tokens(_) => None,
            Self::Map(map) => Some(map.dims()[3]),
        }
    }

    fn examples(self, side: usize) -> Tensor<2> {
        match self {
            Self::Tokens(tokens) => {
                let [batch, count, width] = tokens.dims();
                tokens.reshape([batch * count, width])
            }
            Self::Map(map) => {
                let [batch, channels, own, _] = map.dims();
                let map = if own == side { map } else { adaptive_avg_pool2d(map, [side; 2]) };
                map.permute([0, 2, 3, 1]).reshape([batch * side * side, channels])
            }
        }
    }
}
