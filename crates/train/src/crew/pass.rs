//! Training passes over parts of a batch, and their sums.

use std::iter::Peekable;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Gradients, Tensor, TensorData};
use heirloom_nn::cnn::Statistics;

use super::weights::values;
use super::{Answer, Pass, Work};
use crate::optimiser::add_gradients;
use crate::{Classifier, TrainError, cross_entropy};

/// Where the forward and backward passes of a batch lead.
pub(crate) struct Passed {
    pub gradients: Gradients,
    /// Mean over the whole batch, `[1]`, without autodiff.
    pub loss: Tensor<1>,
}

/// Tensors of a training pass over consecutive parts.
#[derive(Clone)]
pub(crate) struct PassTensors {
    /// `[batch, channels, height, width]`.
    pub images: Tensor<4>,
    /// `[batch, classes]`.
    pub targets: Tensor<2>,
    /// `[branches, batch]`.
    pub drop_path: Option<Tensor<2>>,
}

impl PassTensors {
    /// The pictures `from..from + count`.
    pub(crate) fn part(&self, from: usize, count: usize) -> Self {
        Self {
            images: self.images.clone().narrow(0, from, count),
            targets: self.targets.clone().narrow(0, from, count),
            drop_path: self.drop_path.clone().map(|factors| factors.narrow(1, from, count)),
        }
    }

    /// The same for another thread: pixels, and what is to be done with them.
    pub(crate) async fn into_errand(
        self,
        (parts, whole): (&[usize], usize),
        is_held: bool,
    ) -> Result<(Vec<f32>, Work), TrainError> {
        let pixels = values(self.images.flatten(0, 3)).await?;
        let targets = values(self.targets.flatten(0, 1)).await?;
        let drop_path = match self.drop_path {
            Some(factors) => values(factors.flatten(0, 1)).await?,
            None => Vec::new(),
        };
        Ok((pixels, Work::Pass(Pass { targets, drop_path, parts: parts.to_vec(), whole, is_held })))
    }
}

/// Loss and gradients of parts, added as the tree that [`super::shares`] cuts into branches. `parts` are their pictures, `whole`
/// those of the batch.
pub(crate) fn pass_parts<M: Classifier>(
    model: &M,
    tensors: PassTensors,
    (parts, whole): (&[usize], usize),
    statistics: &mut Statistics,
) -> Passed {
    if parts.len() < 2 {
        let PassTensors { images, targets, drop_path } = tensors;
        let [count, ..] = images.dims();
        let loss = cross_entropy(model.forward_train(images, drop_path, statistics), targets);
        let loss = if count == whole { loss } else { loss.mul_scalar(count as f64 / whole as f64) };
        return Passed { gradients: loss.backward(), loss: loss.inner() };
    }
    let (first, second) = parts.split_at(parts.len() / 2);
    let [before, after] = [first, second].map(|parts| parts.iter().sum::<usize>());
    let mut sum = pass_parts(model, tensors.part(0, before), (first, whole), statistics);
    let Passed { gradients, loss } = pass_parts(model, tensors.part(before, after), (second, whole), statistics);
    add_gradients(model, &mut sum.gradients, gradients);
    sum.loss = sum.loss + loss;
    sum
}

pub(super) async fn do_pass<M: Classifier>(model: &M, images: Tensor<4>, pass: &Pass) -> Result<Answer, TrainError> {
    let ([batch, ..], device) = (images.dims(), images.device());
    let branches = if pass.drop_path.is_empty() { 0 } else { model.branches() };
    let fits = pass.parts.iter().sum::<usize>() == batch
        && pass.targets.len() == batch * model.classes()
        && pass.drop_path.len() == batch * branches;
    if !fits || pass.whole < batch {
        let (found, expected) = (format!("{batch} pictures of {}", pass.whole), format!("{:?}", pass.parts));
        return Err(TrainError::Mismatch { what: "part of a pass".into(), found, expected });
    }
    let drop_path =
        (branches > 0).then(|| Tensor::from_data(TensorData::new(pass.drop_path.clone(), [branches, batch]), &device));
    let targets = Tensor::from_data(TensorData::new(pass.targets.clone(), [batch, model.classes()]), &device);
    let tensors = PassTensors { images, targets, drop_path };
    let passed = pass_parts(model, tensors, (&pass.parts, pass.whole), &mut Statistics::default());
    flatten(model, passed).await
}

/// Gradients and loss on the host.
async fn flatten<M: Module>(model: &M, passed: Passed) -> Result<Answer, TrainError> {
    struct Taker {
        gradients: Gradients,
        found: Vec<Option<Tensor<1>>>,
    }
    impl ModuleVisitor for Taker {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let gradient = param.val().grad_remove(&mut self.gradients);
            self.found.push(gradient.map(|gradient| gradient.flatten(0, D - 1)));
        }
    }
    let mut taker = Taker { gradients: passed.gradients, found: Vec::new() };
    model.visit(&mut taker);
    let has_gradient = taker.found.iter().map(Option::is_some).collect();
    let mut all = Vec::new();
    for gradient in taker.found.into_iter().flatten() {
        all.extend(values(gradient).await?);
    }
    let loss = values(passed.loss).await?.first().copied().unwrap_or(f32::NAN);
    Ok(Answer { values: all, has_gradient, loss })
}

/// Adds what others computed to gradients that are here.
struct Merger<'a> {
    total: &'a mut Gradients,
    rest: &'a [f32],
    has_gradient: std::slice::Iter<'a, bool>,
    fits: bool,
}

impl ModuleVisitor for Merger<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if self.has_gradient.next() != Some(&true) {
            return;
        }
        let tensor = param.val();
        let Some((values, rest)) = self.rest.split_at_checked(tensor.shape().num_elements()) else {
            self.fits = false;
            return;
        };
        self.rest = rest;
        let gradient = Tensor::from_data(TensorData::new(values.to_vec(), tensor.shape()), &tensor.device().inner());
        let sum = match tensor.grad_remove(self.total) {
            Some(total) => total + gradient,
            None => gradient,
        };
        tensor.grad_replace(self.total, sum);
    }
}

/// The pass that `own`, of the first parts, and the answers for the others, in order with the number of their parts, sum
/// to.
pub(crate) fn join<M: Module, I: Iterator<Item = (usize, Answer)>>(
    model: &M,
    (own, own_parts): (Passed, usize),
    parts: usize,
    others: &mut Peekable<I>,
) -> Result<Passed, TrainError> {
    if own_parts == parts {
        return Ok(own);
    }
    let half = parts / 2;
    let mut own = join(model, (own, own_parts), half, others)?;
    let other = sum_of(parts - half, others)?;
    let device = own.loss.device();
    let (total, has_gradient) = (&mut own.gradients, other.has_gradient.iter());
    let mut merger = Merger { total, rest: &other.values, has_gradient, fits: true };
    model.visit(&mut merger);
    if !merger.fits || !merger.rest.is_empty() {
        return Err(lost_count());
    }
    own.loss = own.loss + Tensor::from_floats([other.loss], &device);
    Ok(own)
}

/// The sum of the next answers that make up `parts` parts.
fn sum_of<I: Iterator<Item = (usize, Answer)>>(parts: usize, answers: &mut Peekable<I>) -> Result<Answer, TrainError> {
    if answers.peek().is_some_and(|(count, _)| *count == parts) || parts < 2 {
        return answers.next().map(|(_, answer)| answer).ok_or_else(lost_count);
    }
    let half = parts / 2;
    let mut first = sum_of(half, answers)?;
    let second = sum_of(parts - half, answers)?;
    if first.values.len() != second.values.len() || first.has_gradient != second.has_gradient {
        return Err(lost_count());
    }
    first.values.iter_mut().zip(&second.values).for_each(|(sum, value)| *sum += value);
    first.loss += second.loss;
    Ok(first)
}

fn lost_count() -> TrainError {
    let (found, expected) = ("another number".into(), "one for each parameter".into());
    TrainError::Mismatch { what: "gradients of a part".into(), found, expected }
}

/// What a hand would have answered, computed here because it was lost.
pub(crate) async fn make_up<M: Classifier>(
    model: &M,
    tensors: PassTensors,
    parts: (&[usize], usize),
) -> Result<Answer, TrainError> {
    flatten(model, pass_parts(model, tensors, parts, &mut Statistics::default())).await
}
