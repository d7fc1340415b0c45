//! A whole race on the host and back.

use super::Crew;
use super::race::{Phase, Race, RacePlan, RunProgress};
use super::state::{DeviceTensor, HostTensors, load_model, parts_of_model, read_parts, take};
use super::{Batches, Classifier, Initializers, Run, RunHeader, RunState, TrainError};
use burn::tensor::Device;
use serde::{Deserialize, Serialize};
use std::rc::Rc;

/// What a saved race says besides its tensors; serialise it as JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RaceHeader {
    plan: RacePlan,
    phase: Phase,
    #[serde(rename = "heat")]
    group: usize,
    step: usize,
    reports: Vec<RunProgress>,
    /// Headers of the arms of the group under way; `None` where a run failed.
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
    pub fn reports(&self) -> &[RunProgress] {
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

/// A whole race, its tensors still on the device.
#[derive(Debug)]
pub struct RaceParts {
    /// Everything that is not a tensor.
    pub header: RaceHeader,
    /// The runs under way, named as in [`RaceState::tensors`].
    pub live: Vec<DeviceTensor>,
    /// The models of finished runs, which never change again; named without `trained.{run}.`.
    pub trained: Vec<(usize, Vec<DeviceTensor>)>,
}

impl<M: Classifier, B: Batches, S: Initializers<M>> Race<M, B, S> {
    /// Reads the whole race back; possible between any two calls of [`Race::advance`]. A judging under way begins anew
    /// after restoring.
    ///
    /// # Errors
    /// When the device does not answer.
    pub async fn save(&self) -> Result<RaceState, TrainError> {
        let RaceParts { header, live, trained } = self.parts()?;
        let mut tensors = read_parts(live).await?;
        for (run, parts) in trained {
            let weights = read_parts(parts).await?.into_iter();
            tensors.extend(weights.map(|(name, tensor)| (format!("trained.{run}.{name}"), tensor)));
        }
        Ok(RaceState { header, tensors })
    }

    /// The same with all tensors still on the device. Drop them before the race goes on.
    ///
    /// # Errors
    /// When an earlier step broke off half-way.
    pub fn parts(&self) -> Result<RaceParts, TrainError> {
        let (mut live, mut headers) = (Vec::new(), Vec::new());
        for (arm, run) in self.live.iter().enumerate() {
            let parts = run.as_ref().map(|run| run.parts()).transpose()?;
            let (header, tensors) = parts.unzip();
            headers.push(header);
            live.extend(tensors.into_iter().flatten().map(|part| part.under(&format!("live.{arm}."))));
        }
        let of_run = |(run, model): (usize, &Option<M>)| Some((run, parts_of_model(model.as_ref()?)));
        let header = RaceHeader {
            plan: self.plan.clone(),
            phase: self.phase,
            group: self.group,
            step: self.step,
            reports: self.reports.clone(),
            live: headers,
            trained: self.trained.iter().map(Option::is_some).collect(),
        };
        Ok(RaceParts { header, live, trained: self.trained.iter().enumerate().filter_map(of_run).collect() })
    }

    /// From the next step on a batch goes in parts of so many pictures; 0 = as a whole.
    pub fn set_micro_batch(&mut self, pictures: usize) {
        self.plan.micro_batch = pictures;
        self.live.iter_mut().flatten().for_each(|run| run.set_micro_batch(pictures));
    }

    /// Lets a crew compute with it, from now on; what comes of the race has the same bits.
    pub fn set_crew(&mut self, crew: Option<Rc<dyn Crew>>) {
        self.crew = crew;
        let (parts, crew) = (self.plan.parts, &self.crew);
        self.live.iter_mut().flatten().for_each(|run| run.set_crew(parts, crew.clone()));
    }

    /// Threads that compute with it now.
    pub fn threads(&self) -> usize {
        let helping = self.crew.as_ref().filter(|_| self.plan.parts > 1);
        1 + helping.map_or(0, |crew| crew.hands())
    }

    pub(super) fn equip(&self, run: &mut Run<M>) {
        run.set_micro_batch(self.plan.micro_batch);
        run.set_crew(self.plan.parts, self.crew.clone());
    }

    /// Whole passes over the training pictures, over all seeds.
    pub fn passes(&self) -> usize {
        let steps = self.group * self.plan.steps + self.step;
        (steps as f64 / self.batches.steps_per_epoch().max(f64::MIN_POSITIVE)) as usize
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
        Self::new(header.plan.clone(), batches, starts, device, clock).resume(header, &mut tensors).await
    }

    /// A race at its start goes on where a saved one of the same plan stood. Tensors are asked for run by run, so that
    /// only one run lies on the host at a time.
    ///
    /// # Errors
    /// When the state belongs to other models or is incomplete, or its start values fail.
    pub async fn resume<T: SavedTensors>(self, header: RaceHeader, tensors: &mut T) -> Result<Self, TrainError> {
        let mut race = self;
        if !header.fits(&race) {
            return Err(TrainError::State("its runs are not those of its plan".into()));
        }
        // It may have been halved on the way.
        (race.plan.micro_batch, race.plan.parts) = (header.plan.micro_batch, header.plan.parts);
        (race.phase, race.group, race.step, race.reports) = (header.phase, header.group, header.step, header.reports);
        for (run, _) in header.trained.iter().enumerate().filter(|(_, is_trained)| **is_trained) {
            let (arm, seed) = (race.reports[run].arm, race.reports[run].seed);
            let model = race.starts.blank(arm, seed).await?;
            race.trained[run] = Some(load_model(model, &tensors.take(&format!("trained.{run}.")).await?)?.valid());
        }
        for (arm, live) in header.live.into_iter().enumerate() {
            let run = match live {
                Some(header) => {
                    let start = race.reports[race.group * race.parallel_arms() + arm].arm;
                    let model = race.starts.blank(start, header.settings.seed).await?;
                    let tensors = tensors.take(&format!("live.{arm}.")).await?;
                    let mut run = Run::restore(model, RunState { header, tensors })?;
                    race.equip(&mut run);
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

impl RaceHeader {
    /// Whether it can be the state of this race, which is at its start.
    fn fits<M: Classifier, B: Batches, S: Initializers<M>>(&self, race: &Race<M, B, S>) -> bool {
        let (plan, runs, lanes) = (&race.plan, &race.reports, race.parallel_arms());
        let is_run = |(mine, run): (&RunProgress, &RunProgress)| {
            (mine.arm, mine.seed) == (run.arm, run.seed) && mine.step <= plan.steps
        };
        let is_phase = match self.phase {
            Phase::Start { arm } => arm < lanes && arm == self.live.len(),
            Phase::Judge { arm } | Phase::Step { arm } => arm < lanes && self.live.len() == lanes,
            Phase::Finished => self.live.is_empty(),
        };
        self.reports.len() == runs.len()
            && self.reports.iter().zip(runs).all(is_run)
            && self.trained.len() == runs.len()
            && self.step <= plan.steps
            && is_phase
            && (self.group < race.groups() || self.phase == Phase::Finished)
    }
}

/// Where the tensors of a saved race come from: memory, or a file that is read run by run.
pub trait SavedTensors {
    /// The tensors whose names begin with `prefix`, without it; they are not asked for again.
    fn take(&mut self, prefix: &str) -> impl Future<Output = Result<HostTensors, TrainError>>;
}

impl SavedTensors for HostTensors {
    async fn take(&mut self, prefix: &str) -> Result<HostTensors, TrainError> {
        Ok(take(self, prefix))
    }
}
