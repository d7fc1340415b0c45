//! `logits`: what a checkpoint answers to numbers given as they are, so that other programs can be compared with it.

use std::path::PathBuf;

use burn::tensor::{Tensor, TensorData};
use clap::Args;
use heirloom_checkpoint::{Checkpoint, Description, timm_form, write_safetensors};
use heirloom_data::model_files;
use heirloom_learngene::cluster::measure;
use heirloom_nn::device::read;
use heirloom_nn::model::Model;
use heirloom_plan::protocol::Engine;
use serde_json::json;

use crate::Failure;
use crate::session::device;

/// Prints class scores (or features) of pictures that are prepared already, as JSON
#[derive(Debug, Args)]
pub struct LogitsOptions {
    /// The model: a checkpoint file, or a folder with its shards and config.json
    model: PathBuf,
    /// The pictures: 32-bit little-endian numbers, [pictures, channels, size, size]
    pictures: PathBuf,
    /// Writes the model there too, as safetensors in timm's form
    #[arg(long, value_name = "FILE")]
    export: Option<PathBuf>,
}

/// Runs the command.
pub async fn run(options: &LogitsOptions) -> Result<(), Failure> {
    let checkpoint = Checkpoint::open(&model_files(&options.model)?).await?;
    checkpoint.check_complete()?;
    let config = &checkpoint.config;
    let (side, channels) = (config.image_size(), config.vit().map_or(3, |vit| vit.channels));
    let bytes = std::fs::read(&options.pictures)?;
    let numbers: Vec<f32> = bytes.as_chunks().0.iter().map(|number| f32::from_le_bytes(*number)).collect();
    let picture = channels * side * side;
    if numbers.is_empty() || !numbers.len().is_multiple_of(picture) {
        return Err(format!("{} numbers, where the model takes {picture} per picture", numbers.len()).into());
    }
    let acquired = device(Engine::Cpu).await?;
    let model = Model::load(config, &mut &checkpoint, &acquired.device).await?;
    let count = numbers.len() / picture;
    let first = numbers[..picture].to_vec();
    let data = TensorData::new(numbers, [count, channels, side, side]);
    let output = read(model.logits(Tensor::<4>::from_data(data, &acquired.device), None)).await?;
    let distance = match model.vit() {
        Some(vit) => Some(measure(vit, first, false).await?.distance),
        None => None,
    };
    if let Some(path) = &options.export {
        let (config, state) = match config.vit() {
            Some(vit) => {
                let (vit, state) = timm_form(vit, model.state().await?);
                (vit.into(), state)
            }
            None => (config.clone(), model.state().await?),
        };
        let description = Description { config, labels: None, preprocessing: None };
        std::fs::write(path, write_safetensors(state, &description))?;
    }
    let answers: Vec<&[f32]> = output.chunks(output.len() / count).collect();
    let unexpected: Vec<&String> = checkpoint.unexpected.iter().map(|(key, _)| key).collect();
    println!(
        "{}",
        json!({
            "family": checkpoint.family, "outputs": answers, "distance": distance, "classes": config.classes(),
            "assumptions": checkpoint.assumptions, "unexpected": unexpected, "config": config,
        })
    );
    Ok(())
}
