//! A learngene pool from a real ancestor: auxiliary models distilled, stitched, fine-tuned, and every configuration
//! measured, natively.
//!
//! `cargo run --release --example pool -- MODEL PICTURES_DIR --blocks N --distil-steps N --pool-steps N --seeds N --json`
//!
//! MODEL is a checkpoint file or a folder with its shards and `config.json`; PICTURES_DIR, or a zip, has a folder per class
//! (under `train` and `test`, if it likes). More options: `--first-seed N` (seeds are counted from there),
//! `--engine cpu|webgpu`, `--widths A,B` (of the auxiliary models), `--size PX`, `--batch N`,
//! `--lr X` (distillation), `--pool-lr X`, `--head-steps N`, `--start learned|pinv|least-squares|random` (of the stitch
//! layers that are fine-tuned), `--augment`, `--sn-net` (also SN-Net with independently trained anchors, for as many
//! steps, under the same teacher). With `--json` standard output holds one JSON object, else a table; how far it is goes
//! to standard error.

use std::path::Path;
use std::process::ExitCode;

use burn::tensor::Device;
use heirloom_checkpoint::Checkpoint;
use heirloom_data::{Augment, Loader, LoaderSettings, Normalise, PictureSet, SplitPlan, model_files, walk};
use heirloom_engine::RaceBatches;
use heirloom_learngene::pool::{
    AuxiliaryPlan, MemoryFeatures, PoolAdvance, PoolMeasurements, PoolPlan, Pooling, Teaches,
};
use heirloom_learngene::pool::{Positions, StitchStart, auxiliary_config, frozen};
use heirloom_learngene::stitch::{Configuration, StitchNet};
use heirloom_nn::device::{acquire_cpu, acquire_webgpu};
use heirloom_nn::model::ModelConfig;
use heirloom_nn::vit::{Vit, VitConfig};
use heirloom_train::{AdamWSettings, RunSettings, Schedule, spearman};
use serde_json::{Value, json};

type Failure = Box<dyn std::error::Error>;

/// Start values that are compared, with their names in the output.
const STARTS: [(StitchStart, &str); 4] = [
    (StitchStart::Learned, "learned"),
    (StitchStart::PseudoInverse, "pinv"),
    (StitchStart::LeastSquares, "least_squares"),
    (StitchStart::Random, "random"),
];
/// Pictures that the least-squares start sees (SN-Net: about 100).
const FIT_PICTURES: usize = 100;

struct Arguments {
    model: String,
    pictures: String,
    blocks: usize,
    widths: Vec<usize>,
    size: usize,
    batch: usize,
    head_steps: usize,
    distil_steps: usize,
    pool_steps: usize,
    seeds: u64,
    first_seed: u64,
    is_webgpu: bool,
    lr: f64,
    pool_lr: f64,
    start: StitchStart,
    augment: bool,
    sn_net: bool,
    json: bool,
}

impl Default for Arguments {
    fn default() -> Self {
        Self {
            model: String::new(),
            pictures: String::new(),
            blocks: 6,
            widths: vec![96, 192],
            size: 56,
            batch: 32,
            head_steps: 200,
            distil_steps: 300,
            pool_steps: 300,
            seeds: 3,
            first_seed: 1,
            is_webgpu: false,
            lr: 1e-3,
            pool_lr: 5e-4,
            start: StitchStart::Learned,
            augment: false,
            sn_net: false,
            json: false,
        }
    }
}

fn arguments() -> Result<Arguments, Failure> {
    let mut found = Arguments::default();
    let mut all = std::env::args().skip(1);
    while let Some(argument) = all.next() {
        let mut value = || all.next().ok_or(format!("`{argument}` needs a value"));
        match argument.as_str() {
            "--blocks" => found.blocks = number(&argument, &value()?)?,
            "--widths" => {
                found.widths = value()?.split(',').map(|width| number(&argument, width)).collect::<Result<_, _>>()?;
            }
            "--size" => found.size = number(&argument, &value()?)?,
            "--batch" => found.batch = number(&argument, &value()?)?,
            "--head-steps" => found.head_steps = number(&argument, &value()?)?,
            "--distil-steps" => found.distil_steps = number(&argument, &value()?)?,
            "--pool-steps" => found.pool_steps = number(&argument, &value()?)?,
            "--seeds" => found.seeds = number(&argument, &value()?)?,
            "--first-seed" => found.first_seed = number(&argument, &value()?)?,
            "--engine" => {
                found.is_webgpu = match value()?.as_str() {
                    "cpu" => false,
                    "webgpu" => true,
                    other => return Err(format!("`{other}` is no engine; `cpu` and `webgpu` are").into()),
                }
            }
            "--lr" => found.lr = number(&argument, &value()?)?,
            "--pool-lr" => found.pool_lr = number(&argument, &value()?)?,
            "--start" => found.start = start(&value()?)?,
            "--augment" => found.augment = true,
            "--sn-net" => found.sn_net = true,
            "--json" => found.json = true,
            option if option.starts_with("--") => return Err(format!("`{option}` is no option").into()),
            _ if found.model.is_empty() => found.model = argument,
            _ if found.pictures.is_empty() => found.pictures = argument,
            other => return Err(format!("`{other}` is one argument too many").into()),
        }
    }
    if found.pictures.is_empty() {
        return Err("expected a checkpoint and a folder of pictures: pool MODEL PICTURES_DIR [--json]".into());
    }
    if found.seeds == 0 {
        return Err("`--seeds` needs at least 1".into());
    }
    Ok(found)
}

fn start(name: &str) -> Result<StitchStart, Failure> {
    let is_named = |(_, known): &&(StitchStart, &str)| *known == name.replace('-', "_");
    let found = STARTS.iter().find(is_named).map(|(start, _)| *start);
    found.ok_or_else(|| format!("`{name}` is no start value; learned, pinv, least-squares and random are").into())
}

fn number<T: std::str::FromStr>(option: &str, text: &str) -> Result<T, Failure> {
    text.parse().map_err(|_| format!("`{option}` needs a number, found `{text}`").into())
}

/// What all runs share.
struct Stage {
    arguments: Arguments,
    ancestor: Vit,
    normalise: Normalise,
    set: PictureSet,
    classes: usize,
    /// The ancestor's features; they depend on no seed.
    features: MemoryFeatures,
}

impl Stage {
    async fn set(arguments: Arguments, device: &Device) -> Result<Self, Failure> {
        let checkpoint = Checkpoint::open(&model_files(Path::new(&arguments.model))?).await?;
        checkpoint.check_complete()?;
        let ModelConfig::Vit(config) = &checkpoint.config else {
            return Err(
                format!("`{}` is no Vision Transformer; a pool needs one as its ancestor", checkpoint.name).into()
            );
        };
        let ancestor = Vit::load(config, &mut &checkpoint, device).await?;
        let said = checkpoint.preprocessing.as_ref();
        let normalise = said.map_or_else(Normalise::default, |said| Normalise { mean: said.mean, std: said.std });
        let mut set = PictureSet::new();
        set.add(&walk(Path::new(&arguments.pictures))?, None, |_| std::ops::ControlFlow::Continue(())).await?;
        let classes = set.split(SplitPlan::default())?.classes.len();
        let ancestor = frozen(&ancestor, arguments.size).await?;
        Ok(Self { arguments, ancestor, normalise, set, classes, features: MemoryFeatures::default() })
    }

    fn batches(&self, seed: u64) -> Result<RaceBatches, Failure> {
        let Arguments { size, batch, augment, .. } = self.arguments;
        let split = self.set.split(SplitPlan::default())?;
        let augment = augment.then(Augment::default);
        let settings =
            LoaderSettings { image_size: size, batch, seed, normalise: self.normalise, augment, ..Default::default() };
        Ok(RaceBatches::new(Loader::new(&self.set, &split, settings)?))
    }

    fn plan(&self, seed: u64, is_sn_net: bool) -> Result<PoolPlan, Failure> {
        let Arguments { blocks, size, head_steps, distil_steps, pool_steps, lr, pool_lr, start, .. } = self.arguments;
        let mut auxiliaries = Vec::new();
        for (at, &width) in self.arguments.widths.iter().enumerate() {
            let config = auxiliary_config(&self.ancestor.config, [blocks, width], self.classes, size)?;
            let positions = match (is_sn_net, at) {
                (true, _) => Positions::None,
                (false, 0) => Positions::FrontMidEnd,
                (false, _) => Positions::End,
            };
            auxiliaries.push(AuxiliaryPlan { config, positions });
        }
        let run = |lr: f64, steps: usize| RunSettings {
            schedule: Schedule { peak: lr, floor: 0.0, warmup_steps: steps / 20, steps },
            adamw: AdamWSettings::default(),
            label_smoothing: 0.0,
            drop_path: 0.0,
            freeze_steps: 0,
            seed,
        };
        Ok(PoolPlan {
            seed,
            auxiliaries,
            head: run(2e-3, head_steps),
            head_steps,
            distil: run(lr, distil_steps),
            distil_steps,
            label_weight: 0.1,
            tune: run(pool_lr, pool_steps),
            tune_steps: pool_steps,
            teacher: Teaches::Ancestor,
            stitch_start: if is_sn_net { StitchStart::LeastSquares } else { start },
            compared: if is_sn_net { vec![StitchStart::LeastSquares] } else { STARTS.map(|(start, _)| start).into() },
            fit_batches: FIT_PICTURES.div_ceil(self.arguments.batch),
        })
    }

    /// One pool from start to end.
    async fn run(&mut self, seed: u64, is_sn_net: bool) -> Result<(StitchNet, PoolMeasurements), Failure> {
        let (plan, batches) = (self.plan(seed, is_sn_net)?, self.batches(seed)?);
        let mut pool = Pooling::new(plan, self.ancestor.clone(), batches, &mut self.features)?;
        let (name, begun) = (if is_sn_net { "SN-Net" } else { "pool" }, std::time::Instant::now());
        let mut said = 0;
        while !pool.is_finished() {
            let advance = pool.advance().await?;
            let (done, total) = pool.progress();
            let what = match advance {
                PoolAdvance::Head { loss } => format!("head, loss {loss:.4}"),
                PoolAdvance::Distilled { auxiliary, loss } => format!("distilling {auxiliary}, loss {loss:.4}"),
                PoolAdvance::Tuned { configuration, loss } => format!("configuration {configuration}, loss {loss:.4}"),
                _ => continue,
            };
            if done >= said {
                eprintln!(
                    "{name}, seed {seed}: {done} of {total} steps, {:.0} s, {what}",
                    begun.elapsed().as_secs_f32()
                );
                said = done + 25;
            }
        }
        let seconds = begun.elapsed().as_secs_f32();
        let ancestor = pool.report().ancestor_accuracy.unwrap_or_default();
        eprintln!("{name}, seed {seed}: done in {seconds:.0} s, ancestor {ancestor:.3}, {:?}", pool.report().accuracy);
        Ok((pool.net().ok_or("the pool has no net")?, pool.report().clone()))
    }
}

/// Mean over seeds, place by place.
fn mean(rows: &[&Vec<f32>]) -> Vec<f64> {
    let count = rows.len() as f64;
    let places = rows.first().map_or(0, |row| row.len());
    (0..places).map(|at| rows.iter().map(|row| f64::from(row[at])).sum::<f64>() / count).collect()
}

/// One place of a configuration's path.
fn part(config: &VitConfig, model: usize, key: &str, blocks: usize) -> Value {
    json!({ "model": model, "width": config.embed_dim, key: blocks })
}

fn configurations(net: &StitchNet, reports: &[PoolMeasurements]) -> (Vec<Value>, Option<f64>) {
    let accuracy = mean(&reports.iter().map(|report| &report.accuracy).collect::<Vec<_>>());
    let starts: Vec<(&str, Vec<f64>)> = STARTS
        .iter()
        .filter_map(|(start, name)| {
            let at_start = reports.iter().flat_map(|report| &report.at_start);
            let rows: Vec<_> = at_start.filter(|(judged, _)| judged == start).map(|(_, accuracy)| accuracy).collect();
            (!rows.is_empty()).then(|| (*name, mean(&rows)))
        })
        .collect();
    let anchor = |at: usize| &net.anchors[at].config;
    let shown = net.configurations().iter().zip(net.configs()).enumerate().map(|(at, (configuration, config))| {
        let (front, end, stitch) = match configuration {
            Configuration::Anchor { anchor: whole } => {
                (part(anchor(*whole), *whole, "blocks", anchor(*whole).depth), Value::Null, Value::Null)
            }
            Configuration::Stitched { front, end, pair } => (
                part(anchor(*front), *front, "blocks", pair.front + 1),
                part(anchor(*end), *end, "first_block", pair.end),
                json!(pair.stitch),
            ),
        };
        let at_start: serde_json::Map<_, _> =
            starts.iter().map(|(name, accuracy)| ((*name).to_string(), json!(accuracy[at]))).collect();
        json!({
            "front": front, "end": end, "stitch": stitch, "parameters": config.parameters(), "flops": config.flops(),
            "accuracy_at_start": at_start, "accuracy": accuracy[at],
        })
    });
    let flops: Vec<f64> = net.configs().iter().map(|config| config.flops() as f64).collect();
    (shown.collect(), spearman(&flops, &accuracy))
}

/// Everything about one kind of net, over its seeds.
fn summary(net: &StitchNet, reports: &[PoolMeasurements], first_seed: u64) -> Value {
    let (configurations, correlation) = configurations(net, reports);
    let flops: Vec<f64> = net.configs().iter().map(|config| config.flops() as f64).collect();
    let seed = |(seed, report): (u64, &PoolMeasurements)| {
        let accuracy: Vec<f64> = report.accuracy.iter().map(|&value| f64::from(value)).collect();
        json!({
            "seed": seed, "spearman": spearman(&flops, &accuracy), "accuracy": accuracy,
            "ancestor_accuracy": report.ancestor_accuracy,
        })
    };
    let seeds: Vec<Value> = (first_seed..).zip(reports).map(seed).collect();
    json!({
        "configurations": configurations, "spearman": correlation, "seeds": seeds,
        "stored_parameters": net.parameters(),
    })
}

fn table(title: &str, summary: &Value) {
    println!("{title}: {} stored parameters, Spearman {}", summary["stored_parameters"], summary["spearman"]);
    println!("{:>22} {:>11} {:>12} {:>40} {:>9}", "blocks", "parameters", "flops", "at start", "accuracy");
    for one in summary["configurations"].as_array().into_iter().flatten() {
        let (front, end) = (&one["front"], &one["end"]);
        let path = match end.is_null() {
            true => format!("{} × {}", front["blocks"], front["width"]),
            false => format!("{} × {} → {} × {}", front["blocks"], front["width"], end["first_block"], end["width"]),
        };
        let starts = one["accuracy_at_start"].as_object().into_iter().flatten();
        let starts: Vec<_> =
            starts.map(|(name, value)| format!("{name} {:.3}", value.as_f64().unwrap_or(0.0))).collect();
        let accuracy = one["accuracy"].as_f64().unwrap_or(0.0);
        println!("{path:>22} {:>11} {:>12} {} {accuracy:>9.4}", one["parameters"], one["flops"], starts.join(", "));
    }
}

async fn run(arguments: Arguments) -> Result<(), Failure> {
    let Arguments { json, sn_net, seeds, first_seed, is_webgpu, .. } = arguments;
    let acquired = if is_webgpu { acquire_webgpu().await? } else { acquire_cpu().await? };
    let mut stage = Stage::set(arguments, &acquired.device).await?;
    let mut summaries = Vec::new();
    for is_sn_net in [false, true].into_iter().take(1 + usize::from(sn_net)) {
        let (mut reports, mut last) = (Vec::new(), None);
        for seed in (first_seed..).take(seeds as usize) {
            let (net, report) = stage.run(seed, is_sn_net).await?;
            reports.push(report);
            last = Some(net);
        }
        let net = last.ok_or("there is no seed")?;
        summaries.push(summary(&net, &reports, first_seed));
    }
    let mut summaries = summaries.into_iter();
    let mut pool = summaries.next().unwrap_or_default();
    let baseline = summaries.next();
    if json {
        if let Some(baseline) = baseline {
            pool["sn_net"] = baseline;
        }
        println!("{pool}");
        return Ok(());
    }
    table("pool", &pool);
    if let Some(baseline) = baseline {
        table("SN-Net", &baseline);
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
