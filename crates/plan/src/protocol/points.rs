//! What an experiment of several races says: one point per race and start, and what follows from them.

use serde::{Deserialize, Serialize};

use super::statistics::Range;
use super::{ExperimentReport, Init, LearningRate, RaceReport, RunReport};

/// How one start did in one race of an experiment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExperimentPoint {
    /// Which race.
    pub race: usize,
    /// The start.
    pub arm: Init,
    /// Heads per layer, where the family has heads.
    pub heads: Option<usize>,
    /// Layers.
    pub layers: usize,
    /// Blocks that the ancestor as it is kept, 0 = all.
    pub cut: usize,
    /// Parameters with the classifier.
    pub parameters: u64,
    /// Floating-point operations of one forward pass.
    pub flops: u64,
    /// Peak learning rate.
    pub lr: LearningRate,
    /// Pictures per step.
    pub batch: usize,
    /// Share of the training pictures.
    pub share: f64,
    /// Accuracy at the last point of each seed; `None` when nothing was measured.
    pub accuracy: Option<Range>,
    /// Seeds that diverged.
    pub diverged: usize,
    /// Of a classifier that was fitted: held-out pictures named rightly, and all.
    pub held_out: Option<[usize; 2]>,
}

impl ExperimentReport {
    /// One point per race and start, in their order.
    pub fn points(&self) -> Vec<ExperimentPoint> {
        let races = self.races.iter().enumerate();
        races
            .flat_map(|(index, race)| race.settings.arms.iter().filter_map(move |&arm| point(index, race, arm)))
            .collect()
    }

    /// The race, run and accuracy of the best model, the earliest of equals: by the accuracy at its last point. The
    /// ancestor as it is, a yardstick, is the best only where nothing else races.
    pub fn best(&self) -> Option<(usize, usize, f64)> {
        let is_alone = self.settings.race.arms.iter().all(|arm| arm.is_frozen());
        let runs = self.races.iter().enumerate().flat_map(|(race, report)| {
            let is_meant = |run: &RunReport| run.failure.is_none() && (is_alone || !run.arm.is_frozen());
            let ended = report.runs.iter().enumerate().filter(move |(_, run)| is_meant(run));
            ended.filter_map(move |(run, report)| {
                Some((race, run, f64::from(report.points.last()?.validation_accuracy)))
            })
        });
        runs.reduce(|best, one| if one.2 > best.2 { one } else { best })
    }
}

fn point(index: usize, race: &RaceReport, arm: Init) -> Option<ExperimentPoint> {
    let runs: Vec<&RunReport> = race.runs.iter().filter(|run| run.arm == arm).collect();
    let (first, settings) = (runs.first()?, &race.settings);
    // A seed under way, or not yet begun, would pull the mean to where it does not belong.
    let ended = runs.iter().filter(|run| run.step >= settings.steps);
    let last = ended.filter_map(|run| run.points.last()).map(|point| f64::from(point.validation_accuracy));
    Some(ExperimentPoint {
        race: index,
        arm,
        heads: first.size.1,
        layers: first.size.0,
        cut: settings.cut,
        parameters: first.parameters,
        flops: first.flops,
        lr: settings.lr,
        batch: settings.batch,
        share: settings.share,
        accuracy: Range::from_values(last),
        diverged: runs.iter().filter(|run| run.failure.is_some()).count(),
        held_out: first.held_out,
    })
}

/// How a start stands the settings of an experiment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sensitivity {
    /// The start.
    pub arm: Init,
    /// Its best point.
    pub best: ExperimentPoint,
    /// Mean accuracy of the best and of the worst point; one that diverged counts as 0.
    pub between: (f64, f64),
    /// Points with a result.
    pub count: usize,
}

/// How much each start depends on the settings that differ, in the order of the races' starts. The ancestor as it is,
/// which depends on none of those of training, is left out.
pub fn sensitivity(points: &[ExperimentPoint]) -> Vec<Sensitivity> {
    let mut arms: Vec<Init> = Vec::new();
    points.iter().for_each(|point| {
        if !point.arm.is_frozen() && !arms.contains(&point.arm) {
            arms.push(point.arm);
        }
    });
    let value = |point: &ExperimentPoint| match &point.accuracy {
        Some(range) => Some(range.mean),
        None if point.diverged > 0 => Some(0.0),
        None => None,
    };
    let of_arm = |arm: Init| {
        let mut ranked: Vec<_> =
            points.iter().filter(|point| point.arm == arm).filter_map(|p| Some((value(p)?, p))).collect();
        // Stable, so that the earliest of equals comes first.
        ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
        let (best, worst) = (ranked.first()?, ranked.last()?);
        Some(Sensitivity { arm, best: best.1.clone(), between: (best.0, worst.0), count: ranked.len() })
    };
    arms.into_iter().filter_map(of_arm).collect()
}

/// The smallest share of the pictures with which a start is at least as good as another with the largest share of all;
/// `None` when it never is, or nothing was measured.
pub fn share_that_suffices(points: &[ExperimentPoint], arm: Init, other: Init) -> Option<(f64, f64)> {
    let of = |arm: Init| {
        points
            .iter()
            .filter(move |point| point.arm == arm)
            .filter_map(|point| Some((point.share, point.accuracy?.mean)))
    };
    let most = of(other).reduce(|most, one| if one.0 > most.0 { one } else { most })?;
    let enough = of(arm).filter(|(_, accuracy)| *accuracy >= most.1).map(|(share, _)| share).reduce(f64::min)?;
    Some((enough, most.0))
}
