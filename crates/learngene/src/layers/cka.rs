//! Similarity of ancestor layers and pseudo-descendant layers by linear CKA (Kornblith et al. 2019), on one batch or, in
//! the minibatch form of Nguyen et al. (2021), over many.
//!
//! Examples are tokens of a Vision Transformer, places of a feature map of a CNN. The unbiased estimator of HSIC (Song
//! et al. 2012) leaves out the diagonals of the Gram matrices `K` and `L`. It does not change when features are shifted,
//! so features are centred first; then `K1 = 0`, the off-diagonal row sums are minus the diagonal `d`, and for `n`
//! examples nothing but `‖XᵀY‖²` and `d` is needed:
//!
//! `HSIC₁ = (‖XᵀY‖² − dₓ·dᵧ·n/(n−2) + Σdₓ·Σdᵧ/((n−1)(n−2))) / (n(n−3))`

use burn::tensor::Tensor;

use heirloom_nn::device::{ReadError, read_all};
use heirloom_nn::kernels::{own_squares, pair_squares};

/// How HSIC is estimated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Estimator {
    /// From all examples at once. Biased upwards when examples are few against channels; the sum over several batches
    /// is no CKA of them together.
    Plain,
    /// Without bias, averaged over batches of at least four examples: any number of batches estimates the CKA of the
    /// whole set.
    #[default]
    Unbiased,
}

/// Why features are not compared.
#[derive(Debug, thiserror::Error, serde::Serialize)]
pub enum CkaError {
    /// Too few examples for the estimator.
    #[error("`{found}` examples lie in a batch, expected at least {least}: compare on more pictures")]
    FewExamples {
        /// Examples of the batch.
        found: usize,
        /// Examples needed.
        least: usize,
    },
    /// Features of different examples.
    #[error("the layers were seen on `{found}` and `{expected}` examples, expected the same pictures and grid for all")]
    Examples {
        /// Of a layer.
        found: usize,
        /// Of the first layer.
        expected: usize,
    },
    /// The device was lost.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// Sums over batches, in f64: the estimator subtracts numbers of like size.
#[derive(Clone, Debug)]
pub struct Cka {
    estimator: Estimator,
    batches: usize,
    between: Vec<Vec<f64>>,
    own: [Vec<f64>; 2],
}

impl Cka {
    /// Nothing compared yet.
    pub fn new(estimator: Estimator) -> Self {
        Self { estimator, batches: 0, between: Vec::new(), own: [Vec::new(), Vec::new()] }
    }

    /// Batches compared.
    pub fn batches(&self) -> usize {
        self.batches
    }

    /// Compares one batch.
    ///
    /// # Shapes
    /// - ancestor, pseudo: one `[examples, width]` per layer; widths may differ
    ///
    /// # Errors
    /// When the layers were seen on different or too few examples, or the device is lost.
    pub async fn add(&mut self, ancestor: &[Tensor<2>], pseudo: &[Tensor<2>]) -> Result<(), CkaError> {
        let Some([expected, _]) = ancestor.first().map(Tensor::dims) else { return Ok(()) };
        let counts = ancestor.iter().chain(pseudo).map(|features| features.dims()[0]);
        if let Some(found) = counts.into_iter().find(|found| *found != expected) {
            return Err(CkaError::Examples { found, expected });
        }
        let least = if self.estimator == Estimator::Plain { 2 } else { 4 };
        if expected < least {
            return Err(CkaError::FewExamples { found: expected, least });
        }
        let [ancestor, pseudo] = [Side::new(ancestor), Side::new(pseudo)];
        let mut asked: Vec<Tensor<1>> = Vec::new();
        for a in &ancestor.stacks {
            asked.extend(pseudo.stacks.iter().map(|b| flat(pair_squares(a.clone(), b.clone()))));
        }
        let own = [&ancestor, &pseudo].map(|side| side.stacks.iter().map(|stack| own_squares(stack.clone())));
        asked.extend(own.into_iter().flatten());
        asked.extend([&ancestor, &pseudo].map(|side| flat(side.diagonals())));
        let mut answers = read_all(asked).await?.into_iter();
        let between = between(&ancestor, &pseudo, &mut answers);
        let mut next = |side: &Side| -> Vec<f64> {
            let all = answers.by_ref().take(side.stacks.len()).flatten();
            all.map(f64::from).collect()
        };
        let own = [next(&ancestor), next(&pseudo)];
        let diagonals = [&ancestor, &pseudo].map(|side| {
            let flat = answers.next().unwrap_or_default();
            let rows = flat.chunks(expected).map(|row| row.iter().copied().map(f64::from).collect::<Vec<_>>());
            debug_assert_eq!(flat.len(), side.layers * expected);
            rows.collect::<Vec<_>>()
        });
        self.take_in(&between, &own, &diagonals);
        Ok(())
    }

    fn take_in(&mut self, between: &[Vec<f64>], own: &[Vec<f64>; 2], diagonals: &[Vec<Vec<f64>>; 2]) {
        let [left, right] = diagonals;
        if self.batches == 0 {
            self.between = vec![vec![0.0; right.len()]; left.len()];
            self.own = [vec![0.0; left.len()], vec![0.0; right.len()]];
        }
        let hsic = |square: f64, a: &[f64], b: &[f64]| match self.estimator {
            Estimator::Plain => square,
            Estimator::Unbiased => unbiased(square, a, b),
        };
        for (i, row) in self.between.iter_mut().enumerate() {
            for (j, sum) in row.iter_mut().enumerate() {
                *sum += hsic(between[i][j], &left[i], &right[j]);
            }
        }
        for ((sums, own), diagonals) in self.own.iter_mut().zip(own).zip(diagonals) {
            for ((sum, own), diagonal) in sums.iter_mut().zip(own).zip(diagonals) {
                *sum += hsic(*own, diagonal, diagonal);
            }
        }
        self.batches += 1;
    }

    /// `S[i][j]`, the similarity of ancestor layer i and pseudo-descendant layer j: 1 for equal layers, 0 for unrelated
    /// ones (the unbiased form may fall a little below). A layer that gives the same for every example is like none.
    pub fn similarity(&self) -> Vec<Vec<f64>> {
        let [left, right] = &self.own;
        let of = |between: f64, a: f64, b: f64| {
            let scale = (a * b).sqrt();
            if scale > 0.0 { between / scale } else { 0.0 }
        };
        let row = |(row, &a): (&Vec<f64>, &f64)| row.iter().zip(right).map(|(&s, &b)| of(s, a, b)).collect();
        self.between.iter().zip(left).map(row).collect()
    }
}

/// See the module.
fn unbiased(square: f64, a: &[f64], b: &[f64]) -> f64 {
    let n = a.len() as f64;
    let product: f64 = a.iter().zip(b).map(|(a, b)| a * b).sum();
    let sums = a.iter().sum::<f64>() * b.iter().sum::<f64>();
    (square - product * n / (n - 2.0) + sums / ((n - 1.0) * (n - 2.0))) / (n * (n - 3.0))
}

fn flat<const D: usize>(tensor: Tensor<D>) -> Tensor<1> {
    let count = tensor.shape().num_elements();
    tensor.reshape([count])
}

/// Centred features of all layers of a model; neighbours of equal width stacked, so that one launch serves them.
struct Side {
    layers: usize,
    /// `[layers of this stack, examples, width]`.
    stacks: Vec<Tensor<3>>,
}

impl Side {
    fn new(layers: &[Tensor<2>]) -> Self {
        let width = |features: &Tensor<2>| features.dims()[1];
        let alike = layers.chunk_by(|a, b| width(a) == width(b));
        let centred = |features: &Tensor<2>| features.clone().inner() - features.clone().inner().mean_dim(0);
        let stack = |run: &[Tensor<2>]| Tensor::stack(run.iter().map(centred).collect(), 0);
        Self { layers: layers.len(), stacks: alike.map(stack).collect() }
    }

    /// Squared length of every example's features, `[layers, examples]`: the diagonals of the Gram matrices.
    fn diagonals(&self) -> Tensor<2> {
        let lengths = self.stacks.iter().map(|stack| {
            let [layers, examples, _] = stack.dims();
            (stack.clone() * stack.clone()).sum_dim(2).reshape([layers, examples])
        });
        Tensor::cat(lengths.collect(), 0)
    }
}

/// `‖XᵢᵀYⱼ‖²` of all layers, from the answers stack by stack.
fn between(ancestor: &Side, pseudo: &Side, answers: &mut impl Iterator<Item = Vec<f32>>) -> Vec<Vec<f64>> {
    let mut rows = Vec::with_capacity(ancestor.layers);
    for a in &ancestor.stacks {
        let [count, _, _] = a.dims();
        let mut block = vec![Vec::with_capacity(pseudo.layers); count];
        for b in &pseudo.stacks {
            let [others, _, _] = b.dims();
            let answer = answers.next().unwrap_or_default();
            for (row, found) in block.iter_mut().zip(answer.chunks(others)) {
                row.extend(found.iter().copied().map(f64::from));
            }
        }
        rows.append(&mut block);
    }
    rows
}
