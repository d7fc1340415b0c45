//! The rule by which a claim is seen.

use heirloom_plan::protocol::statistics::{Paired, PairedVerdict, SEEDS_NEEDED};

/// Values of a start with their seeds.
pub type BySeed = Vec<(u64, f64)>;

/// The values alone.
pub fn values(all: &[(u64, f64)]) -> Vec<f64> {
    all.iter().map(|(_, value)| *value).collect()
}

/// What one picture set says of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The interval of the mean difference of the seeds lies on the claimed side of 0.
    Seen,
    /// It lies on the other side.
    Opposite,
    /// It holds 0.
    Unclear,
    /// Too few seeds.
    NotRun,
}

/// Whether `ours` is larger than `theirs`, by the rule (docs/methods.md, section 7.5).
pub fn finding(ours: &[(u64, f64)], theirs: &[(u64, f64)]) -> Finding {
    let paired = Paired::from_seeds(ours, theirs).filter(|paired| paired.seeds >= SEEDS_NEEDED);
    match paired.map(|paired| paired.verdict()) {
        None | Some(PairedVerdict::OneSeed) => Finding::NotRun,
        Some(PairedVerdict::Higher) => Finding::Seen,
        Some(PairedVerdict::Lower) => Finding::Opposite,
        Some(PairedVerdict::NoDifference) => Finding::Unclear,
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
    use super::{BySeed, Finding, finding, verdict};

    fn by_seed(values: &[f64]) -> BySeed {
        (1..).zip(values.iter().copied()).collect()
    }

    #[test]
    fn a_difference_is_seen_when_its_interval_leaves_zero_out() {
        // Seeds differ by more than the starts do, and every seed says the same.
        let (low, high) = (by_seed(&[0.1, 0.2, 0.3, 0.4, 0.5]), by_seed(&[0.13, 0.22, 0.33, 0.42, 0.53]));
        assert_eq!(finding(&high, &low), Finding::Seen);
        assert_eq!(finding(&low, &high), Finding::Opposite);
        // 0.04 ± 0.055: the interval is 0.04 ± 2.776 · 0.0245.
        let mixed = by_seed(&[0.1, 0.3, 0.3, 0.5, 0.5]);
        assert_eq!(finding(&mixed, &low), Finding::Unclear);
        assert_eq!(finding(&low, &low), Finding::Unclear);
        assert_eq!(finding(&high[..4], &low), Finding::NotRun, "four seeds are too few");
        assert_eq!(finding(&high, &low[1..]), Finding::NotRun, "a seed that one side lacks is no pair");
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
