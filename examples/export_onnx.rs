//! Opens a checkpoint and writes it as ONNX: `cargo run --release -p heirloom-cli --example export_onnx -- OUT.onnx`

use std::error::Error;
use std::path::Path;

use heirloom_checkpoint::{Checkpoint, Description, Preprocessing, timm_form, write_onnx};
use heirloom_data::model_files;
use heirloom_engine::normalise;
use heirloom_nn::device::acquire_cpu;
use heirloom_nn::vit::Vit;

const MODEL: &str = "static/ancestors/classroom.safetensors";

async fn export() -> Result<(), Box<dyn Error>> {
    let out = std::env::args().nth(1).ok_or("expected the name of the file to write: export_onnx OUT.onnx")?;
    let checkpoint = Checkpoint::open(&model_files(Path::new(MODEL))?).await?;
    checkpoint.check_complete()?;
    let config = checkpoint.config.vit().ok_or("expected a Vision Transformer")?;
    let model = Vit::load(config, &mut &checkpoint, &acquire_cpu().await?.device).await?;

    // A program that reads the file finds in it how its pictures are prepared and what the classes are called.
    let (config, tensors) = timm_form(config, model.state().await?);
    let (said, image_size) = (normalise(&checkpoint), config.image_size);
    let preprocessing = Some(Preprocessing { mean: said.mean, std: said.std, image_size });
    let description = Description { config: config.into(), labels: checkpoint.labels.clone(), preprocessing };
    let file = write_onnx(tensors, &description)?;
    std::fs::write(&out, &file)?;
    println!("{out}: {} bytes", file.len());
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    pollster::block_on(export())
}
