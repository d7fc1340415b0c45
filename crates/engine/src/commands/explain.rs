//! Looking at one picture: small, for the page, and with what a model attends to.

use burn::tensor::Tensor;

use super::classify::Classifier;
use crate::emitter::Emitter;
use crate::error::EngineError;
use crate::workspace::Workspace;
use heirloom_data::{DataError, Source, open, picture_url, thumbnail};
use heirloom_nn::device::{ReadError, read};
use heirloom_nn::vit::{Pool, Vit};
use heirloom_plan::protocol::{Event, Look, LookAt, PictureAt};
use heirloom_platform::clock::yield_now;

/// Longest side of the picture under the attention, px.
const SHOWN: usize = 448;
/// Side of a small picture, px.
const SMALL: usize = 120;

/// Small pictures of the set, one by one.
pub async fn thumbnails(workspace: &Workspace, emitter: &Emitter, paths: Vec<String>) {
    for path in paths {
        let url = match workspace.dataset.source(&path) {
            Some(source) => thumbnail(&path, source, SMALL).await.ok(),
            None => None,
        };
        emitter.emit(Event::Thumbnail { path, url });
        yield_now().await;
    }
}

/// What a model attends to in a picture.
pub async fn look(
    workspace: &Workspace,
    run: Option<usize>,
    picture: PictureAt,
    at: LookAt,
) -> Result<Event, EngineError> {
    let classifier = Classifier::of_run(workspace, run)?;
    let (path, source) = source(workspace, &picture).await?.ok_or(EngineError::NoPicture)?;
    let (shown, image) = classifier.image(&path, &source).await?;
    let url = picture_url(&shown, SHOWN).map_err(|reason| DataError::picture(&path, reason))?;
    let Some(vit) = classifier.model.vit() else {
        return Ok(Event::Look(Look { picture, url, at, layers: 0, grid: 0, is_cls: false, maps: Vec::new() }));
    };
    let layers = vit.blocks.len();
    let at = match at {
        LookAt::Rollout => LookAt::Rollout,
        LookAt::Last => LookAt::Layer(layers.saturating_sub(1)),
        // A page may still ask for a layer of the model it showed before.
        LookAt::Layer(layer) => LookAt::Layer(layer.min(layers.saturating_sub(1))),
    };
    let maps = attention_maps(vit, image, at).await?;
    let is_cls = matches!(vit.config.pool, Pool::Cls | Pool::ClsAvg);
    Ok(Event::Look(Look { picture, url, at, layers, grid: vit.config.grid(), is_cls, maps }))
}

async fn source(workspace: &Workspace, picture: &PictureAt) -> Result<Option<(String, Source)>, DataError> {
    let file = match picture {
        PictureAt::Path(path) => {
            return Ok(workspace.dataset.source(path).map(|source| (path.clone(), source.clone())));
        }
        PictureAt::Named(index) => workspace.classified.files.get(*index),
        PictureAt::Glanced => workspace.classified.frame.as_ref(),
    };
    match file {
        Some(file) => Ok(Some((file.path().to_string(), open(file).await?))),
        None => Ok(None),
    }
}

/// `[head][grid * grid]`; of the rollout one map.
async fn attention_maps(vit: &Vit, image: Tensor<4>, at: LookAt) -> Result<Vec<Vec<f32>>, ReadError> {
    let attention = match at {
        LookAt::Layer(layer) => vit.attention(image, layer),
        LookAt::Rollout | LookAt::Last => vit.rollout(image).unsqueeze_dim(1),
    };
    let seen = vit.seen(attention);
    let [_, _, patches] = seen.dims();
    Ok(read(seen).await?.chunks(patches.max(1)).map(<[f32]>::to_vec).collect())
}
