//! The rule by which a claim is seen.

use heirloom_plan::protocol::statistics::Range;

/// Seeds that a verdict needs on either side.
pub const SEEDS_NEEDED: usize = 3;

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
    let (Some(one), Some(other)) =
        (Range::from_values(ours.iter().copied()), Range::from_values(theirs.iter().copied()))
    else {
        return Finding::NotRun;
    };
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
    use super::{Finding, finding, verdict};

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
