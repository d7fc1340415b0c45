//! Small decoded pictures, as many as fit.
//!
//! Once the budget is used up nothing is thrown out: an epoch visits every picture once, and for that pattern the
//! usual "least recently used" throws out exactly what is needed next. What does not fit is decoded again each time.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use futures::future::join_all;

use super::error::{DataError, PictureError};
use super::single::decode_small;
use super::source::Source;
use heirloom_platform::clock::yield_now;
use heirloom_platform::image::RgbImage8;

/// Pictures decoded at once. The browser decodes on its own threads; more would only pile up bytes.
const TOGETHER: usize = 4;
/// Longer side over shorter side of what is kept: panoramas are cut to their middle.
const MAX_ASPECT: usize = 2;

/// Decoded pictures by index.
pub struct Cache {
    /// Path and bytes of each picture of the set that is used.
    pictures: HashMap<usize, (String, Source)>,
    held: HashMap<usize, Rc<RgbImage8>>,
    /// Pictures that turned out not to decode, and why.
    broken: BTreeMap<usize, (String, String)>,
    bytes: usize,
    budget: usize,
    side: usize,
}

impl Cache {
    /// Pictures shrunk so that the shorter side is at most `side` px; at most `budget` bytes are held.
    pub fn new(pictures: HashMap<usize, (String, Source)>, side: usize, budget: usize) -> Self {
        Self { pictures, held: HashMap::new(), broken: BTreeMap::new(), bytes: 0, budget, side }
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Pictures that do not decode: path and reason.
    pub fn broken(&self) -> impl Iterator<Item = &(String, String)> {
        self.broken.values()
    }

    /// Path and reason of a picture that is known not to decode.
    pub fn why_broken(&self, picture: usize) -> Option<&(String, String)> {
        self.broken.get(&picture)
    }

    /// Whether a picture is known not to decode.
    pub fn is_broken(&self, picture: usize) -> bool {
        self.broken.contains_key(&picture)
    }

    /// The pictures wanted; `None` where one does not decode.
    ///
    /// # Errors
    /// When the platform cannot read a file any more (moved, permission withdrawn).
    pub async fn get(&mut self, wanted: &[usize]) -> Result<Vec<Option<Rc<RgbImage8>>>, DataError> {
        let mut missing: Vec<_> =
            wanted.iter().copied().filter(|i| !self.held.contains_key(i) && !self.is_broken(*i)).collect();
        missing.sort_unstable();
        missing.dedup();
        let mut fresh = HashMap::new();
        for together in missing.chunks(TOGETHER) {
            let decoded = join_all(together.iter().map(|i| decode_small(&self.pictures[i].1, self.side))).await;
            for (&i, outcome) in together.iter().zip(decoded) {
                let path = &self.pictures[&i].0;
                match outcome {
                    Ok(image) => drop(fresh.insert(i, Rc::new(middle(image)))),
                    Err(PictureError::File(reason)) => return Err(DataError::picture(path, reason)),
                    Err(reason) => drop(self.broken.insert(i, (path.clone(), reason.to_string()))),
                }
            }
            yield_now().await;
        }
        let images = wanted.iter().map(|i| self.held.get(i).or_else(|| fresh.get(i)).cloned()).collect();
        // In index order, so that what is held never depends on the order of a hash map.
        for (i, image) in missing.iter().filter_map(|i| fresh.remove(i).map(|image| (*i, image))) {
            if self.bytes + image.data.len() <= self.budget {
                self.bytes += image.data.len();
                self.held.insert(i, image);
            }
        }
        Ok(images)
    }
}

/// Cuts a long strip to its middle so that one panorama does not take the place of fifty pictures. The cut keeps the
/// middle column where it was, so the centre crop stays the same.
fn middle(image: RgbImage8) -> RgbImage8 {
    let most = image.shorter() * MAX_ASPECT;
    // Even, so that rounding the offset of the centre crop comes out the same.
    let cut = |length: usize| if length > most { (length - most) / 4 * 2 } else { 0 };
    let (x, y) = (cut(image.width), cut(image.height));
    if x + y == 0 {
        return image;
    }
    image.crop(x, y, image.width - 2 * x, image.height - 2 * y)
}
