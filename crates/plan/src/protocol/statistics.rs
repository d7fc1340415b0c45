//! What the curves of a race say, in numbers: spread over the seeds, steps to an accuracy, area under the curve, and
//! how two starts differ. Pure arithmetic over reports, so that page, examples and tests say the same.
//!
//! Accuracies are shares, 0..1. A *range* is lowest, mean and highest over the seeds.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use super::paired::{Paired, PairedVerdict, SEEDS_NEEDED};
use super::{CurvePoint, Init, RaceReport, RunReport};

/// Steps whose ratio is below this are called the same.
const SAME_PACE: f64 = 1.05;

/// Lowest, mean and highest of some values.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Range {
    /// Lowest.
    pub low: f64,
    /// Mean.
    pub mean: f64,
    /// Highest.
    pub high: f64,
    /// Standard deviation of the sample (divided by count − 1); 0 for one value.
    pub deviation: f64,
    /// Values.
    pub count: usize,
}

impl Range {
    /// The range of some values; `None` without any finite one.
    pub fn from_values(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let values: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
        let count = values.len();
        if count == 0 {
            return None;
        }
        let mean = values.iter().sum::<f64>() / count as f64;
        let square: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        Some(Self {
            low: values.iter().copied().fold(f64::INFINITY, f64::min),
            mean,
            high: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            deviation: if count > 1 { (square / (count - 1) as f64).sqrt() } else { 0.0 },
            count,
        })
    }
}

/// One point of a start's curve: the range over the seeds that were measured at this step.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// Steps taken.
    pub step: usize,
    /// Over the seeds.
    pub range: Range,
}

/// The curve of a start over the steps at which any of its seeds was measured.
pub fn spread(race: &RaceReport, arm: Init, value: impl Fn(&CurvePoint) -> f64) -> Vec<Spread> {
    let mut steps: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
    for point in runs_of(race, arm).flat_map(|run| &run.points) {
        steps.entry(point.step).or_default().push(value(point));
    }
    steps.into_iter().filter_map(|(step, values)| Some(Spread { step, range: Range::from_values(values)? })).collect()
}

/// Steps after which a curve first reaches an accuracy, on the straight line between the point below and the point at or
/// above it; `None` when no point reaches it.
pub fn steps_to_accuracy(points: &[CurvePoint], accuracy: f64) -> Option<f64> {
    let at = points.iter().position(|point| f64::from(point.validation_accuracy) >= accuracy)?;
    let to = points[at];
    let Some(from) = at.checked_sub(1).map(|before| points[before]) else { return Some(to.step as f64) };
    let (low, high) = (f64::from(from.validation_accuracy), f64::from(to.validation_accuracy));
    Some(from.step as f64 + (accuracy - low) / (high - low) * (to.step - from.step) as f64)
}

/// Area under the validation accuracy by trapezoids, divided by the steps it spans: a mean accuracy over the training.
/// One point gives its own accuracy, none gives `None`.
pub fn area_under_curve(points: &[CurvePoint]) -> Option<f64> {
    let (first, last) = (points.first()?, points.last()?);
    if first.step == last.step {
        return Some(f64::from(last.validation_accuracy));
    }
    let height = |pair: &[CurvePoint]| f64::from(pair[0].validation_accuracy + pair[1].validation_accuracy) / 2.0;
    let area: f64 = points.windows(2).map(|pair| height(pair) * (pair[1].step - pair[0].step) as f64).sum();
    Some(area / (last.step - first.step) as f64)
}

/// How long a start needs to an accuracy.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reached {
    /// Seeds that reached it.
    pub seeds: usize,
    /// Seeds that were measured at all.
    pub of: usize,
    /// Steps of those that reached it.
    pub steps: Option<Range>,
}

impl Reached {
    /// Mean steps, when every seed reached it.
    pub fn mean(&self) -> Option<f64> {
        self.steps.filter(|_| self.seeds == self.of).map(|steps| steps.mean)
    }
}

/// What the curves of one start say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ArmStatistics {
    /// The start.
    pub arm: Init,
    /// Accuracy at the last point of each seed.
    pub last: Range,
    /// Seeds, with their accuracy at the last point.
    pub ends: Vec<(u64, f64)>,
    /// Best accuracy of each seed.
    pub best: Range,
    /// Steps to [`RaceStatistics::accuracy`]; `None` for a start that takes no steps.
    pub reached: Option<Reached>,
    /// Area under the curve of each seed, as a mean accuracy.
    pub area: Range,
    /// Parameters with the classifier.
    pub parameters: u64,
    /// Floating-point operations of one forward pass.
    pub flops: u64,
}

/// Which of two starts reached the accuracy sooner.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Pace {
    /// Both did, after these mean steps, of which neither is clearly the smaller.
    Same {
        /// Of the first start.
        steps: f64,
        /// Of the other.
        other: f64,
    },
    /// Both did, the first one in fewer steps.
    Sooner {
        /// Of the first start.
        steps: f64,
        /// Of the other.
        other: f64,
        /// How many times as many the other needed; `None` when the first had it before any step.
        times: Option<f64>,
    },
    /// Both did, the first one in more steps.
    Later {
        /// Of the first start.
        steps: f64,
        /// Of the other.
        other: f64,
        /// How many times as many it needed; `None` when the other had it before any step.
        times: Option<f64>,
    },
    /// Only the first did, in every seed.
    OnlyThis {
        /// Its mean steps.
        steps: f64,
    },
    /// Only the other did, in every seed.
    OnlyOther {
        /// Its mean steps.
        other: f64,
    },
    /// Neither did in every seed.
    Neither,
}

/// One start against another.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// The first.
    pub arm: Init,
    /// The other.
    pub other: Init,
    /// Which reached the accuracy sooner; `None` where one of them takes no steps.
    pub pace: Option<Pace>,
    /// How they stand at the end, seed by seed; `None` while they have no seed in common.
    pub end: Option<Paired>,
}

/// What a race says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RaceStatistics {
    /// The accuracy that steps are counted to.
    pub accuracy: f64,
    /// Highest mean accuracy that any start that trains has at any step; where none does, that of the yardstick.
    pub best: f64,
    /// Starts with at least one measured point, in the order of the race.
    pub arms: Vec<ArmStatistics>,
    /// Every start that trains against scratch (or against the weakest where that does not race), then the inherited one
    /// against every other, the ancestor as it is among them.
    pub differences: Vec<Difference>,
}

/// Sums a race up. `accuracy` is what steps are counted to; `None` takes 90 % of the best. `None` before anything is
/// measured.
pub fn statistics(race: &RaceReport, accuracy: Option<f64>) -> Option<RaceStatistics> {
    let best_of = |is_frozen: bool| {
        let arms = race.settings.arms.iter().filter(|arm| arm.is_frozen() == is_frozen);
        arms.flat_map(|&arm| spread(race, arm, right)).map(|point| point.range.mean).reduce(f64::max)
    };
    // A yardstick that nobody reaches would make the steps to nine tenths of it a question without answers.
    let best = best_of(false).or_else(|| best_of(true))?;
    let accuracy = accuracy.unwrap_or(0.9 * best);
    let arms: Vec<_> = race.settings.arms.iter().filter_map(|&arm| arm_statistics(race, arm, accuracy)).collect();
    Some(RaceStatistics { accuracy, best, differences: differences(&arms), arms })
}

/// The accuracy of a point.
pub fn right(point: &CurvePoint) -> f64 {
    f64::from(point.validation_accuracy)
}

fn runs_of(race: &RaceReport, arm: Init) -> impl Iterator<Item = &RunReport> {
    race.runs.iter().filter(move |run| run.arm == arm)
}

fn arm_statistics(race: &RaceReport, arm: Init, accuracy: f64) -> Option<ArmStatistics> {
    let measured: Vec<&RunReport> = runs_of(race, arm).filter(|run| !run.points.is_empty()).collect();
    let first = measured.first()?;
    let over = |value: fn(&[CurvePoint]) -> Option<f64>| {
        Range::from_values(measured.iter().filter_map(|run| value(&run.points)))
    };
    let steps: Vec<f64> = measured.iter().filter_map(|run| steps_to_accuracy(&run.points, accuracy)).collect();
    let reached = Reached { seeds: steps.len(), of: measured.len(), steps: Range::from_values(steps) };
    Some(ArmStatistics {
        arm,
        last: over(|points| points.last().map(right))?,
        ends: measured.iter().filter_map(|run| Some((run.seed, run.points.last().map(right)?))).collect(),
        best: over(|points| points.iter().map(right).reduce(f64::max))?,
        reached: (!arm.is_frozen()).then_some(reached),
        area: over(area_under_curve)?,
        parameters: first.parameters,
        flops: first.flops,
    })
}

fn differences(arms: &[ArmStatistics]) -> Vec<Difference> {
    let of = |start| arms.iter().find(|arm| arm.arm == start);
    let trained = || arms.iter().filter(|arm| !arm.arm.is_frozen());
    let weakest = || trained().min_by(|a, b| a.last.mean.total_cmp(&b.last.mean));
    let Some(base) = of(Init::Scratch).or_else(weakest) else { return Vec::new() };
    let others = |than: Init| arms.iter().filter(move |arm| arm.arm != than);
    let mut all: Vec<_> = trained().filter(|arm| arm.arm != base.arm).map(|arm| difference(arm, base)).collect();
    if let Some(inherited) = of(Init::Inherited) {
        let rest = others(Init::Inherited).filter(|arm| arm.arm != base.arm);
        all.extend(rest.map(|arm| difference(inherited, arm)));
    }
    all
}

/// One start against another.
pub fn difference(arm: &ArmStatistics, other: &ArmStatistics) -> Difference {
    let reached = arm.reached.as_ref().zip(other.reached.as_ref());
    Difference {
        arm: arm.arm,
        other: other.arm,
        pace: reached.map(|(one, other)| pace(one.mean(), other.mean())),
        end: Paired::from_seeds(&arm.ends, &other.ends),
    }
}

fn pace(steps: Option<f64>, other: Option<f64>) -> Pace {
    match (steps, other) {
        (Some(steps), Some(other)) => {
            let (fewer, more) = (steps.min(other), steps.max(other));
            let times = (fewer > 0.0).then(|| more / fewer);
            match times {
                _ if more == fewer => Pace::Same { steps, other },
                Some(times) if times < SAME_PACE => Pace::Same { steps, other },
                times if steps < other => Pace::Sooner { steps, other, times },
                times => Pace::Later { steps, other, times },
            }
        }
        (Some(steps), None) => Pace::OnlyThis { steps },
        (None, Some(other)) => Pace::OnlyOther { other },
        (None, None) => Pace::Neither,
    }
}
