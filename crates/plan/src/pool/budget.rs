//! Building a model for a budget: of all configurations the best that fits.

/// What the model may cost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Budget {
    /// At most so many parameters.
    Parameters(u64),
    /// At most so many floating-point operations per picture.
    Flops(u64),
    /// At most so many milliseconds per picture on this machine.
    Milliseconds(f64),
}

/// A configuration as measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate {
    /// Which one.
    pub configuration: usize,
    /// Its parameters.
    pub parameters: u64,
    /// Floating-point operations of a picture.
    pub flops: u64,
    /// Predicted milliseconds of a picture, if this machine's speed is known.
    pub milliseconds: Option<f64>,
    /// Share of validation pictures named rightly, 0..1.
    pub accuracy: f32,
}

impl Candidate {
    fn fits(&self, budget: Budget) -> bool {
        match budget {
            Budget::Parameters(most) => self.parameters <= most,
            Budget::Flops(most) => self.flops <= most,
            Budget::Milliseconds(most) => self.milliseconds.is_some_and(|milliseconds| milliseconds <= most),
        }
    }
}

/// The most accurate candidate within the budget; of equals the one with the fewest operations. `None` when nothing
/// fits.
pub fn best_within(candidates: &[Candidate], budget: Budget) -> Option<&Candidate> {
    let better = |one: &&Candidate, other: &&Candidate| {
        one.accuracy.total_cmp(&other.accuracy).then(other.flops.cmp(&one.flops))
    };
    candidates.iter().filter(|candidate| candidate.fits(budget)).max_by(better)
}

/// Milliseconds of a picture on a machine of so many operations per second.
pub fn milliseconds(flops: u64, flops_per_second: f64) -> f64 {
    1e3 * flops as f64 / flops_per_second
}
