//! Pictures resized, with [`heirloom_lanes::Resizer`].

use heirloom_lanes::{Resizer, Window, shorter_side};
use heirloom_platform::image::{RgbImage8, RowSink};

fn finished(resizer: Resizer) -> RgbImage8 {
    let (width, height) = resizer.size();
    RgbImage8 { width, height, data: resizer.finish() }
}

/// Resizes to exactly `width × height`.
pub fn resize(image: &RgbImage8, width: usize, height: usize) -> RgbImage8 {
    let mut resizer = Resizer::new(image.width, image.height, width, height);
    resizer.push(&image.data);
    finished(resizer)
}

/// A window of the picture resized to `width × height`: the same pixels as cut out of [`resize`]'s result.
///
/// # Panics
/// When a side is 0, or the window reaches outside.
pub fn resize_window(image: &RgbImage8, width: usize, height: usize, window: Window) -> RgbImage8 {
    let mut resizer = Resizer::to_window((image.width, image.height), (width, height), window);
    resizer.push(&image.data);
    finished(resizer)
}

/// Shrinks a picture while it is decoded so that its shorter side is at most `side`; smaller ones stay as they are.
pub struct ShrinkTo {
    side: usize,
    resizer: Option<Resizer>,
}

impl ShrinkTo {
    /// Shorter side at most `side`, px.
    pub fn new(side: usize) -> Self {
        Self { side, resizer: None }
    }

    /// The picture, once it was decoded.
    pub fn finish(self) -> RgbImage8 {
        self.resizer.map(finished).unwrap_or_default()
    }
}

impl RowSink for ShrinkTo {
    fn start(&mut self, width: usize, height: usize) {
        let (new_width, new_height) = match width.min(height) > self.side {
            true => shorter_side(width, height, self.side),
            false => (width, height),
        };
        self.resizer = Some(Resizer::new(width, height, new_width, new_height));
    }

    fn rows(&mut self, rows: &[u8]) {
        if let Some(resizer) = &mut self.resizer {
            resizer.push(rows);
        }
    }
}
