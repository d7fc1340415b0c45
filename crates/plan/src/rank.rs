//! Rank correlation.

/// Spearman's rank correlation of two rows of numbers, −1..1, equal numbers sharing their mean rank; `None` when there
/// are fewer than two, their counts differ, or one row has no spread.
pub fn spearman(one: &[f64], other: &[f64]) -> Option<f64> {
    if one.len() != other.len() || one.len() < 2 {
        return None;
    }
    let (one, other) = (ranks(one), ranks(other));
    let mean = (one.len() - 1) as f64 / 2.0;
    let sum = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - mean) * (b - mean)).sum::<f64>();
    let spread = (sum(&one, &one) * sum(&other, &other)).sqrt();
    (spread > 0.0).then(|| sum(&one, &other) / spread)
}

/// Rank of every number, from 0.
fn ranks(values: &[f64]) -> Vec<f64> {
    let rank = |value: &f64| {
        let below = values.iter().filter(|other| *other < value).count();
        let equal = values.iter().filter(|other| *other == value).count();
        below as f64 + (equal as f64 - 1.0) / 2.0
    };
    values.iter().map(rank).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rank_correlation_is_one_for_any_rise_and_shares_the_ranks_of_equals() {
        assert_eq!(spearman(&[1.0, 2.0, 30.0], &[0.1, 0.2, 0.21]), Some(1.0));
        assert_eq!(spearman(&[1.0, 2.0, 30.0], &[3.0, 2.0, 1.0]), Some(-1.0));
        // Ranks 0, 1, 2 against 0, 1.5, 1.5: 1.5 / √(2 · 1.5).
        let shared = spearman(&[1.0, 2.0, 3.0], &[5.0, 7.0, 7.0]).unwrap();
        assert!((shared - 1.5 / 3f64.sqrt()).abs() < 1e-12);
        assert_eq!(spearman(&[1.0, 2.0], &[1.0, 1.0]), None);
        assert_eq!(spearman(&[1.0], &[1.0]), None);
    }
}
