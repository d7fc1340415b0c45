//! Races start values of a descendant against each other, natively, with the page's own engine; or runs an experiment of
//! several races.
//!
//! `cargo run --release --example race -- MODEL PICTURES_DIR --arms inherited,scratch --heads N --layers N --steps N --seeds N --size PX [--json]`
//!
//! `--arms`: inherited, scratch, first, last, random, selection, tleg, whole. `--share X` trains on that share of the
//! pictures. `--first-seed N` starts to count the seeds there, so that they can be raced apart with the same result.
//! Experiments: `--family 6x6,3x4` (heads × layers), `--rates X,Y --batches N,M` (a sweep), `--shares 0.05,0.25,1`.
//!
//! MODEL is a checkpoint file or a folder with its shards and `config.json`; PICTURES_DIR, or a zip, has a folder per
//! class. More options: `--one-by-one` (an arm after the other), `--micro-batch N`, `--accuracy X` (what steps are counted to, 0..1), `--batch N`, `--lr X`, `--warmup N`, `--validate-every N` (0 = once per epoch), `--measure N` (pictures the
//! heads are measured on), `--paper-literal` (no scale on output projections), `--no-augment`, `--drop-path X`, `--engine cpu|webgpu`.
//! `--keep DIR` keeps the work in a folder every 30 s or pass over the pictures; broken off and started again with the same
//! folder, it goes on where it was.
//! With `--json` standard output holds one JSON object with the curve of every arm and seed, their statistics, and the
//! parameters that each start keeps of the ancestor (`stored`), else a table; how far it is goes to standard error.

use std::cell::{Cell, RefCell};
use std::path::Path;
use std::process::ExitCode;
use std::rc::Rc;

use heirloom_checkpoint::Checkpoint;
use heirloom_data::{model_files, walk};
use heirloom_engine::Engine as Runner;
use heirloom_learngene::cluster::whole_layers_parameters;
use heirloom_nn::vit::VitConfig;
use heirloom_plan::protocol::statistics::statistics;
use heirloom_plan::protocol::{
    ClusterReport, Command, DepthChoice, DescendantPlan, DescendantSettings, DescendantSummary, Design, Engine, Event,
    ExperimentReport, ExperimentSettings, FileRef, MeasureSettings, NoticeLevel, ProjectCommand, ProjectEvent,
    RaceReport, Saved, StartValue, TrainSettings, sensitivity,
};
use heirloom_platform::file::FileHandle;
use heirloom_platform::storage::Storage;
use serde_json::{Map, Value, json};

type Failure = Box<dyn std::error::Error>;

struct Arguments {
    model: String,
    pictures: String,
    json: bool,
    engine: Engine,
    measure: usize,
    keep: Option<String>,
    descendant: DescendantSettings,
    train: TrainSettings,
    family: Vec<(usize, usize)>,
    rates: Vec<f64>,
    batches: Vec<usize>,
    shares: Vec<f64>,
    accuracy: Option<f64>,
}

impl Default for Arguments {
    fn default() -> Self {
        let descendant = DescendantSettings {
            heads: 6,
            layers: 6,
            image_size: 112,
            depth: DepthChoice::First,
            scale_projection: true,
            ffn_maps: true,
        };
        let train = TrainSettings {
            descendant: descendant.into(),
            arms: vec![StartValue::Inherited, StartValue::Scratch],
            seeds: 1,
            first_seed: 1,
            steps: 100,
            batch: 16,
            // An inherited layer whose LayerScale was folded in has output weights near 0.005; AdamW moves each weight by about
            // the rate per step, so the published 5e-4 overwrites what was inherited before it is used.
            lr: 3e-5,
            warmup_steps: 10,
            weight_decay: 0.05,
            label_smoothing: 0.1,
            drop_path: 0.0,
            clip_norm: 1.0,
            augment: true,
            validate_every: 0,
            share: 1.0,
            is_interleaved: true,
            micro_batch: 0,
        };
        Self {
            model: String::new(),
            pictures: String::new(),
            json: false,
            engine: Engine::Cpu,
            measure: 8,
            keep: None,
            descendant,
            train,
            family: Vec::new(),
            rates: Vec::new(),
            batches: Vec::new(),
            shares: Vec::new(),
            accuracy: None,
        }
    }
}

impl Arguments {
    /// What the races differ in.
    fn design(&self) -> Result<Design, Failure> {
        let is_sweep = !self.rates.is_empty() || !self.batches.is_empty();
        let one_of = |list: &[f64], otherwise: f64| if list.is_empty() { vec![otherwise] } else { list.to_vec() };
        match (self.family.is_empty(), is_sweep, self.shares.is_empty()) {
            (true, false, true) => Ok(Design::Race),
            (false, false, true) => Ok(Design::Family(self.family.clone())),
            (true, true, true) => {
                let rates = one_of(&self.rates, self.train.lr);
                let batches = if self.batches.is_empty() { vec![self.train.batch] } else { self.batches.clone() };
                Ok(Design::Sweep { rates, batches })
            }
            (true, false, false) => Ok(Design::Shares(self.shares.clone())),
            _ => Err("choose one of `--family`, `--rates` with `--batches`, and `--shares`".into()),
        }
    }
}

fn arguments() -> Result<Arguments, Failure> {
    let mut found = Arguments::default();
    let mut all = std::env::args().skip(1);
    while let Some(argument) = all.next() {
        let mut value = || all.next().ok_or(format!("`{argument}` needs a value"));
        let (descendant, train) = (&mut found.descendant, &mut found.train);
        match argument.as_str() {
            "--heads" => descendant.heads = number(&argument, value()?)?,
            "--layers" => descendant.layers = number(&argument, value()?)?,
            "--size" => descendant.image_size = number(&argument, value()?)?,
            "--steps" => train.steps = number(&argument, value()?)?,
            "--seeds" => train.seeds = number(&argument, value()?)?,
            "--first-seed" => train.first_seed = number(&argument, value()?)?,
            "--batch" => train.batch = number(&argument, value()?)?,
            "--lr" => train.lr = number(&argument, value()?)?,
            "--warmup" => train.warmup_steps = number(&argument, value()?)?,
            "--validate-every" => train.validate_every = number(&argument, value()?)?,
            "--drop-path" => train.drop_path = number(&argument, value()?)?,
            "--keep" => found.keep = Some(value()?),
            "--arms" => train.arms = starts(&value()?)?,
            "--share" => train.share = number(&argument, value()?)?,
            "--micro-batch" => train.micro_batch = number(&argument, value()?)?,
            "--one-by-one" => train.is_interleaved = false,
            "--family" => found.family = sizes(&argument, &value()?)?,
            "--rates" => found.rates = list(&argument, &value()?)?,
            "--batches" => found.batches = list(&argument, &value()?)?,
            "--shares" => found.shares = list(&argument, &value()?)?,
            "--accuracy" => found.accuracy = Some(number(&argument, value()?)?),
            "--measure" => found.measure = number(&argument, value()?)?,
            "--paper-literal" => descendant.scale_projection = false,
            "--no-augment" => train.augment = false,
            "--json" => found.json = true,
            "--engine" => {
                found.engine = match value()?.as_str() {
                    "cpu" => Engine::Cpu,
                    "webgpu" => Engine::WebGpu,
                    other => return Err(format!("`{other}` is no engine; `cpu` and `webgpu` are").into()),
                }
            }
            option if option.starts_with("--") => return Err(format!("`{option}` is no option").into()),
            _ if found.model.is_empty() => found.model = argument,
            _ if found.pictures.is_empty() => found.pictures = argument,
            other => return Err(format!("`{other}` is one argument too many").into()),
        }
    }
    if found.pictures.is_empty() {
        return Err("expected a checkpoint and a folder of pictures: race MODEL PICTURES_DIR [--json]".into());
    }
    Ok(found)
}

fn number<T: std::str::FromStr>(option: &str, text: String) -> Result<T, Failure> {
    text.parse().map_err(|_| format!("`{option}` needs a number, found `{text}`").into())
}

/// A list with commas between.
fn list<T: std::str::FromStr>(option: &str, text: &str) -> Result<Vec<T>, Failure> {
    text.split(',').map(|one| number(option, one.trim().to_owned())).collect()
}

fn starts(text: &str) -> Result<Vec<StartValue>, Failure> {
    let known = || StartValue::ALL.map(StartValue::name).join(", ");
    let start = |name: &str| StartValue::of_name(name).ok_or_else(|| format!("`{name}` is no start; {} are", known()));
    Ok(text.split(',').map(|name| start(name.trim())).collect::<Result<_, _>>()?)
}

/// `6x6,3x4` as heads × layers.
fn sizes(option: &str, text: &str) -> Result<Vec<(usize, usize)>, Failure> {
    let size = |one: &str| {
        let (heads, layers) = one.split_once('x').ok_or(format!("`{one}` is no size; `6x4` is 6 heads, 4 layers"))?;
        Ok((number(option, heads.to_owned())?, number(option, layers.to_owned())?))
    };
    text.split(',').map(|one| size(one.trim())).collect()
}

/// The page's engine, and the last things it said.
struct Driver {
    runner: Runner,
    failure: Rc<RefCell<Option<String>>>,
    descendant: Rc<RefCell<Option<DescendantSummary>>>,
    clusters: Rc<RefCell<Option<ClusterReport>>>,
    race: Rc<RefCell<Option<RaceReport>>>,
    experiment: Rc<RefCell<Option<ExperimentReport>>>,
}

impl Driver {
    fn new() -> Self {
        let (failure, descendant, clusters, race, experiment) = Default::default();
        let runner = Runner::new(Box::new(|_, _| {}), Rc::default());
        let driver = Self { runner, failure, descendant, clusters, race, experiment };
        let (failure, descendant) = (driver.failure.clone(), driver.descendant.clone());
        let clusters = driver.clusters.clone();
        let (race, experiment) = (driver.race.clone(), driver.experiment.clone());
        let outlet = move |event: Event, _: Option<Vec<u8>>| match event {
            Event::Notice(notice) if notice.level == NoticeLevel::Error => {
                failure.borrow_mut().get_or_insert(notice.text);
            }
            Event::Notice(notice) => eprintln!("{}", notice.text),
            Event::Engine(report) => eprintln!("engine: {:?}, {}", report.engine, report.name),
            Event::Project(ProjectEvent::Saved(Saved { bytes, seconds, .. })) => {
                eprintln!("saved: {:.1} MB in {seconds:.2} s", bytes as f64 / 1e6);
            }
            Event::Progress(progress) => {
                let left = progress.seconds_left.map(|left| format!("  about {left:.0} s left"));
                eprintln!("{} of {}  {}{}", progress.done, progress.total, progress.note, left.unwrap_or_default());
            }
            Event::Descendant(summary) => *descendant.borrow_mut() = Some(summary),
            Event::Clusters(report) => *clusters.borrow_mut() = Some(report),
            Event::Race(report) => *race.borrow_mut() = Some(report),
            Event::Experiment(report) => *experiment.borrow_mut() = Some(report),
            _ => {}
        };
        Self { runner: Runner::new(Box::new(outlet), Rc::new(Cell::new(false))), ..driver }
    }

    /// Sends a command and works until nothing is left to do.
    async fn send(
        &mut self,
        command: impl FnOnce(Vec<FileRef>) -> Command,
        files: Vec<FileHandle>,
    ) -> Result<(), Failure> {
        let reference =
            |(index, file): (usize, &FileHandle)| FileRef { index, path: file.path().into(), size: file.len() };
        let references = files.iter().enumerate().map(reference).collect();
        self.runner.handle(command(references), files).await;
        while self.runner.work().await {}
        self.failure.take().map_or(Ok(()), |failure| Err(failure.into()))
    }
}

/// What came of it.
struct Outcome {
    ancestor: Option<VitConfig>,
    descendant: Option<DescendantSummary>,
    clusters: Option<ClusterReport>,
    races: Vec<RaceReport>,
    experiment: Option<ExperimentReport>,
}

async fn run(arguments: &Arguments) -> Result<Outcome, Failure> {
    let Arguments { model, pictures, engine, measure, keep, descendant, train, .. } = arguments;
    let folder = walk(Path::new(pictures))?;
    let ancestor = Checkpoint::open(&model_files(Path::new(model))?).await?.config.vit().cloned();
    let settings = MeasureSettings { pictures: *measure, renormalise: false };
    let descendant = DescendantPlan::from(*descendant);
    let race = TrainSettings { descendant: descendant.clone(), ..train.clone() };
    let design = arguments.design()?;
    let mut driver = Driver::new();
    driver.send(|_| Command::Start { engine: Some(*engine) }, Vec::new()).await?;
    if let Some(folder) = keep {
        driver.runner.store_in(Storage::in_folder(folder)?);
        let begin = ProjectCommand::Begin { name: "race".into(), quota: None, calm: false };
        driver.send(|_| Command::Project(begin), Vec::new()).await?;
    }
    // A race that was broken off has gone on to its end by now.
    if driver.race.borrow().is_none() {
        driver.send(|files| Command::OpenAncestor { files }, model_files(Path::new(model))?).await?;
        driver.send(|files| Command::AddPictures { files, class: None }, folder).await?;
        driver.send(|_| Command::MeasureHeads(settings), Vec::new()).await?;
        driver.send(|_| Command::PlanDescendant(descendant), Vec::new()).await?;
        driver.send(|_| Command::Experiment(ExperimentSettings { race, design }), Vec::new()).await?;
    }
    let experiment = driver.experiment.take();
    let races = match &experiment {
        Some(experiment) => experiment.races.clone(),
        None => vec![driver.race.take().ok_or("the race gave no report")?],
    };
    Ok(Outcome { ancestor, descendant: driver.descendant.take(), clusters: driver.clusters.take(), races, experiment })
}

/// Parameters that a start needs of the ancestor, without classifiers; `None` where nothing is known of them.
fn stored(outcome: &Outcome, race: &RaceReport, start: StartValue) -> Option<u64> {
    let ancestor = outcome.ancestor.as_ref()?;
    let run = race.runs.iter().find(|run| run.arm == start)?;
    Some(match start {
        StartValue::Scratch => 0,
        StartValue::Inherited => outcome.clusters.as_ref()?.stored_parameters,
        StartValue::First | StartValue::Last | StartValue::Random | StartValue::Whole => {
            whole_layers_parameters(ancestor, run.size.0.min(ancestor.depth))
        }
        // Two layers are all that a line needs.
        StartValue::Tleg => whole_layers_parameters(ancestor, 2),
        StartValue::Selection => run.parameters - ((ancestor.embed_dim + 1) * race.classes.len()) as u64,
    })
}

fn as_json(outcome: &Outcome, accuracy: Option<f64>) -> Value {
    let stored = |race: &RaceReport| -> Map<String, Value> {
        let arms = race.settings.arms.iter();
        arms.map(|&start| (start.name().into(), json!(stored(outcome, race, start)))).collect()
    };
    let race =
        |race: &RaceReport| json!({ "race": race, "statistics": statistics(race, accuracy), "stored": stored(race) });
    match &outcome.experiment {
        None => {
            let race = &outcome.races[0];
            let statistics = statistics(race, accuracy);
            json!({ "descendant": outcome.descendant, "race": race, "statistics": statistics, "stored": stored(race) })
        }
        Some(experiment) => json!({
            "descendant": outcome.descendant,
            "design": experiment.settings.design,
            "races": outcome.races.iter().map(race).collect::<Vec<_>>(),
            "points": experiment.points(),
            "sensitivity": sensitivity(&experiment.points()),
        }),
    }
}

fn table(race: &RaceReport, accuracy: Option<f64>) {
    for run in &race.runs {
        println!("{}, seed {}, {:.2} steps/s", run.arm.name(), run.seed, run.steps_per_second);
        println!("  {:>6} {:>7} {:>11} {:>16} {:>9}", "step", "epoch", "train loss", "validation loss", "accuracy");
        for point in &run.points {
            let (loss, validation) = (point.train_loss, point.validation_loss);
            let accuracy = point.validation_accuracy;
            println!("  {:>6} {:>7.2} {loss:>11.4} {validation:>16.4} {accuracy:>9.4}", point.step, point.epoch);
        }
    }
    let Some(all) = statistics(race, accuracy) else { return };
    println!("steps to an accuracy of {:.4} (best mean {:.4}); last accuracy over the seeds", all.accuracy, all.best);
    for arm in &all.arms {
        let (last, reached) = (arm.last, arm.reached);
        let steps = reached.steps.map_or_else(|| "-".into(), |steps| format!("{:.1}", steps.mean));
        println!(
            "  {:>10}  {steps:>7} ({} of {})  {:.4} ± {:.4} ({:.4} to {:.4})  area {:.4}  {} parameters",
            arm.arm.name(),
            reached.seeds,
            reached.of,
            last.mean,
            last.deviation,
            last.low,
            last.high,
            arm.area.mean,
            arm.parameters
        );
    }
    all.differences.iter().for_each(|one| println!("  {one:?}"));
}

fn points(experiment: &ExperimentReport) {
    println!("race  start       heads layers  parameters      rate batch share  accuracy");
    for point in experiment.points() {
        let accuracy = point.accuracy.map_or_else(|| "-".into(), |a| format!("{:.4} ± {:.4}", a.mean, a.deviation));
        println!(
            "{:>4}  {:<10} {:>6} {:>6} {:>11} {:>9.1e} {:>5} {:>5.2}  {accuracy}",
            point.race + 1,
            point.arm.name(),
            point.heads.unwrap_or(0),
            point.layers,
            point.parameters,
            point.lr,
            point.batch,
            point.share
        );
    }
}

fn main() -> ExitCode {
    let outcome =
        arguments().and_then(|arguments| pollster::block_on(run(&arguments)).map(|outcome| (arguments, outcome)));
    match outcome {
        Ok((Arguments { json: true, accuracy, .. }, outcome)) => println!("{}", as_json(&outcome, accuracy)),
        Ok((Arguments { accuracy, .. }, outcome)) => {
            outcome.races.iter().for_each(|race| table(race, accuracy));
            outcome.experiment.iter().for_each(points);
        }
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
