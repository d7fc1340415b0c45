//! The frozen ancestor as a teacher, whose features are computed once per picture.
//!
//! The ancestor is many times as costly as a student; without augmentation it sees the same pictures in every epoch.
//! So its features are kept, under the hash of the pixels it saw: other crops or sizes are other keys, and nothing
//! stale is ever found.

use std::collections::HashMap;

use burn::nn::Linear;
use burn::tensor::{Device, Tensor, TensorData};
use sha2::{Digest, Sha256};

use super::{Activations, DistillTargets, Probe, watch};
use heirloom_nn::device::read_all;
use heirloom_nn::kernels::linear;
use heirloom_nn::vit::Vit;
use heirloom_train::{Batch, ClassificationMetrics, Run, TrainError, evaluate_batch};

/// Hash of the pixels of a picture as the ancestor sees it.
pub type FeatureKey = [u8; 32];

/// Where features are kept: memory, a file system of the browser, nowhere.
pub trait Features {
    /// Whether anything is kept at all; with augmentation no picture is seen twice.
    fn keeps(&self) -> bool {
        true
    }

    /// The numbers of a key, if they are kept.
    fn get(&mut self, key: &FeatureKey) -> impl Future<Output = Result<Option<Vec<f32>>, TrainError>>;

    /// Keeps numbers.
    fn put(&mut self, key: FeatureKey, features: Vec<f32>) -> impl Future<Output = Result<(), TrainError>>;
}

/// Keeps features in memory.
#[derive(Clone, Debug, Default)]
pub struct MemoryFeatures(HashMap<FeatureKey, Vec<f32>>);

impl MemoryFeatures {
    /// Pictures kept.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Features for MemoryFeatures {
    async fn get(&mut self, key: &FeatureKey) -> Result<Option<Vec<f32>>, TrainError> {
        Ok(self.0.get(key).cloned())
    }

    async fn put(&mut self, key: FeatureKey, features: Vec<f32>) -> Result<(), TrainError> {
        self.0.insert(key, features);
        Ok(())
    }
}

impl<F: Features> Features for &mut F {
    fn keeps(&self) -> bool {
        (**self).keeps()
    }

    async fn get(&mut self, key: &FeatureKey) -> Result<Option<Vec<f32>>, TrainError> {
        (**self).get(key).await
    }

    async fn put(&mut self, key: FeatureKey, features: Vec<f32>) -> Result<(), TrainError> {
        (**self).put(key, features).await
    }
}

/// Keeps nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoFeatures;

impl Features for NoFeatures {
    fn keeps(&self) -> bool {
        false
    }

    async fn get(&mut self, _: &FeatureKey) -> Result<Option<Vec<f32>>, TrainError> {
        Ok(None)
    }

    async fn put(&mut self, _: FeatureKey, _: Vec<f32>) -> Result<(), TrainError> {
        Ok(())
    }
}

/// A frozen ancestor; see the module.
pub struct Teacher<F> {
    ancestor: Vit,
    /// Blocks whose features are kept, ascending.
    blocks: Vec<usize>,
    /// Whether attention outputs are listened to besides block outputs.
    has_attention: bool,
    features: F,
    device: Device,
}

impl<F: Features> Teacher<F> {
    /// A teacher that can be listened to at `blocks`. `ancestor` has no classifier (`learngene::pool::frozen`).
    pub fn new(ancestor: Vit, mut blocks: Vec<usize>, features: F) -> Self {
        blocks.sort_unstable();
        blocks.dedup();
        let device = ancestor.device();
        Self { ancestor, blocks, has_attention: true, features, device }
    }

    /// The same, of which only block outputs are heard and kept.
    #[must_use]
    pub fn without_attention(self) -> Self {
        Self { has_attention: false, ..self }
    }

    /// Width of its pooled features.
    pub fn width(&self) -> usize {
        self.ancestor.config.pooled_dim()
    }

    /// The ancestor.
    pub fn ancestor(&self) -> &Vit {
        &self.ancestor
    }

    /// Pooled features of a batch, `[batch, width]`.
    ///
    /// # Errors
    /// When the device or the store fails.
    pub async fn pooled(&mut self, batch: &Batch) -> Result<Tensor<2>, TrainError> {
        Ok(self.listen(batch, &[]).await?.logits)
    }

    /// A step of a head on its pooled features; the training loss.
    ///
    /// # Errors
    /// As [`Run::step`], and when the store fails.
    pub async fn fit_head(&mut self, head: &mut Run<Probe>, batch: &Batch) -> Result<f32, TrainError> {
        let pooled = self.pooled(batch).await?;
        let [count, width] = pooled.dims();
        let stepped = head.step(pooled.reshape([count, width, 1, 1]), batch.targets(&self.device)).await?;
        Ok(stepped.loss)
    }

    /// Lets a head on its pooled features judge a batch, which may be empty.
    ///
    /// # Errors
    /// As [`evaluate_batch`], and when the store fails.
    pub async fn judge_head(
        &mut self,
        head: &Probe,
        batch: &Batch,
        tally: &mut ClassificationMetrics,
    ) -> Result<(), TrainError> {
        if !batch.labels.is_empty() {
            let pooled = self.pooled(batch).await?;
            let [count, width] = pooled.dims();
            evaluate_batch(head, pooled.reshape([count, width, 1, 1]), &batch.labels, tally).await?;
        }
        Ok(())
    }

    /// The lesson of a batch: answers by `head`, tokens at `blocks`.
    ///
    /// # Errors
    /// When the device or the store fails.
    pub async fn lesson(
        &mut self,
        batch: &Batch,
        blocks: &[usize],
        head: &Linear,
    ) -> Result<DistillTargets, TrainError> {
        let Activations { logits, tokens, attended } = self.listen(batch, blocks).await?;
        Ok(DistillTargets { logits: linear(head, logits), tokens, attended })
    }

    /// What the ancestor shows of a batch at `blocks`, from the store where it is there.
    async fn listen(&mut self, batch: &Batch, blocks: &[usize]) -> Result<Activations, TrainError> {
        if !self.features.keeps() {
            return Ok(self.watch(blocks, batch.images(&self.device)?));
        }
        let count = batch.shape[0].max(1);
        let keys: Vec<_> = batch.pixels.chunks(batch.pixels.len() / count).map(key).collect();
        let mut kept = Vec::with_capacity(keys.len());
        for key in &keys {
            kept.push(self.features.get(key).await?);
        }
        let missing: Vec<usize> = (0..kept.len()).filter(|&at| kept[at].is_none()).collect();
        if !missing.is_empty() {
            for (at, features) in missing.iter().zip(self.compute(batch, &missing).await?) {
                self.features.put(keys[*at], features.clone()).await?;
                kept[*at] = Some(features);
            }
        }
        let kept: Vec<Vec<f32>> = kept.into_iter().flatten().collect();
        Ok(self.assemble(&kept, blocks))
    }

    fn watch(&self, blocks: &[usize], images: Tensor<4>) -> Activations {
        let mut seen = watch(&self.ancestor, blocks, images);
        if !self.has_attention {
            seen.attended.clear();
        }
        seen
    }

    /// Features of some pictures of a batch: pooled, then block outputs, then attention outputs, block by block.
    async fn compute(&self, batch: &Batch, pictures: &[usize]) -> Result<Vec<Vec<f32>>, TrainError> {
        let [_, channels, height, width] = batch.shape;
        let len = channels * height * width;
        let pixels: Vec<f32> =
            pictures.iter().flat_map(|&at| &batch.pixels[at * len..(at + 1) * len]).copied().collect();
        let images = TensorData::new(pixels, [pictures.len(), channels, height, width]);
        let Activations { logits, tokens, attended } =
            self.watch(&self.blocks, Tensor::from_data(images, &self.device));
        let flat = |seen: Tensor<3>| seen.flatten::<2>(1, 2);
        let parts = [logits].into_iter().chain(tokens.into_iter().chain(attended).map(flat));
        let parts = read_all(parts.collect()).await?;
        let mut features = vec![Vec::new(); pictures.len()];
        for part in parts {
            for (features, values) in features.iter_mut().zip(part.chunks(part.len() / pictures.len())) {
                features.extend_from_slice(values);
            }
        }
        Ok(features)
    }

    /// Puts kept features of pictures together on the device.
    fn assemble(&self, kept: &[Vec<f32>], blocks: &[usize]) -> Activations {
        let (tokens, width) = (self.ancestor.config.tokens(), self.width());
        let part = |start: usize, len: usize| -> Vec<f32> {
            kept.iter().flat_map(|features| &features[start..start + len]).copied().collect()
        };
        let pooled = TensorData::new(part(0, width), [kept.len(), width]);
        let parts = |offset: usize| -> Vec<Tensor<3>> {
            let places = blocks.iter().filter_map(|block| self.blocks.iter().position(|kept| kept == block));
            let upload = |place: usize| {
                let values = part(width + (offset + place) * tokens * width, tokens * width);
                Tensor::from_data(TensorData::new(values, [kept.len(), tokens, width]), &self.device)
            };
            places.map(upload).collect()
        };
        Activations {
            logits: Tensor::from_data(pooled, &self.device),
            tokens: parts(0),
            attended: if self.has_attention { parts(self.blocks.len()) } else { Vec::new() },
        }
    }
}

fn key(pixels: &[f32]) -> FeatureKey {
    let bytes: Vec<u8> = pixels.iter().flat_map(|value| value.to_le_bytes()).collect();
    Sha256::digest(bytes).into()
}
