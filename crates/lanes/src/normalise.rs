//! From the bytes of a picture to the numbers of a model.

/// What each channel's samples are multiplied with, and what is added then.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChannelScale {
    /// `1 / (255 · std)`.
    pub scale: [f32; 3],
    /// `-mean / std`.
    pub shift: [f32; 3],
}

/// Writes `pixels` `[pixels, 3]` as `sample · scale + shift` into `out` `[3, pixels]`.
///
/// # Panics
/// When the lengths differ or `pixels` is not whole pixels.
#[inline(never)]
pub fn normalise(pixels: &[u8], numbers: ChannelScale, out: &mut [f32]) {
    assert_eq!(pixels.len(), out.len(), "a number for each sample");
    assert!(pixels.len().is_multiple_of(3), "pixels are whole");
    let ChannelScale { scale, shift } = numbers;
    let (red, rest) = out.split_at_mut(pixels.len() / 3);
    let (green, blue) = rest.split_at_mut(pixels.len() / 3);
    let (pixels, _) = pixels.as_chunks::<3>();
    for (((pixel, red), green), blue) in pixels.iter().zip(red).zip(green).zip(blue) {
        // No `mul_add`: without FMA it is a slow library call.
        *red = f32::from(pixel[0]) * scale[0] + shift[0];
        *green = f32::from(pixel[1]) * scale[1] + shift[1];
        *blue = f32::from(pixel[2]) * scale[2] + shift[2];
    }
}

/// Turns every row of `planes` `[rows, width]` left to right.
///
/// # Panics
/// When `planes` is not whole rows.
#[inline(never)]
pub fn mirror_rows(planes: &mut [f32], width: usize) {
    assert!(planes.len().is_multiple_of(width), "the planes are not whole rows");
    planes.chunks_exact_mut(width.max(1)).for_each(<[f32]>::reverse);
}

#[cfg(test)]
mod tests {
    use super::{ChannelScale, mirror_rows, normalise};
    use crate::testing::{SIZES, bytes, numbers};

    #[test]
    fn samples_go_to_their_planes() {
        let numbers = ChannelScale { scale: [0.01, 0.02, 0.03], shift: [-1.0, -2.0, -3.0] };
        for size in SIZES {
            let pixels = bytes(size * 3, 1);
            let mut out = vec![9.0; size * 3];
            normalise(&pixels, numbers, &mut out);
            for (at, &sample) in pixels.iter().enumerate() {
                let (pixel, channel) = (at / 3, at % 3);
                let expected = f32::from(sample) * numbers.scale[channel] + numbers.shift[channel];
                assert_eq!(out[channel * size + pixel], expected);
            }
        }
    }

    #[test]
    fn rows_are_mirrored() {
        for width in SIZES {
            let rows = numbers(width * 3, 2, 1.0);
            let mut mirrored = rows.clone();
            mirror_rows(&mut mirrored, width);
            for at in 0..rows.len() {
                assert_eq!(mirrored[at], rows[at / width * width + width - 1 - at % width]);
            }
        }
    }
}
