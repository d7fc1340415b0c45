//! A part of the training pictures, for measuring how few are enough.

use rand::seq::SliceRandom;

use super::split::{Labelled, Split, generator};

impl Split {
    /// The same split with a share (0..1] of the training pictures of every class, rounded, at least one each.
    ///
    /// Each class is put into one seeded order, of which a share is the front: smaller shares of the same seed are
    /// contained in larger ones. Validation stays whole, so that shares are judged alike.
    pub fn share_of_training(&self, share: f64, seed: u64) -> Self {
        let mut train: Vec<Labelled> = Vec::new();
        for (label, class) in self.classes.iter().enumerate() {
            let of_class: Vec<_> = self.train.iter().copied().filter(|one| one.label == label).collect();
            let count = (share.clamp(0.0, 1.0) * of_class.len() as f64).round() as usize;
            let mut places: Vec<usize> = (0..of_class.len()).collect();
            places.shuffle(&mut generator(seed, &format!("share/{class}")));
            places.truncate(count.max(1));
            // Back in the order of the split, so that the whole share is the split itself.
            places.sort_unstable();
            train.extend(places.into_iter().map(|place| of_class[place]));
        }
        Self { train, ..self.clone() }
    }
}
