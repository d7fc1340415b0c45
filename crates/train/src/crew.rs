//! Passes over parts of a batch, some of them by other threads.
//!
//! The parts are a property of the run, not of the machine, and what they give is added as a fixed tree,
//! `(0 + 1) + (2 + 3)`: however many threads compute, and whichever of them is lost, a step has the same bits.

use std::cell::Cell;
use std::iter::Peekable;
use std::ops::Range;
use std::rc::Rc;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Device, Gradients, Tensor, TensorData};
use futures::future::{LocalBoxFuture, join_all};
use heirloom_nn::cnn::Statistics;
use serde::{Deserialize, Serialize};

use super::fine_tune::hold;
use super::optimiser::add_gradients;
use super::state::parts_of_model;
use super::{Batch, Classifier, TrainError, cross_entropy};

/// Other threads that compute. They hold nothing that could be lost with them.
pub trait Crew: std::fmt::Debug {
    /// Threads that can be asked now.
    fn hands(&self) -> usize;

    /// Lets hand number `hand` do an errand; `None` when it is lost, and whoever asked does it without help.
    fn ask(&self, hand: usize, errand: Errand) -> LocalBoxFuture<'static, Option<Answer>>;
}

/// What a hand is to compute.
#[derive(Clone, Debug)]
pub struct Errand {
    /// Says which weights these are: no two states of a model have the same.
    pub version: u64,
    /// The architecture, as the model describes it ([`Classifier::blueprint`]).
    pub blueprint: Rc<str>,
    /// All parameters in the order a visitor meets them.
    pub weights: Rc<Vec<f32>>,
    /// `[batch, channels, height, width]`, row-major.
    pub pixels: Vec<f32>,
    /// The four lengths of `pixels`.
    pub shape: [usize; 4],
    /// What is wanted.
    pub work: Work,
}

/// What is wanted of some pictures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Work {
    /// Gradients of a training pass.
    Pass(Pass),
    /// Scores `[batch, classes]`, outside training.
    Logits {
        /// Pictures of each part: how many go through a model at a time shows in the last bits.
        parts: Vec<usize>,
    },
}

/// Part of a training pass.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pass {
    /// Smoothed targets, `[batch, classes]`.
    pub targets: Vec<f32>,
    /// Factors of the residual branches, `[branches, batch]`; empty without drop-path.
    pub drop_path: Vec<f32>,
    /// Pictures of each part; they sum to `batch`.
    pub parts: Vec<usize>,
    /// Pictures of the whole batch, of which these are some.
    pub whole: usize,
    /// Whether the learngene is held still.
    pub is_held: bool,
}

/// What came of an errand.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// Gradients of those parameters that have one, in order; or scores.
    pub values: Vec<f32>,
    /// Which parameters have a gradient; empty for scores.
    pub has_gradient: Vec<bool>,
    /// The parts' share of the batch's mean loss; 0 for scores.
    pub loss: f32,
}

/// A number that no other state of a model has.
pub fn next_version() -> u64 {
    thread_local!(static VERSIONS: Cell<u64> = const { Cell::new(0) });
    VERSIONS.with(|last| {
        last.set(last.get() + 1);
        last.get()
    })
}

/// Where each of `parts` parts of a batch begins, and the end: `parts + 1` numbers.
pub(super) fn bounds(batch: usize, parts: usize) -> Vec<usize> {
    (0..=parts).map(|part| part * batch / parts).collect()
}

/// Which parts each of `workers` computes: whole branches of the tree, the first the largest.
pub(super) fn shares(parts: usize, workers: usize) -> Vec<Range<usize>> {
    fn split(parts: Range<usize>, workers: usize, into: &mut Vec<Range<usize>>) {
        if workers < 2 || parts.len() < 2 {
            return into.push(parts);
        }
        let middle = parts.start + parts.len() / 2;
        split(parts.start..middle, workers / 2, into);
        split(middle..parts.end, workers - workers / 2, into);
    }
    let mut shares = Vec::new();
    split(0..parts, workers.min(parts), &mut shares);
    shares
}

/// Where the forward and backward passes of a batch lead.
pub(super) struct Passed {
    pub gradients: Gradients,
    /// Mean over the whole batch, `[1]`, without autodiff.
    pub loss: Tensor<1>,
}

/// Tensors of a training pass over consecutive parts.
#[derive(Clone)]
pub(super) struct PassTensors {
    /// `[batch, channels, height, width]`.
    pub images: Tensor<4>,
    /// `[batch, classes]`.
    pub targets: Tensor<2>,
    /// `[branches, batch]`.
    pub drop_path: Option<Tensor<2>>,
}

impl PassTensors {
    /// The pictures `from..from + count`.
    pub(super) fn part(&self, from: usize, count: usize) -> Self {
        Self {
            images: self.images.clone().narrow(0, from, count),
            targets: self.targets.clone().narrow(0, from, count),
            drop_path: self.drop_path.clone().map(|factors| factors.narrow(1, from, count)),
        }
    }

    /// The same for another thread: pixels, and what is to be done with them.
    pub(super) async fn into_errand(
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

/// Loss and gradients of parts, added as the tree that [`shares`] cuts into branches. `parts` are their pictures, `whole`
/// those of the batch.
pub(super) fn pass_parts<M: Classifier>(
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

/// All parameters of a model in the order a visitor meets them.
///
/// # Errors
/// When the device does not answer.
pub async fn flat_weights<M: Module>(model: &M) -> Result<Vec<f32>, TrainError> {
    let mut all = Vec::new();
    for part in parts_of_model(model) {
        all.extend(values(part.tensor).await?);
    }
    Ok(all)
}

async fn values(tensor: Tensor<1>) -> Result<Vec<f32>, TrainError> {
    let data = tensor.into_data_async().await.map_err(|_| TrainError::ModelLost)?;
    data.try_into_vec().map_err(|_| TrainError::ModelLost)
}

/// `model` with all its parameters replaced, in the order a visitor meets them.
///
/// # Errors
/// When it has another number of parameters.
pub fn with_weights<M: Module>(model: M, weights: &[f32]) -> Result<M, TrainError> {
    struct Filler<'a> {
        rest: &'a [f32],
        is_short: bool,
    }
    impl ModuleMapper for Filler<'_> {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let (id, old, mapper) = param.consume();
            let Some((values, rest)) = self.rest.split_at_checked(old.shape().num_elements()) else {
                self.is_short = true;
                return Param::from_mapped_value(id, old, mapper);
            };
            self.rest = rest;
            let tensor = Tensor::from_data(TensorData::new(values.to_vec(), old.shape()), &old.device());
            let tensor = if old.is_require_grad() { tensor.require_grad() } else { tensor };
            Param::from_mapped_value(id, tensor, mapper)
        }
    }
    let mut filler = Filler { rest: weights, is_short: false };
    let model = model.map(&mut filler);
    if filler.is_short || !filler.rest.is_empty() {
        let (found, expected) = (weights.len().to_string(), "those of its architecture".into());
        return Err(TrainError::Mismatch { what: "weights of a model".into(), found, expected });
    }
    Ok(model)
}

/// Does an errand; `model` comes without autodiff.
///
/// # Errors
/// When lengths do not fit together, or the device does not answer.
pub async fn do_errand<M: Classifier>(model: M, images: Tensor<4>, work: &Work) -> Result<Answer, TrainError> {
    match work {
        Work::Logits { parts } => {
            let values = scores_in_parts(&model, images, parts).await?;
            Ok(Answer { values, has_gradient: Vec::new(), loss: 0.0 })
        }
        Work::Pass(pass) => {
            let model = if pass.is_held { hold(model, true) } else { model };
            do_pass(&model.train(), images, pass).await
        }
    }
}

/// A model that is judged, and what the crew is told of it.
pub(super) struct Lent<M> {
    model: M,
    weights: Option<(u64, Rc<Vec<f32>>)>,
}

impl<M: Classifier> Lent<M> {
    /// A model without autodiff.
    pub(super) fn new(model: M) -> Self {
        Self { model, weights: None }
    }

    /// Scores `[batch, classes]`, in `parts` parts of which the crew computes some.
    ///
    /// # Errors
    /// When the batch does not fit together, or the device does not answer.
    pub(super) async fn scores(
        &mut self,
        batch: &Batch,
        device: &Device,
        parts: usize,
        crew: Option<&Rc<dyn Crew>>,
    ) -> Result<Vec<f32>, TrainError> {
        let images = batch.images(device)?;
        let pictures = batch.labels.len();
        let parts = parts.clamp(1, pictures.max(1));
        let bounds = bounds(pictures, parts);
        let sizes: Vec<usize> = bounds.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let helped = crew.filter(|crew| parts > 1 && crew.hands() > 0).zip(self.model.blueprint());
        let Some((crew, blueprint)) = helped else { return scores_in_parts(&self.model, images, &sizes).await };
        let (version, weights) = match &self.weights {
            Some(known) => known.clone(),
            None => self.weights.insert((next_version(), Rc::new(flat_weights(&self.model).await?))).clone(),
        };
        let shares = shares(parts, crew.hands() + 1);
        let picture = batch.pixels.len() / pictures;
        let mut asked = Vec::new();
        for (hand, share) in shares[1..].iter().enumerate() {
            let [from, to] = [bounds[share.start], bounds[share.end]];
            let shape = [to - from, batch.shape[1], batch.shape[2], batch.shape[3]];
            let (pixels, parts) = (batch.pixels[from * picture..to * picture].to_vec(), sizes[share.clone()].to_vec());
            let (blueprint, weights) = (blueprint.clone(), weights.clone());
            asked.push(
                crew.ask(hand, Errand { version, blueprint, weights, pixels, shape, work: Work::Logits { parts } }),
            );
        }
        let own = &shares[0];
        let mut all =
            scores_in_parts(&self.model, images.clone().narrow(0, 0, bounds[own.end]), &sizes[own.clone()]).await?;
        for (share, answer) in shares[1..].iter().zip(join_all(asked).await) {
            let [from, to] = [bounds[share.start], bounds[share.end]];
            all.extend(match answer {
                Some(answer) => answer.values,
                None => {
                    let images = images.clone().narrow(0, from, to - from);
                    scores_in_parts(&self.model, images, &sizes[share.clone()]).await?
                }
            });
        }
        Ok(all)
    }
}

/// Scores of some pictures, part by part.
async fn scores_in_parts<M: Classifier>(model: &M, images: Tensor<4>, parts: &[usize]) -> Result<Vec<f32>, TrainError> {
    let (mut from, mut all) = (0, Vec::new());
    for &count in parts {
        let logits = model.logits(images.clone().narrow(0, from, count), None);
        all.extend(values(logits.flatten(0, 1)).await?);
        from += count;
    }
    Ok(all)
}

async fn do_pass<M: Classifier>(model: &M, images: Tensor<4>, pass: &Pass) -> Result<Answer, TrainError> {
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
pub(super) fn join<M: Module, I: Iterator<Item = (usize, Answer)>>(
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
pub(super) async fn make_up<M: Classifier>(
    model: &M,
    tensors: PassTensors,
    parts: (&[usize], usize),
) -> Result<Answer, TrainError> {
    flatten(model, pass_parts(model, tensors, parts, &mut Statistics::default())).await
}

#[cfg(test)]
mod tests {
    use super::{bounds, shares};

    #[test]
    fn parts_are_as_even_as_they_can_be() {
        assert_eq!(bounds(16, 4), [0, 4, 8, 12, 16]);
        assert_eq!(bounds(10, 4), [0, 2, 5, 7, 10]);
    }

    #[test]
    fn every_worker_has_a_branch_of_the_tree() {
        assert_eq!(shares(4, 1), vec![0..4; 1]);
        assert_eq!(shares(4, 2), [0..2, 2..4]);
        assert_eq!(shares(4, 3), [0..2, 2..3, 3..4]);
        assert_eq!(shares(4, 9), [0..1, 1..2, 2..3, 3..4]);
    }
}
