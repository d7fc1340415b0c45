//! A pool from its ancestor to its measured configurations: fit a head, find a basis, distil the auxiliary models, start
//! the stitch layers, fine-tune, judge.
//!
//! A state machine like [`heirloom_train::Race`]: every call of [`PoolTrainer::advance`] takes one optimiser step or judges one batch
//! by one configuration, so that the caller can listen, pause or stop in between, and save (`pool_state`).
//!
//! SN-Net is the same machine: its anchors listen to the ancestor's answers only (`Positions::None`), its stitch layers
//! start by least squares.

use burn::nn::Linear;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::{
    Auxiliary, AuxiliaryPlan, DistillWeights, Features, LearnedMaps, PoolAdvance, PoolMeasurements, PoolPlan, Probe,
    SharedBasis, StitchInit, Teacher, TokenSums, distillation_loss, pseudo_inverse, random, transposed,
};
use crate::stitch::{AffineFit, StitchFit, StitchNet, draw_configuration, stitching_loss};
use heirloom_nn::model::ModelConfig;
use heirloom_nn::vit::Vit;
use heirloom_train::{Batch, Batches, ClassificationMetrics, Classifier, Run, RunSettings, TrainError, evaluate_batch};

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Phase {
    Head,
    JudgeHead,
    Basis,
    Distil,
    Fit,
    JudgeStart { compared: usize },
    Tune,
    JudgeAll,
    Finished,
}

/// Judging under way: batch by batch, every configuration.
#[derive(Default)]
pub(super) struct Judging {
    index: usize,
    configuration: usize,
    batch: Option<Batch>,
    tallies: Vec<ClassificationMetrics>,
}

/// A pool in the making; see the module.
pub struct PoolTrainer<B, F> {
    pub(super) plan: PoolPlan,
    pub(super) batches: B,
    pub(super) teacher: Teacher<F>,
    pub(super) device: Device,
    pub(super) phase: Phase,
    pub(super) report: PoolMeasurements,
    pub(super) head: Run<Probe>,
    /// Anchors that were trained elsewhere; none when they are distilled (`pool_anchors`).
    pub(super) given: Vec<Vit>,
    /// The head of a given anchor being fitted.
    pub(super) live_head: Option<Run<Probe>>,
    /// Batches seen for the shared basis, and their sums.
    pub(super) measured: (usize, TokenSums),
    /// The coordinates that all auxiliary models share.
    pub(super) basis: Option<SharedBasis>,
    /// From the ancestor's tokens to the coordinates of one auxiliary model.
    pub(super) listening: Option<(usize, Vec<Linear>)>,
    /// The auxiliary model in distillation.
    pub(super) live: Option<Run<Auxiliary>>,
    /// Those that are done, with their maps.
    pub(super) distilled: Vec<Auxiliary>,
    /// The net in fine-tuning and after.
    pub(super) net: Option<Run<StitchNet>>,
    /// The largest anchor before fine-tuning, if it teaches.
    pub(super) anchor_teacher: Option<Vit>,
    fit: (usize, StitchFit),
    /// The net with the start value that is judged.
    compared: Option<StitchNet>,
    judging: Judging,
}

impl<B: Batches, F: Features> PoolTrainer<B, F> {
    /// A pool at its start, from a frozen ancestor (`learngene::pool::frozen`) on its device.
    ///
    /// # Errors
    /// When the plan has fewer than two auxiliary models or they do not fit together.
    pub fn new(plan: PoolPlan, ancestor: Vit, batches: B, features: F) -> Result<Self, TrainError> {
        let classes = plan.auxiliaries.first().and_then(|one| one.config.classes).unwrap_or(0);
        if plan.auxiliaries.len() < 2 || classes == 0 {
            let found = plan.auxiliaries.len().to_string();
            let expected = "at least 2, with classifiers".into();
            return Err(TrainError::Mismatch { what: "auxiliary models of a pool".into(), found, expected });
        }
        let device = ancestor.device();
        let depth = ancestor.config.depth;
        let pairs = |one: &AuxiliaryPlan| one.positions.pairs(one.config.depth, depth);
        let blocks = plan.auxiliaries.iter().flat_map(pairs).map(|(_, ancestor)| ancestor).collect();
        let teacher = Teacher::new(ancestor, blocks, features);
        let teacher = if plan.has_shared_basis() { teacher.without_attention() } else { teacher };
        let probe = Probe::start([teacher.width(), classes], plan.seed, &device);
        Ok(Self {
            head: Run::new(probe, RunSettings { seed: plan.seed, ..plan.head.clone() }),
            report: PoolMeasurements { distil_losses: vec![Vec::new(); plan.auxiliaries.len()], ..Default::default() },
            phase: Phase::Head,
            plan,
            batches,
            teacher,
            device,
            given: Vec::new(),
            live_head: None,
            measured: (0, TokenSums::default()),
            basis: None,
            listening: None,
            live: None,
            distilled: Vec::new(),
            net: None,
            anchor_teacher: None,
            fit: (0, StitchFit::default()),
            compared: None,
            judging: Judging::default(),
        })
    }

    /// How it is made.
    pub fn plan(&self) -> &PoolPlan {
        &self.plan
    }

    /// What is measured so far.
    pub fn report(&self) -> &PoolMeasurements {
        &self.report
    }

    /// Whether nothing is left to do.
    pub fn is_finished(&self) -> bool {
        self.phase == Phase::Finished
    }

    /// Optimiser steps done and planned, over head, distillation and fine-tuning.
    pub fn progress(&self) -> (usize, usize) {
        let PoolPlan { head_steps, tune_steps, auxiliaries, .. } = &self.plan;
        let distilled: usize = self.report.distil_losses.iter().map(Vec::len).sum();
        let done = self.report.head_losses.len() + distilled + self.report.tune_losses.len();
        let before = (0..auxiliaries.len()).map(|auxiliary| self.steps_before_stitching(auxiliary));
        (done, head_steps + before.sum::<usize>() + tune_steps)
    }

    /// The stitched net as it stands, without autodiff; `None` before its stitch layers have started.
    pub fn net(&self) -> Option<StitchNet> {
        self.net.as_ref()?.model().ok()
    }

    /// Whether its stitch layers have started, so that every configuration is a model.
    pub fn has_net(&self) -> bool {
        self.net.is_some()
    }

    /// The distilled auxiliary models with their maps.
    pub fn distilled(&self) -> &[Auxiliary] {
        &self.distilled
    }

    /// The pictures.
    pub fn batches(&mut self) -> &mut B {
        &mut self.batches
    }

    /// Does the next piece of work.
    ///
    /// # Errors
    /// When pictures, the store or the device fail, or training diverges.
    pub async fn advance(&mut self) -> Result<PoolAdvance, TrainError> {
        match self.phase {
            Phase::Head => self.fit_head().await,
            Phase::JudgeHead => self.judge_head().await,
            Phase::Basis => self.find_basis().await,
            Phase::Distil => self.distil().await,
            Phase::Fit => self.fit_stitches().await,
            Phase::JudgeStart { compared } => self.judge_start(compared).await,
            Phase::Tune => self.tune().await,
            Phase::JudgeAll => self.judge_all().await,
            Phase::Finished => Ok(PoolAdvance::Finished),
        }
    }

    async fn fit_head(&mut self) -> Result<PoolAdvance, TrainError> {
        if self.head.steps_taken() >= self.plan.head_steps {
            self.phase = Phase::JudgeHead;
            return self.judge_head().await;
        }
        let batch = self.batches.training(self.plan.seed, self.head.steps_taken()).await?;
        let loss = self.teacher.fit_head(&mut self.head, &batch).await?;
        self.report.head_losses.push(loss);
        Ok(PoolAdvance::Head { loss })
    }

    async fn judge_head(&mut self) -> Result<PoolAdvance, TrainError> {
        let (index, head) = (self.judging.index, self.head.model()?);
        if self.judging.tallies.is_empty() {
            self.judging.tallies.push(ClassificationMetrics::new(head.classes()));
        }
        if index < self.batches.validation_batches() {
            let batch = self.batches.validation(index).await?;
            self.teacher.judge_head(&head, &batch, &mut self.judging.tallies[0]).await?;
            self.judging.index += 1;
        }
        if self.judging.index >= self.batches.validation_batches() {
            self.report.ancestor_accuracy = Some(self.judging.tallies[0].accuracy());
            self.judging = Judging::default();
            self.start_distilling();
        }
        Ok(PoolAdvance::Judged)
    }

    /// Auxiliary models come next, or first the basis that they share.
    pub(super) fn start_distilling(&mut self) {
        self.phase = if self.needs_basis() { Phase::Basis } else { Phase::Distil };
    }

    async fn distil(&mut self) -> Result<PoolAdvance, TrainError> {
        let auxiliary = self.distilled.len();
        let Some(plan) = self.plan.auxiliaries.get(auxiliary) else {
            self.phase = Phase::Fit;
            return self.fit_stitches().await;
        };
        if !self.given.is_empty() {
            return self.fit_anchor().await;
        }
        if self.live.is_none() {
            let model = self.fresh_auxiliary(auxiliary).await;
            self.live = Some(Run::new(model, RunSettings { seed: self.plan.seed, ..self.plan.distil.clone() }));
        }
        let steps = self.live.as_ref().ok_or(TrainError::ModelLost)?.steps_taken();
        let mut loss = f32::NAN;
        if steps < self.plan.distil_steps {
            let batch = self.batches.training(self.plan.seed, steps).await?;
            let depth = self.teacher.ancestor().config.depth;
            let blocks: Vec<_> =
                plan.positions.pairs(plan.config.depth, depth).into_iter().map(|(_, ancestor)| ancestor).collect();
            let lesson = self.teacher.lesson(&batch, &blocks, &self.head.model()?.head).await?;
            let lesson = self.in_coordinates(auxiliary, lesson);
            let (images, labels) = (batch.images(&self.device)?, batch.targets(&self.device));
            let weights = DistillWeights { labels: self.plan.label_weight, features: self.plan.feature_weight };
            let run = self.live.as_mut().ok_or(TrainError::ModelLost)?;
            loss = run.step_by(|model| distillation_loss(model, images, labels, lesson, weights)).await?.loss;
            self.report.distil_losses[auxiliary].push(loss);
        }
        let run = self.live.as_ref().ok_or(TrainError::ModelLost)?;
        if run.steps_taken() >= self.plan.distil_steps {
            self.distilled.push(run.model()?);
            (self.live, self.listening) = (None, None);
        }
        Ok(PoolAdvance::Distilled { auxiliary, loss })
    }

    /// The net of the distilled models, its stitch layers still zero.
    pub(super) fn unstitched(&self) -> Result<StitchNet, TrainError> {
        let students = self.distilled.iter().map(|one| one.student.clone()).collect();
        StitchNet::new(students, &self.device).map_err(|error| TrainError::Source(error.to_string()))
    }

    async fn fit_stitches(&mut self) -> Result<PoolAdvance, TrainError> {
        let needs = |start: &StitchInit| *start == StitchInit::LeastSquares;
        let is_needed = needs(&self.plan.stitch_start) || self.plan.compared.iter().any(needs);
        if is_needed && self.fit.0 < self.plan.fit_batches {
            let batch = self.batches.training(self.plan.seed, self.fit.0).await?;
            let net = self.unstitched()?;
            self.fit.1.add(&net, batch.images(&self.device)?).await?;
            self.fit.0 += 1;
            return Ok(PoolAdvance::Fitted);
        }
        self.phase = Phase::JudgeStart { compared: 0 };
        Ok(PoolAdvance::Fitted)
    }

    /// The net with a start value.
    async fn started(&self, start: StitchInit) -> Result<StitchNet, TrainError> {
        let net = self.unstitched()?;
        let mut maps = Vec::with_capacity(self.distilled.len());
        for auxiliary in &self.distilled {
            maps.push(LearnedMaps::from_auxiliary(auxiliary).await?);
        }
        let joints = || net.widths().into_iter().zip(net.joined());
        let joint = |(widths, [front, end]): ([usize; 2], [usize; 2])| (widths, &maps[front], &maps[end]);
        let fits: Vec<AffineFit> = match (start, &self.basis) {
            // The rows of its maps are orthonormal: the transposed map is the pseudo-inverse.
            (StitchInit::Maps | StitchInit::PseudoInverse, Some(basis)) => self.basis_starts(&net, basis),
            (StitchInit::Maps, None) => joints().map(|one| transposed(joint(one))).collect(),
            (StitchInit::PseudoInverse, None) => joints().map(|one| pseudo_inverse(joint(one))).collect(),
            (StitchInit::LeastSquares, _) => self.fit.1.finish(&net),
            (StitchInit::Random, _) => {
                let widths = net.widths().into_iter().enumerate();
                widths.map(|(stitch, widths)| random(widths, stitch, self.plan.seed)).collect()
            }
        };
        Ok(net.start(&fits, &self.device))
    }

    async fn judge_start(&mut self, compared: usize) -> Result<PoolAdvance, TrainError> {
        let Some(&start) = self.plan.compared.get(compared) else {
            let net = self.started(self.plan.stitch_start).await?;
            self.anchor_teacher = self.teaching_anchor();
            self.net = Some(Run::new(net, RunSettings { seed: self.plan.seed, ..self.plan.tune.clone() }));
            self.phase = Phase::Tune;
            return Ok(PoolAdvance::Judged);
        };
        let net = match self.compared.take() {
            Some(net) => net,
            None => self.started(start).await?,
        };
        let measured = self.judge_next(&net).await?;
        self.compared = Some(net);
        if let Some(accuracy) = measured {
            self.report.at_start.push((start, accuracy));
            self.compared = None;
            self.phase = Phase::JudgeStart { compared: compared + 1 };
        }
        Ok(PoolAdvance::Judged)
    }

    async fn tune(&mut self) -> Result<PoolAdvance, TrainError> {
        let run = self.net.as_mut().ok_or(TrainError::ModelLost)?;
        let step = run.steps_taken();
        if step >= self.plan.tune_steps {
            self.phase = Phase::JudgeAll;
            return self.judge_all().await;
        }
        // Other pictures than distillation saw at this step.
        let batch = self.batches.training(self.plan.seed, self.plan.distil_steps + step).await?;
        let images = batch.images(&self.device)?;
        let teacher: Tensor<2> = match &self.anchor_teacher {
            Some(anchor) => Classifier::logits(anchor, images.clone(), None),
            None => self.head.model()?.head.forward(self.teacher.pooled(&batch).await?),
        };
        let labels = batch.targets(&self.device);
        let mut configuration = 0;
        let stepped = run
            .step_by(|net| {
                configuration = draw_configuration(net.configurations().len(), self.plan.seed, step);
                stitching_loss(net, configuration, images, labels, teacher)
            })
            .await?;
        self.report.tune_losses.push(stepped.loss);
        Ok(PoolAdvance::Tuned { configuration, loss: stepped.loss })
    }

    async fn judge_all(&mut self) -> Result<PoolAdvance, TrainError> {
        let net = self.net().ok_or(TrainError::ModelLost)?;
        if let Some(accuracy) = self.judge_next(&net).await? {
            self.report.accuracy = accuracy;
            self.phase = Phase::Finished;
        }
        Ok(PoolAdvance::Judged)
    }

    /// Lets one configuration judge one batch; the accuracy of all when it was the last.
    async fn judge_next(&mut self, net: &StitchNet) -> Result<Option<Vec<f32>>, TrainError> {
        let count = net.configurations().len();
        let judging = &mut self.judging;
        if judging.tallies.is_empty() {
            judging.tallies = net.configs().iter().map(ModelConfig::outputs).map(ClassificationMetrics::new).collect();
        }
        if judging.index < self.batches.validation_batches() {
            let batch = match judging.batch.take() {
                Some(batch) => batch,
                None => self.batches.validation(judging.index).await?,
            };
            if !batch.labels.is_empty() {
                let model = net.assembled(judging.configuration);
                let tally = &mut judging.tallies[judging.configuration];
                evaluate_batch(&model, batch.images(&self.device)?, &batch.labels, tally).await?;
            }
            judging.batch = Some(batch);
            judging.configuration += 1;
            if judging.configuration == count {
                (judging.configuration, judging.batch) = (0, None);
                judging.index += 1;
            }
        }
        let is_done = judging.index >= self.batches.validation_batches();
        let judged = is_done.then(|| std::mem::take(judging));
        Ok(judged.map(|judged| judged.tallies.iter().map(ClassificationMetrics::accuracy).collect()))
    }
}
