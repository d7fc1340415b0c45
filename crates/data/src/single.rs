//! One picture at a time: for measuring, for naming, for showing.

use super::error::{DataError, PictureError};
use super::resize::{ShrinkTo, resize};
use super::source::Source;
use super::transform::evaluation_crop;
use heirloom_lanes::evaluation_side;
use heirloom_platform::file::FileHandle;
use heirloom_platform::image::{RgbImage8, RowSink, data_url, decode_into, encode_jpeg};

const JPEG_QUALITY: u8 = 82;

/// Checks that a file is a picture that can be used, without decoding it.
///
/// # Errors
/// When it is not; the error names the file.
pub async fn open(file: &FileHandle) -> Result<Source, DataError> {
    let source = Source::File(file.clone());
    source.inspect().await.map_err(|reason| DataError::picture(file.path(), reason))?;
    Ok(source)
}

/// Decodes a picture so that its shorter side is at most `side`; smaller ones stay as they are.
pub(super) async fn decode_small(source: &Source, side: usize) -> Result<RgbImage8, PictureError> {
    let bytes = source.read_all().await?;
    let mut sink = ShrinkTo::new(side);
    decode_into(&bytes, &mut sink).await?;
    Ok(sink.finish())
}

/// What a model of `image_size` px sees of a picture when it is judged; see [`evaluation_crop`].
///
/// # Errors
/// When it cannot be read or decoded; the error carries `path`.
pub async fn evaluation_picture(path: &str, source: &Source, image_size: usize) -> Result<RgbImage8, DataError> {
    let image = decode_small(source, evaluation_side(image_size)).await;
    image.map(|image| evaluation_crop(&image, image_size)).map_err(|reason| DataError::picture(path, reason))
}

/// As [`evaluation_picture`] and [`thumbnail`], decoded once for both.
///
/// # Errors
/// When it cannot be read or decoded; the error carries `path`.
pub async fn evaluation_and_thumbnail(
    path: &str,
    source: &Source,
    image_size: usize,
    side: usize,
) -> Result<(RgbImage8, String), DataError> {
    let decoded = decode_both(source, evaluation_side(image_size), side).await;
    let told = decoded.and_then(|[seen, shown]| Ok((seen, square_url(&shown, side)?)));
    let (seen, url) = told.map_err(|reason| DataError::picture(path, reason))?;
    Ok((evaluation_crop(&seen, image_size), url))
}

/// As [`decode_small`], for two sides at once.
async fn decode_both(source: &Source, seen: usize, shown: usize) -> Result<[RgbImage8; 2], PictureError> {
    let bytes = source.read_all().await?;
    let mut both = Both(ShrinkTo::new(seen), ShrinkTo::new(shown));
    decode_into(&bytes, &mut both).await?;
    Ok([both.0.finish(), both.1.finish()])
}

/// Two sizes of one picture.
struct Both(ShrinkTo, ShrinkTo);

impl RowSink for Both {
    fn start(&mut self, width: usize, height: usize) {
        self.0.start(width, height);
        self.1.start(width, height);
    }

    fn rows(&mut self, rows: &[u8]) {
        self.0.rows(rows);
        self.1.rows(rows);
    }
}

/// The middle square of a picture as a `data:` URL of at most `side` px.
///
/// # Errors
/// When it cannot be read or decoded; the error carries `path`.
pub async fn thumbnail(path: &str, source: &Source, side: usize) -> Result<String, DataError> {
    let image = decode_small(source, side).await.map_err(|reason| DataError::picture(path, reason))?;
    square_url(&image, side).map_err(|reason| DataError::picture(path, reason))
}

fn square_url(image: &RgbImage8, side: usize) -> Result<String, PictureError> {
    let square = image.shorter();
    let image = image.crop((image.width - square) / 2, (image.height - square) / 2, square, square);
    picture_url(&image, side)
}

/// A decoded picture as a `data:` URL (JPEG), shrunk to `side` px when it is larger.
///
/// # Errors
/// When the encoder refuses.
pub fn picture_url(image: &RgbImage8, side: usize) -> Result<String, PictureError> {
    let longer = image.width.max(image.height);
    let url = |image: &RgbImage8| Ok(data_url("image/jpeg", &encode_jpeg(image, JPEG_QUALITY)?));
    if longer <= side {
        return url(image);
    }
    let shrink = |length: usize| (length as u64 * side as u64 / longer as u64).max(1) as usize;
    url(&resize(image, shrink(image.width), shrink(image.height)))
}
