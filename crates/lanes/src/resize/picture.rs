//! Antialiased bicubic resizing, bit for bit as Pillow's `Image.resize(BICUBIC)`.
//!
//! Why our own: browsers' resizers differ from each other and from what pretrained models saw. Two passes (columns,
//! then rows), weights in 22-bit fixed point, rounded to u8 between the passes, as in Pillow's `Resample.c`. Rows can
//! be pushed as they are decoded, so only the narrowed picture lies in memory. Where only a window of the result is
//! wanted, nothing else is computed: a strip one pixel wide, enlarged, would take gigabytes.
//!
//! `usize` has 32 bits in the browser. Products of two sides are bounded by the callers' limit on pixels (50 million) or
//! by a window; no more than two sides are ever multiplied.

use std::ops::Range;

use super::{FRACTION_BITS, RowTaps, weigh_rows};

/// Reach of the bicubic kernel in samples.
const SUPPORT: f64 = 2.0;

/// The cubic convolution kernel, a = -0.5.
fn bicubic(x: f64) -> f64 {
    const A: f64 = -0.5;
    let x = x.abs();
    if x < 1.0 {
        ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        (((x - 5.0) * x + 8.0) * x - 4.0) * A
    } else {
        0.0
    }
}

/// Which source samples make each wanted output sample, and with which weights.
#[derive(Debug)]
struct Taps {
    starts: Vec<usize>,
    counts: Vec<usize>,
    /// `[wanted, width]`.
    weights: Vec<i32>,
    width: usize,
}

impl Taps {
    /// Of `input` samples made `output`, those for the `wanted` ones.
    fn new(input: usize, output: usize, wanted: Range<usize>) -> Self {
        let scale = input as f64 / output as f64;
        let filter_scale = scale.max(1.0);
        let reach = SUPPORT * filter_scale;
        let width = reach.ceil() as usize * 2 + 1;
        let mut taps = Self { starts: vec![], counts: vec![], weights: vec![0; wanted.len() * width], width };
        for (out, weights) in wanted.zip(taps.weights.chunks_exact_mut(width)) {
            let centre = (out as f64 + 0.5) * scale;
            let start = (centre - reach + 0.5).max(0.0) as usize;
            let end = ((centre + reach + 0.5) as usize).min(input);
            let raw: Vec<f64> =
                (start..end).map(|x| bicubic((x as f64 - centre + 0.5) * (1.0 / filter_scale))).collect();
            let sum: f64 = raw.iter().sum();
            for (weight, raw) in weights.iter_mut().zip(&raw) {
                let scaled = raw / sum * f64::from(1_i32 << FRACTION_BITS);
                *weight = (if scaled < 0.0 { scaled - 0.5 } else { scaled + 0.5 }) as i32;
            }
            taps.starts.push(start);
            taps.counts.push(end - start);
        }
        taps
    }

    fn of(&self, out: usize) -> (usize, &[i32]) {
        (self.starts[out], &self.weights[out * self.width..][..self.counts[out]])
    }

    /// The source samples that all of them together need.
    fn reach(&self) -> Range<usize> {
        let start = self.starts.iter().copied().min().unwrap_or(0);
        let end = self.starts.iter().zip(&self.counts).map(|(start, count)| start + count).max();
        start..end.unwrap_or(start)
    }
}

/// A rectangle of a resized picture, px.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// First column.
    pub left: usize,
    /// First row.
    pub top: usize,
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

/// Resizes a picture whose rows arrive one after the other.
#[derive(Debug)]
pub struct Resizer {
    width: usize,
    columns: Option<RowTaps>,
    rows: Option<Taps>,
    size: (usize, usize),
    /// Source rows that are needed; the others are passed over.
    needed: Range<usize>,
    /// Source rows that came.
    came: usize,
    /// `[needed rows so far, new_width, 3]`.
    narrowed: Vec<u8>,
}

impl Resizer {
    /// From `width × height` to `new_width × new_height`.
    ///
    /// # Panics
    /// When a side is 0.
    pub fn new(width: usize, height: usize, new_width: usize, new_height: usize) -> Self {
        let whole = Window { left: 0, top: 0, width: new_width, height: new_height };
        Self::to_window((width, height), (new_width, new_height), whole)
    }

    /// From a size to a window of another size.
    ///
    /// # Panics
    /// When a side is 0, or the window reaches outside.
    pub fn to_window(from: (usize, usize), to: (usize, usize), window: Window) -> Self {
        let sides = [from.0, from.1, to.0, to.1, window.width, window.height];
        assert!(sides.iter().all(|&side| side > 0), "sides are positive");
        let (columns, rows) = (window.left..window.left + window.width, window.top..window.top + window.height);
        assert!(columns.end <= to.0 && rows.end <= to.1, "the window lies inside the picture");
        let taps = |input: usize, output: usize, wanted: Range<usize>| {
            (input != output || wanted.len() != output).then(|| Taps::new(input, output, wanted))
        };
        let rows = taps(from.1, to.1, rows);
        let needed = rows.as_ref().map_or(0..from.1, Taps::reach);
        Self {
            width: from.0,
            columns: taps(from.0, to.0, columns).map(|taps| RowTaps::new(from.0, &taps.starts, &taps.weights)),
            size: (window.width, window.height),
            came: 0,
            narrowed: Vec::with_capacity(needed.len() * window.width * 3),
            rows,
            needed,
        }
    }

    /// The next rows, `[rows, width, 3]`.
    pub fn push(&mut self, rows: &[u8]) {
        for row in rows.chunks_exact(self.width * 3) {
            if self.needed.contains(&self.came) {
                self.narrow(row);
            }
            self.came += 1;
        }
    }

    fn narrow(&mut self, row: &[u8]) {
        let Some(columns) = &mut self.columns else { return self.narrowed.extend_from_slice(row) };
        let first = self.narrowed.len();
        self.narrowed.resize(first + self.size.0 * 3, 0);
        columns.resize(row, &mut self.narrowed[first..]);
    }

    /// Columns and rows of what is made.
    pub fn size(&self) -> (usize, usize) {
        self.size
    }

    /// The resized picture, `[height, width, 3]`, once all rows were pushed.
    ///
    /// # Panics
    /// When rows are missing.
    pub fn finish(self) -> Vec<u8> {
        let (width, height) = self.size;
        let stride = width * 3;
        assert_eq!(self.narrowed.len(), self.needed.len() * stride, "all rows were pushed");
        let Some(rows) = &self.rows else { return self.narrowed };
        let mut data = vec![0; height * stride];
        for (out, row) in data.chunks_exact_mut(stride).enumerate() {
            let (start, weights) = rows.of(out);
            weigh_rows(&self.narrowed[(start - self.needed.start) * stride..], weights, row);
        }
        data
    }
}

/// Size after the shorter side became `side`; the longer one is cut to whole pixels, as torchvision does it.
pub fn shorter_side(width: usize, height: usize, side: usize) -> (usize, usize) {
    // A strip's longer side may be thousands of times `side`: 32 bits are too few for the product.
    let longer = |long: usize, short: usize| (side as u64 * long as u64 / short as u64).max(1) as usize;
    if width <= height { (side, longer(height, width)) } else { (longer(width, height), side) }
}

/// Shorter side before the centre crop of `image_size`, px: 256 for 224.
pub fn evaluation_side(image_size: usize) -> usize {
    ((image_size as u64 * 256 + 112) / 224) as usize
}

/// What an evaluated model of `image_size` px sees of a picture: the size that the picture is given, and the window that
/// is cut out of it. The shorter side becomes [`evaluation_side`], the window is the middle; a picture that already has
/// the model's size is used as it is.
pub fn evaluation_window(width: usize, height: usize, image_size: usize) -> ((usize, usize), Window) {
    let window = |left, top| Window { left, top, width: image_size, height: image_size };
    if (width, height) == (image_size, image_size) {
        return ((width, height), window(0, 0));
    }
    let (width, height) = shorter_side(width, height, evaluation_side(image_size));
    let centre = |side: usize| round_half_even(side - image_size);
    ((width, height), window(centre(width), centre(height)))
}

/// Half of `twice` as Python's `round` gives it; torchvision places centre crops with it.
fn round_half_even(twice: usize) -> usize {
    let half = twice / 2;
    if twice % 2 == 1 && half % 2 == 1 { half + 1 } else { half }
}
