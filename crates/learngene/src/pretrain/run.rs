//! Training an ancestor from nothing: labels, and if there is one a convolutional teacher whose last map says of every
//! patch what it shows.
//!
//! Little computing shaped it. A label is one number for a picture; the teacher's map is a vector for each patch, so far
//! fewer pictures teach as much. For part of the training the student sees only some of its patches, which costs as much less
//! (PatchDropout, Liu et al. 2023). All that is drawn is a function of (seed, step), so a training that was broken off
//! goes on exactly.

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::activation::softmax;
use burn::tensor::module::adaptive_avg_pool2d;
use burn::tensor::{Device, Int, Tensor, TensorData};
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use super::apart::Watch;
use heirloom_nn::cnn::{self, Cnn};
use heirloom_nn::kernels::linear;
use heirloom_nn::vit::{Hooks, OnHeads, RandomWeights, Vit, VitConfig};
use heirloom_plan::weights::generator_of;
use heirloom_train::{
    Batches, ClassificationMetrics, Classifier, Run, RunSettings, RunState, Stepped, TrainError, cross_entropy,
    drop_path_factors, evaluate_batch, smoothed_targets,
};

/// Temperature at which the teacher's answers are matched: what it learned by heart it answers all too surely.
const TEMPERATURE: f64 = 2.0;

/// How an ancestor is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AncestorPlan {
    /// Schedule, optimiser, smoothing, drop-path and seed.
    pub run: RunSettings,
    /// Share of the patches that a step sees at first, 0..1.
    pub seen_patches: f64,
    /// From which share of the steps on all patches are seen, 0..1.
    pub all_patches_from: f64,
    /// Share of the teacher's answers against the labels in the loss, 0..1.
    pub answers: f64,
    /// Weight of the teacher's map in the loss.
    pub map: f64,
    /// Weight of the heads' head_separation_loss ([`super::head_separation_loss`]) in the loss, in steps that see all patches.
    pub apart: f64,
}

/// The ancestor to be, and the layer that tells the teacher's map from its tokens (only while it is taught).
#[derive(Module, Debug)]
pub struct Student {
    /// The ancestor.
    pub vit: Vit,
    /// `[embed_dim, teacher's channels]`.
    pub tell: Option<Linear>,
}

impl Student {
    /// A student of `vit` and, if there is one, of its teacher.
    pub fn start(vit: Vit, teacher: Option<&MapTeacher>, seed: u64) -> Self {
        let (width, device) = (vit.config.embed_dim, vit.device());
        let tell = teacher.map(|teacher| {
            let channels = teacher.channels();
            let weight = TensorData::new(RandomWeights { seed }.values("tell", width * channels), [width, channels]);
            let bias = Some(Param::from_tensor(Tensor::<1>::zeros([channels], &device)));
            Linear { weight: Param::from_data(weight, &device), bias }
        });
        Self { vit, tell }
    }

    /// Answers and, if it is taught, what it tells of the patches it sees, `[batch, seen, channels]`. `seen` picks
    /// patches; without it all are seen, and how close the heads are is said if somebody `watches`.
    fn look(
        &self,
        images: Tensor<4>,
        seen: Option<Tensor<1, Int>>,
        drop_path: Option<Tensor<2>>,
        watches: bool,
    ) -> StudentOutput {
        let vit = &self.vit;
        let prefix = vit.config.prefix_tokens();
        let mut watch = (watches && seen.is_none()).then(|| Watch::new(&vit.config));
        let mut tokens = vit.embed(images);
        if let Some(seen) = seen {
            let [_, count, _] = tokens.dims();
            let patches = tokens.clone().narrow(1, prefix, count - prefix).select(1, seen);
            // A tensor of no tokens cannot be cut out.
            let front = (prefix > 0).then(|| tokens.narrow(1, 0, prefix));
            tokens = Tensor::cat(front.into_iter().chain([patches]).collect(), 1);
        }
        let is_watching = watch.is_some();
        let mut see = |_: usize, query: &Tensor<4>, key: &Tensor<4>| {
            if let Some(watch) = &mut watch {
                watch.see(query, key);
            }
        };
        let heads = is_watching.then_some(&mut see as OnHeads<'_>);
        let tokens = vit.encode(tokens, &mut Hooks { heads, drop_path, ..Default::default() });
        let close = watch.and_then(Watch::head_separation_loss);
        let [_, count, _] = tokens.dims();
        let told = self.tell.as_ref().map(|tell| linear(tell, tokens.clone().narrow(1, prefix, count - prefix)));
        let features = vit.norm.as_ref().map_or(tokens.clone(), |norm| norm.forward(tokens));
        let pooled = vit.pooled(features);
        let logits = vit.head.as_ref().map_or(pooled.clone(), |head| linear(head, pooled));
        StudentOutput { logits, told, close }
    }
}

/// What a student answers.
struct StudentOutput {
    logits: Tensor<2>,
    told: Option<Tensor<3>>,
    /// How close the heads are, `[1]`.
    close: Option<Tensor<1>>,
}

impl Classifier for Student {
    fn logits(&self, images: Tensor<4>, drop_path: Option<Tensor<2>>) -> Tensor<2> {
        Classifier::logits(&self.vit, images, drop_path)
    }

    fn branches(&self) -> usize {
        self.vit.branches()
    }

    fn classes(&self) -> usize {
        self.vit.classes()
    }
}

/// Channel statistics by which pictures are prepared: mean and deviation.
pub type ChannelStatistics = [[f32; 3]; 2];

/// A frozen convolutional network of the same classes.
#[derive(Debug)]
pub struct MapTeacher {
    cnn: Cnn,
    /// How the student's pictures are prepared, and how its own.
    prepared: [ChannelStatistics; 2],
}

/// What the teacher says about a batch.
struct Taught {
    /// `[batch, classes]`.
    logits: Tensor<2>,
    /// `[batch, patches, channels]`, row by row as the student's patches.
    map: Tensor<3>,
}

impl MapTeacher {
    /// A teacher for a student whose pictures are prepared by `student`; its own are by `own`.
    ///
    /// # Errors
    /// When it names another number of classes than the student.
    pub fn new(cnn: Cnn, own: ChannelStatistics, vit: &Vit, student: ChannelStatistics) -> Result<Self, TrainError> {
        let [found, expected] = [cnn.config.classes, vit.config.classes].map(|classes| format!("{classes:?}"));
        if found != expected {
            return Err(TrainError::Mismatch { what: "classes of the teacher".into(), found, expected });
        }
        Ok(Self { cnn: cnn.valid(), prepared: [student, own] })
    }

    /// Channels of its last map.
    pub fn channels(&self) -> usize {
        self.cnn.config.stages.last().map_or(self.cnn.config.channels, |stage| stage.width)
    }

    /// What it says about the student's pictures, on a grid of `grid × grid` patches.
    fn teach(&self, images: Tensor<4>, grid: usize) -> Taught {
        let device = images.device();
        let channel = |values: [f32; 3]| Tensor::<1>::from_floats(values, &device).reshape([1, 3, 1, 1]);
        let [[student_mean, student_std], [mean, std]] = self.prepared.map(|one| one.map(channel));
        let plain = images * student_std + student_mean;
        let plain = adaptive_avg_pool2d(plain, [self.cnn.config.image_size; 2]);
        let features = self.cnn.features((plain - mean) / std, &mut cnn::Hooks::default());
        let logits = self.cnn.classify(self.cnn.pooled(features.clone()), &mut cnn::Hooks::default());
        let map = adaptive_avg_pool2d(features, [grid; 2]);
        let [batch, channels, _, _] = map.dims();
        Taught { logits, map: map.reshape([batch, channels, grid * grid]).swap_dims(1, 2) }
    }
}

/// An ancestor in training.
pub struct AncestorRun<B> {
    plan: AncestorPlan,
    run: Run<Student>,
    batches: B,
    teacher: Option<MapTeacher>,
    config: VitConfig,
    device: Device,
}

impl<B: Batches> AncestorRun<B> {
    /// A training at its first step.
    pub fn new(student: Student, plan: AncestorPlan, batches: B, teacher: Option<MapTeacher>) -> Self {
        let (config, device) = (student.vit.config.clone(), student.vit.device());
        Self { run: Run::new(student, plan.run.clone()), plan, batches, teacher, config, device }
    }

    /// Goes on where [`AncestorRun::save`] left off. The plan may be another: a longer or shorter schedule counts from
    /// the next step on.
    ///
    /// # Errors
    /// When the state belongs to another model.
    pub fn resume(
        student: Student,
        plan: AncestorPlan,
        batches: B,
        teacher: Option<MapTeacher>,
        mut state: RunState,
    ) -> Result<Self, TrainError> {
        let (config, device) = (student.vit.config.clone(), student.vit.device());
        state.header.settings = plan.run.clone();
        Ok(Self { run: Run::restore(student, state)?, plan, batches, teacher, config, device })
    }

    /// Steps taken.
    pub fn steps_taken(&self) -> usize {
        self.run.steps_taken()
    }

    /// Everything on the host, for [`AncestorRun::resume`].
    ///
    /// # Errors
    /// When the device does not answer.
    pub async fn save(&self) -> Result<RunState, TrainError> {
        self.run.save().await
    }

    /// The ancestor as it stands. Drop it before the next step.
    ///
    /// # Errors
    /// When an earlier step broke off half-way.
    pub fn ancestor(&self) -> Result<Vit, TrainError> {
        Ok(self.run.model()?.vit)
    }

    /// One step.
    ///
    /// # Errors
    /// When the loss is not finite, or pictures or device fail.
    pub async fn step(&mut self) -> Result<Stepped, TrainError> {
        let Self { plan, run, batches, teacher, config, device } = self;
        let (plan, device) = (&*plan, &*device);
        let (step, seed) = (run.steps_taken(), plan.run.seed);
        let batch = batches.training(seed, step).await?;
        let (images, labels) = (batch.images(device)?, batch.targets(device));
        let (branches, classes, grid) =
            (2 * config.depth, config.classes.unwrap_or(config.pooled_dim()), config.grid());
        let count = batch.shape[0];
        let drop_path = (plan.run.drop_path > 0.0).then(|| {
            let factors = drop_path_factors(plan.run.drop_path, branches, count, seed, step);
            Tensor::from_data(TensorData::new(factors, [branches, count]), device)
        });
        let seen = seen(plan, step, grid * grid).map(|seen| {
            let count = seen.len();
            Tensor::<1, Int>::from_data(TensorData::new(seen, [count]), device)
        });
        let taught = teacher.as_ref().map(|teacher| teacher.teach(images.clone(), grid));
        let targets = smoothed_targets(labels, classes, plan.run.label_smoothing);
        run.step_by(|student| loss(student, plan, DistillTargets { images, targets, taught, seen, drop_path })).await
    }

    /// Judges the ancestor on the first so many batches of validation pictures, seen whole.
    ///
    /// # Errors
    /// When pictures or device fail.
    pub async fn evaluate(&mut self, most: usize) -> Result<ClassificationMetrics, TrainError> {
        let model = self.run.model()?;
        let mut tally = ClassificationMetrics::new(model.classes());
        for index in 0..self.batches.validation_batches().min(most) {
            let batch = self.batches.validation(index).await?;
            evaluate_batch(&model, batch.images(&self.device)?, &batch.labels, &mut tally).await?;
        }
        Ok(tally)
    }
}

/// What one step works on.
struct DistillTargets {
    images: Tensor<4>,
    targets: Tensor<2>,
    taught: Option<Taught>,
    seen: Option<Tensor<1, Int>>,
    drop_path: Option<Tensor<2>>,
}

/// `(1 − a) · CE(labels) + a · T² · CE(teacher at T) + m · MSE(told, map) / variance(map) + w · head_separation_loss`, `[1]`: the third
/// part is the share of the map that is not explained.
fn loss(student: &Student, plan: &AncestorPlan, lesson: DistillTargets) -> Tensor<1> {
    let DistillTargets { images, targets, taught, seen, drop_path } = lesson;
    let StudentOutput { logits, told, close } = student.look(images, seen.clone(), drop_path, plan.apart > 0.0);
    let hard = cross_entropy(logits.clone(), targets);
    let apart = |loss: Tensor<1>| match close {
        Some(close) => loss + close * plan.apart,
        None => loss,
    };
    let Some(Taught { logits: answers, map }) = taught else { return apart(hard) };
    let soft = cross_entropy(logits / TEMPERATURE, softmax(answers / TEMPERATURE, 1));
    let mut loss = hard * (1.0 - plan.answers) + soft * (plan.answers * TEMPERATURE * TEMPERATURE);
    if let Some(told) = told {
        let map = seen.map_or(map.clone(), |seen| map.select(1, seen));
        let spread = (map.clone() - map.clone().mean_dim(1).mean_dim(0)).square().mean();
        loss = loss + (told - map).square().mean() / spread * plan.map;
    }
    apart(loss)
}

/// Patches that a step sees, ascending; `None` = all.
fn seen(plan: &AncestorPlan, step: usize, patches: usize) -> Option<Vec<i32>> {
    let count = ((plan.seen_patches * patches as f64).round() as usize).clamp(1, patches);
    if count == patches || step as f64 >= plan.all_patches_from * plan.run.schedule.steps as f64 {
        return None;
    }
    let mut order: Vec<i32> = (0..patches as i32).collect();
    order.shuffle(&mut generator_of(plan.run.seed, &format!("seen patches/{step}")));
    order.truncate(count);
    order.sort_unstable();
    Some(order)
}
