//! From a picture to what a model sees: crop, flip, normalise, `[3, size, size]` f32.
//!
//! Evaluation and augmentation follow torchvision (which timm and DeiT use), so that pretrained ancestors see what
//! they were trained on. Random draws depend only on (seed, epoch, picture): every arm of a race sees the same ones.

use rand::Rng;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::resize::{resize, resize_window};
use heirloom_lanes::{ChannelScale, evaluation_window, mirror_rows, normalise};
use heirloom_platform::image::RgbImage8;

/// Channel statistics a model was trained with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Normalise {
    /// Mean per channel, of samples scaled to 0..1.
    pub mean: [f32; 3],
    /// Standard deviation per channel.
    pub std: [f32; 3],
}

/// A text that is not a number for each channel.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, serde::Serialize)]
#[error("`{0}` is not three numbers with commas between")]
pub struct NotChannels(String);

impl Default for Normalise {
    /// ImageNet's.
    fn default() -> Self {
        Self { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] }
    }
}

impl Normalise {
    /// A number for each channel, as options of programs have them: `0.5,0.5,0.5`.
    ///
    /// # Errors
    /// When it is something else.
    pub fn channels(text: &str) -> Result<[f32; 3], NotChannels> {
        let numbers: Option<Vec<f32>> = text.split(',').map(|number| number.trim().parse().ok()).collect();
        numbers.and_then(|numbers| numbers.try_into().ok()).ok_or_else(|| NotChannels(text.to_owned()))
    }

    /// Writes a picture as `[3, height, width]` into `out`; `mirrored` flips it left to right.
    ///
    /// # Panics
    /// When `out` has another length.
    pub fn write(&self, image: &RgbImage8, mirrored: bool, out: &mut [f32]) {
        let plane = image.width * image.height;
        assert_eq!(out.len(), 3 * plane, "three planes");
        let numbers = ChannelScale {
            scale: self.std.map(|std| 1.0 / (255.0 * std)),
            shift: std::array::from_fn(|channel| -self.mean[channel] / self.std[channel]),
        };
        normalise(&image.data, numbers, out);
        if mirrored {
            mirror_rows(out, image.width);
        }
    }
}

/// What an evaluated model sees of a picture, `image_size × image_size`: see [`evaluation_window`].
pub fn evaluation_crop(image: &RgbImage8, image_size: usize) -> RgbImage8 {
    if (image.width, image.height) == (image_size, image_size) {
        return image.clone();
    }
    let ((width, height), window) = evaluation_window(image.width, image.height, image_size);
    if (width, height) == (image.width, image.height) {
        return image.crop(window.left, window.top, image_size, image_size);
    }
    resize_window(image, width, height, window)
}

/// Light training augmentation: random resized crop and horizontal flip.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Augment {
    /// Share of the picture's area that the crop covers, smallest and largest.
    pub scale: (f32, f32),
    /// Width over height of the crop, smallest and largest.
    pub ratio: (f32, f32),
    /// Whether half of the pictures are mirrored.
    pub flip: bool,
}

impl Default for Augment {
    fn default() -> Self {
        Self { scale: (0.5, 1.0), ratio: (3.0 / 4.0, 4.0 / 3.0), flip: true }
    }
}

/// One drawn crop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crop {
    /// First column.
    pub left: usize,
    /// First row.
    pub top: usize,
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Whether it is mirrored.
    pub mirrored: bool,
}

impl Augment {
    /// Draws a crop for a picture of `width × height`, as torchvision's `RandomResizedCrop`: ten tries, then the
    /// largest centred crop within `ratio`.
    pub fn draw(&self, width: usize, height: usize, rng: &mut ChaCha8Rng) -> Crop {
        let mirrored = self.flip && rng.random::<bool>();
        let area = width as f64 * height as f64;
        let (low, high) = (f64::from(self.ratio.0).ln(), f64::from(self.ratio.1).ln());
        for _ in 0..10 {
            let target = area * between(f64::from(self.scale.0), f64::from(self.scale.1), rng);
            let aspect = between(low, high, rng).exp();
            let w = (target * aspect).sqrt().round() as usize;
            let h = (target / aspect).sqrt().round() as usize;
            if (1..=width).contains(&w) && (1..=height).contains(&h) {
                // u32: the same draw on 32 and 64 bits.
                let mut place = |room: usize| rng.random_range(0..=room as u32) as usize;
                let (left, top) = (place(width - w), place(height - h));
                return Crop { left, top, width: w, height: h, mirrored };
            }
        }
        let aspect = width as f64 / height as f64;
        let (mut w, mut h) = (width, height);
        if aspect < f64::from(self.ratio.0) {
            h = ((width as f64 / f64::from(self.ratio.0)).round() as usize).clamp(1, height);
        } else if aspect > f64::from(self.ratio.1) {
            w = ((height as f64 * f64::from(self.ratio.1)).round() as usize).clamp(1, width);
        }
        Crop { left: (width - w) / 2, top: (height - h) / 2, width: w, height: h, mirrored }
    }
}

fn between(low: f64, high: f64, rng: &mut ChaCha8Rng) -> f64 {
    low + (high - low) * rng.random::<f64>()
}

impl Crop {
    /// Cuts the crop out and resizes it to `image_size × image_size`; mirroring is left to [`Normalise::write`].
    pub fn cut(&self, image: &RgbImage8, image_size: usize) -> RgbImage8 {
        resize(&image.crop(self.left, self.top, self.width, self.height), image_size, image_size)
    }
}

/// What a stream of random numbers is for; streams of different purposes never coincide.
#[derive(Clone, Copy, Debug)]
pub enum Purpose {
    /// Order of the pictures in an epoch.
    Order,
    /// Crop and flip of one picture in one epoch.
    Augment,
}

/// The generator of (seed, epoch, picture).
pub fn generator(purpose: Purpose, seed: u64, epoch: u64, picture: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    for (bytes, value) in key.chunks_exact_mut(8).zip([seed, epoch, picture, purpose as u64 + 1]) {
        bytes.copy_from_slice(&value.to_le_bytes());
    }
    ChaCha8Rng::from_seed(key)
}
