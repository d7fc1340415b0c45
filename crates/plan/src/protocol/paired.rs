//! Two starts compared seed by seed (docs/methods.md, section 7.5). All starts of a seed see the same pictures, batches and
//! crops, so what a seed has of luck is in both of them, and falls out of their difference.

use std::f64::consts::FRAC_2_PI;

use serde::{Deserialize, Serialize};

/// Seeds from which on a claim is judged.
pub const SEEDS_NEEDED: usize = 5;
/// Probability that the interval covers the mean difference.
const COVERED: f64 = 0.95;
/// Differences below this are rounding.
const ROUNDING: f64 = 1e-9;

/// Differences of two starts, one per seed: the first minus the other.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Paired {
    /// Mean of the differences.
    pub mean: f64,
    /// Their standard deviation (divided by count − 1); 0 for one seed.
    pub deviation: f64,
    /// The 95 % interval of the mean by Student's t; `None` for one seed, of which chance cannot be told.
    pub interval: Option<(f64, f64)>,
    /// Seeds that both starts have.
    pub seeds: usize,
}

/// What the differences say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PairedVerdict {
    /// There is one seed: nothing can be said.
    OneSeed,
    /// The interval lies above 0.
    Higher,
    /// The interval lies below 0.
    Lower,
    /// The interval holds 0.
    NoDifference,
}

impl Paired {
    /// Of differences; `None` without any finite one.
    pub fn from_differences(differences: impl IntoIterator<Item = f64>) -> Option<Self> {
        let range = super::statistics::Range::from_values(differences)?;
        let error = range.deviation / (range.count as f64).sqrt();
        let half = student_t(range.count - 1).map(|quantile| quantile * error);
        Some(Self {
            mean: range.mean,
            deviation: range.deviation,
            interval: half.map(|half| (range.mean - half, range.mean + half)),
            seeds: range.count,
        })
    }

    /// Of the values of two starts by their seeds; seeds that only one of them has are left out.
    pub fn from_seeds(ours: &[(u64, f64)], theirs: &[(u64, f64)]) -> Option<Self> {
        let other = |seed: u64| theirs.iter().find(|(one, _)| *one == seed).map(|(_, value)| *value);
        Self::from_differences(ours.iter().filter_map(|&(seed, value)| Some(value - other(seed)?)))
    }

    /// What they say.
    pub fn verdict(&self) -> PairedVerdict {
        match self.interval {
            None => PairedVerdict::OneSeed,
            Some((low, _)) if low > ROUNDING => PairedVerdict::Higher,
            Some((_, high)) if high < -ROUNDING => PairedVerdict::Lower,
            Some(_) => PairedVerdict::NoDifference,
        }
    }
}

/// How many standard errors the 95 % interval reaches to either side of a mean with so many degrees of freedom; `None`
/// for 0.
pub fn student_t(freedom: usize) -> Option<f64> {
    if freedom == 0 {
        return None;
    }
    // Within `t` lies more the larger it is; one degree, the widest, needs 12.7.
    let (mut low, mut high) = (0.0, 16.0);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        *(if within(middle, freedom) < COVERED { &mut low } else { &mut high }) = middle;
    }
    Some(f64::midpoint(low, high))
}

/// Probability that a variable of Student's t lies within `t` of 0, by the finite sums for whole degrees of freedom
/// (Abramowitz and Stegun, 26.7.3 and 26.7.4).
fn within(t: f64, freedom: usize) -> f64 {
    let angle = (t / (freedom as f64).sqrt()).atan();
    let (sine, cosine) = angle.sin_cos();
    let is_odd = freedom % 2 == 1;
    // cos θ (1 + 2/3 cos² θ + …) or 1 + 1/2 cos² θ + …
    let (mut term, mut sum) = (if is_odd { cosine } else { 1.0 }, 0.0);
    for step in 0..freedom / 2 {
        sum += term;
        let top = (2 * step + if is_odd { 2 } else { 1 }) as f64;
        term *= cosine * cosine * top / (top + 1.0);
    }
    if is_odd { FRAC_2_PI * (angle + sine * sum) } else { sine * sum }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_tables() {
        let table = [
            (1, 12.7062),
            (2, 4.3027),
            (3, 3.1824),
            (4, 2.7764),
            (5, 2.5706),
            (6, 2.4469),
            (9, 2.2622),
            (10, 2.2281),
            (19, 2.0930),
            (30, 2.0423),
            (120, 1.9799),
        ];
        for (freedom, expected) in table {
            let found = student_t(freedom).unwrap();
            assert!((found - expected).abs() < 6e-5, "{freedom}: {found}, not {expected}");
        }
        assert_eq!(student_t(0), None);
    }

    /// The extra sleep of ten patients under two drugs (Student 1908): mean difference 1.58, t = 4.0621, interval 0.7001 to
    /// 2.4599.
    #[test]
    fn students_own_example_gives_his_interval() {
        let first = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0];
        let second = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4];
        let seeds = |values: [f64; 10]| (1..).zip(values).collect::<Vec<(u64, f64)>>();
        let paired = Paired::from_seeds(&seeds(second), &seeds(first)).unwrap();
        let (low, high) = paired.interval.unwrap();
        assert_eq!(paired.seeds, 10);
        assert!((paired.mean - 1.58).abs() < 1e-12 && (paired.deviation - 1.229_995).abs() < 1e-6, "{paired:?}");
        assert!((low - 0.700_114).abs() < 1e-5 && (high - 2.459_886).abs() < 1e-5, "{low} {high}");
        assert_eq!(paired.verdict(), PairedVerdict::Higher);
        assert_eq!(Paired::from_seeds(&seeds(first), &seeds(second)).unwrap().verdict(), PairedVerdict::Lower);
    }

    #[test]
    fn what_all_seeds_share_falls_out_of_the_difference() {
        // The ranges of the two starts overlap almost whole; every seed says the same.
        let theirs: Vec<(u64, f64)> = (1..).zip([0.40, 0.50, 0.60, 0.70, 0.80]).collect();
        let ours: Vec<(u64, f64)> = (1..).zip([0.43, 0.52, 0.63, 0.72, 0.83]).collect();
        let paired = Paired::from_seeds(&ours, &theirs).unwrap();
        assert!((paired.mean - 0.026).abs() < 1e-12, "{paired:?}");
        assert_eq!((paired.seeds, paired.verdict()), (SEEDS_NEEDED, PairedVerdict::Higher));
    }

    #[test]
    fn only_seeds_of_both_count_and_one_is_no_interval() {
        let theirs = [(2, 0.5), (3, f64::NAN), (4, 0.5)];
        let two = Paired::from_seeds(&[(1, 0.9), (2, 0.5), (3, 0.6), (4, 0.7)], &theirs).unwrap();
        assert_eq!(two.seeds, 2);
        assert_eq!(two.verdict(), PairedVerdict::NoDifference, "{two:?}");
        let one = Paired::from_seeds(&[(4, 0.7)], &theirs).unwrap();
        assert_eq!((one.interval, one.deviation, one.verdict()), (None, 0.0, PairedVerdict::OneSeed));
        assert_eq!(Paired::from_seeds(&[(1, 0.7)], &theirs), None);
        let level = Paired::from_differences([0.0; 5]).unwrap();
        assert_eq!(level.verdict(), PairedVerdict::NoDifference);
    }
}
