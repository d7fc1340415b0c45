//! Learned weights between ancestor layers and pseudo-descendant layers (docs/methods.md, section 3.4).
//!
//! The paper's abstract names meta-learning and gives no formula; this is the project's reading, and the page says so. The
//! pseudo descendant learns to name pictures and, through one linear map for each pair of layers, to foretell what the
//! ancestor's layers make of them: `cross-entropy + mean over j of Σᵢ wᵢⱼ ℓᵢⱼ`, where `ℓ` is the squared error against
//! features of mean 0 and variance 1. In turns with that, held-out pictures move the weights by mirror descent,
//! `wᵢⱼ ← wᵢⱼ · exp(−η ℓᵢⱼ)`, scaled so that those of a pseudo layer stay positive and sum to 1. A map that learned its
//! pictures by heart earns no weight.

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::{Device, Int, Tensor, TensorData};

use super::layer_features;
use crate::Descendant;
use heirloom_nn::cnn::Statistics;
use heirloom_nn::device::{read, read_all};
use heirloom_nn::kernels::linear;
use heirloom_nn::model::Model;
use heirloom_nn::vit::RandomWeights;
use heirloom_train::{Classifier, Optimiser, RunSettings, TrainError, Updated, cross_entropy, smoothed_targets};

/// Speed of the weights: a layer foretold wholly (error 0) gains about twofold on one not foretold at all (error 1).
const RATE: f64 = 0.7;

/// What trains: the pseudo descendant and the maps between layers.
#[derive(Module, Debug)]
struct Pair {
    pseudo: Descendant,
    /// Of ancestor layer i and pseudo layer j at `i * pseudo layers + j`.
    maps: Vec<Linear>,
}

/// Matching under way; see the module.
#[derive(Debug)]
pub struct Matching {
    ancestor: Model,
    settings: RunSettings,
    /// Absent only while a step updates it, or after one broke off.
    pair: Option<Pair>,
    optimiser: Optimiser,
    /// `[ancestor layer][pseudo layer]`.
    weights: Vec<Vec<f64>>,
    step: usize,
}

impl Matching {
    /// A matching at its start: every ancestor layer has the same weight.
    ///
    /// `images` (`[batch, channels, image_size, image_size]`) are any pictures; they tell how wide the layers are.
    pub fn new(ancestor: Model, pseudo: Descendant, settings: RunSettings, images: &Tensor<4>) -> Self {
        let pseudo = pseudo.valid();
        let seen = layer_features(&[&ancestor, &pseudo.assembled()], &images.clone().inner());
        let width = |features: &Tensor<2>| features.dims()[1];
        let (left, right) = (&seen[0], &seen[1]);
        let random = RandomWeights { seed: settings.seed };
        let map = |at: usize| {
            let (i, j) = (at / right.len().max(1), at % right.len().max(1));
            start_of_map(&format!("maps.{i}.{j}"), [width(&right[j]), width(&left[i])], random, &ancestor.device())
        };
        let maps = (0..left.len() * right.len()).map(map).collect();
        let weights = vec![vec![1.0 / left.len().max(1) as f64; right.len()]; left.len()];
        let optimiser = Optimiser::new(settings.adamw);
        let pair = Some(Pair { pseudo, maps }.train());
        Self { ancestor, settings, pair, optimiser, weights, step: 0 }
    }

    /// Steps the pseudo descendant has taken.
    pub fn steps_taken(&self) -> usize {
        self.step
    }

    /// The weights, `[ancestor layer][pseudo layer]`; each column sums to 1.
    pub fn weights(&self) -> &[Vec<f64>] {
        &self.weights
    }

    /// One step of pseudo descendant and maps; returns the cross-entropy.
    ///
    /// # Shapes
    /// `images: [batch, channels, image_size, image_size]`, `labels: [batch]`, on a training device
    ///
    /// # Errors
    /// When the loss is not finite, or the device does not answer.
    pub async fn learn(&mut self, images: Tensor<4>, labels: Tensor<1, Int>) -> Result<f32, TrainError> {
        let pair = self.pair.take().ok_or(TrainError::ModelLost)?;
        let targets = smoothed_targets(labels, pair.pseudo.classes(), self.settings.label_smoothing);
        let mut statistics = Statistics::default();
        let logits = pair.pseudo.forward_train(images.clone(), None, &mut statistics);
        let named = cross_entropy(logits, targets);
        let errors = errors(&self.ancestor, &pair, &images);
        let [count] = errors.dims();
        let columns = self.weights.first().map_or(1, Vec::len) as f64;
        let weights = self.weights.iter().flatten().map(|weight| (weight / columns) as f32).collect::<Vec<_>>();
        let weights = Tensor::<1>::from_data(TensorData::new(weights, [count]), &images.device());
        let loss = named.clone() + (errors * weights).sum();
        let shown = loss.clone().inner();
        let lr = self.settings.schedule.lr(self.step);
        let Updated { model, .. } = self.optimiser.step(lr, pair, loss);
        self.pair = Some(Pair { pseudo: model.pseudo.update_running_stats(&statistics), ..model });
        let numbers = read_all(vec![named.inner(), shown]).await?;
        let number = |at: usize| numbers.get(at).and_then(|values| values.first()).copied().unwrap_or(f32::NAN);
        let (named, loss) = (number(0), number(1));
        self.step += 1;
        match loss.is_finite() {
            true => Ok(named),
            false => Err(TrainError::LossNotFinite { step: self.step, loss }),
        }
    }

    /// Moves the weights by held-out pictures.
    ///
    /// # Errors
    /// When the device does not answer.
    pub async fn weigh(&mut self, images: Tensor<4>) -> Result<(), TrainError> {
        let pair = self.pair.as_ref().ok_or(TrainError::ModelLost)?.valid();
        let errors = read(errors(&self.ancestor, &pair, &images.inner())).await?;
        let columns = self.weights.first().map_or(1, Vec::len);
        for (weight, error) in self.weights.iter_mut().flatten().zip(&errors) {
            *weight *= (-RATE * f64::from(error.min(1e3))).exp();
        }
        for column in 0..columns {
            let sum: f64 = self.weights.iter().map(|row| row[column]).sum();
            // Weights that all vanished say nothing any more; they start evenly again.
            let even = 1.0 / self.weights.len() as f64;
            for row in &mut self.weights {
                row[column] = if sum > 0.0 { row[column] / sum } else { even };
            }
        }
        Ok(())
    }
}

/// `ℓ` of every pair of layers, `[ancestor layers * pseudo layers]`.
fn errors(ancestor: &Model, pair: &Pair, images: &Tensor<4>) -> Tensor<1> {
    let is_training = images.is_autodiff();
    let pseudo = pair.pseudo.assembled();
    let seen = layer_features(&[&pseudo], images).remove(0);
    let targets = layer_features(&[ancestor], &images.clone().inner()).remove(0);
    let mut errors = Vec::with_capacity(pair.maps.len());
    for (target, maps) in targets.into_iter().zip(pair.maps.chunks(seen.len().max(1))) {
        let target = standardised(target);
        let target = if is_training { Tensor::from_inner(target) } else { target };
        for (features, map) in seen.iter().zip(maps) {
            let apart = linear(map, standardised(features.clone())) - target.clone();
            errors.push((apart.clone() * apart).mean());
        }
    }
    Tensor::cat(errors, 0)
}

/// Features of mean 0 in each channel and variance 1 over all.
fn standardised(features: Tensor<2>) -> Tensor<2> {
    let centred = features.clone() - features.mean_dim(0);
    let variance = (centred.clone() * centred.clone()).mean();
    centred / variance.add_scalar(1e-6).sqrt().reshape([1, 1])
}

/// A map near zero: it foretells the mean.
fn start_of_map(key: &str, shape: [usize; 2], random: RandomWeights, device: &Device) -> Linear {
    let values = random.values(&format!("{key}.kernel"), shape[0] * shape[1]);
    let device = device.clone().inner();
    Linear {
        weight: Param::from_data(TensorData::new(values, shape), &device),
        bias: Some(Param::from_data(TensorData::zeros::<f32, _>([shape[1]]), &device)),
    }
}
