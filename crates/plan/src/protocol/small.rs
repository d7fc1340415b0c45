//! Which of the models cut out of the ancestor is small and yet large enough.

use serde::{Deserialize, Serialize};

use super::{Design, ExperimentReport, Init, RaceReport, RaceState, RunReport};

/// Bytes of a parameter in a saved model.
pub const PARAMETER_BYTES: f64 = 4.0;

/// What a small model may cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Most parameters; `None` = half of the whole ancestor's.
    pub parameters: Option<u64>,
    /// Most floating-point operations for a picture; `None` = any number.
    pub flops: Option<u64>,
}

impl Limits {
    /// None at all.
    pub const NONE: Self = Self { parameters: Some(u64::MAX), flops: None };
}

/// A model that is small and large enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SmallEnough {
    /// Its race.
    pub race: usize,
    /// Whether it keeps the limits. Where no model does, it is the smallest.
    pub is_within: bool,
}

impl ExperimentReport {
    /// The race in which a model was trained on, if that is what came of it.
    pub fn trained_on(&self, race: usize) -> Option<usize> {
        let (from, last) = (self.races.get(race)?, self.races.len().checked_sub(1)?);
        let is_tuned = |run: &RunReport| run.arm == Init::Tuned && run.has_model && run.step > 0;
        let of_it = &self.races[last];
        (of_it.settings.cut == from.settings.cut && of_it.runs.iter().any(is_tuned)).then_some(last)
    }

    /// Whether its models are the ancestor's first blocks.
    pub fn is_of_depths(&self) -> bool {
        matches!(self.settings.design, Design::Depths { .. })
    }

    /// Of the models that keep the limits the smallest that is large enough: by the training pictures that were held out,
    /// within one standard error of the best of them (Breiman et al. 1984; the error by Agresti and Coull 1998, with two
    /// more of either kind, because that of a share of 1 would be 0). Checking pictures are not looked at. `None` where
    /// nothing was held out, and for other experiments.
    pub fn small_enough(&self, limits: Limits) -> Option<SmallEnough> {
        let Design::Depths { cuts, .. } = &self.settings.design else { return None };
        let fitted = self.races.get(..cuts.len().min(self.races.len()))?;
        let is_stopped = fitted.last().is_some_and(|race| race.state == RaceState::Stopped);
        let has_ended = fitted.len() == cuts.len() && fitted.iter().all(|race| race.state == RaceState::Finished);
        if !has_ended && !is_stopped {
            return None;
        }
        let whole = fitted.iter().find(|race| race.settings.cut == 0).and_then(|race| race.runs.first());
        let half = || whole.map_or(u64::MAX, |run| run.parameters / 2);
        let most = (limits.parameters.unwrap_or_else(half), limits.flops.unwrap_or(u64::MAX));
        struct Candidate {
            race: usize,
            parameters: u64,
            right: f64,
            pictures: f64,
            is_within: bool,
        }
        let candidate = |(at, race): (usize, &RaceReport)| {
            let run = race.runs.first().filter(|run| run.failure.is_none())?;
            let [right, all] = run.held_out.filter(|[_, all]| *all > 0)?;
            Some(Candidate {
                race: at,
                parameters: run.parameters,
                right: right as f64 / all as f64,
                pictures: all as f64,
                is_within: run.parameters <= most.0 && run.flops <= most.1,
            })
        };
        let all: Vec<_> = fitted.iter().enumerate().filter_map(candidate).collect();
        let within: Vec<_> = all.iter().filter(|one| one.is_within).collect();
        let Some(best) = within.iter().max_by(|a, b| a.right.total_cmp(&b.right)) else {
            let smallest = all.iter().min_by_key(|one| one.parameters)?;
            return Some(SmallEnough { race: smallest.race, is_within: false });
        };
        let wider = (best.right * best.pictures + 2.0) / (best.pictures + 4.0);
        let error = (wider * (1.0 - wider) / (best.pictures + 4.0)).sqrt();
        let enough = within.iter().filter(|one| one.right >= best.right - error);
        enough.min_by_key(|one| one.parameters).map(|one| SmallEnough { race: one.race, is_within: true })
    }
}
