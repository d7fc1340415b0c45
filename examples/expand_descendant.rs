//! Plans a descendant of any size from clustered heads and counts what it costs, without a weight or a device:
//! `cargo run --release -p heirloom-cli --example expand_descendant -- HEADS LAYERS`

use std::error::Error;
use std::path::Path;

use heirloom_checkpoint::Checkpoint;
use heirloom_data::model_files;
use heirloom_learngene::cluster::{
    ClusterSettings, Clusters, CopyScale, DepthChoice, ExpansionPlan, ExpansionSettings, descendant_config,
    learngene_parameters,
};

const MODEL: &str = "static/ancestors/classroom.safetensors";
/// Classes of the descendant.
const CLASSES: usize = 5;

async fn expand() -> Result<(), Box<dyn Error>> {
    let mut sizes = std::env::args().skip(1).map(|size| size.parse::<usize>());
    let (heads, layers) = (sizes.next().transpose()?.unwrap_or(3), sizes.next().transpose()?.unwrap_or(4));
    let checkpoint = Checkpoint::open(&model_files(Path::new(MODEL))?).await?;
    let ancestor = checkpoint.config.vit().ok_or("this model has no attention heads; open a Vision Transformer")?;

    // Distances in px that every head might have: near, middle, far, twice. `cluster_heads` measures real ones.
    let side = ancestor.image_size as f32;
    let distance: Vec<f32> = (0..ancestor.num_heads).map(|head| side * [0.2, 0.35, 0.5][head % 3]).collect();
    let distance = vec![distance; ancestor.depth];
    let clusters = Clusters::from_distances(&distance, &ClusterSettings::for_image_size(ancestor.image_size))?;
    println!("the learngene keeps {} of {} heads", clusters.kept_heads(), clusters.total_heads());
    println!("and {} of {} parameters", learngene_parameters(ancestor, &clusters), ancestor.parameters());

    let depth = DepthChoice::First;
    let settings = ExpansionSettings { heads, layers, depth, copy_scale: CopyScale::Share, ffn_maps: true };
    let plan = ExpansionPlan::from_clusters(&clusters, &settings)?;
    for layer in &plan.layers {
        let heads: Vec<String> = layer.heads.iter().map(|one| one.head.to_string()).collect();
        println!("a layer from the ancestor's layer {}: its heads {}", layer.source_layer, heads.join(", "));
    }
    let descendant = descendant_config(ancestor, &plan, CLASSES, ancestor.image_size)?;
    println!("{} parameters, {} operations a picture", descendant.parameters(), descendant.flops());
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    pollster::block_on(expand())
}
