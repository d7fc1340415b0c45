//! Measures how far every attention head looks and clusters the heads of each layer:
//! `cargo run --release -p heirloom-cli --example cluster_heads`

use std::error::Error;
use std::ops::ControlFlow;
use std::path::Path;

use heirloom_checkpoint::Checkpoint;
use heirloom_data::{PictureSet, evaluation_picture, model_files, walk};
use heirloom_engine::normalise;
use heirloom_learngene::cluster::{ClusterSettings, Clusters, measure};
use heirloom_nn::device::acquire_cpu;
use heirloom_nn::vit::Vit;

const MODEL: &str = "static/ancestors/classroom.safetensors";
const PICTURES: &str = "static/samples/doodles.zip";

async fn cluster_heads() -> Result<(), Box<dyn Error>> {
    let checkpoint = Checkpoint::open(&model_files(Path::new(MODEL))?).await?;
    let config = checkpoint.config.vit().ok_or("this model has no attention heads; open a Vision Transformer")?;
    let ancestor = Vit::load(config, &mut &checkpoint, &acquire_cpu().await?.device).await?;
    let mut pictures = PictureSet::new();
    pictures.add(&walk(Path::new(PICTURES))?, None, |_| ControlFlow::Continue(())).await?;
    let picture = &pictures.pictures()[0];

    let side = config.image_size;
    let mut pixels = vec![0.0; 3 * side * side];
    let image = evaluation_picture(&picture.path, &picture.source, side).await?;
    normalise(&checkpoint).write(&image, false, &mut pixels);
    // Mean attention distance in px, `[layer][head]`; more pictures make a steadier mean.
    let distance = measure(&ancestor, pixels, false).await?.distance;

    let clusters = Clusters::from_distances(&distance, &ClusterSettings::for_image_size(side))?;
    for (layer, (clusters, distance)) in clusters.layers.iter().zip(&distance).enumerate() {
        let shown = |&head: &usize| format!("head {head} ({:.1} px)", distance[head]);
        let groups = clusters.iter().map(|one| one.members.iter().map(shown).collect::<Vec<_>>().join(", "));
        println!("layer {layer}: {}", groups.collect::<Vec<_>>().join(" | "));
    }
    println!("kept: {} of {} heads", clusters.kept_heads(), clusters.total_heads());
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    pollster::block_on(cluster_heads())
}
