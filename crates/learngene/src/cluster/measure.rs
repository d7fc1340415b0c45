//! Measuring the heads of an ancestor on a picture: the fused kernel in every layer, one read at the end.

use burn::tensor::activation::softmax;
use burn::tensor::{Tensor, TensorData};

use heirloom_nn::device::{ReadError, read, read_all};
use heirloom_nn::kernels::{AttentionDistance, PatchGeometry};
use heirloom_nn::vit::{Hooks, Vit, VitConfig};

/// Distance and entropy of every head on one picture, and what the model made of it.
pub struct Measurement {
    /// px, `[layer][head]`.
    pub distance: Vec<Vec<f32>>,
    /// nats, `[layer][head]`.
    pub entropy: Vec<Vec<f32>>,
    /// Class scores, or the pooled features of a model without classifier.
    pub output: Vec<f32>,
}

/// Measures every head of `model` on one picture (docs/methods.md, section 1.1), by the fused kernel in every layer.
///
/// # Errors
/// When the device is lost.
pub async fn measure(model: &Vit, pixels: Vec<f32>, renormalise: bool) -> Result<Measurement, ReadError> {
    let VitConfig { channels, image_size, patch_size, depth, num_heads, .. } = model.config;
    let device = model.device();
    let images = Tensor::from_data(TensorData::new(pixels, [1, channels, image_size, image_size]), &device);
    let prefix_tokens = model.config.prefix_tokens();
    let geometry = PatchGeometry { grid: model.config.grid(), patch_size, prefix_tokens, renormalise };
    let (mut distances, mut entropies) = (Vec::new(), Vec::new());
    let mut see = |_: usize, found: AttentionDistance| {
        distances.push(found.distance);
        entropies.push(found.entropy);
    };
    let output = model.logits(images, &mut Hooks { distance: Some((geometry, &mut see)), ..Default::default() });
    let rows = |tensors: Vec<Tensor<2>>| Tensor::cat(tensors, 0);
    let mut values = read_all(vec![rows(distances), rows(entropies), output]).await?.into_iter();
    let mut layers = || {
        let flat = values.next().unwrap_or_default();
        debug_assert_eq!(flat.len(), depth * num_heads);
        flat.chunks(num_heads).map(<[f32]>::to_vec).collect()
    };
    let (distance, entropy) = (layers(), layers());
    Ok(Measurement { distance, entropy, output: values.next().unwrap_or_default() })
}

/// What each patch of one picture receives in one head, `[grid * grid]` each.
#[derive(Clone, Debug, PartialEq)]
pub struct Received {
    /// From all patches on average.
    pub from_all: Vec<f32>,
    /// From the CLS token; empty without one.
    pub from_cls: Vec<f32>,
    /// From one patch.
    pub from_patch: Vec<f32>,
    /// How far that patch looks, px: its term of the mean attention distance.
    pub distance: f32,
}

/// The attention of one head on one picture (`[channels * size * size]`, normalised), and what patch number `patch`, row
/// by row, attends to.
///
/// # Errors
/// When the device is lost.
pub async fn attention_of(
    model: &Vit,
    pixels: Vec<f32>,
    [layer, head, patch]: [usize; 3],
) -> Result<Received, ReadError> {
    let VitConfig { channels, image_size, cls_token, .. } = model.config;
    let device = model.device();
    let images = Tensor::from_data(TensorData::new(pixels, [1, channels, image_size, image_size]), &device);
    let (prefix, grid) = (model.config.prefix_tokens(), model.config.grid());
    let patches = grid * grid;
    let (query, key) = model.queries_and_keys(images, layer);
    let [_, _, tokens, head_dim] = query.dims();
    let one = |x: Tensor<4>| x.narrow(1, head, 1).reshape([tokens, head_dim]);
    let scores = one(query).matmul(one(key).transpose()) / (head_dim as f32).sqrt();
    let attention = softmax(scores, 1);
    let to_patches = attention.narrow(1, prefix, patches);
    let from_all = read(to_patches.clone().narrow(0, prefix, patches).mean_dim(0)).await?;
    let from_patch = read(to_patches.clone().narrow(0, prefix + patch, 1)).await?;
    let from_cls = if cls_token { read(to_patches.narrow(0, 0, 1)).await? } else { Vec::new() };
    let far = |other: usize| {
        let (x, y) = ((other % grid).abs_diff(patch % grid), (other / grid).abs_diff(patch / grid));
        model.config.patch_size as f32 * ((x * x + y * y) as f32).sqrt()
    };
    let distance = from_patch.iter().enumerate().map(|(other, share)| share * far(other)).sum();
    Ok(Received { from_all, from_cls, from_patch, distance })
}
