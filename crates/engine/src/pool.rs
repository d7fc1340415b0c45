//! Making a pool of small models (Learngene Pool), or stitching independent anchors (SN-Net, the baseline), and cutting
//! descendants out.
//!
//! Like a race it is a job of small pieces: every call takes one optimiser step, judges one batch by one configuration,
//! or times one configuration. Both methods end in the same: a net whose configurations are all measured, kept side by
//! side so that they can be compared.

mod features;
pub mod made;
mod report;
mod set_up;
mod state;

use burn::module::Module;
use burn::tensor::Tensor;

use self::features::BoundedFeatures;
use self::made::Made;
pub(super) use self::made::Pools;
use self::set_up::Frame;
pub use self::state::PoolJobHeader;
use super::keep::work::{Kept, SavedInputs};
use super::race::{RaceBatches, Trained};
use super::runner::{Job, Runner};
use heirloom_learngene::pool::{PoolAdvance, Pooling};
use heirloom_nn::device::read;
use heirloom_nn::model::Model;
use heirloom_plan::protocol::{
    CutReport, Event, JobKind, Method, PoolSettings, PoolStage, Progress, RaceState, StartValue,
};
use heirloom_platform::clock::now_ms;
use heirloom_train::TrainError;

/// Times a configuration names one picture for its time; once more before, unmeasured.
const TIMED: usize = 5;
/// Shares of the steps after which the page hears of the losses.
const REPORTS: usize = 60;

/// A pool in the making.
pub(super) struct PoolJob {
    pool: Pooling<RaceBatches, BoundedFeatures>,
    frame: Frame,
    /// Milliseconds of a picture, by configuration, as far as timed.
    times: Vec<f64>,
    /// Pieces of judging done.
    judged: usize,
    /// Steps when the page last heard of it, and the stage then.
    told: (usize, PoolStage),
    pub is_paused: bool,
    /// What it was started with, once the person has changed something.
    pub inputs: Option<SavedInputs>,
    /// Which distilled models are kept already, one per model.
    kept: Vec<Kept>,
}

impl Runner {
    pub(super) async fn make_pool(&mut self, settings: PoolSettings) {
        if self.job.is_some() {
            return self.fail("another job is running; stop it first");
        }
        match self.prepare_pool(settings).await {
            Ok(job) => self.begin_pool(job),
            Err(reason) => self.fail(reason),
        }
    }

    async fn prepare_pool(&self, settings: PoolSettings) -> Result<PoolJob, String> {
        let frame = self.frame(settings)?;
        let (ancestor, batches) = self.pool_inputs(&frame).await?;
        let features = BoundedFeatures::new(!frame.settings.augment);
        let pool = Pooling::new(frame.plan(), ancestor, batches, features).map_err(|error| error.to_string())?;
        Ok(PoolJob::new(pool, frame))
    }

    pub(super) fn begin_pool(&mut self, job: PoolJob) {
        self.pace.begin(job.work_done() as usize);
        let state = if job.is_paused { RaceState::Paused } else { RaceState::Running };
        self.say(Event::Pool(Box::new(job.report(state))));
        self.job = Some(Job::Pool(Box::new(job)));
    }

    pub(super) async fn pool_next(&mut self, mut job: Box<PoolJob>) -> bool {
        if job.is_paused {
            self.job = Some(Job::Pool(job));
            return false;
        }
        match job.advance().await {
            Ok(()) if job.stage() == PoolStage::Done => self.finish_pool(job, RaceState::Finished),
            Ok(()) => {
                self.tell(&mut job);
                self.job = Some(Job::Pool(job));
            }
            Err(error) => {
                self.fail(error);
                self.finish_pool(job, RaceState::Stopped);
            }
        }
        true
    }

    /// The page hears of every stage, and of the losses now and then.
    fn tell(&mut self, job: &mut PoolJob) {
        let (steps, stage) = (job.pool.progress(), job.stage());
        if let Some(seconds_left) = self.pace.step(job.work_done() as usize, job.work_in_all() as usize) {
            let ((done, total), note) = (job.pieces(), job.note());
            let is_warming_up = steps.0 < 2;
            self.say(Event::Progress(Progress { job: JobKind::Pool, done, total, seconds_left, note, is_warming_up }));
        }
        if stage != job.told.1 || steps.0 >= job.told.0 + (steps.1 / REPORTS).max(1) {
            job.told = (steps.0, stage);
            self.say(Event::Pool(Box::new(job.report(RaceState::Running))));
        }
    }

    pub(super) fn pause_pool(&mut self, paused: bool) {
        let Some(Job::Pool(job)) = &mut self.job else { return };
        job.is_paused = paused;
        let report = job.report(if paused { RaceState::Paused } else { RaceState::Running });
        self.pace.begin(job.work_done() as usize);
        self.say(Event::Pool(Box::new(report)));
    }

    /// Keeps what there is, and tells the page.
    pub(super) fn finish_pool(&mut self, mut job: Box<PoolJob>, state: RaceState) {
        let broken: Vec<String> = job.pool.batches().loader().broken().map(|(path, _)| format!("`{path}`")).collect();
        if !broken.is_empty() {
            self.inform(format!("these pictures did not decode and were left out: {}", broken.join(", ")));
        }
        let report = job.report(state);
        self.say(Event::Pool(Box::new(report.clone())));
        let net = job.pool.net();
        let anchors = match net {
            Some(_) => Vec::new(),
            None => job.pool.distilled().iter().map(|one| one.student.valid()).collect(),
        };
        let made = Made { report, normalise: job.frame.normalise, net, anchors, kept: Kept::default() };
        *self.pools.of(job.frame.settings.method) = Some(made);
        self.end(JobKind::Pool, state == RaceState::Finished);
    }

    /// A configuration becomes a trained model like any other.
    pub(super) fn cut_out(&mut self, method: Method, configuration: usize) {
        if matches!(self.job, Some(Job::Race(_))) {
            return self.fail("a race is running; cut the model out when it is over");
        }
        let Some(made) = self.pools.of(method) else {
            return self.fail("there is no pool yet; make one first");
        };
        let Some((model, chosen)) = made.cut(configuration) else {
            return self.fail(format!("configuration `{configuration}` is not there; choose one that is ready"));
        };
        let widths = chosen.path.iter().map(|part| made.report.models[part.model].width).collect();
        let cut = CutReport { run: self.trained.len(), method, configuration: chosen, widths };
        let trained = Trained {
            model,
            classes: made.report.classes.clone(),
            normalise: made.normalise,
            arm: StartValue::Inherited,
            seed: made.report.settings.seed,
            cut: Some(cut.clone()),
            kept: Kept::default(),
        };
        self.trained.push(Some(trained));
        self.say(Event::Cut(cut));
    }
}

impl PoolJob {
    /// A job at its start, or one that is taken up again.
    fn new(pool: Pooling<RaceBatches, BoundedFeatures>, frame: Frame) -> Self {
        let kept = frame.models.iter().map(|_| Kept::default()).collect();
        let told = (0, PoolStage::Head);
        Self { pool, frame, times: Vec::new(), judged: 0, told, is_paused: false, inputs: None, kept }
    }

    /// Does the next piece of work.
    async fn advance(&mut self) -> Result<(), TrainError> {
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

    fn note(&self) -> String {
        let models = self.frame.models.len();
        match self.stage() {
            PoolStage::Head => "the ancestor learns the names of your classes".into(),
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
