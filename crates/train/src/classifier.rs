//! What can be trained, raced, saved and restored.

use std::rc::Rc;

use burn::module::{Module, ParamGroup, ParamId};
use burn::tensor::Tensor;
use heirloom_nn::cnn::Statistics;
use heirloom_nn::model::Model;
use heirloom_nn::vit::{Hooks, Vit};

/// A model that names pictures; whatever implements it can be trained, raced, saved and restored.
pub trait Classifier: Module {
    /// Scores of every class.
    ///
    /// # Shapes
    /// `images: [batch, channels, height, width]`, `drop_path: [branches, batch]` (factor of each residual branch)
    /// `-> [batch, classes]`
    fn logits(&self, images: Tensor<4>, drop_path: Option<Tensor<2>>) -> Tensor<2>;

    /// Scores in a training pass. Models with batch norm use the batch's own statistics here and add them to
    /// `statistics`; for others it is [`Classifier::logits`].
    fn forward_train(
        &self,
        images: Tensor<4>,
        drop_path: Option<Tensor<2>>,
        _statistics: &mut Statistics,
    ) -> Tensor<2> {
        self.logits(images, drop_path)
    }

    /// Takes in what training passes saw, once the step counts.
    fn update_running_stats(self, _statistics: &Statistics) -> Self {
        self
    }

    /// Residual branches drop-path may leave out, two a layer; 0 when the model has none.
    fn branches(&self) -> usize;

    /// Classes it tells apart.
    fn classes(&self) -> usize;

    /// What another thread makes the same architecture of, its weights aside; `None` where there is no way to.
    fn blueprint(&self) -> Option<Rc<str>> {
        None
    }

    /// What a new last layer of the classifier can be fitted to, `[batch, width]` for each way to read the models of the
    /// first `cuts` blocks each, then of the whole one; none where that is not known.
    fn head_features(&self, _images: Tensor<4>, _cuts: &[usize]) -> Vec<Tensor<2>> {
        Vec::new()
    }

    /// Parameters that start from random numbers; all others are inherited.
    fn fresh(&self) -> Vec<ParamId> {
        Vec::new()
    }

    /// Pairs of a parameter that is added to others, and one of these: its relative rate goes by their size.
    fn added(&self) -> Vec<(ParamId, ParamId)> {
        Vec::new()
    }

    /// Parameters that [`crate::RunSettings::freeze_steps`] holds still; none unless the model inherited whole parts.
    fn learngene(&self) -> Vec<ParamId> {
        Vec::new()
    }

    /// Parameters that never get updates; batch norms among them keep to their running statistics.
    fn held(&self) -> Vec<ParamId> {
        Vec::new()
    }
}

/// Holds the learngene still, or lets it learn; what a model itself never trains (running statistics, and what it holds)
/// stays so.
pub(super) fn hold<M: Classifier>(model: M, still: bool) -> M {
    let (learngene, held) = (model.learngene(), model.held());
    let model = model.set_require_grad_group(ParamGroup::from_ids(learngene), !still);
    if held.is_empty() { model } else { model.set_require_grad_group(ParamGroup::from_ids(held), false) }
}

impl Classifier for Vit {
    fn logits(&self, images: Tensor<4>, drop_path: Option<Tensor<2>>) -> Tensor<2> {
        self.logits(images, &mut Hooks { drop_path, ..Default::default() })
    }

    fn branches(&self) -> usize {
        2 * self.blocks.len()
    }

    fn classes(&self) -> usize {
        self.config.classes.unwrap_or(self.config.pooled_dim())
    }
}

impl Classifier for Model {
    fn logits(&self, images: Tensor<4>, drop_path: Option<Tensor<2>>) -> Tensor<2> {
        self.logits(images, drop_path)
    }

    fn forward_train(&self, images: Tensor<4>, drop_path: Option<Tensor<2>>, statistics: &mut Statistics) -> Tensor<2> {
        self.forward_train(images, drop_path, statistics)
    }

    fn update_running_stats(self, statistics: &Statistics) -> Self {
        self.update_running_stats(statistics)
    }

    fn branches(&self) -> usize {
        self.config().branches()
    }

    fn classes(&self) -> usize {
        self.config().outputs()
    }
}
