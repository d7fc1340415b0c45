//! One run: a model, its optimiser and its schedule, one step at a time.

use super::classifier::{Classifier, hold};
use super::crew::{PassTensors, Passed, bounds, flat_weights, join, make_up, next_version, pass_parts, shares};
use super::optimiser::add_gradients;
use super::relative::relative_lr_scales;
use super::state::{DeviceTensor, HostTensors, load_model, parts_of_model, read_parts};
use super::{
    AdamWSettings, ClassificationMetrics, Crew, Errand, LrScale, Optimiser, OptimiserState, Schedule, TrainError,
    Updated, drop_path_factors, smoothed_targets,
};
use burn::module::Module;
use burn::tensor::{Int, Tensor, TensorData};
use futures::future::join_all;
use heirloom_nn::cnn::Statistics;
use heirloom_nn::device::{read, read_all};
use serde::{Deserialize, Serialize};
use std::ops::Range;
use std::rc::Rc;

/// How one run is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunSettings {
    /// Learning rate of every step.
    pub schedule: Schedule,
    /// The optimiser.
    pub adamw: AdamWSettings,
    /// Label smoothing, 0..1 (Cluster-Learngene: 0.1).
    pub label_smoothing: f64,
    /// Highest drop-path rate, 0..1.
    pub drop_path: f64,
    /// Steps for which the learngene's parameters get no updates; 0 = they train from the first step on.
    #[serde(default)]
    pub freeze_steps: usize,
    /// Groups of parameters with a share of the learning rate; states of earlier versions have none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lr_scales: Vec<LrScale>,
    /// Where given, the schedule's rate is relative to the size of each inherited tensor, and this is the peak rate of
    /// those that are not: see [`Run::start`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fresh_lr: Option<f64>,
    /// Seed of the drop-path draws.
    pub seed: u64,
}

/// What one step reports.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stepped {
    /// Steps taken, this one included.
    pub step: usize,
    /// Training loss before the update.
    pub loss: f32,
    /// Global norm of the gradient before clipping; `None` when clipping is off.
    pub norm: Option<f32>,
    /// Learning rate of the update.
    pub lr: f64,
}

/// A model in training.
#[derive(Debug)]
pub struct Run<M> {
    settings: RunSettings,
    /// Absent only while a step updates it: the update moves the weights, so that they change in place.
    model: Option<M>,
    optimiser: Optimiser,
    step: usize,
    /// Pictures of one pass through the model; 0 = the whole batch.
    micro_batch: usize,
    /// Parts of a batch whose gradients are added, see [`crate::Crew`].
    parts: usize,
    crew: Option<Rc<dyn Crew>>,
}

impl<M: Classifier> Run<M> {
    /// A run at its first step. `model` may come with or without autodiff.
    pub fn new(model: M, settings: RunSettings) -> Self {
        let optimiser = Optimiser::new(settings.adamw);
        Self::at(model, optimiser, settings, 0)
    }

    /// A run at its first step, each tensor with its own rate where [`RunSettings::fresh_lr`] asks for that. The rates
    /// are among the settings from then on, so that a saved run goes on with those it began with.
    ///
    /// # Errors
    /// When the device does not answer.
    pub async fn start(model: M, settings: RunSettings) -> Result<Self, TrainError> {
        let lr_scales = match settings.fresh_lr {
            Some(fresh) => relative_lr_scales(&model, settings.schedule.peak, fresh).await?,
            None => settings.lr_scales.clone(),
        };
        Ok(Self::new(model, RunSettings { lr_scales, ..settings }))
    }

    /// A run that has taken `step` steps.
    fn at(model: M, optimiser: Optimiser, settings: RunSettings, step: usize) -> Self {
        let is_held = step < settings.freeze_steps;
        let model = if is_held || !model.held().is_empty() { hold(model, is_held) } else { model };
        let optimiser = optimiser.with_lr_scales(settings.lr_scales.clone());
        Self { settings, model: Some(model.train()), optimiser, step, micro_batch: 0, parts: 1, crew: None }
    }

    /// The settings.
    pub fn settings(&self) -> &RunSettings {
        &self.settings
    }

    /// Steps taken.
    pub fn steps_taken(&self) -> usize {
        self.step
    }

    /// Lets a batch go through the model in parts of at most so many pictures, whose gradients are added: less memory
    /// for the same step. 0 = the whole batch at once. The gradient stays that of the mean over the whole batch; not so
    /// in a model with batch norm, which normalises each part by the part's own statistics: there it is another step.
    pub fn set_micro_batch(&mut self, pictures: usize) {
        self.micro_batch = pictures;
    }

    /// Divides every batch into so many parts, and lets a crew compute some of them. The parts show in the last bits of a
    /// step, the crew does not. A model with batch norm is better left with one: its statistics are the whole batch's.
    pub fn set_crew(&mut self, parts: usize, crew: Option<Rc<dyn Crew>>) {
        (self.parts, self.crew) = (parts.max(1), crew);
    }

    /// The model as it stands, without autodiff. Drop it before the next step: a second holder of the weights makes the
    /// step copy them.
    ///
    /// # Errors
    /// When an earlier step broke off half-way.
    pub fn model(&self) -> Result<M, TrainError> {
        self.model.as_ref().map(Module::valid).ok_or(TrainError::ModelLost)
    }

    /// The trained model, without autodiff; moments are let go.
    ///
    /// # Errors
    /// When an earlier step broke off half-way.
    pub fn into_model(self) -> Result<M, TrainError> {
        self.model()
    }

    /// One optimiser step. Reading the loss also waits for the device, so steps never pile up in its queue.
    ///
    /// # Shapes
    /// `images: [batch, channels, height, width]`, `labels: [batch]`
    ///
    /// # Errors
    /// When loss or gradient is not finite (the weights stay as they were and the step is not counted), or the device
    /// does not answer.
    pub async fn step(&mut self, images: Tensor<4>, labels: Tensor<1, Int>) -> Result<Stepped, TrainError> {
        let ([batch, ..], [labelled]) = (images.dims(), labels.dims());
        if batch != labelled || batch == 0 {
            let (found, expected) = (labelled.to_string(), format!("{batch}, at least 1"));
            return Err(TrainError::Mismatch { what: "labels of a batch".into(), found, expected });
        }
        let model = self.begin()?;
        let mut statistics = Statistics::default();
        match self.pass(&model, images, labels, &mut statistics).await {
            Ok(passed) => self.finish(model, passed, &statistics).await,
            Err(error) => {
                self.model = Some(model);
                Err(error)
            }
        }
    }

    /// One optimiser step on a loss of the caller's, `[1]`, of a model without batch norms; otherwise as [`Run::step`].
    ///
    /// # Errors
    /// As [`Run::step`].
    pub async fn step_by(&mut self, loss: impl FnOnce(&M) -> Tensor<1>) -> Result<Stepped, TrainError> {
        let model = self.begin()?;
        let loss = loss(&model);
        let passed = Passed { gradients: loss.backward(), loss: loss.inner() };
        self.finish(model, passed, &Statistics::default()).await
    }

    /// The model, for a step; held layers are let go when their time is over.
    fn begin(&mut self) -> Result<M, TrainError> {
        let model = self.model.take().ok_or(TrainError::ModelLost)?;
        let is_freed = self.step > 0 && self.step == self.settings.freeze_steps;
        Ok(if is_freed { hold(model, false) } else { model })
    }

    /// Updates the weights and waits for the numbers of the step.
    async fn finish(&mut self, model: M, passed: Passed, statistics: &Statistics) -> Result<Stepped, TrainError> {
        let lr = self.settings.schedule.lr(self.step);
        let Passed { gradients, loss: shown } = passed;
        let Updated { model, norm } = self.optimiser.update(lr, model, gradients, shown.clone());
        self.model = Some(model);
        let numbers = read_all([Some(shown), norm].into_iter().flatten().collect()).await?;
        let number = |at: usize| numbers.get(at).and_then(|values| values.first()).copied();
        let (loss, norm) = (number(0).unwrap_or(f32::NAN), number(1));
        let step = self.step + 1;
        if !loss.is_finite() || norm.is_some_and(|norm| !norm.is_finite()) {
            self.optimiser.forget_update();
            return Err(match norm {
                Some(norm) if loss.is_finite() => TrainError::GradientNotFinite { step, norm },
                _ => TrainError::LossNotFinite { step, loss },
            });
        }
        self.model = self.model.take().map(|model| model.update_running_stats(statistics));
        self.step = step;
        Ok(Stepped { step, loss, norm, lr })
    }

    /// Loss and gradients of a batch, part by part: what a part keeps for its backward pass is let go before the next.
    async fn pass(
        &self,
        model: &M,
        images: Tensor<4>,
        labels: Tensor<1, Int>,
        statistics: &mut Statistics,
    ) -> Result<Passed, TrainError> {
        let [batch, ..] = images.dims();
        let targets = smoothed_targets(labels, model.classes(), self.settings.label_smoothing);
        let drop_path = self.drop_path(model, &images);
        let tensors = PassTensors { images, targets, drop_path };
        let parts = self.parts.min(batch);
        if self.micro_batch == 0 || self.micro_batch >= batch.div_ceil(parts) {
            return self.pass_with_crew(model, tensors, parts, statistics).await;
        }
        // There is less memory than the tree of sums needs.
        let most = self.micro_batch;
        let mut pass = |from: usize| {
            let count = most.min(batch - from);
            pass_parts(model, tensors.part(from, count), (&[count], batch), statistics)
        };
        let mut whole = pass(0);
        for from in (most..batch).step_by(most) {
            let Passed { gradients, loss } = pass(from);
            add_gradients(model, &mut whole.gradients, gradients);
            whole.loss = whole.loss + loss;
        }
        Ok(whole)
    }

    /// The crew computes whole branches of the tree of parts, this thread the first.
    async fn pass_with_crew(
        &self,
        model: &M,
        tensors: PassTensors,
        parts: usize,
        statistics: &mut Statistics,
    ) -> Result<Passed, TrainError> {
        let [batch, ..] = tensors.images.dims();
        let bounds = bounds(batch, parts);
        let sizes: Vec<usize> = bounds.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let helped = self.crew.as_ref().filter(|crew| parts > 1 && crew.hands() > 0).zip(model.blueprint());
        let Some((crew, blueprint)) = helped else {
            return Ok(pass_parts(model, tensors, (&sizes, batch), statistics));
        };
        let shares = shares(parts, crew.hands() + 1);
        let part = |share: &Range<usize>| {
            let from = bounds[share.start];
            (tensors.part(from, bounds[share.end] - from), (&sizes[share.clone()], batch))
        };
        let (version, weights) = (next_version(), Rc::new(flat_weights(model).await?));
        let is_held = self.step < self.settings.freeze_steps;
        let mut asked = Vec::new();
        for (hand, share) in shares[1..].iter().enumerate() {
            let (tensors, parts) = part(share);
            let (blueprint, weights) = (blueprint.clone(), weights.clone());
            let shape = tensors.images.dims();
            let (pixels, work) = tensors.into_errand(parts, is_held).await?;
            asked.push(crew.ask(hand, Errand { version, blueprint, weights, pixels, shape, work }));
        }
        let (own, own_parts) = part(&shares[0]);
        let own = pass_parts(model, own, own_parts, statistics);
        let mut answers = Vec::new();
        for (share, answer) in shares[1..].iter().zip(join_all(asked).await) {
            let (tensors, parts) = part(share);
            answers.push((
                share.len(),
                match answer {
                    Some(answer) => answer,
                    None => make_up(model, tensors, parts).await?,
                },
            ));
        }
        join(model, (own, shares[0].len()), parts, &mut answers.into_iter().peekable())
    }

    fn drop_path(&self, model: &M, images: &Tensor<4>) -> Option<Tensor<2>> {
        let (branches, [batch, ..]) = (model.branches(), images.dims());
        let RunSettings { drop_path, seed, .. } = self.settings;
        (drop_path > 0.0 && branches > 0).then(|| {
            let factors = drop_path_factors(drop_path, branches, batch, seed, self.step);
            Tensor::from_data(TensorData::new(factors, [branches, batch]), &images.device())
        })
    }

    /// Judges one batch and returns the predicted classes.
    ///
    /// # Shapes
    /// `images: [batch, channels, height, width]`, `labels: [batch]`
    ///
    /// # Errors
    /// When the model answers NaN, a label is no class, or the device does not answer.
    pub async fn evaluate_batch(
        &self,
        images: Tensor<4>,
        labels: &[usize],
        tally: &mut ClassificationMetrics,
    ) -> Result<Vec<usize>, TrainError> {
        evaluate_batch(&self.model()?, images, labels, tally).await
    }

    /// Judges several batches.
    ///
    /// # Errors
    /// As [`Run::evaluate_batch`].
    pub async fn evaluate(
        &self,
        batches: impl IntoIterator<Item = (Tensor<4>, Vec<usize>)>,
    ) -> Result<ClassificationMetrics, TrainError> {
        let model = self.model()?;
        let mut tally = ClassificationMetrics::new(model.classes());
        for (images, labels) in batches {
            evaluate_batch(&model, images, &labels, &mut tally).await?;
        }
        Ok(tally)
    }
}

/// Judges one batch with a model outside training; see [`Run::evaluate_batch`].
///
/// # Errors
/// When the model answers NaN, a label is no class, or the device does not answer.
pub async fn evaluate_batch<M: Classifier>(
    model: &M,
    images: Tensor<4>,
    labels: &[usize],
    tally: &mut ClassificationMetrics,
) -> Result<Vec<usize>, TrainError> {
    let logits = read(model.logits(images, None)).await?;
    tally.add(&logits, labels)
}

/// What a saved run says besides its tensors; serialise it as JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunHeader {
    /// The settings.
    pub settings: RunSettings,
    /// Steps taken; all random draws are functions of `settings.seed` and this.
    pub step: usize,
    /// Optimiser updates made.
    pub updates: u64,
}

/// A whole run on the host.
#[derive(Clone, Debug, PartialEq)]
pub struct RunState {
    /// Everything that is not a tensor.
    pub header: RunHeader,
    /// `model.{path}`, `first.{path}` and `second.{path}`.
    pub tensors: HostTensors,
}

impl<M: Classifier> Run<M> {
    /// Reads the whole run back.
    ///
    /// # Errors
    /// When the device does not answer.
    pub async fn save(&self) -> Result<RunState, TrainError> {
        let (header, parts) = self.parts()?;
        Ok(RunState { header, tensors: read_parts(parts).await? })
    }

    /// The same with the tensors still on the device, in the order of [`RunState::tensors`].
    ///
    /// # Errors
    /// When an earlier step broke off half-way.
    pub fn parts(&self) -> Result<(RunHeader, Vec<DeviceTensor>), TrainError> {
        let header = RunHeader { settings: self.settings.clone(), step: self.step, updates: self.optimiser.updates() };
        let weights = parts_of_model(&self.model()?).into_iter().map(|part| part.under("model."));
        Ok((header, weights.chain(self.optimiser.parts()).collect()))
    }

    /// The run a state was saved from; `model` gives the architecture and the device, its weights are replaced.
    ///
    /// # Errors
    /// When the state belongs to another model.
    pub fn restore(model: M, state: RunState) -> Result<Self, TrainError> {
        let RunState { header: RunHeader { settings, step, updates }, tensors } = state;
        let device = model.devices().into_iter().next().ok_or(TrainError::ModelLost)?;
        let (mut weights, mut moments) = (HostTensors::new(), HostTensors::new());
        for (name, tensor) in tensors {
            match name.strip_prefix("model.") {
                Some(path) => weights.insert(path.to_string(), tensor),
                None => moments.insert(name, tensor),
            };
        }
        let model = load_model(model, &weights)?;
        let optimiser = Optimiser::restore(settings.adamw, &OptimiserState { updates, tensors: moments }, &device)?;
        Ok(Self::at(model, optimiser, settings, step))
    }
}
