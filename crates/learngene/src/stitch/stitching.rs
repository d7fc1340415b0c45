//! Training a stitched net: every step one configuration at random (SN-Net, section 3; Learngene Pool, section 3.3).

use burn::tensor::{Int, Tensor};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::StitchNet;
use crate::pool::soft_targets;
use heirloom_train::{Classifier, cross_entropy, smoothed_targets};

/// Weight of the labels; the teacher has the rest.
const LABEL_WEIGHT: f64 = 0.5;
/// Keeps this draw apart from others of the same seed.
const PURPOSE: u64 = 0x7374_6974_6368;

/// The configuration that a step trains: a pure function of `(seed, step)`, so that a resumed run goes on exactly.
pub fn draw_configuration(configurations: usize, seed: u64, step: usize) -> usize {
    let mut random = ChaCha8Rng::seed_from_u64(seed ^ PURPOSE);
    random.set_stream(step as u64);
    random.random_range(0..configurations.max(1))
}

/// `0.5 · CE + 0.5 · KD` of one configuration.
///
/// # Shapes
/// `images: [batch, channels, height, width]`, `labels: [batch]`, `teacher: [batch, classes]` logits, `-> [1]`
pub fn stitching_loss(
    net: &StitchNet,
    configuration: usize,
    images: Tensor<4>,
    labels: Tensor<1, Int>,
    teacher: Tensor<2>,
) -> Tensor<1> {
    let logits = net.logits(configuration, images);
    let hard = cross_entropy(logits.clone(), smoothed_targets(labels, net.classes(), 0.0));
    let soft = cross_entropy(logits, soft_targets(teacher));
    hard.mul_scalar(LABEL_WEIGHT) + soft.mul_scalar(1.0 - LABEL_WEIGHT)
}

/// As a classifier a net is its largest anchor.
impl Classifier for StitchNet {
    fn logits(&self, images: Tensor<4>, _: Option<Tensor<2>>) -> Tensor<2> {
        self.logits(self.configurations().len() - 1, images)
    }

    fn branches(&self) -> usize {
        0
    }

    fn classes(&self) -> usize {
        self.configs().last().map_or(0, heirloom_nn::model::ModelConfig::outputs)
    }
}
