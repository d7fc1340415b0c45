//! Making a pool of small models (Learngene Pool), or stitching independent anchors (SN-Net, the baseline).
//!
//! Like a race it is a job of small pieces: every call takes one optimiser step, judges one batch by one configuration,
//! or times one configuration. Both methods end in the same: a net whose configurations are all measured, kept side by
//! side so that they can be compared.

mod report;
mod set_up;

use burn::module::Module;
use burn::tensor::Tensor;
use futures::FutureExt;
use futures::future::LocalBoxFuture;

use self::set_up::Frame;
use super::features::BoundedFeatures;
use super::job::{Job, JobTensors, Lasting, Making, Step, TensorSource, making};
use crate::batches::RaceBatches;
use crate::emitter::Emitter;
use crate::error::EngineError;
use crate::saved::{PoolJobHeader, SavedPoolJob, SavedWork};
use crate::workspace::{FinishedPool, Id, Workspace};
use heirloom_learngene::pool::{PoolAdvance, PoolTrainer};
use heirloom_nn::device::read;
use heirloom_nn::model::Model;
use heirloom_plan::protocol::{Command, Event, JobKind, PoolStage, Progress, RaceState};
use heirloom_platform::clock::now_ms;
use heirloom_train::TrainError;

/// Times a configuration names one picture for its time; once more before, unmeasured.
const TIMED: usize = 5;
/// Shares of the steps after which the page hears of the losses.
const REPORTS: usize = 60;

/// A pool in the making.
struct PoolJob {
    pool: PoolTrainer<RaceBatches, BoundedFeatures>,
    frame: Frame,
    /// Milliseconds of a picture, by configuration, as far as timed.
    times: Vec<f64>,
    /// Pieces of judging done.
    judged: usize,
    /// Steps when the page last heard of it, and the stage then.
    told: (usize, PoolStage),
    lasting: Lasting,
}

/// On [`Command::MakePool`].
pub fn start<'a>(command: &'a Command, workspace: &'a mut Workspace) -> Making<'a> {
    let Command::MakePool(settings) = command else { return None };
    making(async { PoolJob::new(workspace, Frame::new(workspace, settings.clone())?).await })
}

/// A saved pool where it stood, with the same ancestor and pictures.
pub fn resume<'a>(work: &'a SavedWork, workspace: &'a Workspace, mut tensors: &'a mut dyn TensorSource) -> Making<'a> {
    let SavedPoolJob { header, inputs, .. } = work.pool_job.clone()?;
    making(async move {
        let PoolJobHeader { settings, pool: header, times, is_paused } = header;
        let frame = Frame::new(workspace, settings)?;
        if frame.plan() != *header.plan() {
            return Err(EngineError::OtherPool);
        }
        let mut job = PoolJob::new(workspace, frame).await?;
        job.pool = job.pool.resume(header, &mut tensors).await?;
        job.times = times;
        job.judged = job.judged_before();
        job.told = (job.pool.progress().0, job.stage());
        (job.lasting.is_paused, job.lasting.inputs) = (is_paused, inputs);
        Ok(job)
    })
}

impl Job for PoolJob {
    fn kind(&self) -> JobKind {
        JobKind::Pool
    }

    fn announce(&mut self, emitter: &Emitter) {
        emitter.pace().begin(self.work_done() as usize);
        let state = if self.lasting.is_paused { RaceState::Paused } else { RaceState::Running };
        emitter.emit(Event::Pool(Box::new(self.report(state))));
    }

    fn advance<'a>(&'a mut self, workspace: &'a mut Workspace, emitter: &'a Emitter) -> LocalBoxFuture<'a, Step> {
        async move {
            match self.advance_or_time().await {
                Ok(()) if self.stage() == PoolStage::Done => self.finish(workspace, emitter, RaceState::Finished),
                Ok(()) => {
                    self.emit_progress(emitter);
                    Step::Worked
                }
                Err(error) => {
                    emitter.notify_error(error);
                    self.finish(workspace, emitter, RaceState::Stopped)
                }
            }
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

    /// Over all models.
    fn passes(&self) -> usize {
        let (steps, _) = self.pool.progress();
        steps * self.frame.settings.batch / self.frame.pictures[0].max(1)
    }

    fn snapshot(&self, work: &mut SavedWork) -> Result<JobTensors, TrainError> {
        let parts = self.pool.parts()?;
        let header = PoolJobHeader {
            settings: self.frame.settings.clone(),
            pool: parts.header,
            times: self.times.clone(),
            is_paused: self.lasting.is_paused,
        };
        let inputs = self.lasting.earlier_inputs(&work.inputs);
        work.pool_job = Some(SavedPoolJob { header, inputs, distilled: Vec::new() });
        Ok(JobTensors { live: parts.live, parts: parts.distilled })
    }
}

impl PoolJob {
    /// A job at its start.
    async fn new(workspace: &Workspace, frame: Frame) -> Result<Self, EngineError> {
        let (ancestor, batches) = frame.lessons().inputs(workspace).await?;
        let features = BoundedFeatures::new(!frame.settings.augment);
        let pool = PoolTrainer::new(frame.plan(), ancestor, batches, features)?;
        let (lasting, told) = (Lasting::new(frame.models.len()), (0, PoolStage::Head));
        Ok(Self { pool, frame, times: Vec::new(), judged: 0, told, lasting })
    }

    /// Does the next piece of work.
    async fn advance_or_time(&mut self) -> Result<(), TrainError> {
        if self.pool.is_finished() {
            let net = self.pool.net().ok_or(TrainError::ModelLost)?;
            let model = net.cut(self.times.len());
            self.times.push(milliseconds_of(&model).await?);
            return Ok(());
        }
        if self.pool.advance().await? == PoolAdvance::Judged {
            self.judged += 1;
        }
        Ok(())
    }

    /// The page hears of every stage, and of the losses now and then.
    fn emit_progress(&mut self, emitter: &Emitter) {
        let (steps, stage) = (self.pool.progress(), self.stage());
        if let Some(seconds_left) = emitter.pace().step(self.work_done() as usize, self.work_in_all() as usize) {
            let ((done, total), note) = (self.pieces(), self.note());
            let is_warming_up = steps.0 < 2;
            let job = JobKind::Pool;
            emitter.emit(Event::Progress(Progress {
                job,
                done,
                total,
                seconds_left,
                note,
                is_warming_up,
                is_preparing: false,
            }));
        }
        if stage != self.told.1 || steps.0 >= self.told.0 + (steps.1 / REPORTS).max(1) {
            self.told = (steps.0, stage);
            emitter.emit(Event::Pool(Box::new(self.report(RaceState::Running))));
        }
    }

    /// Hands over what there is, and tells the page.
    fn finish(&mut self, workspace: &mut Workspace, emitter: &Emitter, state: RaceState) -> Step {
        if let Some(broken) = self.pool.batches().broken() {
            emitter.notify_info(broken);
        }
        let report = self.report(state);
        emitter.emit(Event::Pool(Box::new(report.clone())));
        let net = self.pool.net();
        let anchors = match net {
            Some(_) => Vec::new(),
            None => self.pool.distilled().iter().map(|one| one.student.valid()).collect(),
        };
        let normalise = self.frame.normalise;
        let finished = FinishedPool { id: Id::default(), report, normalise, net, anchors };
        *workspace.pools.of(self.frame.settings.method) = Some(finished);
        Step::Ended { is_finished: state == RaceState::Finished }
    }

    fn note(&self) -> String {
        let models = self.frame.models.len();
        match self.stage() {
            PoolStage::Head => "the ancestor learns the names of your classes".into(),
            PoolStage::Basis => "the coordinates that the small models share are found".into(),
            PoolStage::Distil { model } => format!("small model {} of {models} learns from the ancestor", model + 1),
            PoolStage::Stitch => "stitch layers get their start values".into(),
            PoolStage::Tune => "training the stitched whole, one configuration a step".into(),
            PoolStage::Evaluate => "judging every configuration".into(),
            PoolStage::Time | PoolStage::Done => "timing every configuration".into(),
        }
    }
}

/// How long a model takes for one picture on this machine.
async fn milliseconds_of(model: &Model) -> Result<f64, TrainError> {
    let side = model.config().image_size();
    let images = Tensor::<4>::zeros([1, 3, side, side], &model.device());
    // The first pass may still choose and compile kernels.
    read(model.logits(images.clone(), None)).await?;
    let begun = now_ms();
    for _ in 0..TIMED {
        read(model.logits(images.clone(), None)).await?;
    }
    Ok((now_ms() - begun) / TIMED as f64)
}
