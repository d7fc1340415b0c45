//! Distilling an auxiliary model from the frozen ancestor (docs/methods.md, section 2.3), and the linear head that an
//! ancestor without the person's classes gets before.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::activation::softmax;
use burn::tensor::{Device, Int, Tensor};

use super::Auxiliary;
use heirloom_nn::kernels::linear;
use heirloom_nn::vit::RandomWeights;
use heirloom_train::{Classifier, cross_entropy, smoothed_targets};

/// A linear classifier on pooled features; `images` are features `[batch, width, 1, 1]`.
#[derive(Module, Debug)]
pub struct Probe {
    /// `[width, classes]`.
    pub head: Linear,
}

impl Probe {
    /// A head at its start.
    pub fn start([width, classes]: [usize; 2], seed: u64, device: &Device) -> Self {
        let values = RandomWeights { seed }.values("probe.head.weight", width * classes);
        let weight = burn::tensor::TensorData::new(values, [width, classes]);
        let bias = Tensor::<1>::zeros([classes], device);
        let head = Linear {
            weight: burn::module::Param::from_data(weight, device),
            bias: Some(burn::module::Param::from_tensor(bias)),
        };
        Self { head }
    }
}

impl Classifier for Probe {
    fn logits(&self, images: Tensor<4>, _: Option<Tensor<2>>) -> Tensor<2> {
        let [batch, width, _, _] = images.dims();
        linear(&self.head, images.reshape([batch, width]))
    }

    fn branches(&self) -> usize {
        0
    }

    fn classes(&self) -> usize {
        let [_, classes] = self.head.weight.dims();
        classes
    }
}

impl Classifier for Auxiliary {
    fn logits(&self, images: Tensor<4>, drop_path: Option<Tensor<2>>) -> Tensor<2> {
        Classifier::logits(&self.student, images, drop_path)
    }

    fn branches(&self) -> usize {
        self.student.branches()
    }

    fn classes(&self) -> usize {
        self.student.classes()
    }
}

/// What the ancestor says about a batch.
#[derive(Clone, Debug)]
pub struct DistillTargets {
    /// `[batch, classes]`.
    pub logits: Tensor<2>,
    /// Its block outputs at the student's positions, `[batch, tokens, D_T]`; in a shared basis in the student's
    /// coordinates, `[batch, tokens, D_S]`.
    pub tokens: Vec<Tensor<3>>,
    /// Its attention outputs there, `[batch, tokens, D_T]`; none in a shared basis.
    pub attended: Vec<Tensor<3>>,
}

/// Weights of the parts of the loss.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DistillWeights {
    /// Of the labels, `a`; the ancestor has the rest.
    pub labels: f64,
    /// Of its tokens against its answers, `w`.
    pub features: f64,
}

/// Target distributions of a teacher's logits, at temperature 1.
pub fn soft_targets(logits: Tensor<2>) -> Tensor<2> {
    softmax(logits, 1)
}

/// `a · CE(y, z_S) + (1 − a) · (L_logit + w · (L_rep + L_att))`; gradients reach student and maps.
///
/// * `L_logit`: soft cross-entropy of the two outputs.
/// * `L_rep = Σ_p MSE(x_S[p], M_p x_T[q])` on block outputs, `L_att` the same with `N_p` on attention outputs. Where the
///   model has no maps the lesson is in its own coordinates.
///
/// # Shapes
/// `images: [batch, channels, height, width]`, `labels: [batch]`, `-> [1]`
pub fn distillation_loss(
    auxiliary: &Auxiliary,
    images: Tensor<4>,
    labels: Tensor<1, Int>,
    lesson: DistillTargets,
    weights: DistillWeights,
) -> Tensor<1> {
    let shown = auxiliary.look(images);
    let hard = cross_entropy(shown.logits.clone(), smoothed_targets(labels, auxiliary.classes(), 0.0));
    let mut soft = cross_entropy(shown.logits, soft_targets(lesson.logits));
    let parts = [
        (shown.tokens, &auxiliary.token_maps, lesson.tokens),
        (shown.attended, &auxiliary.attention_maps, lesson.attended),
    ];
    for (seen, maps, taught) in parts {
        for (at, (seen, taught)) in seen.into_iter().zip(taught).enumerate() {
            let taught = match maps.get(at) {
                Some(map) => linear(map, taught),
                None => taught,
            };
            soft = soft + (seen - taught).square().mean().mul_scalar(weights.features);
        }
    }
    hard.mul_scalar(weights.labels) + soft.mul_scalar(1.0 - weights.labels)
}
