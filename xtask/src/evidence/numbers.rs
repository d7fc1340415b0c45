//! The arithmetic of the evidence: spread over the seeds, steps to an accuracy, and the rule by which a claim is seen.

/// Seeds that a verdict needs on either side.
pub const SEEDS_NEEDED: usize = 3;

/// Some values, summed up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    /// Mean.
    pub mean: f64,
    /// Standard deviation of the sample (divided by count − 1); 0 for one value.
    pub deviation: f64,
    /// Lowest.
    pub low: f64,
    /// Highest.
    pub high: f64,
    /// Values.
    pub count: usize,
}

impl Summary {
    /// `None` without values.
    pub fn of(values: &[f64]) -> Option<Self> {
        let count = values.len();
        let mean = values.iter().sum::<f64>() / count as f64;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        (count > 0).then(|| Self {
            mean,
            deviation: if count > 1 { (squares / (count - 1) as f64).sqrt() } else { 0.0 },
            low: values.iter().copied().fold(f64::INFINITY, f64::min),
            high: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            count,
        })
    }
}

/// Steps after which a curve of `(step, accuracy)` first reaches an accuracy, on the straight line between the point
/// below and the point at or above it; `None` when no point reaches it.
pub fn steps_to(curve: &[(f64, f64)], accuracy: f64) -> Option<f64> {
    let at = curve.iter().position(|(_, height)| *height >= accuracy)?;
    let to = curve[at];
    let Some(from) = at.checked_sub(1).map(|before| curve[before]) else { return Some(to.0) };
    Some(from.0 + (accuracy - from.1) / (to.1 - from.1) * (to.0 - from.0))
}

/// What one picture set says of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The mean difference exceeds the larger of the two spreads, the claimed way round.
    Seen,
    /// The same, the other way round.
    Opposite,
    /// The difference does not exceed the spread.
    Unclear,
    /// Too few seeds.
    NotRun,
}

/// Whether `ours` is larger than `theirs`, by the rule.
pub fn finding(ours: &[f64], theirs: &[f64]) -> Finding {
    let (Some(one), Some(other)) = (Summary::of(ours), Summary::of(theirs)) else { return Finding::NotRun };
    if one.count.min(other.count) < SEEDS_NEEDED {
        return Finding::NotRun;
    }
    let (difference, spread) = (one.mean - other.mean, one.deviation.max(other.deviation));
    // Means of equal values need not be equal in their last digit.
    match difference.abs() > spread + 1e-9 {
        false => Finding::Unclear,
        true if difference > 0.0 => Finding::Seen,
        true => Finding::Opposite,
    }
}

/// What all sets together say, as words.
pub fn verdict(findings: &[Finding]) -> String {
    let count = |wanted: Finding| findings.iter().filter(|one| **one == wanted).count();
    let (all, seen) = (findings.len() - count(Finding::NotRun), count(Finding::Seen));
    let sets = |of: usize| match (of, all) {
        (_, 1) => "the one set".to_owned(),
        (2, 2) => "both sets".to_owned(),
        (of, all) if of == all => format!("all {all} sets"),
        (of, all) => format!("{of} of {all} sets"),
    };
    let mut words = match (all, seen) {
        (0, _) => return "not run".to_owned(),
        (_, 0) => "not seen".to_owned(),
        (_, seen) => format!("seen on {}", sets(seen)),
    };
    if count(Finding::Opposite) > 0 {
        words.push_str(&format!("; the opposite on {}", sets(count(Finding::Opposite))));
    }
    if all < findings.len() {
        words.push_str(&format!("; {} not run", findings.len() - all));
    }
    words
}

#[cfg(test)]
mod tests {
    use super::{Finding, Summary, finding, steps_to, verdict};

    #[test]
    fn deviation_is_that_of_a_sample() {
        let summary = Summary::of(&[1.0, 2.0, 3.0]).unwrap();
        assert_eq!((summary.mean, summary.deviation, summary.low, summary.high), (2.0, 1.0, 1.0, 3.0));
        assert_eq!(Summary::of(&[4.0]).map(|one| one.deviation), Some(0.0));
        assert_eq!(Summary::of(&[]), None);
    }

    #[test]
    fn steps_lie_on_the_line_between_two_points() {
        let curve = [(0.0, 0.2), (10.0, 0.4), (20.0, 0.8)];
        assert!((steps_to(&curve, 0.6).unwrap() - 15.0).abs() < 1e-9);
        assert_eq!(steps_to(&curve, 0.1), Some(0.0));
        assert_eq!(steps_to(&curve, 0.9), None);
    }

    #[test]
    fn a_difference_counts_only_beyond_the_larger_spread() {
        let (low, high) = ([0.1, 0.2, 0.3], [0.35, 0.36, 0.37]);
        assert_eq!(finding(&high, &low), Finding::Seen);
        assert_eq!(finding(&low, &high), Finding::Opposite);
        assert_eq!(finding(&[0.25, 0.26, 0.27], &low), Finding::Unclear);
        assert_eq!(finding(&low, &low), Finding::Unclear);
        assert_eq!(finding(&high[..2], &low), Finding::NotRun);
        assert_eq!(finding(&[0.5; 3], &[0.5; 3]), Finding::Unclear);
    }

    #[test]
    fn a_verdict_names_how_many_sets_show_it() {
        use Finding::{NotRun, Opposite, Seen, Unclear};
        assert_eq!(verdict(&[Seen, Seen]), "seen on both sets");
        assert_eq!(verdict(&[Seen, Unclear]), "seen on 1 of 2 sets");
        assert_eq!(verdict(&[Unclear, Unclear]), "not seen");
        assert_eq!(verdict(&[Opposite, Opposite]), "not seen; the opposite on both sets");
        assert_eq!(verdict(&[NotRun, NotRun]), "not run");
        assert_eq!(verdict(&[Seen, NotRun]), "seen on the one set; 1 not run");
        assert_eq!(verdict(&[Seen, Seen, Seen]), "seen on all 3 sets");
    }
}
