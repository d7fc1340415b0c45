//! What the layers of models make of pictures, as examples for a comparison.

use burn::tensor::Tensor;

use crate::model::Model;
use crate::vit::Hooks;

/// What leaves every layer of every model.
///
/// A token is an example: tokens of two Vision Transformers are the same ones when picture size and patches are.
///
/// # Shapes
/// - images: `[batch, channels, image_size, image_size]`
/// - output, per model and layer: `[batch * tokens, embed_dim]`
pub fn layer_features(models: &[&Model], images: &Tensor<4>) -> Vec<Vec<Tensor<2>>> {
    models.iter().map(|model| tokens(model, images.clone())).collect()
}

fn tokens(model: &Model, images: Tensor<4>) -> Vec<Tensor<2>> {
    let mut found = Vec::new();
    match model {
        Model::Vit(vit) => {
            let mut see = |_: usize, tokens: &Tensor<3>| {
                let [batch, count, width] = tokens.dims();
                found.push(tokens.clone().reshape([batch * count, width]));
            };
            vit.encode(vit.embed(images), &mut Hooks { tokens: Some(&mut see), ..Default::default() });
        }
    }
    found
}
