//! Learngene by layers, natively: condenses an ancestor, then races what it chose against other starts.
//!
//! `cargo run --release --example layers -- MODEL PICTURES_DIR --method layers --k N --layers N --steps N --seeds N
//! --per-class 5,20,60 --json`
//!
//! MODEL is a checkpoint file or a folder with its shards and `config.json`; PICTURES_DIR, or a zip, has a folder per
//! class. More options: `--size PX`, `--first-seed N` (seeds are counted from there), `--share X` (of the pictures of each
//! class, instead of `--per-class`), `--engine cpu|webgpu`, `--batch N`, `--lr X`, `--rates 0.3,1,3` (factors of the
//! learning rate), `--freeze EPOCHS`,
//! `--classes A,B` (race on these only), `--condense-classes A,B`, `--condense-steps N`, `--pseudo-layers N`,
//! `--probe N` (pictures layers are compared on), `--likeness cka|learned`, `--score mean|max`, `--arms A,B` of
//! `inherited`, `scratch`, `first`, `last`, `random`, `whole`, `--every N` (steps between measured points),
//! `--no-augment`, `--export DIR` (keeps every trained model). An arm whose stages do not fit each other is left out, and
//! the reason is said. With `--json` standard output holds one JSON object, else tables; progress goes to standard error.

use std::cell::{Cell, RefCell};
use std::path::Path;
use std::process::ExitCode;
use std::rc::Rc;

use burn::tensor::Device;
use heirloom_checkpoint::Checkpoint;
use heirloom_data::{Augment, Loader, LoaderSettings, Normalise, PictureSet, Split, SplitPlan, model_files, walk};
use heirloom_engine::{Engine as Runner, RaceBatches, normalise, weights};
use heirloom_learngene::layers::{LayersError, LayersPlan, Score, WholeLayers, best, layer_names, layer_parameters};
use heirloom_learngene::{Descendant, Scratch, StartingPoint};
use heirloom_nn::cnn::CnnConfig;
use heirloom_nn::device::{acquire_cpu, acquire_webgpu};
use heirloom_nn::model::{Model, ModelConfig};
use heirloom_nn::vit::VitConfig;
use heirloom_plan::protocol::{
    Command, CondenseReport, CondenseSettings, Engine, Event, FileRef, Likeness, NoticeLevel,
};
use heirloom_platform::clock::now_ms;
use heirloom_platform::file::FileHandle;
use heirloom_train::{
    AdamWSettings, Advance, Batches, Race, RacePlan, RunProgress, RunSettings, Schedule, Starts, TrainError,
};
use serde_json::{Map, Value, json};

type Failure = Box<dyn std::error::Error>;

/// The arms, in the order in which they are shown.
const ARMS: [&str; 6] = ["inherited", "scratch", "first", "last", "random", "whole"];

struct Arguments {
    model: String,
    pictures: String,
    json: bool,
    engine: Engine,
    k: usize,
    layers: usize,
    steps: usize,
    seeds: usize,
    first_seed: u64,
    batch: usize,
    lr: f64,
    rates: Vec<f64>,
    freeze: f64,
    share: f64,
    per_class: Vec<usize>,
    classes: Vec<String>,
    arms: Vec<String>,
    every: usize,
    augment: bool,
    score: Score,
    export: Option<String>,
    condense: CondenseSettings,
}

impl Default for Arguments {
    fn default() -> Self {
        Self {
            model: String::new(),
            pictures: String::new(),
            json: false,
            engine: Engine::Cpu,
            k: 3,
            layers: 4,
            steps: 30,
            seeds: 1,
            first_seed: 1,
            batch: 16,
            lr: 1e-4,
            rates: vec![1.0],
            freeze: 0.0,
            share: 1.0,
            per_class: Vec::new(),
            classes: Vec::new(),
            arms: ARMS.map(String::from).to_vec(),
            every: 10,
            augment: true,
            score: Score::Mean,
            export: None,
            condense: CondenseSettings::default(),
        }
    }
}

fn arguments() -> Result<Arguments, Failure> {
    let mut found = Arguments::default();
    let mut all = std::env::args().skip(1);
    while let Some(option) = all.next() {
        let mut value = || all.next().ok_or(format!("`{option}` needs a value"));
        match option.as_str() {
            "--method" => match value()?.as_str() {
                "layers" => {}
                other => return Err(format!("`{other}` is no method of this example; `layers` is").into()),
            },
            "--k" => found.k = number(&option, &value()?)?,
            "--layers" => found.layers = number(&option, &value()?)?,
            "--steps" => found.steps = number(&option, &value()?)?,
            "--seeds" => found.seeds = number(&option, &value()?)?,
            "--first-seed" => found.first_seed = number(&option, &value()?)?,
            "--share" => found.share = number(&option, &value()?)?,
            "--engine" => {
                found.engine = choice(&option, &value()?, &[("cpu", Engine::Cpu), ("webgpu", Engine::WebGpu)])?;
            }
            "--batch" => found.batch = number(&option, &value()?)?,
            "--lr" => found.lr = number(&option, &value()?)?,
            "--rates" => found.rates = numbers(&option, &value()?)?,
            "--freeze" => found.freeze = number(&option, &value()?)?,
            "--per-class" => found.per_class = numbers(&option, &value()?)?,
            "--classes" => found.classes = words(&value()?),
            "--arms" => found.arms = words(&value()?),
            "--every" => found.every = number(&option, &value()?)?,
            "--no-augment" => found.augment = false,
            "--export" => found.export = Some(value()?),
            "--size" => found.condense.image_size = number(&option, &value()?)?,
            "--condense-classes" => found.condense.classes = words(&value()?),
            "--condense-steps" => found.condense.steps = number(&option, &value()?)?,
            "--pseudo-layers" => found.condense.layers = number(&option, &value()?)?,
            "--probe" => found.condense.probe = number(&option, &value()?)?,
            "--likeness" => {
                found.condense.likeness =
                    choice(&option, &value()?, &[("cka", Likeness::Cka), ("learned", Likeness::Learned)])?;
            }
            "--score" => found.score = choice(&option, &value()?, &[("mean", Score::Mean), ("max", Score::Max)])?,
            "--json" => found.json = true,
            option if option.starts_with("--") => return Err(format!("`{option}` is no option").into()),
            _ if found.model.is_empty() => found.model = option,
            _ if found.pictures.is_empty() => found.pictures = option,
            other => return Err(format!("`{other}` is one argument too many").into()),
        }
    }
    if found.pictures.is_empty() {
        return Err("expected a checkpoint and a folder of pictures: layers MODEL PICTURES_DIR [--json]".into());
    }
    if let Some(arm) = found.arms.iter().find(|arm| !ARMS.contains(&arm.as_str())) {
        return Err(format!("`{arm}` is no arm; {} are", ARMS.join(", ")).into());
    }
    Ok(found)
}

fn number<T: std::str::FromStr>(option: &str, text: &str) -> Result<T, Failure> {
    text.parse().map_err(|_| format!("`{option}` needs a number, found `{text}`").into())
}

fn numbers<T: std::str::FromStr>(option: &str, text: &str) -> Result<Vec<T>, Failure> {
    text.split(',').map(|one| number(option, one)).collect()
}

fn words(text: &str) -> Vec<String> {
    text.split(',').map(String::from).collect()
}

fn choice<T: Copy>(option: &str, text: &str, choices: &[(&str, T)]) -> Result<T, Failure> {
    let known = || choices.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    let found = choices.iter().find(|(name, _)| *name == text).map(|(_, choice)| *choice);
    found.ok_or_else(|| format!("`{option}` knows {}, found `{text}`", known()).into())
}

/// Lets the page's own engine condense the ancestor.
async fn condense(arguments: &Arguments) -> Result<CondenseReport, Failure> {
    let (failure, report) = (Rc::new(RefCell::new(None)), Rc::new(RefCell::new(None)));
    let slots = (failure.clone(), report.clone());
    let outlet = move |event: Event, _: Option<Vec<u8>>| match event {
        Event::Notice(notice) if notice.level == NoticeLevel::Error => {
            slots.0.borrow_mut().get_or_insert(notice.text);
        }
        Event::Progress(progress) => eprintln!("{} of {}  {}", progress.done, progress.total, progress.note),
        Event::Condensed(found) => *slots.1.borrow_mut() = Some(found),
        _ => {}
    };
    let mut runner = Runner::new(Box::new(outlet), Rc::new(Cell::new(false)));
    let references = |files: &[FileHandle]| -> Vec<FileRef> {
        let one = |(index, file): (usize, &FileHandle)| FileRef { index, path: file.path().into(), size: file.len() };
        files.iter().enumerate().map(one).collect()
    };
    let (model, pictures) = (model_files(Path::new(&arguments.model))?, walk(Path::new(&arguments.pictures))?);
    for (command, files) in [
        (Command::Start { engine: Some(arguments.engine) }, Vec::new()),
        (Command::OpenAncestor { files: references(&model) }, model),
        (Command::AddPictures { files: references(&pictures), class: None }, pictures),
        (Command::Condense(arguments.condense.clone()), Vec::new()),
    ] {
        runner.handle(command, files).await;
        while runner.work().await {}
        if let Some(failure) = failure.take() {
            return Err(String::into(failure));
        }
    }
    report.take().ok_or_else(|| "condensing gave no report".into())
}

/// Everything a race needs but its settings.
struct Stage {
    ancestor: Model,
    normalise: Normalise,
    pictures: PictureSet,
    split: Split,
    device: Device,
}

async fn stage(arguments: &Arguments) -> Result<Stage, Failure> {
    let device = match arguments.engine {
        Engine::Cpu => acquire_cpu().await?.device,
        Engine::WebGpu => acquire_webgpu().await?.device,
    };
    let checkpoint = Checkpoint::open(&model_files(Path::new(&arguments.model))?).await?;
    let config = checkpoint.config.clone();
    let ancestor = Model::load(&config, &mut &checkpoint, &device).await?;
    let mut pictures = PictureSet::new();
    pictures.add(&walk(Path::new(&arguments.pictures))?, None, |_| std::ops::ControlFlow::Continue(())).await?;
    let mut split = pictures.split(SplitPlan::default())?;
    if !arguments.classes.is_empty() {
        split = only(&split, &arguments.classes)?;
    }
    let split = split.share_of_training(arguments.share, SplitPlan::default().seed);
    Ok(Stage { ancestor, normalise: normalise(&checkpoint), pictures, split, device })
}

/// The same split with these classes only.
fn only(split: &Split, classes: &[String]) -> Result<Split, Failure> {
    if let Some(missing) = classes.iter().find(|class| !split.classes.contains(class)) {
        return Err(format!("there is no class `{missing}`; there are {}", split.classes.join(", ")).into());
    }
    let kept: Vec<String> = split.classes.iter().filter(|class| classes.contains(class)).cloned().collect();
    let relabelled = |side: &[heirloom_data::Labelled]| {
        let label = |one: &heirloom_data::Labelled| kept.iter().position(|class| *class == split.classes[one.label]);
        side.iter().filter_map(|one| Some(heirloom_data::Labelled { label: label(one)?, ..*one })).collect()
    };
    let (train, validation) = (relabelled(&split.train), relabelled(&split.validation));
    Ok(Split { train, validation, classes: kept, ..Split::default() })
}

/// At most `count` training pictures of each class.
fn few(split: &Split, count: Option<usize>) -> Split {
    let count = count.map_or(usize::MAX, |count| count.saturating_mul(split.classes.len()));
    let mut train = split.spread(count);
    train.sort_by_key(|one| (one.label, one.picture));
    Split { train, ..split.clone() }
}

/// The arms of a race; a random one draws other layers for every seed.
struct Arms<'a> {
    stage: &'a Stage,
    arguments: &'a Arguments,
    chosen: &'a [usize],
    names: Vec<String>,
}

impl Arms<'_> {
    fn plan(&self, arm: &str, seed: u64) -> LayersPlan {
        let available = layer_names(&self.stage.ancestor.config()).len();
        let (count, layers) = (self.chosen.len(), self.arguments.layers);
        match arm {
            "first" => LayersPlan::first(count, layers),
            "last" => LayersPlan::last(count, layers, available),
            "random" => LayersPlan::random(count, layers, available, seed),
            "whole" => LayersPlan::whole(available),
            _ => LayersPlan::new(self.chosen.to_vec(), layers),
        }
    }

    fn layers(&self, arm: &str, seed: u64) -> Result<WholeLayers, LayersError> {
        let (classes, size) = (self.stage.split.classes.len(), self.arguments.condense.image_size);
        WholeLayers::new(self.stage.ancestor.clone(), self.plan(arm, seed), classes, size)
    }

    async fn descendant(&self, arm: &str, seed: u64) -> Result<Descendant, Failure> {
        let start = self.layers(arm, seed)?;
        if arm == "scratch" {
            let config = self.layers("inherited", seed)?.config();
            return Ok(Scratch { config, device: self.stage.device.clone() }.start(seed).await?);
        }
        Ok(start.start(seed).await?)
    }
}

impl Arms<'_> {
    /// Parameters that a start keeps of the ancestor: stem, layers and final norm.
    fn stored(&self, arm: &str) -> Result<u64, Failure> {
        if arm == "scratch" {
            return Ok(0);
        }
        let (ancestor, plan) = (&self.stage.ancestor, self.plan(arm, self.arguments.first_seed));
        let inherited = plan.chosen.len();
        let config = WholeLayers::new(ancestor.clone(), plan, 1, ancestor.config().image_size())?.config();
        let random: u64 = layer_parameters(&config).iter().skip(inherited).sum();
        Ok(match config {
            ModelConfig::Vit(config) => VitConfig { classes: None, ..config }.parameters(),
            ModelConfig::Cnn(config) => CnnConfig { classes: None, ..config }.parameters(),
            ModelConfig::Stitched(_) => return Err(LayersError::Stitched.into()),
        } - random)
    }
}

impl Starts<Descendant> for Arms<'_> {
    async fn start(&mut self, arm: usize, seed: u64) -> Result<Descendant, TrainError> {
        self.descendant(&self.names[arm], seed).await.map_err(|error| TrainError::Source(error.to_string()))
    }
}

/// One race: all arms and seeds on `per_class` pictures of each class at `rate` times the learning rate.
struct Heat {
    per_class: Option<usize>,
    rate: f64,
}

async fn race(stage: &Stage, arguments: &Arguments, chosen: &[usize], heat: &Heat) -> Result<Value, Failure> {
    let mut arms = Arms { stage, arguments, chosen, names: Vec::new() };
    let mut left_out = Vec::new();
    let seeds: Vec<u64> = (arguments.first_seed..).take(arguments.seeds).collect();
    for arm in &arguments.arms {
        match seeds.iter().find_map(|&seed| arms.layers(arm, seed).err()) {
            Some(reason) => left_out.push((arm.clone(), reason.to_string())),
            None => arms.names.push(arm.clone()),
        }
    }
    let names = arms.names.clone();
    let stored =
        names.iter().map(|arm| Ok((arm.clone(), json!(arms.stored(arm)?)))).collect::<Result<Map<_, _>, Failure>>()?;
    let loader = LoaderSettings {
        image_size: arguments.condense.image_size,
        batch: arguments.batch,
        normalise: stage.normalise,
        augment: arguments.augment.then(Augment::default),
        ..LoaderSettings::default()
    };
    let batches = RaceBatches::new(Loader::new(&stage.pictures, &few(&stage.split, heat.per_class), loader)?);
    let run = RunSettings {
        schedule: Schedule {
            peak: heat.rate * arguments.lr,
            floor: 0.0,
            warmup_steps: arguments.steps / 10,
            steps: arguments.steps,
        },
        adamw: AdamWSettings::default(),
        label_smoothing: 0.1,
        drop_path: 0.0,
        freeze_steps: (arguments.freeze * batches.steps_per_epoch()).round() as usize,
        seed: 0,
    };
    let (steps, validate_every) = (arguments.steps, arguments.every);
    let arms_raced = names.len();
    let plan = RacePlan {
        run,
        steps,
        arms: arms_raced,
        seeds,
        validate_every,
        is_interleaved: true,
        micro_batch: 0,
        room: None,
    };
    let mut race = Race::new(plan, batches, arms, &stage.device, now_ms);
    loop {
        match race.advance().await? {
            Advance::Finished => break,
            Advance::Measured { run } => {
                let report = &race.reports()[run];
                let accuracy = report.points.last().map_or(0.0, |point| point.validation_accuracy);
                eprintln!(
                    "{:?} × {}: {} seed {} step {}: {accuracy:.3}",
                    heat.per_class, heat.rate, names[report.arm], report.seed, report.step
                );
            }
            _ => {}
        }
    }
    if let Some(folder) = &arguments.export {
        for (run, report) in race.reports().iter().enumerate() {
            let Some(model) = race.model(run).map(Descendant::fold) else { continue };
            let bytes = weights(&model, Some(stage.split.classes.clone()), &stage.normalise).await?;
            std::fs::create_dir_all(folder)?;
            std::fs::write(
                Path::new(folder).join(format!("{}-{}.safetensors", names[report.arm], report.seed)),
                bytes,
            )?;
        }
    }
    let runs: Vec<Value> = race.reports().iter().map(|report| run_json(&names[report.arm], report)).collect();
    Ok(json!({
        "per_class": heat.per_class, "rate": heat.rate, "lr": heat.rate * arguments.lr, "left_out": left_out, "runs": runs,
        "stored": stored,
    }))
}

fn run_json(arm: &str, report: &RunProgress) -> Value {
    let points: Vec<Value> = report
        .points
        .iter()
        .map(|point| json!({ "step": point.step, "accuracy": point.validation_accuracy, "loss": point.validation_loss, "train_loss": point.train_loss }))
        .collect();
    json!({ "arm": arm, "seed": report.seed, "points": points, "failure": report.failure, "steps_per_second": report.steps_per_second })
}

async fn run(arguments: &Arguments) -> Result<Value, Failure> {
    let report = condense(arguments).await?;
    let scores = if arguments.score == Score::Mean { &report.mean } else { &report.max };
    let scores: Vec<f64> = scores.scores.iter().copied().map(f64::from).collect();
    let chosen = best(&scores, arguments.k);
    eprintln!("chosen: {:?}", chosen.iter().map(|layer| &report.ancestor_layers[*layer]).collect::<Vec<_>>());
    let (mut races, mut pictures) = (Vec::new(), Value::Null);
    if arguments.steps > 0 {
        let stage = stage(arguments).await?;
        pictures = json!({ "train": stage.split.train.len(), "validation": stage.split.validation.len() });
        let sizes = arguments.per_class.iter().copied().map(Some);
        let sizes: Vec<_> = if arguments.per_class.is_empty() { vec![None] } else { sizes.collect() };
        for per_class in sizes {
            for &rate in &arguments.rates {
                races.push(race(&stage, arguments, &chosen, &Heat { per_class, rate }).await?);
            }
        }
    }
    Ok(json!({ "condensed": report, "chosen": chosen, "pictures": pictures, "races": races }))
}

fn tables(found: &Value) {
    let condensed = &found["condensed"];
    println!("similarity (ancestor layer × pseudo-descendant layer), mean, chosen");
    let chosen = found["chosen"].as_array().cloned().unwrap_or_default();
    for (layer, row) in condensed["similarity"].as_array().into_iter().flatten().enumerate() {
        let row: Vec<String> = row
            .as_array()
            .into_iter()
            .flatten()
            .map(|value| format!("{:.3}", value.as_f64().unwrap_or(f64::NAN)))
            .collect();
        let (name, mean) = (&condensed["ancestor_layers"][layer], condensed["mean"]["scores"][layer].as_f64());
        let mark = if chosen.contains(&json!(layer)) { "*" } else { "" };
        println!(
            "  {:<12} {}   {:.3} {mark}",
            name.as_str().unwrap_or_default(),
            row.join(" "),
            mean.unwrap_or(f64::NAN)
        );
    }
    for race in found["races"].as_array().into_iter().flatten() {
        println!("pictures per class {}, learning rate {}", race["per_class"], race["lr"]);
        for run in race["runs"].as_array().into_iter().flatten() {
            let points = run["points"].as_array().into_iter().flatten();
            let points: Vec<String> =
                points.map(|p| format!("{}: {:.3}", p["step"], p["accuracy"].as_f64().unwrap_or(f64::NAN))).collect();
            println!("  {:<10} seed {}  {}", run["arm"].as_str().unwrap_or_default(), run["seed"], points.join("  "));
        }
        for left in race["left_out"].as_array().into_iter().flatten() {
            println!("  {}: left out, {}", left[0].as_str().unwrap_or_default(), left[1].as_str().unwrap_or_default());
        }
    }
}

fn main() -> ExitCode {
    let outcome = arguments().and_then(|arguments| {
        let found = pollster::block_on(run(&arguments))?;
        if arguments.json {
            println!("{found}")
        } else {
            tables(&found)
        }
        Ok(())
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
