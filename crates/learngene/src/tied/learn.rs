//! Learning tied layers: the ancestor gets a head for the person's classes, then the auxiliary model learns its answers.
//!
//! A state machine like [`PoolTrainer`](crate::pool::PoolTrainer): one optimiser step or one judged batch a call.

use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::{TiedVit, Tying};
use crate::pool::{Features, Probe, Teacher};
use heirloom_nn::vit::{Vit, VitConfig};
use heirloom_train::{
    Batches, ClassificationMetrics, Classifier, DeviceTensor, Run, RunHeader, RunSettings, RunState, SavedTensors,
    TrainError, evaluate_batch,
};

/// How tied layers are learned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TiedPlan {
    /// Seed of start values and batches.
    pub seed: u64,
    /// The learngene's configuration: as many blocks as are stored.
    pub config: VitConfig,
    /// The rule.
    pub tying: Tying,
    /// Layers of the auxiliary model.
    pub layers: usize,
    /// How the ancestor's head is fitted.
    pub head: RunSettings,
    /// Steps of that.
    pub head_steps: usize,
    /// How the auxiliary model learns.
    pub distil: RunSettings,
    /// Steps of that.
    pub distil_steps: usize,
    /// Temperature of both answers, above 0.
    pub temperature: f64,
}

/// Everything measured so far.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TiedMeasurements {
    /// Loss of every step of the head.
    pub head_losses: Vec<f32>,
    /// Accuracy of the ancestor with it, 0..1.
    pub ancestor_accuracy: Option<f32>,
    /// Loss of every step of the auxiliary model.
    pub losses: Vec<f32>,
    /// Its accuracy in the end, 0..1.
    pub accuracy: Option<f32>,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TiedPhase {
    /// Steps of the head.
    Head,
    /// Judging it.
    JudgeHead,
    /// Steps of the auxiliary model.
    Distil,
    /// Judging it.
    Judge,
    /// Nothing.
    Finished,
}

/// What a saved trainer says besides its tensors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TiedHeader {
    plan: TiedPlan,
    phase: TiedPhase,
    report: TiedMeasurements,
    head: RunHeader,
    live: RunHeader,
}

impl TiedHeader {
    /// How it learns.
    pub fn plan(&self) -> &TiedPlan {
        &self.plan
    }
}

/// Tied layers in learning; see the module.
pub struct TiedTrainer<B, F> {
    plan: TiedPlan,
    batches: B,
    teacher: Teacher<F>,
    device: Device,
    phase: TiedPhase,
    report: TiedMeasurements,
    head: Run<Probe>,
    live: Run<TiedVit>,
    /// Batches judged, and what came of them.
    judging: (usize, ClassificationMetrics),
}

impl<B: Batches, F: Features> TiedTrainer<B, F> {
    /// At its start, from a frozen ancestor ([`frozen`](crate::pool::frozen)) on its device.
    pub async fn new(plan: TiedPlan, ancestor: Vit, batches: B, features: F) -> Self {
        let device = ancestor.device();
        let teacher = Teacher::new(ancestor, Vec::new(), features);
        let classes = plan.config.classes.unwrap_or(0);
        let probe = Probe::start([teacher.width(), classes], plan.seed, &device);
        let model = TiedVit::start(&plan.config, plan.tying, plan.layers, plan.seed, &device).await;
        Self {
            head: Run::new(probe, plan.head.clone()),
            live: Run::new(model, plan.distil.clone()),
            judging: (0, ClassificationMetrics::new(classes)),
            phase: TiedPhase::Head,
            report: TiedMeasurements::default(),
            plan,
            batches,
            teacher,
            device,
        }
    }

    /// How it learns.
    pub fn plan(&self) -> &TiedPlan {
        &self.plan
    }

    /// What is measured so far.
    pub fn report(&self) -> &TiedMeasurements {
        &self.report
    }

    /// What comes next.
    pub fn phase(&self) -> TiedPhase {
        self.phase
    }

    /// Optimiser steps done and planned.
    pub fn progress(&self) -> (usize, usize) {
        let done = self.head.steps_taken() + self.live.steps_taken();
        (done, self.plan.head_steps + self.plan.distil_steps)
    }

    /// The auxiliary model as it stands, without autodiff.
    ///
    /// # Errors
    /// When an earlier step broke off half-way.
    pub fn model(&self) -> Result<TiedVit, TrainError> {
        self.live.model()
    }

    /// The pictures.
    pub fn batches(&mut self) -> &mut B {
        &mut self.batches
    }

    /// Does the next piece of work.
    ///
    /// # Errors
    /// When pictures, the store or the device fail, or training diverges.
    pub async fn advance(&mut self) -> Result<(), TrainError> {
        match self.phase {
            TiedPhase::Head => {
                let batch = self.batches.training(self.plan.seed, self.head.steps_taken()).await?;
                self.report.head_losses.push(self.teacher.fit_head(&mut self.head, &batch).await?);
            }
            TiedPhase::Distil => self.distil().await?,
            TiedPhase::JudgeHead => {
                if self.judging.0 < self.batches.validation_batches() {
                    let batch = self.batches.validation(self.judging.0).await?;
                    self.teacher.judge_head(&self.head.model()?, &batch, &mut self.judging.1).await?;
                    self.judging.0 += 1;
                }
            }
            TiedPhase::Judge => {
                if self.judging.0 < self.batches.validation_batches() {
                    let batch = self.batches.validation(self.judging.0).await?;
                    if !batch.labels.is_empty() {
                        let (model, images) = (self.model()?.assembled(), batch.images(&self.device)?);
                        evaluate_batch(&model, images, &batch.labels, &mut self.judging.1).await?;
                    }
                    self.judging.0 += 1;
                }
            }
            TiedPhase::Finished => {}
        }
        self.go_on();
        Ok(())
    }

    async fn distil(&mut self) -> Result<(), TrainError> {
        let batch = self.batches.training(self.plan.seed, self.live.steps_taken()).await?;
        let lesson = self.teacher.lesson(&batch, &[], &self.head.model()?.head).await?;
        let (images, temperature) = (batch.images(&self.device)?, self.plan.temperature);
        let loss = |model: &TiedVit| tempered_divergence(model.logits(images, None), lesson.logits, temperature);
        self.report.losses.push(self.live.step_by(loss).await?.loss);
        Ok(())
    }

    /// The next phase where this one is over.
    fn go_on(&mut self) {
        let is_judged = self.judging.0 >= self.batches.validation_batches();
        let mut judged = || {
            let fresh = (0, ClassificationMetrics::new(self.plan.config.classes.unwrap_or(0)));
            Some(std::mem::replace(&mut self.judging, fresh).1.accuracy())
        };
        match self.phase {
            TiedPhase::Head if self.head.steps_taken() >= self.plan.head_steps => self.phase = TiedPhase::JudgeHead,
            TiedPhase::JudgeHead if is_judged => {
                (self.report.ancestor_accuracy, self.phase) = (judged(), TiedPhase::Distil);
            }
            TiedPhase::Distil if self.live.steps_taken() >= self.plan.distil_steps => self.phase = TiedPhase::Judge,
            TiedPhase::Judge if is_judged => (self.report.accuracy, self.phase) = (judged(), TiedPhase::Finished),
            _ => {}
        }
    }

    /// Where it stands, with its tensors still on the device: `head.…` and `live.…`. Judging begins anew after a
    /// restoration; features are not saved.
    ///
    /// # Errors
    /// When an earlier step broke off half-way.
    pub fn parts(&self) -> Result<(TiedHeader, Vec<DeviceTensor>), TrainError> {
        let ((head, of_head), (live, of_live)) = (self.head.parts()?, self.live.parts()?);
        let tensors = of_head.into_iter().map(|part| part.under("head."));
        let tensors = tensors.chain(of_live.into_iter().map(|part| part.under("live."))).collect();
        let (plan, report) = (self.plan.clone(), self.report.clone());
        Ok((TiedHeader { plan, phase: self.phase, report, head, live }, tensors))
    }

    /// At its start, goes on where a saved one of the same plan stood.
    ///
    /// # Errors
    /// When the state belongs to another one or is incomplete.
    pub async fn resume<T: SavedTensors>(mut self, header: TiedHeader, tensors: &mut T) -> Result<Self, TrainError> {
        let TiedHeader { plan, phase, report, head, live } = header;
        if plan != self.plan {
            return Err(TrainError::State("its tied layers are others".into()));
        }
        let state = RunState { header: head, tensors: tensors.take("head.").await? };
        self.head = Run::restore(self.head.model()?, state)?;
        let state = RunState { header: live, tensors: tensors.take("live.").await? };
        self.live = Run::restore(self.live.model()?, state)?;
        (self.phase, self.report) = (phase, report);
        Ok(self)
    }
}

/// `τ² · KL(softmax(teacher / τ) ‖ softmax(student / τ))`, the mean over the batch; gradients reach the student.
///
/// # Shapes
/// `student: [batch, classes]`, `teacher: [batch, classes]`, `-> [1]`
pub fn tempered_divergence(student: Tensor<2>, teacher: Tensor<2>, temperature: f64) -> Tensor<1> {
    let [batch, _] = student.dims();
    let log = |logits: Tensor<2>| log_softmax(logits.div_scalar(temperature), 1);
    let (student, teacher) = (log(student), log(teacher));
    let divergence = (teacher.clone().exp() * (teacher - student)).sum();
    divergence.mul_scalar(temperature * temperature / batch as f64)
}
