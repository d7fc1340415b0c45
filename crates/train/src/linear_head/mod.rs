//! A linear classifier fitted to features that do not change (docs/methods.md, section 5.5): multinomial logistic regression
//! on standardised features, by L-BFGS. Which of several kinds of features it is fitted to, and with which penalty, is
//! decided on a fifth of the same pictures; how good it is then is counted on each fifth in turn, held out from a fit to
//! the others.
//!
//! On the host, in pieces: a few hundred rows of a few hundred numbers are less work than one step of the model that made
//! them, but nobody says that there are only a few hundred.

mod descent;
mod features;
#[cfg(test)]
mod tests;

use heirloom_lanes::logistic_loss;

use self::descent::Descent;
pub use self::features::{FOLDS, Features, Rows, Standard};

/// Penalties that are tried, the strongest first: each fit starts where the one before ended.
pub const PENALTIES: [f64; 6] = [1.0, 0.1, 0.03, 0.01, 3e-3, 1e-3];
/// Which of them is taken where nothing can be held out.
const USUAL: usize = 2;
/// Multiplications of one piece of work: tenths of a second in a browser.
const PIECE: usize = 1 << 25;

/// A fitted classifier.
#[derive(Clone, Debug, PartialEq)]
pub struct LinearHead {
    /// Which of the kinds of features it is for.
    pub kind: usize,
    /// `[classes, width]`, for features as they are.
    pub weight: Vec<f32>,
    /// `[classes]`.
    pub bias: Vec<f32>,
    /// The penalty that was chosen: half of it times the sum of squared weights, on standardised features.
    pub penalty: f64,
    /// Pictures of all parts, each held out from a fit to the others: those named rightly, and all; `None` where there are
    /// too few to hold any out.
    pub held_out: Option<[usize; 2]>,
}

/// A fit under way.
pub struct LinearFit {
    kinds: Vec<Features>,
    /// Losses on what is held out, by kind and penalty, as far as they are known.
    losses: Vec<f64>,
    /// Of what is held out how many were named rightly, likewise; of the choice those of all parts so far.
    rights: Vec<usize>,
    right: usize,
    /// The part that is held out; `None` once all pictures are learnt from.
    held: Option<usize>,
    /// The kind and the penalty that were chosen.
    chosen: Option<(usize, usize)>,
    /// Of the fit with the current penalty.
    penalty: usize,
    stage: Stage,
    /// Where the fit before this one ended.
    weights: Vec<f64>,
    sum: Sum,
    /// Multiplications so far.
    work: f64,
}

/// What a loss is computed for.
enum Stage {
    /// The next step of a fit.
    Descend(Descent),
    /// How well a fit that ended does on what is held out.
    Judge,
    /// Nothing: the last fit ended.
    Ended,
}

/// A loss that is being summed over the rows.
#[derive(Default)]
struct Sum {
    part: usize,
    row: usize,
    loss: f64,
    gradient: Vec<f64>,
}

impl LinearFit {
    /// A fit at its start, to one of these kinds of features of the same pictures; where nothing tells them apart, to the
    /// first.
    ///
    /// # Panics
    /// When there is no kind, or they are not of the same pictures.
    pub fn new(mut kinds: Vec<Features>) -> Self {
        assert!(!kinds.is_empty(), "some kind of features");
        let is_alike = |one: &Features| (0..FOLDS).all(|part| one.parts[part].labels == kinds[0].parts[part].labels);
        assert!(kinds.iter().all(is_alike), "features of the same pictures");
        kinds.iter_mut().for_each(Standard::standardise);
        let is_choosing = !kinds[0].parts[FOLDS - 1].labels.is_empty();
        let chosen = (!is_choosing).then_some((0, USUAL));
        let mut fit = Self {
            kinds,
            losses: Vec::new(),
            rights: Vec::new(),
            right: 0,
            held: is_choosing.then_some(FOLDS - 1),
            chosen,
            penalty: 0,
            stage: Stage::Ended,
            weights: Vec::new(),
            sum: Sum::default(),
            work: 0.0,
        };
        fit.begin();
        fit
    }

    /// What is fitted to, the features standardised.
    pub fn kinds(&self) -> &[Features] {
        &self.kinds
    }

    /// Fits in all, of which as many as [`LinearFit::done`] ended: each kind with each penalty, the choice without each
    /// other part, then all pictures.
    pub fn total(&self) -> usize {
        Self::fits(self.kinds.len())
    }

    /// See [`LinearFit::total`], of so many kinds.
    pub fn fits(kinds: usize) -> usize {
        (kinds + 1) * PENALTIES.len() + FOLDS - 1
    }

    /// See [`LinearFit::total`].
    pub fn done(&self) -> usize {
        match self.chosen {
            None => self.losses.len(),
            Some((_, chosen)) if self.held.is_some() => {
                self.total() - (chosen + 1) - self.held.map_or(0, |held| held + 1)
            }
            // Penalties below the chosen one are never tried on all pictures.
            Some((_, chosen)) => {
                let left = chosen + usize::from(!matches!(self.stage, Stage::Ended)) - self.penalty;
                self.total() - left
            }
        }
    }

    /// Multiplications so far.
    pub fn work(&self) -> f64 {
        self.work
    }

    /// Does a piece of work; the classifier once nothing is left.
    pub fn advance(&mut self) -> Option<LinearHead> {
        let mut left = PIECE;
        while left > 0 {
            let (weights, parts) = match &self.stage {
                Stage::Descend(descent) => (descent.wanted(), self.parts(false)),
                Stage::Judge => (&*self.weights, self.parts(true)),
                Stage::Ended => return Some(self.head()),
            };
            let narrow: Vec<f32> = weights.iter().map(|&weight| weight as f32).collect();
            let done = self.sum_rows(&narrow, parts, left);
            left = left.saturating_sub(done.max(1));
        }
        None
    }

    /// The kind whose turn it is.
    fn kind(&self) -> usize {
        self.chosen.map_or(self.losses.len() / PENALTIES.len(), |(kind, _)| kind)
    }

    /// Which parts are learnt from, or held out.
    fn parts(&self, is_held: bool) -> [bool; FOLDS] {
        std::array::from_fn(|part| (self.held == Some(part)) == is_held)
    }

    /// Pictures of some parts.
    fn rows(&self, parts: [bool; FOLDS]) -> usize {
        self.kinds[0].parts.iter().zip(parts).filter(|(_, is_meant)| *is_meant).map(|(part, _)| part.labels.len()).sum()
    }

    fn weight_count(&self) -> usize {
        let features = &self.kinds[self.kind()];
        features.classes() * (features.width() + 1)
    }

    /// Begins a row of fits, from the strongest penalty on, so that the result does not depend on where a fit began.
    fn begin(&mut self) {
        self.penalty = 0;
        self.weights = vec![0.0; self.weight_count()];
        self.begin_fit();
    }

    fn begin_fit(&mut self) {
        self.stage = Stage::Descend(Descent::new(std::mem::take(&mut self.weights)));
    }

    /// Adds rows of some parts to the sum, until that took so many multiplications; how many it took. Goes on to what
    /// follows once all of them are summed.
    fn sum_rows(&mut self, weights: &[f32], parts: [bool; FOLDS], most: usize) -> usize {
        let features = &self.kinds[self.kind()];
        let width = features.width();
        let each = 2 * weights.len().max(1);
        let (mut done, mut slopes) = (0, vec![0.0; weights.len()]);
        let sum = &mut self.sum;
        sum.gradient.resize(weights.len(), 0.0);
        while sum.part < FOLDS && done < most {
            if !parts[sum.part] {
                sum.part += 1;
                continue;
            }
            let Rows { values, labels } = &features.parts[sum.part];
            let end = labels.len().min(sum.row + ((most - done) / each).max(1));
            let (from, rows) = (sum.row, end - sum.row);
            if rows > 0 {
                let loss = logistic_loss(&values[from * width..end * width], &labels[from..end], weights, &mut slopes);
                sum.loss += rows as f64 * loss;
                sum.gradient.iter_mut().zip(&slopes).for_each(|(sum, slope)| *sum += rows as f64 * slope);
            }
            done += rows * each;
            (sum.part, sum.row) = if end == labels.len() { (sum.part + 1, 0) } else { (sum.part, end) };
        }
        self.work += done as f64;
        if self.sum.part >= FOLDS {
            let Sum { loss, gradient, .. } = std::mem::take(&mut self.sum);
            let rows = self.rows(parts).max(1) as f64;
            self.follow(loss / rows, gradient.into_iter().map(|slope| slope / rows).collect());
        }
        done
    }

    /// What a loss leads to.
    fn follow(&mut self, mut loss: f64, mut gradient: Vec<f64>) {
        let width = self.kinds[self.kind()].width();
        match &mut self.stage {
            Stage::Descend(descent) => {
                let penalty = PENALTIES[self.penalty];
                // Biases are free.
                for (at, (slope, weight)) in gradient.iter_mut().zip(descent.wanted()).enumerate() {
                    if at % (width + 1) < width {
                        *slope += penalty * weight;
                        loss += 0.5 * penalty * weight * weight;
                    }
                }
                if !descent.tell(loss, gradient) {
                    self.end_fit();
                }
            }
            Stage::Judge => self.judged(loss),
            Stage::Ended => {}
        }
    }

    /// Goes on with the next penalty on all pictures, or judges the fit.
    fn end_fit(&mut self) {
        let is_last = self.chosen.is_some_and(|(_, chosen)| self.penalty >= chosen);
        let next = if self.held.is_some() { Stage::Judge } else { Stage::Ended };
        if let Stage::Descend(descent) = std::mem::replace(&mut self.stage, next) {
            self.weights = descent.into_best();
        }
        if self.held.is_none() && !is_last {
            self.penalty += 1;
            self.begin_fit();
        }
    }

    /// Notes how well a fit did, and goes on with the next penalty, the next kind, the choice, or the next part.
    fn judged(&mut self, loss: f64) {
        if let Some((_, penalty)) = self.chosen {
            self.right += self.right();
            return self.hold_next(penalty);
        }
        self.rights.push(self.right());
        self.losses.push(loss);
        if !self.losses.len().is_multiple_of(PENALTIES.len()) {
            self.penalty += 1;
            return self.begin_fit();
        }
        if self.losses.len() == self.kinds.len() * PENALTIES.len() {
            let best = self.losses.iter().enumerate().min_by(|(_, a), (_, b)| a.total_cmp(b));
            let best = best.map_or(USUAL, |(at, _)| at);
            let chosen = (best / PENALTIES.len(), best % PENALTIES.len());
            (self.chosen, self.right) = (Some(chosen), self.rights.get(best).copied().unwrap_or_default());
            return self.hold_next(chosen.1);
        }
        self.begin();
    }

    /// Holds the part before out, with this penalty alone; none is left: all pictures.
    fn hold_next(&mut self, penalty: usize) {
        self.held = self.held.and_then(|held| held.checked_sub(1));
        self.begin();
        if self.held.is_some() {
            self.penalty = penalty;
        }
    }

    /// Held-out pictures that the fit which ended names rightly.
    fn right(&self) -> usize {
        let features = &self.kinds[self.kind()];
        let Some(held) = self.held else { return 0 };
        let Rows { values, labels } = &features.parts[held];
        let score = |row: &[f32], own: &[f64]| {
            let (bias, weights) = own.split_last().unwrap_or((&0.0, &[]));
            bias + row.iter().zip(weights).map(|(&value, weight)| f64::from(value) * weight).sum::<f64>()
        };
        let names = |row: &[f32]| {
            let scores = self.weights.chunks_exact(features.width() + 1).map(|own| score(row, own));
            scores.enumerate().max_by(|(_, a), (_, b)| a.total_cmp(b)).map(|(class, _)| class)
        };
        let rows = values.chunks_exact(features.width().max(1)).zip(labels);
        rows.filter(|(row, label)| names(row) == Some(**label)).count()
    }

    fn head(&self) -> LinearHead {
        let (kind, penalty) = self.chosen.unwrap_or((0, USUAL));
        let standard = self.kinds[kind].standard.as_ref();
        let (weight, bias) = standard.map(|standard| standard.folded(&self.weights)).unwrap_or_default();
        let held_out = (!self.rights.is_empty()).then(|| [self.right, self.rows([true; FOLDS])]);
        LinearHead { kind, weight, bias, penalty: PENALTIES[penalty], held_out }
    }
}
