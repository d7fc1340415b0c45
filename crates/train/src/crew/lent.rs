//! Models that only look at pictures, with the help of others.

use std::rc::Rc;

use burn::tensor::{Device, Tensor};
use futures::future::join_all;

use super::weights::{flat_weights, values};
use super::{Crew, Errand, Work, bounds, next_version, shares};
use crate::{Batch, Classifier, TrainError};

/// A model that is not trained, and what the crew is told of it.
#[derive(Debug)]
pub struct Lent<M> {
    model: M,
    told: Option<Told>,
}

/// What comes with every errand.
#[derive(Clone, Debug)]
struct Told {
    version: u64,
    blueprint: Rc<str>,
    weights: Rc<Vec<f32>>,
}

impl Told {
    fn errand(self, pixels: &[f32], shape: [usize; 4], work: Work) -> Errand {
        let Self { version, blueprint, weights } = self;
        Errand { version, blueprint, weights, pixels: pixels.to_vec(), shape, work }
    }
}

impl<M: Classifier> Lent<M> {
    /// A model without autodiff.
    pub fn new(model: M) -> Self {
        Self { model, told: None }
    }

    /// `None` where no other thread can make this model.
    async fn told(&mut self) -> Result<Option<Told>, TrainError> {
        if self.told.is_none()
            && let Some(blueprint) = self.model.blueprint()
        {
            let weights = Rc::new(flat_weights(&self.model).await?);
            self.told = Some(Told { version: next_version(), blueprint, weights });
        }
        Ok(self.told.clone())
    }

    /// Scores `[batch, classes]`, in `parts` parts of which the crew computes some.
    ///
    /// # Errors
    /// When the batch does not fit together, or the device does not answer.
    pub async fn scores(
        &mut self,
        batch: &Batch,
        device: &Device,
        parts: usize,
        crew: Option<&Rc<dyn Crew>>,
    ) -> Result<Vec<f32>, TrainError> {
        let images = batch.images(device)?;
        let pictures = batch.labels.len();
        let parts = parts.clamp(1, pictures.max(1));
        let bounds = bounds(pictures, parts);
        let sizes: Vec<usize> = bounds.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let helping = crew.filter(|crew| parts > 1 && crew.hands() > 0);
        let told = if helping.is_some() { self.told().await? } else { None };
        let Some((crew, told)) = helping.zip(told) else { return scores_in_parts(&self.model, images, &sizes).await };
        let shares = shares(parts, crew.hands() + 1);
        let picture = batch.pixels.len() / pictures;
        let ask = |(hand, share): (usize, &std::ops::Range<usize>)| {
            let [from, to] = [bounds[share.start], bounds[share.end]];
            let shape = [to - from, batch.shape[1], batch.shape[2], batch.shape[3]];
            let work = Work::Logits { parts: sizes[share.clone()].to_vec() };
            crew.ask(hand, told.clone().errand(&batch.pixels[from * picture..to * picture], shape, work))
        };
        let asked: Vec<_> = shares[1..].iter().enumerate().map(ask).collect();
        let own = &shares[0];
        let mut all =
            scores_in_parts(&self.model, images.clone().narrow(0, 0, bounds[own.end]), &sizes[own.clone()]).await?;
        let classes = all.len() / bounds[own.end].max(1);
        for (share, answer) in shares[1..].iter().zip(join_all(asked).await) {
            let [from, to] = [bounds[share.start], bounds[share.end]];
            // One that answered something else is no better than one that died.
            all.extend(match answer.filter(|answer| answer.values.len() == (to - from) * classes) {
                Some(answer) => answer.values,
                None => {
                    let images = images.clone().narrow(0, from, to - from);
                    scores_in_parts(&self.model, images, &sizes[share.clone()]).await?
                }
            });
        }
        Ok(all)
    }

    /// What the last layer of the classifier sees of some batches, one reading after the other
    /// ([`Classifier::head_features`]). Each batch goes through one
    /// thread, the first through this one and those that follow through one of the crew each, as far as it goes.
    ///
    /// # Errors
    /// When a batch does not fit together, or the device does not answer.
    pub async fn features(
        &mut self,
        batches: &[Batch],
        cuts: &[usize],
        device: &Device,
        crew: Option<&Rc<dyn Crew>>,
    ) -> Result<Vec<Vec<f32>>, TrainError> {
        let Some((_, others)) = batches.split_first() else { return Ok(Vec::new()) };
        let helping = crew.filter(|crew| !others.is_empty() && crew.hands() > 0);
        let told = if helping.is_some() { self.told().await? } else { None };
        let asked = helping.zip(told).map(|(crew, told)| {
            let ask = |(hand, batch): (usize, &Batch)| {
                crew.ask(hand, told.clone().errand(&batch.pixels, batch.shape, Work::Features { cuts: cuts.to_vec() }))
            };
            others.iter().take(crew.hands()).enumerate().map(ask).collect::<Vec<_>>()
        });
        let mut all = vec![features_of(&self.model, batches[0].images(device)?, cuts).await?];
        let width = all[0].len() / batches[0].labels.len().max(1);
        let mut answers = join_all(asked.unwrap_or_default()).await.into_iter();
        for batch in others {
            let answer = answers.next().flatten();
            all.push(match answer.filter(|answer| answer.values.len() == batch.labels.len() * width) {
                Some(answer) => answer.values,
                None => features_of(&self.model, batch.images(device)?, cuts).await?,
            });
        }
        Ok(all)
    }
}

/// Scores of some pictures, part by part.
pub(super) async fn scores_in_parts<M: Classifier>(
    model: &M,
    images: Tensor<4>,
    parts: &[usize],
) -> Result<Vec<f32>, TrainError> {
    let (mut from, mut all) = (0, Vec::new());
    for &count in parts {
        let logits = model.logits(images.clone().narrow(0, from, count), None);
        all.extend(values(logits.flatten(0, 1)).await?);
        from += count;
    }
    Ok(all)
}

/// All readings of some pictures, one after the other.
pub(super) async fn features_of<M: Classifier>(
    model: &M,
    images: Tensor<4>,
    cuts: &[usize],
) -> Result<Vec<f32>, TrainError> {
    let mut all = Vec::new();
    for reading in model.head_features(images, cuts) {
        all.extend(values(reading.flatten(0, 1)).await?);
    }
    Ok(all)
}
