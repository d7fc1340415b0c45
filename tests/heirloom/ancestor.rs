//! The ancestor that ships with the page, its card, and the training that made it.

mod shipped;
mod start;
mod training;

use heirloom_learngene::cluster::{ClusterSettings, Clusters, measure};
use heirloom_nn::vit::Vit;

/// Mean distances of all heads over pictures as the model takes them, and their clusters at the scaled eps.
async fn heads(model: &Vit, pictures: Vec<Vec<f32>>) -> (Vec<Vec<f32>>, Clusters) {
    let count = pictures.len() as f32;
    let mut mean = vec![vec![0.0; model.config.num_heads]; model.config.depth];
    for pixels in pictures {
        let measured = measure(model, pixels, false).await.unwrap().distance;
        for (mean, one) in mean.iter_mut().flatten().zip(measured.iter().flatten()) {
            *mean += one / count;
        }
    }
    let clusters = Clusters::from_distances(&mean, &ClusterSettings::for_image_size(model.config.image_size)).unwrap();
    (mean, clusters)
}
