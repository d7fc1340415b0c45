//! Learned weights between ancestor layers and pseudo-descendant layers (docs/methods.md, section 3.4).
//!
//! The released code learns where to transfer as Jang et al. (2019) do: a step on matching, a step on cross-entropy, and
//! the gradient of that is led back through the first into the weights. To first order that is a question: does a step
//! that lowers the cross-entropy also bring pseudo layer j nearer to ancestor layer i? The pseudo descendant learns to name
//! pictures and, through one linear map for each pair of layers, to foretell what the ancestor's layers make of them:
//! `cross-entropy + mean over j of Σᵢ wᵢⱼ ℓᵢⱼ`, where `ℓ` is the squared error against features of mean 0 and variance 1.
//! In turns with that, held-out pictures move the weights by mirror descent, `wᵢⱼ ← wᵢⱼ · exp(η gᵢⱼ)`, where
//! `gᵢⱼ = ⟨∇CE, ∇ℓᵢⱼ⟩ / ‖∇CE‖` over the pseudo descendant's parameters, by central differences along `∇CE`, divided by the
//! root mean square of all `g`. Those of a pseudo layer stay positive and sum to 1.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::nn::Linear;
use burn::tensor::{Device, Gradients, Int, Tensor, TensorData};

use super::layer_features;
use crate::Descendant;
use heirloom_nn::cnn::Statistics;
use heirloom_nn::device::{read, read_all};
use heirloom_nn::kernels::{SquareSums, linear};
use heirloom_nn::model::Model;
use heirloom_nn::vit::RandomWeights;
use heirloom_train::{Classifier, Optimiser, RunSettings, TrainError, Updated, cross_entropy, smoothed_targets};

/// Speed of the weights: `η`. A layer that always gains as the pairs do on average doubles its weight in seven steps.
const RATE: f64 = 0.1;
/// How far the differences reach, of the parameters' own length: small enough for a straight line, large enough for f32.
const REACH: f64 = 1e-3;

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
    /// # Shapes
    /// `images: [batch, channels, image_size, image_size]`, `labels: [batch]`, on a training device
    ///
    /// # Errors
    /// When the device does not answer.
    pub async fn weigh(&mut self, images: Tensor<4>, labels: Tensor<1, Int>) -> Result<(), TrainError> {
        let gains = self.gains(images, labels).await?;
        let root = (gains.iter().map(|gain| gain * gain).sum::<f64>() / gains.len().max(1) as f64).sqrt();
        // Nothing to learn from these pictures, or numbers that are none: the weights stay.
        if !(root > 0.0 && root.is_finite()) {
            return Ok(());
        }
        let columns = self.weights.first().map_or(1, Vec::len);
        for (weight, gain) in self.weights.iter_mut().flatten().zip(&gains) {
            *weight *= (RATE * gain / root).exp();
        }
        for column in 0..columns {
            let sum: f64 = self.weights.iter().map(|row| row[column]).sum();
            self.weights.iter_mut().for_each(|row| row[column] /= sum);
        }
        Ok(())
    }

    /// `g` of every pair of layers, `[ancestor layers * pseudo layers]`: how much nearer a step of length 1 that lowers the
    /// cross-entropy of these pictures brings them.
    async fn gains(&self, images: Tensor<4>, labels: Tensor<1, Int>) -> Result<Vec<f64>, TrainError> {
        let pair = self.pair.as_ref().ok_or(TrainError::ModelLost)?;
        let targets = smoothed_targets(labels, pair.pseudo.classes(), self.settings.label_smoothing);
        let logits = pair.pseudo.forward_train(images.clone(), None, &mut Statistics::default());
        let gradients = cross_entropy(logits, targets).backward();
        let mut lengths =
            Lengths { gradients: &gradients, of_gradient: SquareSums::default(), own: SquareSums::default() };
        pair.pseudo.visit(&mut lengths);
        let Lengths { of_gradient, own, .. } = lengths;
        let (Some(of_gradient), Some(own)) = (of_gradient.total(), own.total()) else { return Ok(Vec::new()) };
        let squares = read_all(vec![of_gradient, own]).await?;
        let length = |at: usize| squares[at].first().map_or(0.0, |square| f64::from(*square).sqrt());
        let (of_gradient, reach) = (length(0), REACH * length(1));
        if !(of_gradient > 0.0 && reach > 0.0) {
            return Ok(Vec::new());
        }
        let images = images.inner();
        let at = |step: f64| {
            let pseudo = pair.pseudo.clone().map(&mut Moved { gradients: &gradients, step: step / of_gradient });
            errors(&self.ancestor, &Pair { pseudo, maps: pair.maps.clone() }.valid(), &images)
        };
        let [ahead, behind] = [at(reach), at(-reach)];
        let difference = read(ahead - behind).await?;
        Ok(difference.into_iter().map(|apart| f64::from(apart) / (2.0 * reach)).collect())
    }
}

/// Squared lengths of the gradient, and of the parameters that have one.
struct Lengths<'a> {
    gradients: &'a Gradients,
    of_gradient: SquareSums,
    own: SquareSums,
}

impl ModuleVisitor for Lengths<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let tensor = param.val();
        if let Some(gradient) = tensor.grad(self.gradients) {
            self.of_gradient.add(gradient);
            self.own.add(tensor.inner());
        }
    }
}

/// Moves a model along a gradient.
struct Moved<'a> {
    gradients: &'a Gradients,
    step: f64,
}

impl ModuleMapper for Moved<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (id, tensor, mapper) = param.consume();
        let moved = match tensor.grad(self.gradients) {
            Some(gradient) => Tensor::from_inner(tensor.inner() + gradient.mul_scalar(self.step)),
            None => tensor,
        };
        Param::from_mapped_value(id, moved, mapper)
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

#[cfg(test)]
mod tests {
    use super::*;
    use heirloom_nn::device::{cpu, uniform};
    use heirloom_nn::vit::{Pool, Vit, VitConfig};
    use heirloom_train::{AdamWSettings, Schedule};

    const SETTINGS: RunSettings = RunSettings {
        schedule: Schedule { peak: 1e-3, floor: 0.0, warmup_steps: 0, steps: 10 },
        adamw: AdamWSettings {
            betas: [0.9, 0.999],
            epsilon: 1e-8,
            weight_decay: 0.0,
            decay: heirloom_train::Decay::Weights,
            clip_norm: None,
        },
        label_smoothing: 0.1,
        drop_path: 0.0,
        freeze_steps: 0,
        lr_scales: Vec::new(),
        fresh_lr: None,
        seed: 3,
    };

    fn config(depth: usize) -> VitConfig {
        VitConfig {
            image_size: 8,
            patch_size: 4,
            channels: 3,
            embed_dim: 12,
            depth,
            num_heads: 2,
            head_dim: 6,
            mlp_dim: 16,
            qkv_bias: true,
            qk_norm: false,
            layer_scale: false,
            cls_token: true,
            distilled: false,
            register_tokens: 0,
            pos_embed_prefix: true,
            pool: Pool::Cls,
            options: Default::default(),
            norm_eps: 1e-6,
            classes: Some(3),
        }
    }

    fn pictures(device: &Device, seed: u32) -> (Tensor<4>, Tensor<1, Int>) {
        let pixels = TensorData::new(uniform(5 * 3 * 8 * 8, seed, 2.0), [5, 3, 8, 8]);
        (Tensor::from_data(pixels, device), Tensor::from_data(TensorData::new(vec![0, 1, 2, 1, 0], [5]), device))
    }

    /// The product of two gradients over all parameters of the pseudo descendant.
    struct Product<'a> {
        gradients: [&'a Gradients; 2],
        parts: Vec<Tensor<1>>,
    }

    impl ModuleVisitor for Product<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let [a, b] = self.gradients.map(|gradients| param.val().grad(gradients));
            self.parts.extend(a.zip(b).map(|(a, b)| (a * b).sum()));
        }
    }

    async fn product(pseudo: &Descendant, gradients: [&Gradients; 2]) -> f64 {
        let mut product = Product { gradients, parts: Vec::new() };
        pseudo.visit(&mut product);
        read_all(product.parts).await.unwrap().iter().flatten().map(|&part| f64::from(part)).sum()
    }

    #[test]
    fn gains_are_the_products_of_both_gradients_and_move_the_weights_with_their_signs() {
        pollster::block_on(async {
            let device = cpu();
            let load = async |depth, seed| {
                Vit::load(&config(depth), &mut RandomWeights { seed }, &device)
                    .await
                    .unwrap_or_else(|never| match never {})
            };
            let (ancestor, pseudo) = (load(3, 1).await, load(2, 2).await);
            let (images, _) = pictures(&device, 1);
            let mut matching = Matching::new(ancestor.into(), Descendant::from(pseudo), SETTINGS, &images);
            let training = device.clone().autodiff();
            let (images, labels) = pictures(&training, 2);
            // Maps begin at the mean and foretell nothing; a few steps give them something to lose.
            for _ in 0..5 {
                matching.learn(images.clone(), labels.clone()).await.unwrap();
            }
            let (images, labels) = pictures(&training, 3);
            let found = matching.gains(images.clone(), labels.clone()).await.unwrap();
            let pair = matching.pair.as_ref().unwrap();
            let targets = smoothed_targets(labels.clone(), 3, SETTINGS.label_smoothing);
            let logits = pair.pseudo.forward_train(images.clone(), None, &mut Statistics::default());
            let named = cross_entropy(logits, targets).backward();
            let length = product(&pair.pseudo, [&named, &named]).await.sqrt();
            let mut expected = Vec::new();
            for at in 0..6 {
                let matched = errors(&matching.ancestor, pair, &images).narrow(0, at, 1).backward();
                expected.push(product(&pair.pseudo, [&named, &matched]).await / length);
            }
            let largest = expected.iter().fold(0.0, |most: f64, gain| most.max(gain.abs()));
            assert!(largest > 1e-4, "{expected:?}");
            for (found, expected) in found.iter().zip(&expected) {
                assert!((found - expected).abs() < 0.02 * largest, "{found} is not {expected}, of {largest}");
            }
            let before = matching.weights.clone();
            matching.weigh(images, labels).await.unwrap();
            // Within a column weights are scaled together, so that only their order tells.
            for column in 0..2 {
                let gain = |row: usize| expected[row * 2 + column];
                let grown = |row: usize| matching.weights[row][column] / before[row][column];
                for (a, b) in
                    [(0, 1), (1, 2), (0, 2)].into_iter().filter(|&(a, b)| (gain(a) - gain(b)).abs() > 0.1 * largest)
                {
                    assert_eq!(grown(a) > grown(b), gain(a) > gain(b));
                }
                let sum: f64 = matching.weights.iter().map(|row| row[column]).sum();
                assert!((sum - 1.0).abs() < 1e-9);
            }
        });
    }
}
