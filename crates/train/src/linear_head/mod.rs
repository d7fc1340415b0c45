//! A linear classifier fitted to features that do not change (docs/methods.md, section 5.5): multinomial logistic regression
//! on standardised features, by L-BFGS. Which of several kinds of features it is fitted to, and with which penalty, is
//! decided on a fifth of the same pictures; how good it is then is counted on each fifth in turn, held out from a fit to
//! the others.
//!
//! On the host, in pieces: a few hundred rows of a few hundred numbers are less work than one step of the model that made
//! them, but nobody says that there are only a few hundred.

mod descent;
mod features;

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

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(count: usize, seed: u32) -> Vec<f32> {
        heirloom_nn::device::uniform(count, seed, 1.0)
    }

    fn features(values: &[f32], labels: &[usize], classes: usize) -> Features {
        let width = values.len().checked_div(labels.len()).unwrap_or(1);
        let mut all = Features::new(width, classes, labels.len()).unwrap();
        all.push(values, labels);
        all
    }

    fn ended(mut fit: LinearFit) -> (LinearHead, LinearFit) {
        loop {
            if let Some(head) = fit.advance() {
                return (head, fit);
            }
        }
    }

    fn fit(values: &[f32], labels: &[usize], classes: usize) -> LinearHead {
        ended(LinearFit::new(vec![features(values, labels, classes)])).0
    }

    fn right(head: &LinearHead, features: &[f32], labels: &[usize]) -> usize {
        let (classes, width) = (head.bias.len(), head.weight.len() / head.bias.len());
        let guess = |row: &[f32]| {
            let score = |class: usize| {
                let own = &head.weight[class * width..];
                head.bias[class] + row.iter().zip(own).map(|(x, w)| x * w).sum::<f32>()
            };
            (0..classes).max_by(|&a, &b| score(a).total_cmp(&score(b))).unwrap()
        };
        features.chunks(width).zip(labels).filter(|(row, label)| guess(row) == **label).count()
    }

    /// Rows around a centre for each class, in units that differ a thousandfold and lie far from 0.
    fn planted(rows: usize, width: usize, classes: usize, spread: f32) -> (Vec<f32>, Vec<usize>) {
        let (centres, noise) = (noise(classes * width, 1), noise(rows * width, 2));
        let labels: Vec<usize> = (0..rows).map(|row| row % classes).collect();
        let value = |at: usize| {
            let (row, column) = (at / width, at % width);
            let unit = [1.0, 1000.0, 0.001][column % 3];
            unit * (5.0 + centres[labels[row] * width + column] + spread * noise[at])
        };
        ((0..rows * width).map(value).collect(), labels)
    }

    #[test]
    fn classes_that_are_apart_are_told_apart_in_any_units() {
        let (features, labels) = planted(90, 7, 3, 0.2);
        assert_eq!(right(&fit(&features, &labels, 3), &features, &labels), 90);
    }

    #[test]
    fn what_is_held_out_is_counted_with_the_fit_that_was_chosen() {
        let (values, labels) = planted(90, 7, 3, 0.2);
        assert_eq!(fit(&values, &labels, 3).held_out, Some([90, 90]));
        let (noisy, _) = planted(100, 40, 2, 1.0);
        let coin: Vec<usize> = (0..100).map(|row| (row * row + row / 7) % 2).collect();
        let [right, all] = fit(&noisy, &coin, 2).held_out.unwrap();
        assert!(all == 100 && (25..=75).contains(&right), "{right} of {all} throws of a coin");
        assert_eq!(fit(&values[..2 * 7], &labels[..2], 3).held_out, None);
    }

    #[test]
    fn the_slopes_of_a_fit_vanish() {
        let (values, labels) = planted(61, 5, 4, 2.0);
        let (head, fit) = ended(LinearFit::new(vec![features(&values, &labels, 4)]));
        let parts = &fit.kinds[0].parts;
        let (mut slopes, rows) = (vec![0.0; 24], labels.len() as f64);
        let narrow: Vec<f32> = fit.weights.iter().map(|&weight| weight as f32).collect();
        for Rows { values, labels } in parts {
            let mut own = vec![0.0; 24];
            logistic_loss(values, labels, &narrow, &mut own);
            slopes.iter_mut().zip(own).for_each(|(sum, slope)| *sum += slope * labels.len() as f64 / rows);
        }
        for (at, (slope, weight)) in slopes.iter_mut().zip(&fit.weights).enumerate() {
            *slope += if at % 6 < 5 { head.penalty * weight } else { 0.0 };
        }
        assert!(slopes.iter().all(|slope| slope.abs() < 3e-5), "{slopes:?}");
    }

    #[test]
    fn noise_is_punished_and_what_is_clear_is_not() {
        let (noisy, _) = planted(100, 40, 2, 1.0);
        let coin: Vec<usize> = (0..100).map(|row| (row * row + row / 7) % 2).collect();
        let (clear, labels) = planted(100, 40, 2, 0.1);
        assert!(fit(&noisy, &coin, 2).penalty > fit(&clear, &labels, 2).penalty);
    }

    #[test]
    fn the_kind_of_features_that_tells_held_out_pictures_apart_is_chosen() {
        let (clear, labels) = planted(60, 9, 3, 0.2);
        let blurred = noise(60 * 9, 5);
        for (kinds, expected) in [([&blurred, &clear], 1), ([&clear, &blurred], 0), ([&clear, &clear], 0)] {
            let kinds = kinds.map(|values| features(values, &labels, 3));
            let (head, fit) = ended(LinearFit::new(kinds.to_vec()));
            assert_eq!(head.kind, expected);
            assert_eq!(right(&head, &clear, &labels), 60);
            assert_eq!(fit.done(), fit.total());
        }
        // Too few to hold one of a class out: the first.
        let few = [&blurred, &clear].map(|values| features(&values[..4 * 9], &labels[..4], 3));
        assert_eq!(ended(LinearFit::new(few.to_vec())).0.kind, 0);
    }

    #[test]
    fn few_pictures_missing_classes_and_features_that_never_change_are_no_fault() {
        let (mut values, labels) = planted(4, 6, 2, 0.1);
        values.iter_mut().skip(2).step_by(6).for_each(|value| *value = 3.0);
        // A third class has no picture.
        let head = fit(&values, &labels, 3);
        assert_eq!(head.penalty, PENALTIES[USUAL]);
        assert_eq!(right(&head, &values, &labels), 4);
        assert!(head.weight.iter().chain(&head.bias).all(|value| value.is_finite()));
        assert!((0..3).all(|class| head.weight[class * 6 + 2] == 0.0));
        assert_eq!(fit(&[], &[], 2).bias, [0.0, 0.0]);
    }

    #[test]
    fn a_large_fit_comes_in_many_pieces_and_gives_the_same_head_every_time() {
        let (values, labels) = planted(3000, 64, 8, 1.5);
        let mut under_way = LinearFit::new(vec![features(&values, &labels, 8)]);
        let (mut pieces, mut done) = (1, 0);
        let head = loop {
            let before = under_way.work();
            if let Some(head) = under_way.advance() {
                break head;
            }
            let spent = under_way.work() - before;
            assert!(spent <= 1.1 * PIECE as f64, "{spent} multiplications in a piece");
            assert!(under_way.done() >= done, "progress goes forward");
            (pieces, done) = (pieces + 1, under_way.done());
        };
        assert!(pieces > 3, "{pieces}");
        // What the forecast of a race reckons with (`plan::forecast`) is the right order of magnitude.
        let losses = under_way.work() / (2 * labels.len() * 8 * 65) as f64;
        assert!((100.0..900.0).contains(&losses), "{losses} losses of all pictures");
        assert_eq!(fit(&values, &labels, 8), head);
    }

    #[test]
    fn kept_features_are_the_same_again_and_wrong_ones_are_refused() {
        let (values, labels) = planted(23, 4, 3, 1.0);
        let all = features(&values, &labels, 3);
        let parts = all.parts().each_ref().map(|part| part.labels.len());
        assert_eq!((all.pictures(), parts), (23, [6, 6, 5, 3, 3]), "of 8, 8 and 7 pictures");
        let again = |width, classes, all: &Features| {
            Features::from_parts(width, classes, all.parts().to_vec(), all.standard().cloned())
        };
        assert_eq!(again(4, 3, &all), Some(all.clone()));
        assert_eq!(again(5, 3, &all), None);
        assert_eq!(again(4, 2, &all), None, "a class that is not there");
        // Kept in the middle of a fit, they give the same head.
        let (head, ended_fit) = ended(LinearFit::new(vec![all]));
        let kept = again(4, 3, &ended_fit.kinds()[0]).unwrap();
        assert_eq!(ended(LinearFit::new(vec![kept])).0, head);
        let (narrow, labels) = planted(23, 3, 3, 1.0);
        let (_, other) = ended(LinearFit::new(vec![features(&narrow, &labels, 3)]));
        let parts = ended_fit.kinds()[0].parts().to_vec();
        assert_eq!(Features::from_parts(4, 3, parts, other.kinds()[0].standard().cloned()), None, "another width");
    }
}
