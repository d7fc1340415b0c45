//! Pictures inside a zip, read on demand.
//!
//! The `zip` crate wants a synchronous reader and a browser file can only be read asynchronously. So the crate reads
//! from the pieces fetched so far; when it runs into a hole, the missing piece is fetched and the attempt repeated.
//! Never the whole file: a zip may be larger than memory.

use std::io::{Read, Seek, SeekFrom};
use std::sync::Arc;

use zip::read::{ZipArchive, ZipArchiveMetadata};
use zip::result::{ZipError, ZipResult};
use zip::{CompressionMethod, ZipReadOptions};

use super::error::{MAX_FILE_BYTES, PictureError};
use super::place::is_junk;
use heirloom_platform::file::FileHandle;

/// The directory stands at the end, behind it a comment of at most 64 KB.
const TAIL: u64 = 128 << 10;
const PIECE: u64 = 256 << 10;
/// More than a directory or a picture needs: fetching stops here whatever the zip claims.
const FETCH_LIMIT: u64 = MAX_FILE_BYTES + (4 << 20);

/// The parts of a file that were fetched, as one seekable reader with holes.
struct Pieces {
    len: u64,
    at: u64,
    pieces: Vec<(u64, Vec<u8>)>,
    missing: Option<u64>,
}

impl Read for Pieces {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        if self.at >= self.len || out.is_empty() {
            return Ok(0);
        }
        let within = |(start, bytes): &&(u64, Vec<u8>)| (*start..start + bytes.len() as u64).contains(&self.at);
        let Some((start, bytes)) = self.pieces.iter().find(within) else {
            self.missing = Some(self.at);
            return Err(std::io::Error::other("not fetched yet"));
        };
        let rest = &bytes[(self.at - start) as usize..];
        let count = rest.len().min(out.len());
        out[..count].copy_from_slice(&rest[..count]);
        self.at += count as u64;
        Ok(count)
    }
}

impl Seek for Pieces {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        let to = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(offset) => self.len.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.at.checked_add_signed(offset),
        };
        self.at = to.ok_or_else(|| std::io::Error::from(std::io::ErrorKind::InvalidInput))?;
        Ok(self.at)
    }
}

impl Pieces {
    fn new(file: &FileHandle) -> Self {
        Self { len: file.len(), at: 0, pieces: Vec::new(), missing: None }
    }

    async fn fetch(&mut self, file: &FileHandle, start: u64, count: u64) -> Result<(), PictureError> {
        let end = start.saturating_add(count).min(self.len);
        let held: u64 = self.pieces.iter().map(|(_, bytes)| bytes.len() as u64).sum();
        if held + (end - start) > FETCH_LIMIT {
            return Err(PictureError::Zip(format!("its directory claims more than {FETCH_LIMIT} bytes; zip it again")));
        }
        let bytes = file.read(start..end).await?;
        self.pieces.push((start, bytes));
        Ok(())
    }

    /// Runs `read` until it met no hole.
    async fn run<T>(
        &mut self,
        file: &FileHandle,
        mut read: impl FnMut(&mut Self) -> ZipResult<T>,
    ) -> Result<T, PictureError> {
        loop {
            (self.at, self.missing) = (0, None);
            let outcome = read(self);
            match self.missing {
                Some(at) => self.fetch(file, at, PIECE).await?,
                None => return outcome.map_err(|error| PictureError::Zip(explain(&error))),
            }
        }
    }
}

fn explain(error: &ZipError) -> String {
    format!("this zip is damaged or of an unknown kind ({error}); zip it again or drop the unpacked folder")
}

/// One file listed in a zip, or why it is not read.
pub struct Entry {
    /// Path inside the zip with `/`.
    pub name: String,
    /// Position in the directory; bytes are read by it.
    pub index: usize,
    /// Unpacked bytes.
    pub len: u64,
    /// Why it is refused, if it is.
    pub refused: Option<PictureError>,
}

/// Why a zip without pictures belongs elsewhere on the page, if it does.
pub fn belongs_elsewhere(entries: &[Entry]) -> Option<&'static str> {
    let has = |endings: &[&str]| {
        let is_one = |name: &str| endings.iter().any(|ending| name.to_lowercase().ends_with(ending));
        entries.iter().any(|entry| is_one(&entry.name) && !is_junk(&entry.name))
    };
    let is_project = entries.iter().any(|entry| entry.name.rsplit('/').next() == Some("work.save"));
    if has(&[".png", ".jpg", ".jpeg", ".webp", ".gif"]) {
        None
    } else if is_project {
        Some("it is a whole project, which is opened under `Projects` at the top of the page")
    } else if has(&[".safetensors", ".pth", "data.pkl"]) {
        Some("it is a model and no pictures, so drop it on step 1")
    } else {
        None
    }
}

/// An opened zip: its directory, not its content.
pub struct Archive {
    file: FileHandle,
    directory: Arc<ZipArchiveMetadata>,
}

impl Archive {
    /// Whether a file starts like a zip (with an entry, or as an empty one).
    pub fn is_zip(start: &[u8]) -> bool {
        matches!(start, [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..])
    }

    /// Reads the directory.
    ///
    /// # Errors
    /// When the file is cut off, damaged, or cannot be read.
    pub async fn open(file: &FileHandle) -> Result<Self, PictureError> {
        let mut pieces = Pieces::new(file);
        let tail = file.len().saturating_sub(TAIL);
        pieces.fetch(file, tail, TAIL).await?;
        if !pieces.pieces[0].1.windows(4).any(|bytes| bytes == [b'P', b'K', 5, 6]) {
            let reason = "this zip is cut off (the directory at its end is missing); get it again";
            return Err(PictureError::Zip(reason.to_owned()));
        }
        let directory = pieces.run(file, |reader| ZipArchive::new(reader).map(|zip| zip.metadata())).await?;
        Ok(Self { file: file.clone(), directory })
    }

    /// The zip itself.
    pub fn file(&self) -> &FileHandle {
        &self.file
    }

    /// The files listed in the directory, folders left out.
    pub fn entries(&self) -> impl Iterator<Item = Entry> {
        (0..self.directory.len()).filter_map(|index| self.entry(index))
    }

    fn entry(&self, index: usize) -> Option<Entry> {
        let entry = self.directory.entry(index).ok()?;
        // Without a word on its code page a name that is no UTF-8 could be anything, and a byte of it that looks like
        // a `\` may be half of a letter: no guess, for a wrong name looks as good as a right one.
        let (name, is_known) = match std::str::from_utf8(entry.name_raw()) {
            Ok(name) => (name.replace('\\', "/"), true),
            Err(_) => (String::from_utf8_lossy(entry.name_raw()).into_owned(), false),
        };
        if entry.is_dir() || name.ends_with('/') {
            return None;
        }
        // Of a colon only a drive (`C:/`) leads out; clocks and ratios have some too.
        let is_drive = matches!(name.as_bytes(), [letter, b':', b'/', ..] if letter.is_ascii_alphabetic());
        let is_outside = name.starts_with('/') || is_drive || name.split('/').any(|part| part == "..");
        let say = |reason: &str| Some(PictureError::Zip(reason.to_owned()));
        let refused = if !is_known {
            Some(PictureError::CodePage)
        } else if is_outside {
            say("its path leads out of the zip; zip the folder again")
        } else if entry.encrypted() {
            say("it is encrypted; unpack the zip with its password and drop the folder")
        } else if entry.is_symlink() {
            say("it is a link to another file; replace it by the file itself")
        } else if !matches!(entry.compression(), CompressionMethod::Stored | CompressionMethod::Deflated) {
            say("it is packed in an unusual way; zip the folder again, or drop it unpacked")
        } else if entry.size() > MAX_FILE_BYTES {
            Some(PictureError::TooLong { bytes: entry.size() })
        } else {
            None
        };
        Some(Entry { name, index, len: entry.size(), refused })
    }

    /// The first `limit` unpacked bytes of an entry, or all of them when it is shorter.
    ///
    /// # Errors
    /// When the entry is damaged or longer than it claims.
    pub async fn read(&self, index: usize, limit: u64) -> Result<Vec<u8>, PictureError> {
        let bad = |error: ZipError| PictureError::Zip(explain(&error));
        let entry = self.directory.entry(index).map_err(bad)?;
        let (start, len) = (entry.header_start(), entry.size());
        // What this is too little for is fetched when the unpacking runs into the hole.
        let packed = entry.compressed_size().min(limit.saturating_add(512));
        if start >= self.file.len() {
            return Err(PictureError::Zip("it stands behind the end of the zip; zip the folder again".to_owned()));
        }
        // The directory may announce what it likes: room is made for what pictures shrink by, and more as it comes.
        let room =
            len.min(limit).min(MAX_FILE_BYTES).min(entry.compressed_size().min(self.file.len()).saturating_mul(4));
        let mut pieces = Pieces::new(&self.file);
        let head = 30 + entry.name_raw().len() as u64 + 512;
        pieces.fetch(&self.file, start, head + packed).await?;
        pieces
            .run(&self.file, |reader| {
                let mut bytes = Vec::with_capacity(room as usize);
                let mut content = self.directory.entry(index)?.with_reader(reader, ZipReadOptions::new())?;
                // One byte more than announced shows that the directory lies.
                (&mut content).take(limit.min(len.saturating_add(1))).read_to_end(&mut bytes)?;
                match bytes.len() as u64 > len {
                    true => Err(ZipError::InvalidArchive("an entry is longer than announced".into())),
                    false => Ok(bytes),
                }
            })
            .await
    }
}
