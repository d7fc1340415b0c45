//! A term of a loss that keeps the heads of a layer apart.
//!
//! Clusters of heads are density-connected in their mean attention distance, so what has to stay is a gap between heads
//! that is wider than the clustering's `eps`. Training for accuracy alone lets heads drift towards each other.

use burn::tensor::{Tensor, TensorData};

use heirloom_nn::kernels::{PatchGeometry, distance_of};
use heirloom_nn::vit::{VitConfig, probabilities};

/// Gap that is wanted between any two heads of a layer, as a share of the picture's side: half as much again as the
/// clustering's `eps` of 10 px at 224 px.
pub const WANTED_GAP: f64 = 15.0 / 224.0;

/// How close the heads of a layer are: `mean over pairs of max(0, 1 − gap / wanted)²`; 0 when all are far enough from one
/// another, 1 when all look equally far.
///
/// # Shapes
/// - distance: mean attention distance of each head, px, `[heads]`; wanted: px.
/// - output: `[1]`.
pub fn head_separation_loss(distance: Tensor<1>, wanted: f64) -> Tensor<1> {
    let [heads] = distance.dims();
    let gaps = (distance.clone().reshape([heads, 1]) - distance.reshape([1, heads])).abs();
    // The diagonal is no pair.
    let pairs: Vec<f32> = (0..heads * heads).map(|at| if at / heads == at % heads { 0.0 } else { 1.0 }).collect();
    let pairs = Tensor::<2>::from_data(TensorData::new(pairs, [heads, heads]), &gaps.device());
    let close = (gaps / -wanted + 1.0).clamp_min(0.0).square() * pairs;
    close.sum() / (heads * heads.saturating_sub(1)).max(1) as f64
}

/// Adds up the head_separation_loss of all layers on the way through them.
pub(super) struct Watch {
    geometry: PatchGeometry,
    wanted: f64,
    layers: usize,
    sum: Option<Tensor<1>>,
}

impl Watch {
    /// Of a model that sees all its patches.
    pub(super) fn new(config: &VitConfig) -> Self {
        let geometry = PatchGeometry {
            grid: config.grid(),
            patch_size: config.patch_size,
            prefix_tokens: config.prefix_tokens(),
            renormalise: false,
        };
        Self { geometry, wanted: WANTED_GAP * config.image_size as f64, layers: config.depth, sum: None }
    }

    /// Sees the queries and keys of a layer, `[batch, heads, tokens, head_dim]`. The attention matrix is stored, because
    /// the streaming kernel has no gradient.
    pub(super) fn see(&mut self, query: &Tensor<4>, key: &Tensor<4>) {
        let [_, heads, _, _] = query.dims();
        let distance = distance_of(probabilities(query.clone(), key.clone()), self.geometry);
        let close = head_separation_loss(distance.mean_dim(0).reshape([heads]), self.wanted);
        self.sum = Some(match self.sum.take() {
            Some(sum) => sum + close,
            None => close,
        });
    }

    /// Mean head_separation_loss over the layers, `[1]`.
    pub(super) fn head_separation_loss(self) -> Option<Tensor<1>> {
        Some(self.sum? / self.layers as f64)
    }
}
