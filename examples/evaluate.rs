//! Judges a model on pictures whose folders are their classes, natively, with the page's own code.
//!
//! `cargo run --release --example evaluate -- MODEL PICTURES_DIR [--json] [--mean R,G,B] [--std R,G,B]
//! [--engine cpu|webgpu]`
//!
//! MODEL is a checkpoint file or a folder with its shards and `config.json`; any supported model with a classifier.
//! Classes are the names of the folders in PICTURES_DIR, sorted; a model that knows the names of its classes is judged by
//! those names if it knows all of the folders'. With `--json` standard output holds one JSON object: `accuracy`,
//! `per_class` (by name), `confusion` (`[true][predicted]`), `classes`, `pictures`. Else a table.

use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use burn::tensor::{Device, Tensor, TensorData};
use heirloom_checkpoint::Checkpoint;
use heirloom_data::{Normalise, evaluation_picture, model_files, open, walk};
use heirloom_engine::normalise;
use heirloom_nn::device::{acquire_cpu, acquire_webgpu};
use heirloom_nn::model::Model;
use heirloom_platform::file::FileHandle;
use heirloom_train::{Tally, judge};
use serde_json::{Map, Value, json};

/// Pictures judged at a time.
const BATCH: usize = 25;

type Failure = Box<dyn std::error::Error>;

#[derive(Default)]
struct Arguments {
    model: String,
    pictures: String,
    json: bool,
    mean: Option<[f32; 3]>,
    std: Option<[f32; 3]>,
    is_webgpu: bool,
}

fn arguments() -> Result<Arguments, Failure> {
    let mut all = std::env::args().skip(1);
    let mut found = Arguments::default();
    while let Some(argument) = all.next() {
        let mut value = || all.next().ok_or(format!("`{argument}` needs a value"));
        match argument.as_str() {
            "--json" => found.json = true,
            "--mean" => found.mean = Some(Normalise::channels(&value()?)?),
            "--std" => found.std = Some(Normalise::channels(&value()?)?),
            "--engine" => {
                found.is_webgpu = match value()?.as_str() {
                    "cpu" => false,
                    "webgpu" => true,
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
        return Err("expected a checkpoint and a folder of pictures: evaluate MODEL PICTURES_DIR [--json]".into());
    }
    if found.std.is_some_and(|std| std.iter().any(|&std| std.is_nan() || std <= 0.0)) {
        return Err("`--std` must be above 0".into());
    }
    Ok(found)
}

/// Names of the folders, sorted, and the files in each.
fn classes(folder: &str) -> Result<Vec<(String, Vec<FileHandle>)>, Failure> {
    let mut classes = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.path().is_dir() {
            let pictures = walk(&entry.path())?;
            classes.push((entry.file_name().to_string_lossy().into_owned(), pictures));
        }
    }
    classes.retain(|(name, pictures)| !name.starts_with('.') && !pictures.is_empty());
    classes.sort_by(|one, other| one.0.cmp(&other.0));
    match classes.is_empty() {
        true => Err(format!("`{folder}` holds no folders with pictures; one folder per class is expected").into()),
        false => Ok(classes),
    }
}

/// The model's class of each folder.
fn places(names: &[&str], labels: Option<&Vec<String>>, outputs: usize) -> Result<Vec<usize>, Failure> {
    let known = |labels: &Vec<String>| -> Option<Vec<usize>> {
        names.iter().map(|name| labels.iter().position(|label| label == name)).collect()
    };
    if let Some(places) = labels.and_then(known) {
        return Ok(places);
    }
    if names.len() != outputs {
        let found = names.len();
        return Err(
            format!("the model tells {outputs} classes apart, but there are {found} folders of pictures").into()
        );
    }
    Ok((0..outputs).collect())
}

struct Eye<'a> {
    model: &'a Model,
    normalise: Normalise,
    device: &'a Device,
    side: usize,
}

impl Eye<'_> {
    async fn judge(&self, pictures: &[FileHandle], class: usize, tally: &mut Tally) -> Result<(), Failure> {
        let side = self.side;
        for batch in pictures.chunks(BATCH) {
            let mut pixels = vec![0.0; batch.len() * 3 * side * side];
            for (file, pixels) in batch.iter().zip(pixels.chunks_exact_mut(3 * side * side)) {
                let image = evaluation_picture(file.path(), &open(file).await?, side).await?;
                self.normalise.write(&image, false, pixels);
            }
            let images = Tensor::<4>::from_data(TensorData::new(pixels, [batch.len(), 3, side, side]), self.device);
            judge(self.model, images, &vec![class; batch.len()], tally).await?;
        }
        Ok(())
    }
}

async fn run(arguments: &Arguments) -> Result<Value, Failure> {
    let checkpoint = Checkpoint::open(&model_files(Path::new(&arguments.model))?).await?;
    checkpoint.check_complete()?;
    for assumption in &checkpoint.assumptions {
        eprintln!("assumed: {assumption}");
    }
    let outputs = checkpoint.config.classes().ok_or("this model has no classifier, so there is nothing to judge")?;
    let classes = classes(&arguments.pictures)?;
    let names: Vec<&str> = classes.iter().map(|(name, _)| name.as_str()).collect();
    let places = places(&names, checkpoint.labels.as_ref(), outputs)?;
    let acquired = if arguments.is_webgpu { acquire_webgpu().await? } else { acquire_cpu().await? };
    let model = Model::load(&checkpoint.config, &mut &checkpoint, &acquired.device).await?;
    let said = normalise(&checkpoint);
    let normalise = Normalise { mean: arguments.mean.unwrap_or(said.mean), std: arguments.std.unwrap_or(said.std) };
    let eye = Eye { model: &model, normalise, device: &acquired.device, side: checkpoint.config.image_size() };
    let (mut tally, started) = (Tally::new(outputs), Instant::now());
    for ((_, pictures), &class) in classes.iter().zip(&places) {
        eye.judge(pictures, class, &mut tally).await?;
    }
    eprintln!("{} pictures in {:.1} s on {}", tally.count(), started.elapsed().as_secs_f64(), acquired.name);
    Ok(report(&tally, &names, &places, checkpoint.labels.as_ref()))
}

fn report(tally: &Tally, names: &[&str], places: &[usize], labels: Option<&Vec<String>>) -> Value {
    let confusion: Vec<&Vec<usize>> = places.iter().map(|&class| &tally.confusion()[class]).collect();
    let share = |(row, &class): (&&Vec<usize>, &usize)| row[class] as f64 / row.iter().sum::<usize>().max(1) as f64;
    let per_class: Map<String, Value> = names
        .iter()
        .zip(confusion.iter().zip(places))
        .map(|(name, judged)| ((*name).to_string(), json!(share(judged))))
        .collect();
    let right: usize = confusion.iter().zip(places).map(|(row, &class)| row[class]).sum();
    let predicted = labels.cloned().unwrap_or_else(|| names.iter().map(|name| (*name).to_string()).collect());
    json!({
        "accuracy": right as f64 / tally.count().max(1) as f64,
        "per_class": per_class,
        "confusion": confusion,
        "classes": names,
        "predicted": predicted,
        "pictures": tally.count(),
    })
}

fn table(result: &Value) {
    for (name, share) in result["per_class"].as_object().into_iter().flatten() {
        println!("{name:24} {:5.1} %", 100.0 * share.as_f64().unwrap_or(0.0));
    }
    let accuracy = 100.0 * result["accuracy"].as_f64().unwrap_or(0.0);
    println!("{:24} {accuracy:5.1} % of {} pictures", "all", result["pictures"]);
}

fn main() -> ExitCode {
    let outcome =
        arguments().and_then(|arguments| pollster::block_on(run(&arguments)).map(|result| (arguments.json, result)));
    match outcome {
        Ok((true, result)) => println!("{result}"),
        Ok((false, result)) => table(&result),
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
