//! `evaluate`: a model judged on pictures whose folders are their classes.

use std::path::Path;
use std::time::Instant;

use burn::tensor::{Device, Tensor, TensorData};
use clap::Args;
use heirloom_checkpoint::Checkpoint;
use heirloom_data::{Normalise, evaluation_picture, model_files, open, walk};
use heirloom_engine::normalise;
use heirloom_nn::model::Model;
use heirloom_platform::file::FileHandle;
use heirloom_train::{ClassificationMetrics, evaluate_batch};
use serde_json::{Map, Value, json};

use crate::Failure;
use crate::measure::PrepareOptions;
use crate::options::Inputs;
use crate::session::device;

/// Pictures judged at a time.
const BATCH: usize = 25;

/// Judges a model on pictures whose folders are their classes, sorted by name; a model that knows these names is judged
/// by them
#[derive(Debug, Args)]
pub struct EvaluateOptions {
    #[command(flatten)]
    inputs: Inputs,
    /// How pictures are prepared
    #[command(flatten)]
    prepare: PrepareOptions,
}

/// Judges and prints what came of it.
///
/// # Errors
/// A sentence, when something cannot be read or does not fit.
pub async fn run(options: &EvaluateOptions) -> Result<(), Failure> {
    let result = evaluate(options).await?;
    if options.inputs.json {
        println!("{result}")
    } else {
        table(&result)
    }
    Ok(())
}

/// Names of the folders, sorted, and the files in each.
fn classes(folder: &Path) -> Result<Vec<(String, Vec<FileHandle>)>, Failure> {
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
        true => {
            Err(format!("`{}` holds no folders with pictures; one folder per class is expected", folder.display())
                .into())
        }
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
    async fn evaluate(
        &self,
        pictures: &[FileHandle],
        class: usize,
        tally: &mut ClassificationMetrics,
    ) -> Result<(), Failure> {
        let side = self.side;
        for batch in pictures.chunks(BATCH) {
            let mut pixels = vec![0.0; batch.len() * 3 * side * side];
            for (file, pixels) in batch.iter().zip(pixels.chunks_exact_mut(3 * side * side)) {
                let image = evaluation_picture(file.path(), &open(file).await?, side).await?;
                self.normalise.write(&image, false, pixels);
            }
            let images = Tensor::<4>::from_data(TensorData::new(pixels, [batch.len(), 3, side, side]), self.device);
            evaluate_batch(self.model, images, &vec![class; batch.len()], tally).await?;
        }
        Ok(())
    }
}

async fn evaluate(options: &EvaluateOptions) -> Result<Value, Failure> {
    let checkpoint = Checkpoint::open(&model_files(&options.inputs.model)?).await?;
    checkpoint.check_complete()?;
    for assumption in &checkpoint.assumptions {
        eprintln!("assumed: {assumption}");
    }
    let outputs = checkpoint.config.classes().ok_or("this model has no classifier, so there is nothing to judge")?;
    let classes = classes(&options.inputs.pictures)?;
    let names: Vec<&str> = classes.iter().map(|(name, _)| name.as_str()).collect();
    let places = places(&names, checkpoint.labels.as_ref(), outputs)?;
    let acquired = device(options.inputs.engine).await?;
    let model = Model::load(&checkpoint.config, &mut &checkpoint, &acquired.device).await?;
    let normalise = options.prepare.over(normalise(&checkpoint));
    let eye = Eye { model: &model, normalise, device: &acquired.device, side: checkpoint.config.image_size() };
    let (mut tally, started) = (ClassificationMetrics::new(outputs), Instant::now());
    for ((_, pictures), &class) in classes.iter().zip(&places) {
        eye.evaluate(pictures, class, &mut tally).await?;
    }
    eprintln!("{} pictures in {:.1} s on {}", tally.count(), started.elapsed().as_secs_f64(), acquired.name);
    Ok(report(&tally, &names, &places, checkpoint.labels.as_ref()))
}

fn report(tally: &ClassificationMetrics, names: &[&str], places: &[usize], labels: Option<&Vec<String>>) -> Value {
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
