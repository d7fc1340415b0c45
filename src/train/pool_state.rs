//! A whole pool in the making on the host and back.

use burn::module::Module;
use serde::{Deserialize, Serialize};

use super::pool::{Phase, Pooling};
use super::pool_plan::{PoolPlan, PoolReport};
use super::state::{HostTensors, load_model, read_model, take};
use super::{Batches, Classifier, Features, Probe, Run, RunHeader, RunState, TrainError};
use crate::learngene::pool::Auxiliary;
use crate::vit::{RandomWeights, Vit};

/// What a saved pool says besides its tensors; serialise it as JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PoolHeader {
    plan: PoolPlan,
    phase: Phase,
    report: PoolReport,
    head: RunHeader,
    live_head: Option<RunHeader>,
    live: Option<RunHeader>,
    distilled: usize,
    net: Option<RunHeader>,
    has_anchor_teacher: bool,
}

impl PoolHeader {
    /// How it is made.
    pub fn plan(&self) -> &PoolPlan {
        &self.plan
    }

    /// What was measured.
    pub fn report(&self) -> &PoolReport {
        &self.report
    }
}

/// A whole pool on the host.
#[derive(Clone, Debug, PartialEq)]
pub struct PoolState {
    /// Everything that is not a tensor.
    pub header: PoolHeader,
    /// `head.…`, `live.…` and `net.…` as in [`RunState::tensors`]; `distilled.{i}.{path}` with the maps.
    pub tensors: HostTensors,
}

fn add(all: &mut HostTensors, prefix: &str, tensors: HostTensors) {
    all.extend(tensors.into_iter().map(|(name, tensor)| (format!("{prefix}.{name}"), tensor)));
}

async fn save_run<M: Classifier>(
    run: Option<&Run<M>>,
    prefix: &str,
    all: &mut HostTensors,
) -> Result<Option<RunHeader>, TrainError> {
    let Some(run) = run else { return Ok(None) };
    let RunState { header, tensors } = run.save().await?;
    add(all, prefix, tensors);
    Ok(Some(header))
}

fn restore_run<M: Classifier>(
    model: M,
    header: RunHeader,
    prefix: &str,
    all: &mut HostTensors,
) -> Result<Run<M>, TrainError> {
    Run::restore(model, RunState { header, tensors: take(all, &format!("{prefix}.")) })
}

impl<B: Batches, F: Features> Pooling<B, F> {
    /// Reads everything back; possible between any two calls of [`Pooling::advance`]. Judging and fitting of stitch
    /// layers under way begin anew after restoring; features are not saved, their store outlives the pool.
    ///
    /// # Errors
    /// When the device does not answer.
    pub async fn save(&self) -> Result<PoolState, TrainError> {
        let mut tensors = HostTensors::new();
        let head = self.head.save().await?;
        add(&mut tensors, "head", head.tensors);
        let live_head = save_run(self.live_head.as_ref(), "live_head", &mut tensors).await?;
        let live = save_run(self.live.as_ref(), "live", &mut tensors).await?;
        let net = save_run(self.net.as_ref(), "net", &mut tensors).await?;
        for (at, auxiliary) in self.distilled.iter().enumerate() {
            add(&mut tensors, &format!("distilled.{at}"), read_model(auxiliary).await?);
        }
        if let Some(anchor) = &self.anchor_teacher {
            add(&mut tensors, "anchor", read_model(anchor).await?);
        }
        let header = PoolHeader {
            plan: self.plan.clone(),
            phase: self.phase,
            report: self.report.clone(),
            head: head.header,
            live_head,
            live,
            distilled: self.distilled.len(),
            net,
            has_anchor_teacher: self.anchor_teacher.is_some(),
        };
        Ok(PoolState { header, tensors })
    }

    /// The pool a state was saved from, with the same ancestor and pictures.
    ///
    /// # Errors
    /// When the state belongs to another pool or is incomplete.
    pub async fn restore(state: PoolState, ancestor: Vit, batches: B, features: F) -> Result<Self, TrainError> {
        let pool = Self::new(state.header.plan.clone(), ancestor, batches, features)?;
        pool.resume(state).await
    }

    /// As [`Pooling::restore`], a net of given anchors ([`Pooling::of_anchors`]).
    ///
    /// # Errors
    /// As [`Pooling::restore`].
    pub async fn restore_anchors(
        state: PoolState,
        anchors: Vec<Vit>,
        batches: B,
        features: F,
    ) -> Result<Self, TrainError> {
        let plan = state.header.plan.clone();
        let classes = plan.auxiliaries.first().and_then(|one| one.config.classes).unwrap_or(0);
        Self::of_anchors(plan, anchors, classes, batches, features)?.resume(state).await
    }

    /// Goes on where a state stood; this pool is at its start.
    async fn resume(self, state: PoolState) -> Result<Self, TrainError> {
        let (mut pool, PoolState { header, mut tensors }) = (self, state);
        if header.plan != pool.plan {
            return Err(TrainError::State("its anchors are others".into()));
        }
        if header.distilled > pool.plan.auxiliaries.len()
            || header.report.distil_losses.len() != pool.plan.auxiliaries.len()
        {
            return Err(TrainError::State("it has more auxiliary models than its plan".into()));
        }
        pool.report = header.report;
        pool.head = restore_run(pool.head.model()?, header.head, "head", &mut tensors)?;
        for at in 0..header.distilled {
            let model = pool.fresh_auxiliary(at).await;
            pool.distilled.push(load_model(model, &take(&mut tensors, &format!("distilled.{at}.")))?.valid());
        }
        if let (Some(live), Some(next)) = (header.live_head, pool.plan.auxiliaries.get(header.distilled)) {
            let widths = [next.config.embed_dim, next.config.classes.unwrap_or(1)];
            let probe = Probe::start(widths, pool.plan.seed, &pool.device);
            pool.live_head = Some(restore_run(probe, live, "live_head", &mut tensors)?);
        }
        if let (Some(live), true) = (header.live, header.distilled < pool.plan.auxiliaries.len()) {
            let model = pool.fresh_auxiliary(header.distilled).await;
            pool.live = Some(restore_run(model, live, "live", &mut tensors)?);
        }
        if let Some(net) = header.net {
            pool.net = Some(restore_run(pool.unstitched()?, net, "net", &mut tensors)?);
        }
        if let (Some(plan), true) = (pool.plan.auxiliaries.last(), header.has_anchor_teacher) {
            let Ok(anchor) = Vit::load(&plan.config, &mut RandomWeights { seed: 0 }, &pool.device).await;
            pool.anchor_teacher = Some(load_model(anchor, &take(&mut tensors, "anchor."))?.valid());
        }
        pool.phase = match header.phase {
            // What was fitted and compared is not kept; it is measured again.
            Phase::Fit | Phase::JudgeStart { .. } => {
                pool.report.at_start.clear();
                Phase::Fit
            }
            phase => phase,
        };
        match pool.phase {
            Phase::Tune | Phase::JudgeAll | Phase::Finished if pool.net.is_none() => {
                Err(TrainError::State("its stitched net is missing".into()))
            }
            _ => Ok(pool),
        }
    }

    async fn fresh_auxiliary(&self, at: usize) -> Auxiliary {
        let plan = &self.plan.auxiliaries[at];
        let ancestor = &self.teacher.ancestor().config;
        Auxiliary::start(&plan.config, ancestor, plan.positions, self.plan.seed, &self.device).await
    }
}
