//! Measures every attention head of a checkpoint on pictures, natively, with the page's own code.
//!
//! `cargo run --release --example measure_heads -- MODEL PICTURE... --json [--mean R,G,B] [--std R,G,B] [--eps PX]
//! [--engine cpu|webgpu]`
//!
//! MODEL is a checkpoint file or a folder with its shards and `config.json`. A picture that already has the model's
//! size is used as it is. With `--json` standard output holds one JSON object, else a table.

use std::path::Path;
use std::process::ExitCode;

use heirloom_checkpoint::Checkpoint;
use heirloom_data::{Normalise, evaluation_picture, model_files, open};
use heirloom_engine::normalise;
use heirloom_learngene::cluster::{ClusterSettings, Clusters, Grouping, Measurement, measure, scaled_eps};
use heirloom_nn::device::{acquire_cpu, acquire_webgpu};
use heirloom_nn::vit::Vit;
use heirloom_platform::file::FileHandle;
use serde_json::{Value, json};

type Failure = Box<dyn std::error::Error>;

#[derive(Default)]
struct Arguments {
    model: String,
    pictures: Vec<String>,
    json: bool,
    mean: Option<[f32; 3]>,
    std: Option<[f32; 3]>,
    eps: Option<f32>,
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
            "--eps" => found.eps = Some(value()?.parse()?),
            "--engine" => {
                found.is_webgpu = match value()?.as_str() {
                    "cpu" => false,
                    "webgpu" => true,
                    other => return Err(format!("`{other}` is no engine; `cpu` and `webgpu` are").into()),
                }
            }
            option if option.starts_with("--") => return Err(format!("`{option}` is no option").into()),
            _ if found.model.is_empty() => found.model = argument,
            _ => found.pictures.push(argument),
        }
    }
    if found.model.is_empty() || found.pictures.is_empty() {
        return Err("expected a checkpoint and at least one picture: measure_heads MODEL PICTURE... [--json]".into());
    }
    Ok(found)
}

async fn run(arguments: Arguments) -> Result<Value, Failure> {
    let checkpoint = Checkpoint::open(&model_files(Path::new(&arguments.model))?).await?;
    checkpoint.check_complete()?;
    let acquired = if arguments.is_webgpu { acquire_webgpu().await? } else { acquire_cpu().await? };
    let config = checkpoint.config.vit().ok_or("this model has no attention heads; a Vision Transformer is needed")?;
    let model = Vit::load(config, &mut &checkpoint, &acquired.device).await?;
    let said = normalise(&checkpoint);
    let normalise = Normalise { mean: arguments.mean.unwrap_or(said.mean), std: arguments.std.unwrap_or(said.std) };
    let side = model.config.image_size;
    let (mut pictures, mut measured) = (Vec::new(), Vec::new());
    for path in &arguments.pictures {
        let source = open(&FileHandle::from_path(path.as_str(), path)?).await?;
        let image = evaluation_picture(path, &source, side).await?;
        let mut pixels = vec![0.0; 3 * side * side];
        normalise.write(&image, false, &mut pixels);
        let one = measure(&model, pixels, false).await?;
        let output = if model.config.classes.is_some() { "logits" } else { "cls" };
        pictures.push(json!({ "file": path, "distance": one.distance, "entropy": one.entropy, output: one.output }));
        measured.push(one);
    }
    let eps = arguments.eps.unwrap_or_else(|| scaled_eps(side));
    let settings = ClusterSettings {
        eps,
        min_heads: 1,
        grouping: Grouping::Density,
        eps_ffn: eps,
        ..ClusterSettings::for_image_size(side)
    };
    let clusters = Clusters::of(&mean(&measured), &settings)?;
    let layers: Vec<Value> = clusters
        .layers
        .iter()
        .map(|layer| layer.iter().map(|one| json!({ "centroid": one.centroid, "members": one.members })).collect())
        .collect();
    Ok(json!({
        "pictures": pictures,
        "clusters": {
            "eps": eps,
            "layers": layers,
            "ffn_groups": clusters.ffn_groups,
            "kept_heads": clusters.kept_heads(),
            "total_heads": clusters.total_heads(),
        },
    }))
}

/// Distances averaged over the pictures, `[layer][head]`.
fn mean(measured: &[Measurement]) -> Vec<Vec<f32>> {
    let mut mean = measured[0].distance.clone();
    for (layer, heads) in mean.iter_mut().enumerate() {
        for (head, value) in heads.iter_mut().enumerate() {
            *value = measured.iter().map(|one| one.distance[layer][head]).sum::<f32>() / measured.len() as f32;
        }
    }
    mean
}

fn table(result: &Value) {
    for picture in result["pictures"].as_array().into_iter().flatten() {
        println!("{}", picture["file"].as_str().unwrap_or_default());
        for (layer, heads) in picture["distance"].as_array().into_iter().flatten().enumerate() {
            let heads = heads.as_array().into_iter().flatten().filter_map(Value::as_f64);
            println!("  layer {:2}  {}", layer + 1, heads.map(|d| format!("{d:7.2}")).collect::<Vec<_>>().join(" "));
        }
    }
    println!("heads kept: {} of {}", result["clusters"]["kept_heads"], result["clusters"]["total_heads"]);
}

fn main() -> ExitCode {
    let outcome = arguments().and_then(|arguments| {
        let json = arguments.json;
        pollster::block_on(run(arguments)).map(|result| (json, result))
    });
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
