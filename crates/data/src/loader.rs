//! Batches of pixels for training and judging.
//!
//! Training works in optimiser steps: which pictures a step sees, in which crops, is a function of (seed, step) alone.
//! So every arm of a race sees the same batches, and a run that is continued after a reload goes on exactly.

use std::collections::{BTreeMap, HashMap};

use rand::seq::SliceRandom;

use super::cache::Cache;
use super::error::{DataError, MOST_BATCH_BYTES};
use super::set::PictureSet;
use super::split::{Labelled, Split};
use super::transform::{Augment, Normalise, Purpose, evaluation_crop, generator};
use heirloom_lanes::evaluation_side;
use heirloom_platform::image::RgbImage8;

/// How pictures are served.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LoaderSettings {
    /// Side of what the model sees, px.
    pub image_size: usize,
    /// Pictures per batch.
    pub batch: usize,
    /// Seed of order and augmentation.
    pub seed: u64,
    /// Channel statistics.
    pub normalise: Normalise,
    /// Training augmentation; `None` shows training pictures as they are judged.
    pub augment: Option<Augment>,
    /// Most bytes of decoded pictures held.
    pub cache_bytes: usize,
}

impl Default for LoaderSettings {
    fn default() -> Self {
        Self {
            image_size: 224,
            batch: 16,
            seed: 1,
            normalise: Normalise::default(),
            augment: Some(Augment::default()),
            cache_bytes: 128 << 20,
        }
    }
}

/// Some pictures, ready for a model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// `[batch, 3, image_size, image_size]`, normalised.
    pub pixels: Vec<f32>,
    /// `[batch]`, indices into the split's classes.
    pub labels: Vec<i32>,
    /// `[batch]`, indices into [`PictureSet::pictures`].
    pub pictures: Vec<usize>,
}

/// Serves the pictures of one [`Split`].
pub struct Loader {
    settings: LoaderSettings,
    classes: Vec<String>,
    train: Vec<Labelled>,
    validation: Vec<Labelled>,
    cache: Cache,
    /// Order of the training pictures in the epochs last used.
    orders: BTreeMap<u64, Vec<u32>>,
}

impl Loader {
    /// Serves the training and validation pictures of a split; nothing is decoded yet.
    ///
    /// # Errors
    /// When batches would be empty, or too large for a tab.
    pub fn new(set: &PictureSet, split: &Split, settings: LoaderSettings) -> Result<Self, DataError> {
        let LoaderSettings { batch, image_size, .. } = settings;
        if batch == 0 || image_size == 0 {
            return Err(DataError::EmptyBatch { batch, image_size });
        }
        let bytes = [4, 3, image_size as u64, image_size as u64].into_iter().fold(batch as u64, u64::saturating_mul);
        if bytes > MOST_BATCH_BYTES {
            return Err(DataError::LargeBatch { batch, image_size, bytes });
        }
        if split.train.is_empty() {
            return Err(DataError::NoFiles);
        }
        let used = split.train.iter().chain(&split.validation).map(|labelled| labelled.picture);
        let picture = |i: usize| (i, (set.pictures()[i].path.clone(), set.pictures()[i].source.clone()));
        let pictures: HashMap<_, _> = used.map(picture).collect();
        Ok(Self {
            settings,
            classes: split.classes.clone(),
            train: split.train.clone(),
            validation: split.validation.clone(),
            cache: Cache::new(pictures, evaluation_side(image_size), settings.cache_bytes),
            orders: BTreeMap::new(),
        })
    }

    /// The settings.
    pub fn settings(&self) -> &LoaderSettings {
        &self.settings
    }

    /// Goes on with the order and the crops of another seed; decoded pictures stay.
    pub fn set_seed(&mut self, seed: u64) {
        if self.settings.seed != seed {
            self.settings.seed = seed;
            self.orders.clear();
        }
    }

    /// Training pictures.
    pub fn train_len(&self) -> usize {
        self.train.len()
    }

    /// Validation pictures.
    pub fn validation_len(&self) -> usize {
        self.validation.len()
    }

    /// Steps after which every training picture was seen, rounded up.
    pub fn steps_per_epoch(&self) -> usize {
        self.train.len().div_ceil(self.settings.batch)
    }

    /// Batches of validation pictures; the last may be shorter.
    pub fn validation_batches(&self) -> usize {
        self.validation.len().div_ceil(self.settings.batch)
    }

    /// Bytes of decoded pictures held.
    pub fn cached_bytes(&self) -> usize {
        self.cache.bytes()
    }

    /// Pictures that turned out not to decode: path and reason.
    pub fn broken(&self) -> impl Iterator<Item = &(String, String)> {
        self.cache.broken()
    }

    /// The batch of an optimiser step (from 0), always full: the shuffled epochs are one endless row of pictures. A
    /// picture that does not decode is replaced by the next one of the split that does ([`Loader::broken`] tells).
    ///
    /// # Errors
    /// When a file cannot be read any more, or no picture decodes.
    pub async fn train_batch(&mut self, step: usize) -> Result<Batch, DataError> {
        let first = step as u64 * self.settings.batch as u64;
        let places: Vec<_> = (first..first + self.settings.batch as u64).map(|place| self.place(place)).collect();
        let mut picks: Vec<usize> = places.iter().map(|&(_, pick)| pick).collect();
        let images = loop {
            for pick in &mut picks {
                *pick = self.next_whole(*pick)?;
            }
            let wanted: Vec<_> = picks.iter().map(|&pick| self.train[pick].picture).collect();
            let images = self.cache.get(&wanted).await?;
            if let Some(images) = images.into_iter().collect::<Option<Vec<_>>>() {
                break images;
            }
        };
        let mut batch = self.empty_batch(picks.len());
        for (i, (image, pick)) in images.iter().zip(picks).enumerate() {
            let (epoch, labelled) = (places[i].0, self.train[pick]);
            let (image, mirrored) = match &self.settings.augment {
                Some(augment) => {
                    // Keyed by the place in the split, which does not depend on the order files were dropped in.
                    let mut rng = generator(Purpose::Augment, self.settings.seed, epoch, pick as u64);
                    let crop = augment.draw(image.width, image.height, &mut rng);
                    (crop.cut(image, self.settings.image_size), crop.mirrored)
                }
                None => (evaluation_crop(image, self.settings.image_size), false),
            };
            self.write(&mut batch, i, &image, mirrored);
            batch.labels.push(labelled.label as i32);
            batch.pictures.push(labelled.picture);
        }
        Ok(batch)
    }

    /// Some validation pictures, as they are judged; pictures that do not decode are left out, so a batch may even be
    /// empty.
    ///
    /// # Errors
    /// When a file cannot be read any more.
    pub async fn validation_batch(&mut self, index: usize) -> Result<Batch, DataError> {
        let chunk: Vec<_> =
            self.validation.iter().skip(index * self.settings.batch).take(self.settings.batch).copied().collect();
        let wanted: Vec<_> = chunk.iter().map(|labelled| labelled.picture).collect();
        let images = self.cache.get(&wanted).await?;
        let whole: Vec<_> = chunk.iter().zip(images).filter_map(|(labelled, image)| Some((labelled, image?))).collect();
        let mut batch = self.empty_batch(whole.len());
        for (i, (labelled, image)) in whole.into_iter().enumerate() {
            self.write(&mut batch, i, &evaluation_crop(&image, self.settings.image_size), false);
            batch.labels.push(labelled.label as i32);
            batch.pictures.push(labelled.picture);
        }
        Ok(batch)
    }

    /// Once all validation pictures were seen: looks at the training pictures of each class that has none left to judge
    /// with, until one decodes.
    ///
    /// # Errors
    /// When a class has nothing that decodes, or a file cannot be read any more.
    pub async fn check_classes(&mut self) -> Result<(), DataError> {
        for (label, class) in self.classes.clone().into_iter().enumerate() {
            let of_class = |side: &[Labelled]| -> Vec<usize> {
                side.iter().filter(|one| one.label == label).map(|one| one.picture).collect()
            };
            let (judging, training) = (of_class(&self.validation), of_class(&self.train));
            let is_judged = judging.iter().any(|&picture| !self.cache.is_broken(picture));
            let mut is_whole = is_judged;
            for &picture in training.iter().filter(|_| !is_judged) {
                is_whole = self.cache.get(&[picture]).await?.into_iter().any(|image| image.is_some());
                if is_whole {
                    break;
                }
            }
            let first = training.iter().chain(&judging).find_map(|&picture| self.cache.why_broken(picture));
            if let Some((path, reason)) = first.filter(|_| !is_whole).cloned() {
                return Err(DataError::ClassUnreadable { class, path, reason });
            }
        }
        Ok(())
    }

    fn picture_len(&self) -> usize {
        3 * self.settings.image_size * self.settings.image_size
    }

    fn empty_batch(&self, count: usize) -> Batch {
        Batch { pixels: vec![0.0; count * self.picture_len()], ..Batch::default() }
    }

    fn write(&self, batch: &mut Batch, i: usize, image: &RgbImage8, mirrored: bool) {
        let len = self.picture_len();
        self.settings.normalise.write(image, mirrored, &mut batch.pixels[i * len..(i + 1) * len]);
    }

    /// Epoch and training picture at a place of the endless row.
    fn place(&mut self, place: u64) -> (u64, usize) {
        let count = self.train.len() as u64;
        let epoch = place / count;
        let seed = self.settings.seed;
        let order = self.orders.entry(epoch).or_insert_with(|| {
            let mut order: Vec<u32> = (0..count as u32).collect();
            order.shuffle(&mut generator(Purpose::Order, seed, epoch, 0));
            order
        });
        let pick = order[(place % count) as usize] as usize;
        self.orders.retain(|&held, _| held + 1 >= epoch && held <= epoch + 1);
        (epoch, pick)
    }

    /// The picture itself, or the next one of the split that is not known to be broken.
    fn next_whole(&self, pick: usize) -> Result<usize, DataError> {
        let count = self.train.len();
        let mut row = (0..count).map(|ahead| (pick + ahead) % count);
        row.find(|&pick| !self.cache.is_broken(self.train[pick].picture)).ok_or_else(|| {
            let (path, reason) = self.broken().next().cloned().unwrap_or_default();
            DataError::NothingDecodes { pictures: count, path, reason }
        })
    }
}
