//! The two passes of a resize: columns of a row with [`RowTaps`], then rows with [`weigh_rows`]; [`Resizer`] does both.
//!
//! Weights are whole numbers with [`FRACTION_BITS`] bits after the point and a result is rounded and clipped to a byte,
//! as Pillow does it. All sums are taken modulo 2^32, so neither their order nor how a weight is taken apart changes a
//! bit of the result.

mod picture;
mod pixel;
mod planes;

use std::ops::Range;

pub use picture::{Resizer, Window, evaluation_side, evaluation_window, shorter_side};
use pixel::{BLOCK, Halves, PixelSums, halves};
use planes::Planes;

/// Bits after the point of a weight: 32 bits less 8 of the sample and 2 for overshoot.
pub const FRACTION_BITS: u32 = 32 - 8 - 2;
/// One half, which rounds when the bits after the point are cut off.
const HALF: i32 = 1 << (FRACTION_BITS - 1);
/// Columns whose sums stay in registers while the rows go by.
const COLUMNS: usize = 32;

/// Which samples of a row make each pixel of the resized one, and a place to work.
#[derive(Debug)]
pub struct RowTaps {
    /// First sample of each output, counted from `reach.start`.
    starts: Vec<usize>,
    /// `[outputs, blocks]`, weights taken apart for 16-bit products.
    weights: Vec<Halves>,
    /// Blocks of weights that each output has.
    blocks: usize,
    /// Source pixels that are needed at all.
    reach: Range<usize>,
    /// The needed pixels by channel, each with zeros at its end so that the last block can be read whole.
    planes: Planes,
}

impl RowTaps {
    /// For rows of `width` pixels. Output `i` is made of the pixels from `starts[i]` on with `weights` `[outputs, taps]`;
    /// weights that reach beyond the row must be 0.
    ///
    /// # Panics
    /// When `weights` is not as many for each output, or a start lies outside the row.
    pub fn new(width: usize, starts: &[usize], weights: &[i32]) -> Self {
        let taps = weights.len() / starts.len().max(1);
        assert_eq!(weights.len(), taps * starts.len(), "as many weights for each output");
        assert!(starts.iter().all(|&start| start < width), "outputs start inside the row");
        let first = starts.iter().copied().min().unwrap_or(0);
        let end = starts.iter().copied().max().map_or(first, |last| (last + taps).min(width));
        let blocks = taps.div_ceil(BLOCK);
        Self {
            starts: starts.iter().map(|start| start - first).collect(),
            weights: weights.chunks_exact(taps.max(1)).flat_map(|taps| taps.chunks(BLOCK).map(halves)).collect(),
            blocks,
            reach: first..end,
            planes: Planes::new(end - first + blocks * BLOCK),
        }
    }

    /// Resizes one row `[width, 3]` into `output` `[outputs, 3]`.
    ///
    /// # Panics
    /// When the row is shorter than `width` or `output` has another length.
    #[inline(never)]
    pub fn resize(&mut self, row: &[u8], output: &mut [u8]) {
        assert_eq!(output.len(), 3 * self.starts.len(), "three samples for each output");
        self.planes.fill(&row[3 * self.reach.start..3 * self.reach.end]);
        let [red, green, blue] = &self.planes.channels;
        let (pixels, _) = output.as_chunks_mut::<3>();
        let length = self.blocks * BLOCK;
        for ((pixel, &start), weights) in
            pixels.iter_mut().zip(&self.starts).zip(self.weights.chunks_exact(self.blocks))
        {
            let window = start..start + length;
            let (red, _) = red[window.clone()].as_chunks::<BLOCK>();
            let (green, _) = green[window.clone()].as_chunks::<BLOCK>();
            let (blue, _) = blue[window].as_chunks::<BLOCK>();
            let mut sums = PixelSums::new();
            for (((red, green), blue), weights) in red.iter().zip(green).zip(blue).zip(weights) {
                sums.add([red, green, blue], weights);
            }
            *pixel = sums.finish();
        }
    }
}

/// Writes the weighted sum of several rows to `output`: `rows` `[weights, stride]` begin with the first of them, and
/// `output` is as long as a row.
///
/// # Panics
/// When there are fewer rows than weights.
#[inline(never)]
pub fn weigh_rows(rows: &[u8], weights: &[i32], output: &mut [u8]) {
    let stride = output.len();
    assert!(rows.len() >= stride * weights.len(), "a row for each weight");
    let (blocks, rest) = output.as_chunks_mut::<COLUMNS>();
    let mut first = 0;
    for block in blocks {
        let mut sums = [HALF; COLUMNS];
        let mut from = first;
        for &weight in weights {
            let (samples, _) = rows[from..from + COLUMNS].as_chunks::<COLUMNS>();
            for samples in samples {
                for (sum, &sample) in sums.iter_mut().zip(samples) {
                    *sum = sum.wrapping_add(i32::from(sample).wrapping_mul(weight));
                }
            }
            from += stride;
        }
        for (byte, sum) in block.iter_mut().zip(sums) {
            *byte = clip(sum);
        }
        first += COLUMNS;
    }
    for (at, byte) in (first..).zip(rest) {
        let column = rows[at..].iter().step_by(stride);
        let products = column.zip(weights).map(|(&sample, &weight)| i32::from(sample).wrapping_mul(weight));
        *byte = clip(products.fold(HALF, i32::wrapping_add));
    }
}

fn clip(sum: i32) -> u8 {
    (sum >> FRACTION_BITS).clamp(0, 255) as u8
}

#[cfg(test)]
mod tests {
    use super::{RowTaps, weigh_rows};
    use crate::testing::{bytes, numbers};

    fn rounded(products: impl Iterator<Item = (u8, i32)>) -> u8 {
        let sum: i64 = products.map(|(sample, weight)| i64::from(sample) * i64::from(weight)).sum();
        ((sum + (1 << 21)) >> 22).clamp(0, 255) as u8
    }

    /// Weights whose sum is about 1, some of them negative.
    fn weights(count: usize, taps: usize, seed: u32) -> Vec<i32> {
        let share = f64::from(1 << 22) / taps as f64;
        numbers(count * taps, seed, 1.5).iter().map(|x| ((f64::from(*x) + 1.0) * share) as i32).collect()
    }

    #[test]
    fn rows_are_resized_to_the_bit() {
        for (width, outputs, taps) in [(1, 1, 1), (5, 3, 2), (40, 7, 8), (40, 9, 9), (100, 13, 17), (333, 31, 70)] {
            let row = bytes(width * 3, 1);
            let starts: Vec<usize> = (0..outputs).map(|output| (output * 7 + 3) % (width + 1 - taps)).collect();
            let weights = weights(outputs, taps, 2);
            let mut found = vec![0; outputs * 3];
            RowTaps::new(width, &starts, &weights).resize(&row, &mut found);
            for (at, &found) in found.iter().enumerate() {
                let (output, channel) = (at / 3, at % 3);
                let samples = (0..taps).map(|tap| row[(starts[output] + tap) * 3 + channel]);
                assert_eq!(
                    found,
                    rounded(samples.zip(weights[output * taps..].iter().copied())),
                    "{width} {taps} {at}"
                );
            }
        }
    }

    #[test]
    fn extreme_weights_are_exact() {
        for weight in [0, 1, -1, 2047, 2048, 2049, -2048, -2049, 4096, 1 << 22, -(1 << 22), (1 << 23) - 1, -(1 << 23)] {
            let mut found = [0; 3];
            RowTaps::new(1, &[0], &[weight]).resize(&[0, 1, 255], &mut found);
            assert_eq!(found, [0, 1, 255].map(|sample| rounded([(sample, weight)].into_iter())), "{weight}");
            let mut column = [0; 3];
            weigh_rows(&[0, 1, 255], &[weight], &mut column);
            assert_eq!(found, column);
        }
    }

    #[test]
    fn taps_beyond_the_row_are_read_as_nothing() {
        let mut found = [0; 6];
        RowTaps::new(4, &[0, 3], &[1 << 22, 0, 0, 1 << 22, 0, 0]).resize(&bytes(12, 3), &mut found);
        assert_eq!(found[..3], bytes(12, 3)[..3]);
        assert_eq!(found[3..], bytes(12, 3)[9..]);
    }

    #[test]
    fn rows_are_weighed_to_the_bit() {
        for (stride, taps) in [(1, 1), (7, 3), (31, 2), (32, 5), (33, 9), (96, 1), (1023, 47)] {
            let (rows, weights) = (bytes(stride * taps, 4), weights(1, taps, 5));
            let mut found = vec![0; stride];
            weigh_rows(&rows, &weights, &mut found);
            for (at, &found) in found.iter().enumerate() {
                let samples = (0..taps).map(|tap| rows[tap * stride + at]);
                assert_eq!(found, rounded(samples.zip(weights.iter().copied())), "{stride} {taps} {at}");
            }
        }
    }
}
