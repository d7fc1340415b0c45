//! Looking at one picture: small, for the page, and with what a model attends to.

use burn::tensor::{Tensor, TensorData};

use super::heads::pixels;
use super::predict::{Namer, PredictError};
use super::runner::Runner;
use heirloom_data::{DataError, Source, evaluation_picture, open, picture_url, thumbnail};
use heirloom_nn::device::{ReadError, read};
use heirloom_nn::vit::{Pool, Vit};
use heirloom_plan::protocol::{Event, Look, LookAt, PictureAt};
use heirloom_platform::clock::yield_now;

/// Longest side of the picture under the attention, px.
const SHOWN: usize = 448;
/// Side of a small picture, px.
const SMALL: usize = 120;

impl Runner {
    pub(super) async fn look(&mut self, run: Option<usize>, picture: PictureAt, at: LookAt) {
        let namer = match self.namer(run) {
            Ok(namer) => namer,
            Err(reason) => return self.fail(reason),
        };
        let (path, source) = match self.source(&picture).await {
            Ok(Some(found)) => found,
            Ok(None) => return self.fail("this picture is no longer among the pictures; choose another one"),
            Err(error) => return self.fail(error),
        };
        match look(&namer, &path, &source, at).await {
            Ok(found) => self.say(Event::Look(Look { picture, ..found })),
            Err(error) => self.fail(error),
        }
    }

    pub(super) async fn thumbnails(&mut self, paths: Vec<String>) {
        for path in paths {
            let picture = self.pictures.set.pictures().iter().find(|picture| picture.path == path);
            let url = match picture {
                Some(picture) => thumbnail(&picture.path, &picture.source, SMALL).await.ok(),
                None => None,
            };
            self.say(Event::Thumbnail { path, url });
            yield_now().await;
        }
    }

    async fn source(&self, picture: &PictureAt) -> Result<Option<(String, Source)>, DataError> {
        let file = match picture {
            PictureAt::Path(path) => {
                let found = self.pictures.set.pictures().iter().find(|picture| picture.path == *path);
                return Ok(found.map(|picture| (picture.path.clone(), picture.source.clone())));
            }
            PictureAt::Named(index) => self.named.files.get(*index),
            PictureAt::Glanced => self.named.glanced.as_ref(),
        };
        match file {
            Some(file) => Ok(Some((file.path().to_string(), open(file).await?))),
            None => Ok(None),
        }
    }
}

async fn look(namer: &Namer, path: &str, source: &Source, at: LookAt) -> Result<Look, PredictError> {
    let side = namer.model.config().image_size();
    let image = evaluation_picture(path, source, side).await?;
    let url = picture_url(&image, SHOWN).map_err(|reason| DataError::picture(path, reason))?;
    let nothing = Look { picture: PictureAt::Glanced, url, at, layers: 0, grid: 0, is_cls: false, maps: Vec::new() };
    let Some(vit) = namer.model.vit() else { return Ok(nothing) };
    let layers = vit.blocks.len();
    let at = match at {
        LookAt::Rollout => LookAt::Rollout,
        LookAt::Last => LookAt::Layer(layers.saturating_sub(1)),
        // A page may still ask for a layer of the model it showed before.
        LookAt::Layer(layer) => LookAt::Layer(layer.min(layers.saturating_sub(1))),
    };
    let data = TensorData::new(pixels(&image, &namer.normalise), [1, 3, side, side]);
    let maps = attention_maps(vit, Tensor::from_data(data, &namer.model.device()), at).await?;
    let is_cls = vit.config.pool == Pool::Cls;
    Ok(Look { at, layers, grid: vit.config.grid(), is_cls, maps, ..nothing })
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
