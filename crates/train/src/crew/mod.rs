//! Passes over parts of a batch, some of them by other threads.
//!
//! The parts are a property of the run, not of the machine, and what they give is added as a fixed tree,
//! `(0 + 1) + (2 + 3)`: however many threads compute, and whichever of them is lost, a step has the same bits.

mod lent;
mod pass;
mod weights;

use std::cell::Cell;
use std::ops::Range;
use std::rc::Rc;

use burn::tensor::Tensor;
use futures::future::LocalBoxFuture;

use super::classifier::hold;
use super::{Classifier, TrainError};
pub use lent::Lent;
pub(super) use pass::{PassTensors, Passed, join, make_up, pass_parts};
pub(super) use weights::flat_weights;
pub use weights::with_weights;

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
#[derive(Clone, Debug, PartialEq)]
pub enum Work {
    /// Gradients of a training pass.
    Pass(Pass),
    /// Scores `[batch, classes]`, outside training.
    Logits {
        /// Pictures of each part: how many go through a model at a time shows in the last bits.
        parts: Vec<usize>,
    },
    /// What the last layer of the classifier sees ([`Classifier::head_features`]), one reading after the other.
    Features {
        /// Blocks of the models whose classifiers are meant, beside the whole one.
        cuts: Vec<usize>,
    },
}

/// Part of a training pass.
#[derive(Clone, Debug, PartialEq)]
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
    /// Gradients of those parameters that have one, in order; or scores, or features.
    pub values: Vec<f32>,
    /// Which parameters have a gradient; empty for others.
    pub has_gradient: Vec<bool>,
    /// The parts' share of the batch's mean loss; 0 for others.
    pub loss: f32,
}

impl Answer {
    /// Without gradients.
    fn of(values: Vec<f32>) -> Self {
        Self { values, has_gradient: Vec::new(), loss: 0.0 }
    }
}

/// A number that no other state of a model has.
pub(super) fn next_version() -> u64 {
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

/// Does an errand; `model` comes without autodiff.
///
/// # Errors
/// When lengths do not fit together, or the device does not answer.
pub async fn do_errand<M: Classifier>(model: M, images: Tensor<4>, work: &Work) -> Result<Answer, TrainError> {
    match work {
        Work::Logits { parts } => Ok(Answer::of(lent::scores_in_parts(&model, images, parts).await?)),
        Work::Features { cuts } => Ok(Answer::of(lent::features_of(&model, images, cuts).await?)),
        Work::Pass(pass) => {
            let holds = pass.is_held || !model.held().is_empty();
            let model = if holds { hold(model, pass.is_held) } else { model };
            pass::do_pass(&model.train(), images, pass).await
        }
    }
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
