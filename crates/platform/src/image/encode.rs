//! Small pictures for the page, as `data:` URLs.

use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder};

use super::{ImageError, PictureFormat, RgbImage8};
use crate::base64::encode;

/// JPEG file of a picture; `quality` is 1..=100.
///
/// # Errors
/// When the encoder refuses the size.
pub fn encode_jpeg(image: &RgbImage8, quality: u8) -> Result<Vec<u8>, ImageError> {
    let mut bytes = Vec::new();
    let (width, height) = (image.width as u32, image.height as u32);
    JpegEncoder::new_with_quality(&mut bytes, quality)
        .write_image(&image.data, width, height, ExtendedColorType::Rgb8)
        .map_err(|error| ImageError::Decode { format: PictureFormat::Jpeg, reason: error.to_string() })?;
    Ok(bytes)
}

/// PNG file of a picture.
///
/// # Errors
/// When the encoder refuses the size.
pub fn encode_png(image: &RgbImage8) -> Result<Vec<u8>, ImageError> {
    let mut bytes = Vec::new();
    let (width, height) = (image.width as u32, image.height as u32);
    PngEncoder::new(&mut bytes)
        .write_image(&image.data, width, height, ExtendedColorType::Rgb8)
        .map_err(|error| ImageError::Decode { format: PictureFormat::Png, reason: error.to_string() })?;
    Ok(bytes)
}

/// `data:` URL of a file's bytes (base64).
pub fn data_url(mime: &str, bytes: &[u8]) -> String {
    let mut url = format!("data:{mime};base64,").into_bytes();
    encode(bytes, &mut url);
    String::from_utf8(url).unwrap_or_default()
}
