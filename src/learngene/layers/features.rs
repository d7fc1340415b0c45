//! What the layers of a model make of pictures, as examples for a comparison: the tokens of a Vision Transformer.

use burn::tensor::Tensor;

use crate::model::Model;
use crate::vit::Hooks;

/// What leaves every layer, without autodiff.
///
/// A token is an example: tokens of two models are the same ones when picture size and patches are. Maps of a CNN shrink
/// from stage to stage, so each is averaged over blocks down to `side` places along an edge; a place is an example.
///
/// # Shapes
/// - images: `[batch, channels, image_size, image_size]`
/// - output: `[batch * tokens, embed_dim]`, or `[batch * side * side, width of the stage]`, per layer
pub fn layer_features(model: &Model, images: Tensor<4>, side: usize) -> Vec<Tensor<2>> {
    let mut found = Vec::new();
    match model {
        Model::Vit(vit) => {
            let mut see = |_: usize, tokens: &Tensor<3>| {
                let [batch, count, width] = tokens.dims();
                found.push(tokens.clone().inner().reshape([batch * count, width]));
            };
            vit.encode(vit.embed(images), &mut Hooks { tokens: Some(&mut see), ..Default::default() });
        }
    }
    let _ = side;
    found
}

/// Places along an edge to which the maps of all compared models can be averaged; 1 for a Vision Transformer, whose
/// tokens stay as they are.
pub fn coarsest_side(models: &[&Model]) -> usize {
    let _ = models;
    1
}
