//! What is measured of a model.

use super::{TrainError, host_cross_entropy};

/// Loss and confusion counts over judged pictures.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassificationMetrics {
    /// Counts `[true][predicted]`.
    confusion: Vec<Vec<usize>>,
    loss: f64,
}

impl ClassificationMetrics {
    /// Nothing judged yet.
    pub fn new(classes: usize) -> Self {
        Self { confusion: vec![vec![0; classes]; classes], loss: 0.0 }
    }

    /// Adds one batch and returns the predicted classes (the lowest index wins a tie).
    ///
    /// # Shapes
    /// `logits: [batch * classes]`, `labels: [batch]`
    ///
    /// # Errors
    /// When the lengths do not fit, a label is no class, or a logit is not finite.
    pub fn add(&mut self, logits: &[f32], labels: &[usize]) -> Result<Vec<usize>, TrainError> {
        let classes = self.confusion.len();
        if logits.len() != labels.len() * classes {
            return Err(mismatch("logits of a batch", logits.len(), labels.len() * classes));
        }
        if let Some(&label) = labels.iter().find(|&&label| label >= classes) {
            return Err(mismatch("label", label, format!("a class below {classes}")));
        }
        if let Some(&value) = logits.iter().find(|value| !value.is_finite()) {
            return Err(TrainError::LogitsNotFinite { value });
        }
        let mut predicted = Vec::with_capacity(labels.len());
        for (row, &label) in logits.chunks_exact(classes.max(1)).zip(labels) {
            let best =
                row.iter().enumerate().fold(0, |best, (class, logit)| if *logit > row[best] { class } else { best });
            self.confusion[label][best] += 1;
            self.loss += host_cross_entropy(row, label);
            predicted.push(best);
        }
        Ok(predicted)
    }

    /// Counts `[true][predicted]`.
    pub fn confusion(&self) -> &[Vec<usize>] {
        &self.confusion
    }

    /// Pictures judged.
    pub fn count(&self) -> usize {
        self.confusion.iter().flatten().sum()
    }

    /// Share named rightly, 0..1; 0 when nothing was judged.
    pub fn accuracy(&self) -> f32 {
        let right: usize = self.confusion.iter().enumerate().map(|(class, row)| row[class]).sum();
        if self.count() == 0 { 0.0 } else { right as f32 / self.count() as f32 }
    }

    /// Mean cross-entropy without smoothing; 0 when nothing was judged.
    pub fn mean_loss(&self) -> f32 {
        if self.count() == 0 { 0.0 } else { (self.loss / self.count() as f64) as f32 }
    }
}

fn mismatch(what: &str, found: impl ToString, expected: impl ToString) -> TrainError {
    TrainError::Mismatch { what: what.into(), found: found.to_string(), expected: expected.to_string() }
}
