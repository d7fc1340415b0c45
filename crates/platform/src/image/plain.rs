//! Decoding with the `image` crate: natively always, in the browser where the browser refuses.

use std::io::Cursor;

use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader};

use super::{ImageError, MAX_PIXELS, PictureFormat, PictureHeader, RowSink};

/// Decodes and hands on all rows at once.
///
/// # Errors
/// When the decoder gives up.
pub fn decode_into(bytes: &[u8], header: PictureHeader, sink: &mut dyn RowSink) -> Result<(), ImageError> {
    let image = decode(bytes, header.format)
        .map_err(|error| ImageError::Decode { format: header.format, reason: error.to_string() })?;
    let (width, height) = (image.width() as usize, image.height() as usize);
    sink.start(width, height);
    if image.color().has_alpha() {
        sink.rows(&on_white(&image.into_rgba8().into_raw()));
    } else {
        sink.rows(&image.into_rgb8().into_raw());
    }
    Ok(())
}

fn decode(bytes: &[u8], format: PictureFormat) -> image::ImageResult<DynamicImage> {
    let format = match format {
        PictureFormat::Png => ImageFormat::Png,
        PictureFormat::Jpeg => ImageFormat::Jpeg,
        PictureFormat::WebP => ImageFormat::WebP,
        PictureFormat::Gif => ImageFormat::Gif,
    };
    let mut limits = image::Limits::default();
    // Sixteen bits, four channels, and as much again for the decoder's own buffers.
    limits.max_alloc = Some(MAX_PIXELS * 16);
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(limits);
    let mut decoder = reader.into_decoder()?;
    let orientation = decoder.orientation()?;
    let mut image = DynamicImage::from_decoder(decoder)?;
    image.apply_orientation(orientation);
    Ok(image)
}

/// Composites `[pixels, 4]` on white: `[pixels, 3]`.
pub(super) fn on_white(rgba: &[u8]) -> Vec<u8> {
    let blend = |colour: u8, alpha: u8| {
        let (colour, alpha) = (u32::from(colour), u32::from(alpha));
        ((colour * alpha + 255 * (255 - alpha) + 127) / 255) as u8
    };
    rgba.chunks_exact(4).flat_map(|p| [blend(p[0], p[3]), blend(p[1], p[3]), blend(p[2], p[3])]).collect()
}
