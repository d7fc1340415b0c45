//! Tests of `learngene::pool`, `learngene::stitch` and their training.

mod basis;
mod distil;
mod fit;
mod making;
#[cfg(not(target_arch = "wasm32"))]
mod pairs;
#[cfg(not(target_arch = "wasm32"))]
mod starts;
mod stitched;

use burn::tensor::{Device, Tensor, TensorData};
use heirloom_learngene::Matrix;
use heirloom_learngene::stitch::{AffineFit, StitchNet};
use heirloom_nn::device::uniform;
use heirloom_nn::vit::{Vit, VitConfig};

use crate::train::models::{Lively, tiny_config};

/// A tiny model of 5 tokens and 3 classes.
pub fn model_config(depth: usize, width: usize) -> VitConfig {
    VitConfig { depth, embed_dim: width, num_heads: 2, head_dim: width / 2, mlp_dim: 2 * width, ..tiny_config() }
}

pub async fn model(depth: usize, width: usize, seed: u32, device: &Device) -> Vit {
    let Ok(model) = Vit::load(&model_config(depth, width), &mut Lively { seed }, device).await;
    model
}

/// Random stitch layers between random models.
pub async fn net(sizes: &[[usize; 2]], device: &Device) -> StitchNet {
    let mut anchors = Vec::new();
    for (at, &[depth, width]) in sizes.iter().enumerate() {
        anchors.push(model(depth, width, 1000 * at as u32, device).await);
    }
    let net = StitchNet::new(anchors, device).unwrap();
    let fits = net.widths().into_iter().enumerate().map(|(at, [input, output])| AffineFit {
        weight: Matrix::from_f32(output, input, &uniform(output * input, 70 + at as u32, 0.5)),
        bias: uniform(output, 90 + at as u32, 0.5).into_iter().map(f64::from).collect(),
    });
    let fits: Vec<_> = fits.collect();
    net.start(&fits, device)
}

pub fn pictures(count: usize, device: &Device) -> Tensor<4> {
    Tensor::from_data(TensorData::new(uniform(count * 48, 5, 1.0), [count, 3, 4, 4]), device)
}
