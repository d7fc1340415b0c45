//! The sums of one pixel: eight taps of three channels at a time.
//!
//! A processor multiplies eight pairs of 16 bits and adds neighbours in one instruction (`i32x4.dot_i16x8_s`,
//! `pmaddwd`), while four products of 32 bits take one or two of their own. So a weight of 23 bits is taken apart into
//! two numbers of 12 bits, whose sums are put together at the end.

use super::{FRACTION_BITS, HALF};

/// Taps that are worked on together.
pub(super) const BLOCK: usize = 8;
/// Bits of the lower part of a weight.
const LOW_BITS: u32 = 12;

/// Eight weights, `high · 2^12 + low` each.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Halves {
    high: [i16; BLOCK],
    low: [i16; BLOCK],
}

/// Takes up to eight weights apart; the missing ones are 0.
pub(super) fn halves(weights: &[i32]) -> Halves {
    let mut halves = Halves { high: [0; BLOCK], low: [0; BLOCK] };
    for ((weight, high), low) in weights.iter().zip(&mut halves.high).zip(&mut halves.low) {
        // Rounded to the nearest, so that the rest has a sign and fits.
        let upper = (weight + (1 << (LOW_BITS - 1))) >> LOW_BITS;
        debug_assert!(i16::try_from(upper).is_ok(), "a weight has at most 27 bits");
        *high = upper as i16;
        *low = (weight - (upper << LOW_BITS)) as i16;
    }
    halves
}

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod simd {
    use core::arch::wasm32::{
        i16x8, i32x4_add, i32x4_dot_i16x8, i32x4_extract_lane, i32x4_max, i32x4_min, i32x4_shl, i32x4_shr,
        i32x4_shuffle, i32x4_splat, v128,
    };

    use super::{BLOCK, FRACTION_BITS, HALF, Halves, LOW_BITS};

    /// See the portable twin.
    #[derive(Clone, Copy)]
    pub(in super::super) struct PixelSums {
        high: [v128; 3],
        low: [v128; 3],
    }

    impl PixelSums {
        #[inline(always)]
        pub(in super::super) fn new() -> Self {
            Self { high: [i32x4_splat(0); 3], low: [i32x4_splat(0); 3] }
        }

        #[inline(always)]
        pub(in super::super) fn add(&mut self, channels: [&[i16; BLOCK]; 3], weights: &Halves) {
            let (high, low) = (vector(weights.high), vector(weights.low));
            for ((samples, highs), lows) in channels.iter().zip(&mut self.high).zip(&mut self.low) {
                let samples = vector(**samples);
                *highs = i32x4_add(*highs, i32x4_dot_i16x8(samples, high));
                *lows = i32x4_add(*lows, i32x4_dot_i16x8(samples, low));
            }
        }

        #[inline(always)]
        pub(in super::super) fn finish(self) -> [u8; 3] {
            let whole = |channel: usize| i32x4_add(i32x4_shl(self.high[channel], LOW_BITS), self.low[channel]);
            let (red, green, blue, none) = (whole(0), whole(1), whole(2), i32x4_splat(0));
            // Half sums of two channels in one vector, then of all three: red, green, blue, nothing.
            let half = |a, b| i32x4_add(i32x4_shuffle::<0, 4, 1, 5>(a, b), i32x4_shuffle::<2, 6, 3, 7>(a, b));
            let (first, second) = (half(red, green), half(blue, none));
            let sums =
                i32x4_add(i32x4_shuffle::<0, 1, 4, 5>(first, second), i32x4_shuffle::<2, 3, 6, 7>(first, second));
            let cut = i32x4_shr(i32x4_add(sums, i32x4_splat(HALF)), FRACTION_BITS);
            let bytes = i32x4_min(i32x4_max(cut, none), i32x4_splat(255));
            [
                i32x4_extract_lane::<0>(bytes) as u8,
                i32x4_extract_lane::<1>(bytes) as u8,
                i32x4_extract_lane::<2>(bytes) as u8,
            ]
        }
    }

    /// One load: the compiler folds the building of a vector from neighbours.
    #[inline(always)]
    fn vector(v: [i16; 8]) -> v128 {
        i16x8(v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7])
    }
}

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
pub(super) use simd::PixelSums;

/// Sums of the three channels of one pixel, in four parts each.
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
#[derive(Clone, Copy)]
pub(super) struct PixelSums {
    high: [[i32; BLOCK / 2]; 3],
    low: [[i32; BLOCK / 2]; 3],
}

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
impl PixelSums {
    #[inline(always)]
    pub(super) fn new() -> Self {
        Self { high: [[0; BLOCK / 2]; 3], low: [[0; BLOCK / 2]; 3] }
    }

    /// Adds eight neighbouring samples of each channel with their weights.
    #[inline(always)]
    pub(super) fn add(&mut self, channels: [&[i16; BLOCK]; 3], weights: &Halves) {
        for ((samples, high), low) in channels.iter().zip(&mut self.high).zip(&mut self.low) {
            add_products(high, samples, &weights.high);
            add_products(low, samples, &weights.low);
        }
    }

    /// The pixel, rounded and clipped.
    #[inline(always)]
    pub(super) fn finish(self) -> [u8; 3] {
        std::array::from_fn(|channel| {
            let total = |sums: [i32; BLOCK / 2]| sums.into_iter().fold(0, i32::wrapping_add);
            let sum = (total(self.high[channel]) << LOW_BITS).wrapping_add(total(self.low[channel]));
            (sum.wrapping_add(HALF) >> FRACTION_BITS).clamp(0, 255) as u8
        })
    }
}

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
#[inline(always)]
fn add_products(sums: &mut [i32; BLOCK / 2], samples: &[i16; BLOCK], weights: &[i16; BLOCK]) {
    for (pair, sum) in sums.iter_mut().enumerate() {
        let product = |at: usize| i32::from(samples[at]) * i32::from(weights[at]);
        *sum = sum.wrapping_add(product(2 * pair) + product(2 * pair + 1));
    }
}
