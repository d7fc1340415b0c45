//! Decoding and encoding pictures.
//!
//! In the worker the browser decodes (faster, off the thread, and its memory is not ours); natively, and where the
//! browser refuses, the `image` crate does. Both give the same thing: upright RGB rows, alpha on white, first frame.
//! The size is read from the header and checked **before** anything is decoded, because a picture of a few kilobytes
//! can unpack to gigabytes and WebAssembly memory never shrinks again.

#[cfg(target_arch = "wasm32")]
mod browser;
mod encode;
mod header;
mod plain;

pub use encode::{data_url, encode_jpeg, encode_png};
pub use header::{MAX_PIXELS, MAX_SIDE, PictureFormat, PictureHeader, format, is_complete, probe};

/// Why a picture could not be used. The path is not part of it: whoever knows the file names it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, serde::Serialize)]
pub enum ImageError {
    /// No bytes.
    #[error("the file is empty (0 bytes); get it again")]
    Empty,
    /// Another kind of file.
    #[error("found {found}, expected a PNG, JPEG, WebP or GIF picture; {advice}")]
    NotAPicture {
        /// What the first bytes say it is.
        found: &'static str,
        /// What to do.
        advice: &'static str,
    },
    /// More pixels than are worth unpacking.
    #[error(
        "the picture has {width} × {height} pixels, at most {} megapixels and {MAX_SIDE} pixels a side are read; make it smaller",
        MAX_PIXELS / 1_000_000
    )]
    TooLarge {
        /// Columns.
        width: u32,
        /// Rows.
        height: u32,
    },
    /// The header is damaged or says nothing about the size.
    #[error("the header of this {format} picture is damaged ({what}); save it again with a picture program")]
    BadHeader {
        /// What the file claims to be.
        format: PictureFormat,
        /// What is wrong.
        what: &'static str,
    },
    /// The file ends before the picture does.
    #[error("this {format} picture is cut off (the file ends before the picture does); get it again")]
    CutOff {
        /// What the file claims to be.
        format: PictureFormat,
    },
    /// The decoder gave up.
    #[error("this {format} picture could not be decoded ({reason}); save it again with a picture program")]
    Decode {
        /// What the file claims to be.
        format: PictureFormat,
        /// What the decoder said.
        reason: String,
    },
}

/// An upright picture, `data` is `[height, width, 3]`, u8.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RgbImage8 {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// `[height, width, 3]`.
    pub data: Vec<u8>,
}

impl RgbImage8 {
    /// Shorter side, px.
    pub fn shorter(&self) -> usize {
        self.width.min(self.height)
    }

    /// A rectangle of the picture.
    ///
    /// # Panics
    /// When the rectangle reaches outside.
    pub fn crop(&self, left: usize, top: usize, width: usize, height: usize) -> Self {
        assert!(left + width <= self.width && top + height <= self.height, "the crop lies inside the picture");
        let row = |y: usize| &self.data[((top + y) * self.width + left) * 3..][..width * 3];
        Self { width, height, data: (0..height).flat_map(row).copied().collect() }
    }
}

/// Takes the rows of a picture as they are decoded, so that a large picture never lies in memory as a whole when the
/// browser decodes it.
pub trait RowSink {
    /// A picture begins. Called again when a decoder fails halfway and another starts over.
    fn start(&mut self, width: usize, height: usize);
    /// The next rows, `[rows, width, 3]`.
    fn rows(&mut self, rows: &[u8]);
}

impl RowSink for RgbImage8 {
    fn start(&mut self, width: usize, height: usize) {
        // Decoders hand on at most MAX_PIXELS: 150 MB.
        *self = Self { width, height, data: Vec::with_capacity(width * height * 3) };
    }

    fn rows(&mut self, rows: &[u8]) {
        self.data.extend_from_slice(rows);
    }
}

/// Who decoded a picture. Lossy formats differ between the two by a few levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decoder {
    /// `createImageBitmap` of the browser.
    Browser,
    /// The `image` crate.
    Plain,
}

/// Decodes a whole PNG, JPEG, WebP or GIF file and hands its rows on: EXIF orientation applied, alpha composited on
/// white, grey widened to RGB, 16 bits reduced to 8, CMYK converted, the first frame of an animation. Colour profiles
/// are ignored on purpose: training tools (Pillow, torchvision) ignore them too.
///
/// # Errors
/// When the bytes are no such picture, are too many pixels, are cut off, or do not decode.
pub async fn decode_into(bytes: &[u8], sink: &mut dyn RowSink) -> Result<Decoder, ImageError> {
    let header = match probe(bytes)? {
        Some(header) => header,
        None => return Err(ImageError::CutOff { format: format(bytes)? }),
    };
    header.check_size()?;
    if !is_complete(header.format, bytes) {
        return Err(ImageError::CutOff { format: header.format });
    }
    #[cfg(target_arch = "wasm32")]
    match browser::decode_into(bytes, header, sink).await {
        Ok(()) => return Ok(Decoder::Browser),
        Err(error) => log::debug!("the browser does not decode this {} picture: {error:?}", header.format),
    }
    plain::decode_into(bytes, header, sink)?;
    Ok(Decoder::Plain)
}

/// Decodes a whole file into memory; see [`decode_into`].
///
/// # Errors
/// As [`decode_into`].
pub async fn decode(bytes: &[u8]) -> Result<RgbImage8, ImageError> {
    let mut image = RgbImage8::default();
    decode_into(bytes, &mut image).await?;
    Ok(image)
}
