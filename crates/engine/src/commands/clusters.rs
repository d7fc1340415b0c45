//! The measured heads: clustering them again, and looking at one.

use burn::tensor::{Tensor, TensorData};

use super::descendant::plan_again;
use super::pixels;
use crate::emitter::Emitter;
use crate::error::EngineError;
use crate::saved::SavedHeads;
use crate::workspace::{Heads, Workspace};
use heirloom_data::evaluation_picture;
use heirloom_learngene::cluster::{Clusters, Measured, Received, attention_of, cluster_measured};
use heirloom_plan::cluster::cluster_report;
use heirloom_plan::protocol::{AttentionMap, ClusterSettings, Event};
use heirloom_platform::image::RgbImage8;

/// Takes in heads that were measured, and clusters them.
pub async fn take_heads(workspace: &mut Workspace, emitter: &Emitter, saved: SavedHeads, pictures: Vec<RgbImage8>) {
    let Ok(vit) = workspace.vit() else { return };
    let flat = TensorData::new(saved.report.distance.concat(), [vit.config.depth, vit.config.num_heads]);
    let distance = Tensor::from_data(flat, &vit.device());
    let clusters = Clusters { layers: Vec::new(), ffn_groups: Vec::new() };
    emitter.emit(Event::Heads(saved.report.clone()));
    let settings = saved.clusters;
    workspace.heads = Some(Heads { distance, pictures, clusters, saved });
    set_clusters(workspace, emitter, settings).await;
}

/// The heads as they were measured once.
///
/// # Errors
/// When they do not belong to ancestor and pictures.
pub async fn restore_heads(workspace: &mut Workspace, emitter: &Emitter, saved: SavedHeads) -> Result<(), EngineError> {
    let Ok(vit) = workspace.vit() else { return Err(EngineError::HeadsOfNone) };
    let (depth, heads, side) = (vit.config.depth, vit.config.num_heads, vit.config.image_size);
    let distance = &saved.report.distance;
    if distance.len() != depth || distance.iter().any(|layer| layer.len() != heads) {
        return Err(EngineError::HeadsOfOther);
    }
    let mut pictures = Vec::new();
    for &index in &saved.shown {
        let picture = workspace.dataset.set.pictures().get(index).ok_or(EngineError::NoPicture)?;
        pictures.push(evaluation_picture(&picture.path, &picture.source, side).await?);
    }
    take_heads(workspace, emitter, saved, pictures).await;
    Ok(())
}

/// Clusters the heads again, and plans the descendant again from them.
pub async fn set_clusters(workspace: &mut Workspace, emitter: &Emitter, settings: ClusterSettings) {
    let Workspace { ancestor, heads, .. } = workspace;
    let vit = ancestor.as_ref().and_then(|ancestor| ancestor.model.vit());
    let (Some(vit), Some(heads)) = (vit, heads) else { return emitter.notify_error(EngineError::NoHeads) };
    match cluster_measured(heads.distance.clone(), &settings).await {
        Ok(Measured { clusters, .. }) => {
            let report = cluster_report(&vit.config, &clusters, settings);
            (heads.clusters, heads.saved.clusters) = (clusters, settings);
            emitter.emit(Event::Clusters(report));
            plan_again(workspace, emitter);
        }
        Err(error) => emitter.notify_error(error),
    }
}

/// What a head of the ancestor attends to in a measured picture.
pub async fn show_attention(
    workspace: &Workspace,
    [layer, head]: [usize; 2],
    picture: usize,
    patch: Option<usize>,
) -> Result<Event, EngineError> {
    let (Some(ancestor), Some(heads)) = (&workspace.ancestor, &workspace.heads) else {
        return Err(EngineError::NoHeads);
    };
    let vit = workspace.vit()?;
    let (config, grid) = (&vit.config, vit.config.grid());
    let patch = patch.unwrap_or(grid / 2 * grid + grid / 2);
    let is_there = layer < config.depth && head < config.num_heads && patch < grid * grid;
    let image = heads.pictures.get(picture).filter(|_| is_there).ok_or(EngineError::NoSuchHead)?;
    let pixels = pixels(image, &ancestor.normalise);
    let Received { from_all: received, from_cls, from_patch, distance: patch_distance } =
        attention_of(vit, pixels, [layer, head, patch]).await?;
    let map = AttentionMap { layer, head, picture, grid, received, from_cls, patch, from_patch, patch_distance };
    Ok(Event::Attention(map))
}
