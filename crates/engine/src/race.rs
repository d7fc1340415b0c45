//! A race on the person's pictures: what it is made of, and what it tells.

use super::arms::{ArmMaker, RaceStarts};
use super::keep::work::{Kept, SavedInputs};
use super::runner::Runner;
use heirloom_data::{Augment, DataError, Loader, LoaderSettings, Normalise};
use heirloom_learngene::layers::layer_names;
use heirloom_learngene::{Descendant, StartingPoint};
use heirloom_nn::model::{Model, ModelConfig};
use heirloom_plan::descendant::{TRAINING_COPIES, activation_bytes};
use heirloom_plan::forecast::{Cost, Forecast};
use heirloom_plan::protocol::{CutReport, DescendantPlan, RaceReport, RaceState, RunReport, StartValue, TrainSettings};
use heirloom_plan::queue::Queue;
use heirloom_platform::clock::now_ms;
use heirloom_train::{
    self, AdamWSettings, Advance, Batch, Batches, Race, RaceHeader, RacePlan, RunSettings, SavedTensors, Schedule,
    TrainError,
};

/// Memory a tab's CPU engine can have: wasm ends at 4 GiB, and pictures, ancestor and finished models need some of it.
const TAB_BYTES: u64 = 3 << 30;

/// Batches of pictures for a race.
pub struct RaceBatches {
    loader: Loader,
}

impl RaceBatches {
    /// Serves what `loader` serves, under the seeds of the race.
    pub fn new(loader: Loader) -> Self {
        Self { loader }
    }

    /// The loader, for judging after the race.
    pub fn loader(&mut self) -> &mut Loader {
        &mut self.loader
    }

    /// Validation pictures.
    pub fn pictures(&self) -> usize {
        self.loader.validation_len()
    }

    fn batch(&self, batch: heirloom_data::Batch) -> Batch {
        let side = self.loader.settings().image_size;
        let labels: Vec<usize> = batch.labels.iter().map(|&label| label as usize).collect();
        Batch { shape: [labels.len(), 3, side, side], pixels: batch.pixels, labels }
    }
}

impl Batches for RaceBatches {
    async fn training(&mut self, seed: u64, step: usize) -> Result<Batch, TrainError> {
        self.loader.set_seed(seed);
        let batch = self.loader.train_batch(step).await.map_err(pictures_failed)?;
        Ok(self.batch(batch))
    }

    async fn validation(&mut self, index: usize) -> Result<Batch, TrainError> {
        let batch = self.loader.validation_batch(index).await.map_err(pictures_failed)?;
        Ok(self.batch(batch))
    }

    fn validation_batches(&self) -> usize {
        self.loader.validation_batches()
    }

    fn steps_per_epoch(&self) -> f64 {
        self.loader.train_len() as f64 / self.loader.settings().batch as f64
    }
}

fn pictures_failed(error: DataError) -> TrainError {
    TrainError::Source(error.to_string())
}

/// A race under way.
pub(super) struct RaceJob {
    pub race: Race<Descendant, RaceBatches, RaceStarts>,
    pub settings: TrainSettings,
    pub classes: Vec<String>,
    /// Architecture of every arm.
    pub configs: Vec<ModelConfig>,
    pub is_paused: bool,
    /// The experiment it is part of.
    pub queue: Queue,
    /// Costs of the races that come after it.
    later: Vec<Cost>,
    cost: Cost,
    forecast: Forecast,
    /// When the last piece of work ended, ms.
    last: f64,
    /// What it was started with, once the person has changed something.
    pub inputs: Option<SavedInputs>,
    /// Which models of finished runs are kept already, one per run.
    kept: Vec<Kept>,
}

/// A trained descendant, with what it needs to be used.
pub(super) struct Trained {
    pub model: Model,
    pub classes: Vec<String>,
    pub normalise: Normalise,
    pub arm: StartValue,
    pub seed: u64,
    /// Where it was cut from a pool; `None` for a descendant of a race.
    pub cut: Option<CutReport>,
    /// Whether it is kept already.
    pub kept: Kept,
}

/// What a run of a race is trained with.
pub fn run_settings(settings: &TrainSettings) -> RunSettings {
    let TrainSettings { steps, warmup_steps, lr, weight_decay, label_smoothing, drop_path, clip_norm, .. } = *settings;
    RunSettings {
        schedule: Schedule { peak: lr, floor: 0.0, warmup_steps, steps },
        adamw: AdamWSettings { weight_decay, clip_norm: (clip_norm > 0.0).then_some(clip_norm), ..Default::default() },
        label_smoothing,
        drop_path,
        freeze_steps: 0,
        seed: 0,
    }
}

/// Epochs for which the learngene is held still.
fn freeze_epochs(plan: &DescendantPlan) -> f64 {
    match plan {
        DescendantPlan::Cluster(_) => 0.0,
        DescendantPlan::Layers(settings) => settings.freeze_epochs,
    }
}

/// How pictures are served to a race.
pub fn loader_settings(settings: &TrainSettings, normalise: Normalise) -> LoaderSettings {
    LoaderSettings {
        image_size: settings.descendant.image_size(),
        batch: settings.batch,
        normalise,
        augment: settings.augment.then(Augment::default),
        ..LoaderSettings::default()
    }
}

/// Everything a race is made of, for a new one or for one that is taken up again.
pub(super) struct RaceParts {
    pub plan: RacePlan,
    pub batches: RaceBatches,
    pub starts: RaceStarts,
    pub configs: Vec<ModelConfig>,
    pub classes: Vec<String>,
    pub cost: Cost,
}

impl Runner {
    /// The parts of a race.
    ///
    /// # Errors
    /// A sentence, when something is missing or does not fit.
    pub(super) fn race_parts(&self, settings: &TrainSettings) -> Result<RaceParts, String> {
        let planned = self.plan(settings.descendant.clone()).map_err(|error| error.to_string())?;
        let (Some(ancestor), Some(acquired)) = (&self.ancestor, &self.acquired) else {
            return Err("no ancestor is open yet; open a checkpoint first".into());
        };
        let Some(split) = &self.pictures.split else {
            return Err("there are too few pictures; at least two classes with two pictures each are needed".into());
        };
        if settings.arms.is_empty() || settings.seeds == 0 || settings.steps == 0 {
            return Err("a race needs at least one arm, one seed and one step".into());
        }
        let device = &acquired.device;
        let maker = ArmMaker { ancestor: &ancestor.model, planned: &planned.start, device };
        let arms = settings.arms.iter().map(|&start| maker.make(start)).collect::<Result<Vec<_>, _>>();
        let arms = arms.map_err(|error| error.to_string())?;
        let configs: Vec<ModelConfig> = arms.iter().map(StartingPoint::config).collect();
        let part = split.share_of_training(settings.share, self.pictures.settings.seed);
        let loader = Loader::new(&self.pictures.set, &part, loader_settings(settings, ancestor.normalise));
        let loader = loader.map_err(|error| error.to_string())?;
        let flops = configs.iter().map(|config| config.flops() as f64).collect();
        let cost = Cost::of(settings, flops, [loader.train_len(), loader.validation_len()]);
        let freeze_steps =
            (freeze_epochs(&settings.descendant) * loader.train_len() as f64 / settings.batch as f64).round() as usize;
        let in_tab = cfg!(target_arch = "wasm32") && !acquired.is_webgpu;
        let plan = RacePlan {
            run: RunSettings { freeze_steps, ..run_settings(settings) },
            steps: settings.steps,
            arms: settings.arms.len(),
            seeds: (settings.first_seed..).take(settings.seeds).collect(),
            validate_every: settings.validate_every,
            is_interleaved: settings.is_interleaved,
            micro_batch: settings.micro_batch,
            room: if in_tab { Some(room(&configs, settings.is_interleaved, TAB_BYTES)) } else { None },
        };
        let batches = RaceBatches::new(loader);
        Ok(RaceParts { plan, batches, starts: RaceStarts::new(arms), configs, classes: split.classes.clone(), cost })
    }

    /// The race of a queue that is next, at its start. `forecast` goes on measuring.
    ///
    /// # Errors
    /// A sentence, when something is missing or does not fit.
    pub(super) fn begin_race(&self, queue: Queue, forecast: Forecast) -> Result<RaceJob, String> {
        let Some(settings) = queue.current() else { return Err("no race is left to run".into()) };
        let RaceParts { plan, batches, starts, configs, classes, cost } = self.race_parts(&settings)?;
        let Some(acquired) = &self.acquired else { return Err("the engine has no device yet".into()) };
        let race = Race::new(plan, batches, starts, &acquired.device, now_ms);
        let rest = queue.races().into_iter().skip(queue.finished.len() + 1);
        let later = rest.map(|settings| Ok(self.race_parts(&settings)?.cost)).collect::<Result<_, String>>()?;
        Ok(RaceJob {
            kept: race.reports().iter().map(|_| Kept::default()).collect(),
            inputs: None,
            race,
            settings,
            classes,
            configs,
            is_paused: false,
            queue,
            later,
            cost,
            forecast,
            last: now_ms(),
        })
    }
}

/// Pictures that one pass has memory for beside weights, gradients and moments of all models in training.
fn room(configs: &[ModelConfig], is_interleaved: bool, bytes: u64) -> usize {
    let held = configs.iter().map(|config| 4 * TRAINING_COPIES * config.parameters());
    let held = if is_interleaved { held.sum() } else { held.max().unwrap_or(0) };
    let picture = configs.iter().map(activation_bytes).max().unwrap_or(1).max(1);
    (bytes.saturating_sub(held) / picture) as usize
}

/// What keeping a race needs of it.
impl RaceJob {
    pub fn is_paused(&self) -> bool {
        self.is_paused
    }

    /// Whole passes over the pictures, over all seeds and races before.
    pub fn passes(&self) -> usize {
        (self.queue.finished.len() << 20) + self.race.passes()
    }

    /// Whether and where the model of a finished run is kept.
    pub fn kept(&self, run: usize) -> Kept {
        self.kept.get(run).cloned().unwrap_or_default()
    }

    pub fn all_kept(&self) -> Vec<Kept> {
        self.kept.clone()
    }

    /// A race at its start goes on where a saved one stood.
    pub async fn resume<T: SavedTensors>(self, header: RaceHeader, tensors: &mut T) -> Result<Self, TrainError> {
        let mut job = Self { race: self.race.resume(header, tensors).await?, ..self };
        job.settings.micro_batch = job.race.plan().micro_batch;
        Ok(job)
    }
}

impl RaceJob {
    /// Learns from a piece of work that just ended.
    pub fn learn(&mut self, advance: &Advance) {
        let now = now_ms();
        let seconds = (now - self.last) / 1e3;
        self.last = now;
        let arms = self.configs.len();
        match *advance {
            Advance::Stepped { run, .. } if self.race.reports()[run].step > 1 => {
                self.forecast.stepped(seconds, self.cost.of_step(run % arms));
            }
            Advance::Judged { run } | Advance::Measured { run } if self.race.reports()[run].points.len() > 1 => {
                let batches = self.race.batches().validation_batches().max(1);
                let pictures = self.cost.pictures as f64 / batches as f64;
                self.forecast.judged(seconds, pictures * self.cost.flops[run % arms]);
            }
            _ => {}
        }
    }

    /// Time that passed since the last piece of work is not work.
    pub fn rested(&mut self) {
        self.last = now_ms();
    }

    /// What was measured of the machine.
    pub fn forecast(&self) -> &Forecast {
        &self.forecast
    }

    /// Seconds that this race and those after it still take.
    pub fn seconds_left(&self) -> Option<f64> {
        self.forecast.seconds(self.cost.left(&self.runs()), &self.later)
    }

    /// Steps done and planned over all races; a failed run counts as done.
    pub fn progress(&self) -> (usize, usize) {
        let (done, _) = self.race.progress();
        let before: usize = self.queue.finished.iter().map(|race| race.settings.steps * race.runs.len()).sum();
        let all = self.queue.races().iter().map(|race| race.steps * race.seeds * race.arms.len()).sum();
        (before + done, all)
    }

    pub fn note(&self) -> String {
        if self.forecast.is_warming_up() {
            return "warming up: measuring this machine".into();
        }
        let (arms, settings) = (self.settings.arms.len(), &self.settings);
        let current = self.race.reports().iter().rev().find(|report| report.step > 0);
        let Some(report) = current else { return String::new() };
        let place = format!("seed {} of {}, step {} of {}", report.seed, settings.seeds, report.step, settings.steps);
        let order = match (arms, settings.is_interleaved) {
            (1, _) => String::new(),
            (_, true) => format!(", {arms} arms side by side"),
            (_, false) => format!(", arm {} of {arms}", report.arm + 1),
        };
        let race = match self.queue.is_experiment() {
            true => format!("race {} of {}, ", self.queue.finished.len() + 1, self.queue.races().len()),
            false => String::new(),
        };
        format!("{race}{place}{order}")
    }

    fn runs(&self) -> Vec<RunReport> {
        let run = |report: &heirloom_train::RunProgress| {
            let config = &self.configs[report.arm];
            RunReport {
                arm: self.settings.arms[report.arm],
                seed: report.seed,
                step: report.step,
                points: report.points.clone(),
                steps_per_second: report.steps_per_second,
                parameters: config.parameters(),
                flops: config.flops(),
                size: (layer_names(config).len(), config.vit().map(|config| config.num_heads)),
                failure: report.failure.clone(),
                has_model: report.failure.is_none() && report.step > 0,
            }
        };
        self.race.reports().iter().map(run).collect()
    }

    pub fn report(&self, state: RaceState) -> RaceReport {
        RaceReport {
            settings: self.settings.clone(),
            runs: self.runs(),
            classes: self.classes.clone(),
            state,
            first_run: self.queue.first_run(),
        }
    }
}
