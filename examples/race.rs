//! Races an inherited descendant against the same architecture from scratch, natively, with the page's own engine.
//!
//! `cargo run --release --example race -- MODEL PICTURES_DIR --heads N --layers N --steps N --seeds N --size PX [--json]`
//!
//! MODEL is a checkpoint file or a folder with its shards and `config.json`; PICTURES_DIR has a folder per class. More
//! options: `--batch N`, `--lr X`, `--warmup N`, `--validate-every N` (0 = once per epoch), `--measure N` (pictures the
//! heads are measured on), `--paper-literal` (no scale on output projections), `--no-augment`, `--drop-path X`, `--engine cpu|webgpu`.
//! With `--json` standard output holds one JSON object with the curve of every arm and seed, else a table; how far it
//! is goes to standard error.

use std::cell::{Cell, RefCell};
use std::path::Path;
use std::process::ExitCode;
use std::rc::Rc;

use heirloom::platform::file::FileHandle;
use heirloom::session::Runner;
use heirloom::session::protocol::{
    Command, DepthChoice, DescendantPlan, DescendantSettings, DescendantSummary, Engine, Event, FileRef,
    MeasureSettings, NoticeLevel, RaceReport, StartValue, TrainSettings,
};
use serde_json::json;

type Failure = Box<dyn std::error::Error>;

struct Arguments {
    model: String,
    pictures: String,
    json: bool,
    engine: Engine,
    measure: usize,
    descendant: DescendantSettings,
    train: TrainSettings,
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
        };
        Self {
            model: String::new(),
            pictures: String::new(),
            json: false,
            engine: Engine::Cpu,
            measure: 8,
            descendant,
            train,
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
            "--batch" => train.batch = number(&argument, value()?)?,
            "--lr" => train.lr = number(&argument, value()?)?,
            "--warmup" => train.warmup_steps = number(&argument, value()?)?,
            "--validate-every" => train.validate_every = number(&argument, value()?)?,
            "--drop-path" => train.drop_path = number(&argument, value()?)?,
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

/// The files under a path, named relative to the folder that holds it, in a fixed order.
fn files(path: &Path, name: &str, found: &mut Vec<FileHandle>) -> Result<(), Failure> {
    let unreadable = |error: std::io::Error| format!("`{}` cannot be read: {error}", path.display());
    if !path.is_dir() {
        found.push(FileHandle::from_path(name, path)?);
        return Ok(());
    }
    let mut entries =
        std::fs::read_dir(path).map_err(unreadable)?.collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        files(&entry.path(), &format!("{name}/{}", entry.file_name().to_string_lossy()), found)?;
    }
    Ok(())
}

fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(|| "pictures".into(), |name| name.to_string_lossy().into_owned())
}

fn model_files(model: &Path) -> Result<Vec<FileHandle>, Failure> {
    let mut found = Vec::new();
    files(model, &file_name(model), &mut found)?;
    // The description that a model's folder holds beside the weights.
    let config = model.with_file_name("config.json");
    if !model.is_dir() && config.exists() {
        found.push(FileHandle::from_path("config.json", config)?);
    }
    Ok(found)
}

/// The page's engine, and the last things it said.
struct Driver {
    runner: Runner,
    failure: Rc<RefCell<Option<String>>>,
    descendant: Rc<RefCell<Option<DescendantSummary>>>,
    race: Rc<RefCell<Option<RaceReport>>>,
}

impl Driver {
    fn new() -> Self {
        let failure: Rc<RefCell<Option<String>>> = Rc::default();
        let descendant: Rc<RefCell<Option<DescendantSummary>>> = Rc::default();
        let race: Rc<RefCell<Option<RaceReport>>> = Rc::default();
        let slots = (failure.clone(), descendant.clone(), race.clone());
        let outlet = move |event: Event, _: Option<Vec<u8>>| match event {
            Event::Notice(notice) if notice.level == NoticeLevel::Error => {
                slots.0.borrow_mut().get_or_insert(notice.text);
            }
            Event::Notice(notice) => eprintln!("{}", notice.text),
            Event::Engine(report) => eprintln!("engine: {:?}, {}", report.engine, report.name),
            Event::Progress(progress) => eprintln!("{} of {}  {}", progress.done, progress.total, progress.note),
            Event::Descendant(summary) => *slots.1.borrow_mut() = Some(summary),
            Event::Race(report) => *slots.2.borrow_mut() = Some(report),
            _ => {}
        };
        Self { runner: Runner::new(Box::new(outlet), Rc::new(Cell::new(false))), failure, descendant, race }
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

async fn run(arguments: Arguments) -> Result<(Option<DescendantSummary>, RaceReport), Failure> {
    let Arguments { model, pictures, engine, measure, descendant, train, .. } = arguments;
    let (model, pictures) = (Path::new(&model), Path::new(&pictures));
    let mut folder = Vec::new();
    files(pictures, &file_name(pictures), &mut folder)?;
    let settings = MeasureSettings { pictures: measure, renormalise: false };
    let descendant = DescendantPlan::from(descendant);
    let train = TrainSettings { descendant: descendant.clone(), ..train };
    let mut driver = Driver::new();
    driver.send(|_| Command::Start { engine: Some(engine) }, Vec::new()).await?;
    driver.send(|files| Command::OpenAncestor { files }, model_files(model)?).await?;
    driver.send(|files| Command::AddPictures { files, class: None }, folder).await?;
    driver.send(|_| Command::MeasureHeads(settings), Vec::new()).await?;
    driver.send(|_| Command::PlanDescendant(descendant), Vec::new()).await?;
    driver.send(|_| Command::Train(train), Vec::new()).await?;
    let report = driver.race.take().ok_or("the race gave no report")?;
    Ok((driver.descendant.take(), report))
}

fn table(report: &RaceReport) {
    for run in &report.runs {
        println!("{:?}, seed {}, {:.2} steps/s", run.arm, run.seed, run.steps_per_second);
        println!("  {:>6} {:>7} {:>11} {:>16} {:>9}", "step", "epoch", "train loss", "validation loss", "accuracy");
        for point in &run.points {
            let (loss, validation) = (point.train_loss, point.validation_loss);
            let accuracy = point.validation_accuracy;
            println!("  {:>6} {:>7.2} {loss:>11.4} {validation:>16.4} {accuracy:>9.4}", point.step, point.epoch);
        }
    }
}

fn main() -> ExitCode {
    let outcome = arguments().and_then(|arguments| {
        let json = arguments.json;
        pollster::block_on(run(arguments)).map(|result| (json, result))
    });
    match outcome {
        Ok((true, (descendant, report))) => println!("{}", json!({ "descendant": descendant, "race": report })),
        Ok((false, (_, report))) => table(&report),
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
