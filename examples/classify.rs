//! Opens a checkpoint and names pictures: `cargo run --release -p heirloom-cli --example classify -- PICTURE...`

use std::error::Error;
use std::path::Path;

use burn::tensor::{Tensor, TensorData};
use heirloom_checkpoint::Checkpoint;
use heirloom_data::{evaluation_picture, model_files, open};
use heirloom_engine::normalise;
use heirloom_nn::device::{acquire_cpu, read};
use heirloom_nn::model::Model;
use heirloom_platform::file::FileHandle;

/// Any supported model with a classifier: one file, or a folder with its shards and `config.json`.
const MODEL: &str = "static/ancestors/classroom.safetensors";

async fn classify() -> Result<(), Box<dyn Error>> {
    let checkpoint = Checkpoint::open(&model_files(Path::new(MODEL))?).await?;
    checkpoint.check_complete()?;
    let device = acquire_cpu().await?.device;
    let model = Model::load(&checkpoint.config, &mut &checkpoint, &device).await?;
    let side = checkpoint.config.image_size();
    for path in std::env::args().skip(1) {
        let source = open(&FileHandle::from_path(path.as_str(), &path)?).await?;
        let picture = evaluation_picture(&path, &source, side).await?;
        let mut pixels = vec![0.0; 3 * side * side];
        normalise(&checkpoint).write(&picture, false, &mut pixels);
        let image = Tensor::<4>::from_data(TensorData::new(pixels, [1, 3, side, side]), &device);
        let logits = read(model.logits(image, None)).await?;
        let best = (0..logits.len()).max_by(|&one, &other| logits[one].total_cmp(&logits[other])).unwrap_or(0);
        let label = checkpoint.labels.as_ref().and_then(|labels| labels.get(best));
        println!("{path}: {}", label.map_or_else(|| format!("class {best}"), String::clone));
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    pollster::block_on(classify())
}
