//! A row of pixels taken apart by channel.

/// Pixels that are taken apart together.
const PIXELS: usize = 8;

/// The samples of a row by channel, as the 16-bit numbers that are multiplied. Every pixel is used about four times, so
/// it pays to widen it once.
#[derive(Debug)]
pub(super) struct Planes {
    /// Red, green and blue.
    pub(super) channels: [Vec<i16>; 3],
}

impl Planes {
    /// Room for `length` samples a channel, all 0.
    pub(super) fn new(length: usize) -> Self {
        Self { channels: std::array::from_fn(|_| vec![0; length]) }
    }

    /// Takes the pixels `[pixels, 3]` apart; there must be room for them.
    #[inline(always)]
    pub(super) fn fill(&mut self, row: &[u8]) {
        let [red, green, blue] = &mut self.channels;
        let ((red, red_rest), (green, green_rest)) = (red.as_chunks_mut::<PIXELS>(), green.as_chunks_mut::<PIXELS>());
        let (blue, blue_rest) = blue.as_chunks_mut::<PIXELS>();
        let (blocks, rest) = row.as_chunks::<{ 3 * PIXELS }>();
        let whole = blocks.len();
        for (((block, red), green), blue) in blocks.iter().zip(&mut *red).zip(&mut *green).zip(&mut *blue) {
            [*red, *green, *blue] = take_apart(block);
        }
        // What is left of the row lies in the block after the whole ones, or in what is no whole block of the planes.
        let last = |blocks, rest| after(whole, blocks, rest);
        let (red, green, blue) = (last(red, red_rest), last(green, green_rest), last(blue, blue_rest));
        for (((pixel, red), green), blue) in rest.as_chunks::<3>().0.iter().zip(red).zip(green).zip(blue) {
            [*red, *green, *blue] = pixel.map(i16::from);
        }
    }
}

fn after<'a>(whole: usize, blocks: &'a mut [[i16; PIXELS]], rest: &'a mut [i16]) -> &'a mut [i16] {
    match blocks.get_mut(whole) {
        Some(block) => block,
        None => rest,
    }
}

/// Red, green and blue of eight pixels.
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
#[inline(always)]
fn take_apart(block: &[u8; 3 * PIXELS]) -> [[i16; PIXELS]; 3] {
    std::array::from_fn(|channel| std::array::from_fn(|pixel| i16::from(block[3 * pixel + channel])))
}

/// Red, green and blue of eight pixels: left to itself the compiler inserts byte after byte, which takes longer than
/// the products.
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
#[inline(always)]
fn take_apart(block: &[u8; 3 * PIXELS]) -> [[i16; PIXELS]; 3] {
    use core::arch::wasm32::{i8x16_shuffle, u16x8_extend_low_u8x16, u64x2};

    let (words, _) = block.as_chunks::<8>();
    // In words, since the compiler makes single bytes of a vector that is built of bytes and then shuffled.
    let word = |at: usize| u64::from_le_bytes(words[at]);
    let (a, b) = (u64x2(word(0), word(1)), u64x2(word(2), 0));
    let red = i8x16_shuffle::<0, 3, 6, 9, 12, 15, 18, 21, 0, 0, 0, 0, 0, 0, 0, 0>(a, b);
    let green = i8x16_shuffle::<1, 4, 7, 10, 13, 16, 19, 22, 0, 0, 0, 0, 0, 0, 0, 0>(a, b);
    let blue = i8x16_shuffle::<2, 5, 8, 11, 14, 17, 20, 23, 0, 0, 0, 0, 0, 0, 0, 0>(a, b);
    [red, green, blue].map(|bytes| numbers(u16x8_extend_low_u8x16(bytes)))
}

/// The eight numbers of a vector; the compiler makes one store of it.
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
#[inline(always)]
fn numbers(vector: core::arch::wasm32::v128) -> [i16; PIXELS] {
    use core::arch::wasm32::i16x8_extract_lane as lane;
    [
        lane::<0>(vector),
        lane::<1>(vector),
        lane::<2>(vector),
        lane::<3>(vector),
        lane::<4>(vector),
        lane::<5>(vector),
        lane::<6>(vector),
        lane::<7>(vector),
    ]
}

#[cfg(test)]
mod tests {
    use super::Planes;
    use crate::testing::bytes;

    #[test]
    fn pixels_are_taken_apart_and_the_rest_stays_nothing() {
        for pixels in [0, 1, 7, 8, 9, 15, 16, 17, 100] {
            for room in [0, 1, 8, 13] {
                let row = bytes(3 * pixels, 1);
                let mut planes = Planes::new(pixels + room);
                planes.fill(&row);
                for (channel, plane) in planes.channels.iter().enumerate() {
                    for (pixel, &sample) in plane.iter().enumerate() {
                        let expected = if pixel < pixels { row[3 * pixel + channel] } else { 0 };
                        assert_eq!(sample, i16::from(expected));
                    }
                }
            }
        }
    }
}
