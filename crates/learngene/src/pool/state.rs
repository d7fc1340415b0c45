//! A whole pool in the making on the host and back.

use burn::module::Module;
use serde::{Deserialize, Serialize};

use super::pooling::{Phase, PoolTrainer};
use super::{Auxiliary, Features, PoolMeasurements, PoolPlan, Probe, SharedBasis, Teaches};
use heirloom_nn::vit::Vit;
use heirloom_train::{
    Batches, Classifier, DeviceTensor, HostTensors, Run, RunHeader, RunState, SavedTensors, TrainError, load_model,
    parts_of_model, read_parts,
};

/// What a saved pool says besides its tensors; serialise it as JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PoolHeader {
    plan: PoolPlan,
    phase: Phase,
    report: PoolMeasurements,
    head: RunHeader,
    live_head: Option<RunHeader>,
    live: Option<RunHeader>,
    distilled: usize,
    net: Option<RunHeader>,
}

impl PoolHeader {
    /// How it is made.
    pub fn plan(&self) -> &PoolPlan {
        &self.plan
    }

    /// What was measured.
    pub fn report(&self) -> &PoolMeasurements {
        &self.report
    }
}

/// A whole pool on the host.
#[derive(Clone, Debug, PartialEq)]
pub struct PoolState {
    /// Everything that is not a tensor.
    pub header: PoolHeader,
    /// As [`PoolParts::live`], and `distilled.{i}.{path}` with the maps.
    pub tensors: HostTensors,
}

/// A whole pool, its tensors still on the device.
#[derive(Debug)]
pub struct PoolParts {
    /// Everything that is not a tensor.
    pub header: PoolHeader,
    /// What is in training: `head.…`, `live_head.…`, `live.…` and `net.…`, as in [`RunState::tensors`], and `basis.…`, the
    /// basis that the models share.
    pub live: Vec<DeviceTensor>,
    /// The distilled models with their maps, which never change again; named without `distilled.{i}.`.
    pub distilled: Vec<(usize, Vec<DeviceTensor>)>,
}

fn take_down<M: Classifier>(
    run: Option<&Run<M>>,
    prefix: &str,
    live: &mut Vec<DeviceTensor>,
) -> Result<Option<RunHeader>, TrainError> {
    let Some(run) = run else { return Ok(None) };
    let (header, parts) = run.parts()?;
    live.extend(parts.into_iter().map(|part| part.under(prefix)));
    Ok(Some(header))
}

async fn restore_run<M: Classifier, T: SavedTensors>(
    model: M,
    header: RunHeader,
    prefix: &str,
    tensors: &mut T,
) -> Result<Run<M>, TrainError> {
    Run::restore(model, RunState { header, tensors: tensors.take(prefix).await? })
}

impl<B: Batches, F: Features> PoolTrainer<B, F> {
    /// Reads everything back; possible between any two calls of [`PoolTrainer::advance`]. Judging, and looking at pictures for
    /// the basis or the stitch layers, begin anew after restoring; features are not saved, their store outlives the pool.
    ///
    /// # Errors
    /// When the device does not answer.
    pub async fn save(&self) -> Result<PoolState, TrainError> {
        let PoolParts { header, live, distilled } = self.parts()?;
        let mut tensors = read_parts(live).await?;
        for (at, parts) in distilled {
            let prefix = format!("distilled.{at}.");
            tensors.extend(read_parts(parts.into_iter().map(|part| part.under(&prefix)).collect()).await?);
        }
        Ok(PoolState { header, tensors })
    }

    /// The same with all tensors still on the device. Drop them before the pool goes on.
    ///
    /// # Errors
    /// When an earlier step broke off half-way.
    pub fn parts(&self) -> Result<PoolParts, TrainError> {
        let (head, mut live) = self.head.parts()?;
        live = live.into_iter().map(|part| part.under("head.")).collect();
        let header = PoolHeader {
            plan: self.plan.clone(),
            phase: self.phase,
            report: self.report.clone(),
            head,
            live_head: take_down(self.live_head.as_ref(), "live_head.", &mut live)?,
            live: take_down(self.live.as_ref(), "live.", &mut live)?,
            distilled: self.distilled.len(),
            net: take_down(self.net.as_ref(), "net.", &mut live)?,
        };
        if let Some(basis) = &self.basis {
            live.extend(basis.parts(&self.device).into_iter().map(|part| part.under("basis.")));
        }
        let distilled = self.distilled.iter().map(parts_of_model).enumerate().collect();
        Ok(PoolParts { header, live, distilled })
    }

    /// The pool a state was saved from, with the same ancestor and pictures.
    ///
    /// # Errors
    /// When the state belongs to another pool or is incomplete.
    pub async fn restore(state: PoolState, ancestor: Vit, batches: B, features: F) -> Result<Self, TrainError> {
        let PoolState { header, mut tensors } = state;
        Self::new(header.plan.clone(), ancestor, batches, features)?.resume(header, &mut tensors).await
    }

    /// As [`PoolTrainer::restore`], a net of given anchors ([`PoolTrainer::from_anchors`]).
    ///
    /// # Errors
    /// As [`PoolTrainer::restore`].
    pub async fn restore_anchors(
        state: PoolState,
        anchors: Vec<Vit>,
        batches: B,
        features: F,
    ) -> Result<Self, TrainError> {
        let PoolState { header, mut tensors } = state;
        let classes = header.plan.auxiliaries.first().and_then(|one| one.config.classes).unwrap_or(0);
        Self::from_anchors(header.plan.clone(), anchors, classes, batches, features)?.resume(header, &mut tensors).await
    }

    /// A pool at its start goes on where a saved one of the same plan stood. Tensors are asked for model by model, so
    /// that only one lies on the host at a time.
    ///
    /// # Errors
    /// When the state belongs to another pool or is incomplete.
    pub async fn resume<T: SavedTensors>(self, header: PoolHeader, tensors: &mut T) -> Result<Self, TrainError> {
        let mut pool = self;
        if header.plan != pool.plan {
            return Err(TrainError::State("its anchors are others".into()));
        }
        let planned = pool.plan.auxiliaries.len();
        if header.distilled > planned || header.report.distil_losses.len() != planned {
            return Err(TrainError::State("it has more auxiliary models than its plan".into()));
        }
        pool.report = header.report;
        pool.head = restore_run(pool.head.model()?, header.head, "head.", tensors).await?;
        if pool.plan.has_shared_basis() && !matches!(header.phase, Phase::Head | Phase::JudgeHead | Phase::Basis) {
            let (plan, depth) = (pool.basis_plan(), pool.teacher.ancestor().config.depth);
            pool.basis = Some(SharedBasis::restore(plan, depth, &tensors.take("basis.").await?)?);
        }
        for at in 0..header.distilled {
            let model = pool.fresh_auxiliary(at).await;
            let saved = tensors.take(&format!("distilled.{at}.")).await?;
            pool.distilled.push(load_model(model, &saved)?.valid());
        }
        if let (Some(live), Some(next)) = (header.live_head, pool.plan.auxiliaries.get(header.distilled)) {
            let widths = [next.config.pooled_dim(), next.config.classes.unwrap_or(1)];
            let probe = Probe::start(widths, pool.plan.seed, &pool.device);
            pool.live_head = Some(restore_run(probe, live, "live_head.", tensors).await?);
        }
        if let (Some(live), true) = (header.live, header.distilled < planned) {
            let model = pool.fresh_auxiliary(header.distilled).await;
            pool.live = Some(restore_run(model, live, "live.", tensors).await?);
        }
        if let Some(net) = header.net {
            pool.net = Some(restore_run(pool.unstitched()?, net, "net.", tensors).await?);
            pool.anchor_teacher = pool.teaching_anchor();
        }
        pool.phase = match header.phase {
            // What was fitted and compared is not kept; it is measured again.
            Phase::Fit | Phase::JudgeStart { .. } => {
                pool.report.at_start.clear();
                Phase::Fit
            }
            phase => phase,
        };
        match pool.lacks() {
            Some(error) => Err(error),
            None => Ok(pool),
        }
    }

    /// The largest anchor as it was before fine-tuning, where that is the teacher.
    pub(super) fn teaching_anchor(&self) -> Option<Vit> {
        let teaches = self.plan.teacher == Teaches::LargestAnchor;
        self.distilled.last().filter(|_| teaches).map(|largest| largest.student.valid())
    }

    /// What a restored pool lacks for its phase; `None` when nothing.
    fn lacks(&self) -> Option<TrainError> {
        let missing = |what: &str| Some(TrainError::State(format!("its {what} is missing")));
        let ways = self.net.as_ref().map(|net| net.model().map_or(0, |net| net.configurations().len()));
        match self.phase {
            Phase::Fit | Phase::Tune | Phase::JudgeAll | Phase::Finished
                if self.distilled.len() < self.plan.auxiliaries.len() =>
            {
                missing("last auxiliary model")
            }
            Phase::Tune | Phase::JudgeAll | Phase::Finished if ways.is_none() => missing("stitched net"),
            Phase::Finished if ways != Some(self.report.accuracy.len()) => missing("accuracy"),
            _ => None,
        }
    }

    pub(super) async fn fresh_auxiliary(&self, at: usize) -> Auxiliary {
        let (plan, basis) = (&self.plan.auxiliaries[at], self.plan.coordinates.basis);
        Auxiliary::start(plan, &self.teacher.ancestor().config, basis, self.plan.seed, &self.device).await
    }
}
