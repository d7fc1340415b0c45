//! A whole race on the host and back.

use super::race::{Phase, Race, RacePlan, RunReport};
use super::state::{HostTensors, load_model, read_model, take};
use super::{Batches, Classifier, Run, RunHeader, RunState, Starts, TrainError};
use burn::tensor::Device;
use serde::{Deserialize, Serialize};

/// What a saved race says besides its tensors; serialise it as JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RaceHeader {
    plan: RacePlan,
    phase: Phase,
    heat: usize,
    step: usize,
    reports: Vec<RunReport>,
    /// Headers of the arms of the heat under way; `None` where a run failed.
    live: Vec<Option<RunHeader>>,
    /// Which runs are trained to their end and have a model.
    trained: Vec<bool>,
}

impl RaceHeader {
    /// What is raced.
    pub fn plan(&self) -> &RacePlan {
        &self.plan
    }

    /// All runs as they stood.
    pub fn reports(&self) -> &[RunReport] {
        &self.reports
    }
}

/// A whole race on the host.
#[derive(Clone, Debug, PartialEq)]
pub struct RaceState {
    /// Everything that is not a tensor.
    pub header: RaceHeader,
    /// `live.{arm}.…` as in [`RunState::tensors`], `trained.{run}.{path}`.
    pub tensors: HostTensors,
}

impl<M: Classifier, B: Batches, S: Starts<M>> Race<M, B, S> {
    /// Reads the whole race back; possible between any two calls of [`Race::advance`]. A judging under way begins anew
    /// after restoring.
    ///
    /// # Errors
    /// When the device does not answer.
    pub async fn save(&self) -> Result<RaceState, TrainError> {
        let mut tensors = HostTensors::new();
        let mut live = Vec::new();
        for (arm, run) in self.live.iter().enumerate() {
            let Some(run) = run else {
                live.push(None);
                continue;
            };
            let state = run.save().await?;
            tensors.extend(state.tensors.into_iter().map(|(name, tensor)| (format!("live.{arm}.{name}"), tensor)));
            live.push(Some(state.header));
        }
        for (run, model) in self.trained.iter().enumerate() {
            if let Some(model) = model {
                let weights = read_model(model).await?;
                tensors.extend(weights.into_iter().map(|(name, tensor)| (format!("trained.{run}.{name}"), tensor)));
            }
        }
        let header = RaceHeader {
            plan: self.plan.clone(),
            phase: self.phase,
            heat: self.heat,
            step: self.step,
            reports: self.reports.clone(),
            live,
            trained: self.trained.iter().map(Option::is_some).collect(),
        };
        Ok(RaceState { header, tensors })
    }

    /// The race a state was saved from. `starts` makes the models again, whose weights are then replaced.
    ///
    /// # Errors
    /// When the state belongs to other models or is incomplete, or `starts` fails.
    pub async fn restore(
        state: RaceState,
        batches: B,
        starts: S,
        device: &Device,
        clock: fn() -> f64,
    ) -> Result<Self, TrainError> {
        let RaceState { header, mut tensors } = state;
        let mut race = Self::new(header.plan, batches, starts, device, clock);
        let fits = header.reports.len() == race.reports.len()
            && header.trained.len() == race.reports.len()
            && header.live.len() <= race.lanes()
            && (header.heat < race.heats() || header.phase == Phase::Finished);
        if !fits {
            return Err(TrainError::State("its runs are not those of its plan".into()));
        }
        (race.phase, race.heat, race.step, race.reports) = (header.phase, header.heat, header.step, header.reports);
        for (run, _) in header.trained.iter().enumerate().filter(|(_, is_trained)| **is_trained) {
            let (arm, seed) = (race.reports[run].arm, race.reports[run].seed);
            let model = race.starts.start(arm, seed).await?;
            race.trained[run] = Some(load_model(model, &take(&mut tensors, &format!("trained.{run}.")))?.valid());
        }
        for (arm, live) in header.live.into_iter().enumerate() {
            let run = match live {
                Some(header) => {
                    let start = race.reports[race.heat * race.lanes() + arm].arm;
                    let model = race.starts.start(start, header.settings.seed).await?;
                    let state = RunState { header, tensors: take(&mut tensors, &format!("live.{arm}.")) };
                    let mut run = Run::restore(model, state)?;
                    run.set_micro_batch(race.plan.micro_batch);
                    Some(run)
                }
                None => None,
            };
            race.live.push(run);
        }
        let (Phase::Judge { arm } | Phase::Step { arm }) = race.phase else { return Ok(race) };
        match race.live.get(arm) {
            Some(Some(_)) => Ok(race),
            _ => Err(TrainError::State(format!("arm `{arm}` is next, but has no model"))),
        }
    }
}
