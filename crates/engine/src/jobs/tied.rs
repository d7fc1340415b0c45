//! Learning tied layers (TLEG, SWS): one optimiser step or one judged batch at a time.

use futures::FutureExt;
use futures::future::LocalBoxFuture;

use super::features::BoundedFeatures;
use super::job::{Job, JobTensors, Lasting, Making, Step, TensorSource, making};
use super::teaching::{HEAD_LR, Lessons, steps, thinned};
use crate::batches::RaceBatches;
use crate::commands::descendant::plan_again;
use crate::emitter::Emitter;
use crate::error::EngineError;
use crate::saved::{SavedTiedJob, SavedWork};
use crate::workspace::{Id, LearnedTied, Workspace};
use heirloom_learngene::tied::{TiedPhase, TiedPlan, TiedTrainer, stored_parameters};
use heirloom_nn::vit::VitConfig;
use heirloom_plan::protocol::{Command, DescendantPlan, Event, JobKind, LearnTied, RaceState, TiedReport, TiedStage};
use heirloom_train::{Batches, TrainError};

/// Shares of the steps after which the page hears of the losses.
const REPORTS: usize = 60;

/// Tied layers in learning.
struct TiedJob {
    trainer: TiedTrainer<RaceBatches, BoundedFeatures>,
    settings: LearnTied,
    /// What the page is told that does not change.
    told: TiedReport,
    /// Pieces of judging done.
    judged: usize,
    lasting: Lasting,
}

/// On [`Command::LearnTied`].
pub fn start<'a>(command: &'a Command, workspace: &'a mut Workspace) -> Making<'a> {
    let Command::LearnTied(settings) = command else { return None };
    making(TiedJob::new(workspace, settings.clone()))
}

/// Saved tied layers where their learning stood, with the same ancestor and pictures.
pub fn resume<'a>(work: &'a SavedWork, workspace: &'a Workspace, mut tensors: &'a mut dyn TensorSource) -> Making<'a> {
    let SavedTiedJob { settings, header, is_paused, inputs } = work.tied_job.clone()?;
    making(async move {
        let mut job = TiedJob::new(workspace, settings).await?;
        if header.plan() != job.trainer.plan() {
            return Err(EngineError::OtherTied);
        }
        job.trainer = job.trainer.resume(header, &mut tensors).await?;
        if job.trainer.report().ancestor_accuracy.is_some() {
            job.judged = job.trainer.batches().validation_batches();
        }
        (job.lasting.is_paused, job.lasting.inputs) = (is_paused, inputs);
        Ok(job)
    })
}

impl Job for TiedJob {
    fn kind(&self) -> JobKind {
        JobKind::Tied
    }

    fn announce(&mut self, emitter: &Emitter) {
        emitter.pace().begin(self.trainer.progress().0 + self.judged);
        let state = if self.lasting.is_paused { RaceState::Paused } else { RaceState::Running };
        emitter.emit(Event::Tied(Box::new(self.report(state))));
    }

    fn advance<'a>(&'a mut self, workspace: &'a mut Workspace, emitter: &'a Emitter) -> LocalBoxFuture<'a, Step> {
        async move {
            let before = self.trainer.phase();
            if let Err(error) = self.trainer.advance().await {
                emitter.notify_error(error);
                return self.finish(workspace, emitter, RaceState::Stopped);
            }
            self.judged += usize::from(matches!(before, TiedPhase::JudgeHead | TiedPhase::Judge));
            if self.trainer.phase() == TiedPhase::Finished {
                return self.finish(workspace, emitter, RaceState::Finished);
            }
            let (done, total) = self.trainer.progress();
            let judgements = 2 * self.trainer.batches().validation_batches();
            emitter.progress(JobKind::Tied, done + self.judged, total + judgements, self.note());
            let is_due = done.is_multiple_of((total / REPORTS).max(1)) && before == self.trainer.phase();
            if is_due || before != self.trainer.phase() {
                emitter.emit(Event::Tied(Box::new(self.report(RaceState::Running))));
            }
            Step::Worked
        }
        .boxed_local()
    }

    fn stop(&mut self, workspace: &mut Workspace, emitter: &Emitter) {
        self.finish(workspace, emitter, RaceState::Stopped);
    }

    fn pause(&mut self, is_paused: bool, emitter: &Emitter) {
        self.lasting.is_paused = is_paused;
        self.announce(emitter);
    }

    fn lasting(&self) -> Option<&Lasting> {
        Some(&self.lasting)
    }

    fn lasting_mut(&mut self) -> Option<&mut Lasting> {
        Some(&mut self.lasting)
    }

    fn passes(&self) -> usize {
        self.trainer.progress().0 * self.settings.batch / self.told.pictures[0].max(1)
    }

    fn snapshot(&self, work: &mut SavedWork) -> Result<JobTensors, TrainError> {
        let (header, live) = self.trainer.parts()?;
        let (settings, is_paused) = (self.settings.clone(), self.lasting.is_paused);
        let inputs = self.lasting.earlier_inputs(&work.inputs);
        work.tied_job = Some(SavedTiedJob { settings, header, is_paused, inputs });
        Ok(JobTensors { live, parts: Vec::new() })
    }
}

impl TiedJob {
    /// A job at its start.
    async fn new(workspace: &Workspace, settings: LearnTied) -> Result<Self, EngineError> {
        let (ancestor, vit, split) = (workspace.ancestor()?, workspace.vit()?, workspace.split()?);
        let LearnTied { tying, layers, image_size, batch, head_steps, steps: distil_steps, lr, .. } = settings;
        let LearnTied { temperature, augment, seed, .. } = settings;
        let is_possible = ![batch, head_steps, distil_steps].contains(&0) && temperature > 0.0;
        if !is_possible {
            return Err(EngineError::EmptyTied);
        }
        let sizes = [split.classes.len(), image_size];
        let auxiliary = tying.config(&vit.config, layers, sizes)?;
        let config = tying.learngene(&vit.config, sizes)?;
        let told = TiedReport {
            settings: settings.clone(),
            state: RaceState::Running,
            stage: TiedStage::Head,
            steps: [0, head_steps + distil_steps],
            ancestor: ancestor.summary.name.clone(),
            head_loss: Vec::new(),
            loss: Vec::new(),
            ancestor_accuracy: None,
            accuracy: None,
            ancestor_parameters: stored_parameters(&VitConfig { image_size, ..vit.config.clone() }),
            auxiliary_parameters: stored_parameters(&auxiliary),
            stored_parameters: stored_parameters(&config),
            classes: split.classes.clone(),
            pictures: [split.train.len(), split.validation.len()],
            is_learned: false,
        };
        let plan = TiedPlan {
            seed,
            config,
            tying,
            layers,
            head: steps(HEAD_LR, head_steps, seed),
            head_steps,
            distil: steps(lr, distil_steps, seed),
            distil_steps,
            temperature,
        };
        let (ancestor, batches) = Lessons { image_size, batch, seed, augment }.inputs(workspace).await?;
        let trainer = TiedTrainer::new(plan, ancestor, batches, BoundedFeatures::new(!augment)).await;
        Ok(Self { trainer, settings, told, judged: 0, lasting: Lasting::new(0) })
    }

    fn note(&self) -> &'static str {
        match self.trainer.phase() {
            TiedPhase::Head | TiedPhase::JudgeHead => "the ancestor learns the names of your classes",
            TiedPhase::Distil => "the stored layers learn from the ancestor",
            TiedPhase::Judge | TiedPhase::Finished => "judging the auxiliary model",
        }
    }

    /// Everything the page is told.
    fn report(&self, state: RaceState) -> TiedReport {
        let (measured, (done, planned)) = (self.trainer.report(), self.trainer.progress());
        TiedReport {
            state,
            stage: match self.trainer.phase() {
                TiedPhase::Head | TiedPhase::JudgeHead => TiedStage::Head,
                TiedPhase::Distil => TiedStage::Distil,
                TiedPhase::Judge => TiedStage::Evaluate,
                TiedPhase::Finished => TiedStage::Done,
            },
            steps: [done, planned],
            head_loss: thinned(&measured.head_losses),
            loss: thinned(&measured.losses),
            ancestor_accuracy: measured.ancestor_accuracy,
            accuracy: measured.accuracy,
            ..self.told.clone()
        }
    }

    /// Hands over what there is, and tells the page.
    fn finish(&mut self, workspace: &mut Workspace, emitter: &Emitter, state: RaceState) -> Step {
        if let Some(broken) = self.trainer.batches().broken() {
            emitter.notify_info(broken);
        }
        let mut report = self.report(state);
        // Layers that took no step are none; then those of before are still there.
        if let (false, Ok(model)) = (report.loss.is_empty(), self.trainer.model()) {
            report.is_learned = true;
            workspace.tied = Some(LearnedTied { id: Id::default(), report, stored: model.stored });
        } else if workspace.tied.is_none() {
            emitter.emit(Event::Tied(Box::new(report)));
        }
        if let Some(tied) = &workspace.tied {
            emitter.emit(Event::Tied(Box::new(tied.report.clone())));
        }
        if workspace.planned.as_ref().is_some_and(|planned| self.gives(&planned.settings)) {
            plan_again(workspace, emitter);
        }
        Step::Ended { is_finished: state == RaceState::Finished }
    }

    /// Whether a plan is of the layers that are learned here.
    fn gives(&self, plan: &DescendantPlan) -> bool {
        matches!(plan, DescendantPlan::Tied(settings) if settings.tying == self.settings.tying)
    }
}
