//! Where the bytes of a picture come from: a file, or an entry of a zip. A handle, never the bytes themselves.

use std::rc::Rc;

use sha2::{Digest, Sha256};

use super::archive::Archive;
use super::error::{MAX_FILE_BYTES, PictureError};
use heirloom_platform::file::FileHandle;
use heirloom_platform::image::{ImageError, PictureFormat, PictureHeader, is_complete, probe};

/// Bytes looked at first; enough for nearly every header.
const HEAD: u64 = 64 << 10;
/// Bytes at the end that hold the closing mark of a complete file.
const TAIL: u64 = 2 << 10;
const CHUNK: u64 = 1 << 20;

/// A picture's bytes, still on disk.
#[derive(Clone)]
pub enum Source {
    /// A file of its own.
    File(FileHandle),
    /// An entry of a zip.
    Entry {
        /// The opened zip.
        archive: Rc<Archive>,
        /// Position in its directory.
        index: usize,
        /// Unpacked bytes.
        len: u64,
    },
}

impl Source {
    /// Bytes.
    pub fn len(&self) -> u64 {
        match self {
            Self::File(file) => file.len(),
            Self::Entry { len, .. } => *len,
        }
    }

    /// Whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The first `limit` bytes, or all when there are fewer.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn head(&self, limit: u64) -> Result<Vec<u8>, PictureError> {
        match self {
            Self::File(file) => Ok(file.read(0..limit.min(file.len())).await?),
            Self::Entry { archive, index, .. } => archive.read(*index, limit).await,
        }
    }

    /// All bytes.
    ///
    /// # Errors
    /// When there are more than [`MAX_FILE_BYTES`] or they cannot be read.
    pub async fn read_all(&self) -> Result<Vec<u8>, PictureError> {
        match self.len() {
            bytes if bytes > MAX_FILE_BYTES => Err(PictureError::TooLong { bytes }),
            // One byte more shows an entry that is longer than announced.
            bytes => self.head(bytes + 1).await,
        }
    }

    /// Looks at the header: is this a picture, of a fit size, and does the file reach to its end? Reads the first
    /// 64 KB and the last 2 KB, more only when the header stands further back or the end looks cut off. Entries of
    /// zips are unpacked to their end: who counts pictures must not count halves.
    ///
    /// # Errors
    /// When it is not a picture that can be used; the error says why.
    pub async fn inspect(&self) -> Result<PictureHeader, PictureError> {
        let len = self.len();
        if len == 0 {
            return Err(ImageError::Empty.into());
        }
        let mut reach = HEAD;
        let header = loop {
            let start = self.head(reach).await?;
            if let Some(header) = probe(&start)? {
                break header;
            }
            if reach >= len {
                let format = heirloom_platform::image::format(&start)?;
                return Err(ImageError::CutOff { format }.into());
            }
            reach *= 8;
        };
        header.check_size()?;
        if len > MAX_FILE_BYTES {
            return Err(PictureError::TooLong { bytes: len });
        }
        if !self.looks_complete(header.format).await? && !is_complete(header.format, &self.read_all().await?) {
            return Err(ImageError::CutOff { format: header.format }.into());
        }
        Ok(header)
    }

    async fn looks_complete(&self, format: PictureFormat) -> Result<bool, PictureError> {
        let Self::File(file) = self else { return Ok(false) };
        let mark: &[u8] = match format {
            PictureFormat::Jpeg => &[0xff, 0xd9],
            PictureFormat::Png => b"IEND",
            PictureFormat::WebP => return Ok(is_webp_whole(&self.head(8).await?, file.len())),
            PictureFormat::Gif => return Ok(true),
        };
        let tail = file.read(file.len().saturating_sub(TAIL)..file.len()).await?;
        Ok(tail.windows(mark.len()).any(|bytes| bytes == mark))
    }

    /// SHA-256 of the bytes, read in pieces.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn hash(&self) -> Result<[u8; 32], PictureError> {
        let mut hash = Sha256::new();
        match self {
            Self::File(file) => {
                for start in (0..file.len()).step_by(CHUNK as usize) {
                    hash.update(file.read(start..(start + CHUNK).min(file.len())).await?);
                }
            }
            Self::Entry { .. } => hash.update(self.read_all().await?),
        }
        Ok(hash.finalize().into())
    }
}

fn is_webp_whole(start: &[u8], len: u64) -> bool {
    match start {
        [_, _, _, _, a, b, c, d, ..] => u64::from(u32::from_le_bytes([*a, *b, *c, *d])) + 8 <= len + 1,
        _ => false,
    }
}
