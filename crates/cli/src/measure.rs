//! `measure`: how far every attention head of a checkpoint looks on pictures, and which heads are alike.

use std::path::PathBuf;

use clap::Args;
use heirloom_checkpoint::Checkpoint;
use heirloom_data::{Normalise, evaluation_picture, model_files, open};
use heirloom_engine::normalise;
use heirloom_learngene::cluster::{ClusterSettings, Clusters, Grouping, Measurement, measure, scaled_eps};
use heirloom_nn::vit::Vit;
use heirloom_plan::protocol::Engine;
use heirloom_platform::file::FileHandle;
use serde_json::{Value, json};

use crate::Failure;
use crate::options;
use crate::session::device;

/// Measures every attention head on pictures; one that has the model's size already is used as it is
#[derive(Debug, Args)]
pub struct MeasureOptions {
    /// A Vision Transformer
    model: PathBuf,
    /// The pictures
    #[arg(required = true)]
    pictures: Vec<String>,
    /// Prints one JSON object
    #[arg(long)]
    json: bool,
    /// How pictures are prepared
    #[command(flatten)]
    prepare: PrepareOptions,
    /// Largest gap inside a cluster, px; else in the proportion of the published one
    #[arg(long, value_name = "PX")]
    eps: Option<f32>,
    /// Where it is computed: cpu or webgpu
    #[arg(long, value_parser = options::engine, default_value = "cpu")]
    engine: Engine,
}

/// How pictures are prepared where it is not as the model's file says.
#[derive(Debug, Args)]
pub struct PrepareOptions {
    /// Mean of each channel, 0..1
    #[arg(long, value_name = "R,G,B", value_parser = Normalise::channels)]
    mean: Option<[f32; 3]>,
    /// Standard deviation of each channel, above 0
    #[arg(long, value_name = "R,G,B", value_parser = deviations)]
    std: Option<[f32; 3]>,
}

impl PrepareOptions {
    /// These over what the file says.
    pub fn over(&self, said: Normalise) -> Normalise {
        Normalise { mean: self.mean.unwrap_or(said.mean), std: self.std.unwrap_or(said.std) }
    }
}

fn deviations(text: &str) -> Result<[f32; 3], String> {
    let std = Normalise::channels(text).map_err(|error| error.to_string())?;
    let is_above = std.iter().all(|&std| std > 0.0);
    if is_above { Ok(std) } else { Err(format!("found `{text}`, expected three numbers above 0")) }
}

/// Measures and prints what came of it.
///
/// # Errors
/// A sentence, when something cannot be read or does not fit.
pub async fn run(options: &MeasureOptions) -> Result<(), Failure> {
    let result = measure_heads(options).await?;
    if options.json {
        println!("{result}")
    } else {
        table(&result)
    }
    Ok(())
}

async fn measure_heads(options: &MeasureOptions) -> Result<Value, Failure> {
    let checkpoint = Checkpoint::open(&model_files(&options.model)?).await?;
    checkpoint.check_complete()?;
    let acquired = device(options.engine).await?;
    let config = checkpoint.config.vit().ok_or("this model has no attention heads; a Vision Transformer is needed")?;
    let model = Vit::load(config, &mut &checkpoint, &acquired.device).await?;
    let normalise = options.prepare.over(normalise(&checkpoint));
    let side = model.config.image_size;
    let (mut pictures, mut measured) = (Vec::new(), Vec::new());
    for path in &options.pictures {
        let source = open(&FileHandle::from_path(path.as_str(), path)?).await?;
        let image = evaluation_picture(path, &source, side).await?;
        let mut pixels = vec![0.0; 3 * side * side];
        normalise.write(&image, false, &mut pixels);
        let one = measure(&model, pixels, false).await?;
        let output = if model.config.classes.is_some() { "logits" } else { "cls" };
        pictures.push(json!({ "file": path, "distance": one.distance, "entropy": one.entropy, output: one.output }));
        measured.push(one);
    }
    let eps = options.eps.unwrap_or_else(|| scaled_eps(side));
    let settings = ClusterSettings {
        eps,
        min_heads: 1,
        grouping: Grouping::Density,
        eps_ffn: eps,
        ..ClusterSettings::for_image_size(side)
    };
    let clusters = Clusters::from_distances(&mean(&measured), &settings)?;
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
