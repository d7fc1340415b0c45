//! A file the person handed over, read by slices so that memory never depends on its size.

use std::ops::Range;
use std::sync::Arc;

/// Why a file could not be read.
#[derive(Debug, thiserror::Error, serde::Serialize)]
pub enum FileError {
    /// The operating system or the browser refused.
    #[error("`{name}` could not be read ({reason}); it may have been moved or changed, so choose it again")]
    Unreadable {
        /// Path of the file.
        name: String,
        /// What the platform said.
        reason: String,
    },
    /// The range lies outside the file.
    #[error("`{name}` ends at byte {len}, but bytes {start}..{end} are needed; the file is cut off, so get it again")]
    Truncated {
        /// Path of the file.
        name: String,
        /// Bytes in the file.
        len: u64,
        /// First byte wanted.
        start: u64,
        /// End of the range.
        end: u64,
    },
}

#[derive(Clone)]
enum Inner {
    Bytes(Arc<[u8]>),
    #[cfg(not(target_arch = "wasm32"))]
    Path(std::path::PathBuf),
    #[cfg(target_arch = "wasm32")]
    Blob(web_sys::Blob),
}

/// A readable file: a handle, not its content.
#[derive(Clone)]
pub struct FileHandle {
    path: String,
    len: u64,
    /// Where it begins in what stands behind it; a browser's slices begin at 0.
    start: u64,
    inner: Inner,
}

impl std::fmt::Debug for FileHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileHandle").field("path", &self.path).field("len", &self.len).finish()
    }
}

impl FileHandle {
    /// A file that is already in memory.
    pub fn from_bytes(path: impl Into<String>, bytes: impl Into<Arc<[u8]>>) -> Self {
        let bytes = bytes.into();
        Self { path: path.into(), len: bytes.len() as u64, start: 0, inner: Inner::Bytes(bytes) }
    }

    /// A file on disk; `path` is what it is called, which may be shorter than where it lies.
    ///
    /// # Errors
    /// When the file does not exist or is not readable.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn from_path(path: impl Into<String>, place: impl Into<std::path::PathBuf>) -> Result<Self, FileError> {
        let (path, place) = (path.into(), place.into());
        match std::fs::metadata(&place) {
            Ok(metadata) => Ok(Self { path, len: metadata.len(), start: 0, inner: Inner::Path(place) }),
            Err(error) => Err(FileError::Unreadable { name: path, reason: error.to_string() }),
        }
    }

    /// A browser file.
    #[cfg(target_arch = "wasm32")]
    pub fn from_blob(path: impl Into<String>, blob: web_sys::Blob) -> Self {
        Self { path: path.into(), len: blob.size() as u64, start: 0, inner: Inner::Blob(blob) }
    }

    /// The browser's own handle, where there is one.
    #[cfg(target_arch = "wasm32")]
    pub fn blob(&self) -> Option<&web_sys::Blob> {
        match &self.inner {
            Inner::Blob(blob) => Some(blob),
            Inner::Bytes(_) => None,
        }
    }

    /// Path inside the dropped folder, with `/`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Last part of the path.
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// Bytes.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// A part of the file as a file of its own; nothing is read.
    ///
    /// # Errors
    /// When the range lies outside, or the browser refuses.
    pub fn part(&self, path: &str, range: Range<u64>) -> Result<Self, FileError> {
        self.check(&range)?;
        let len = range.end - range.start;
        #[cfg(target_arch = "wasm32")]
        if let Inner::Blob(blob) = &self.inner {
            let slice = blob.slice_with_f64_and_f64(range.start as f64, range.end as f64);
            let refused = |error| FileError::Unreadable { name: self.path.clone(), reason: format!("{error:?}") };
            return Ok(Self::from_blob(path, slice.map_err(refused)?));
        }
        Ok(Self { path: path.to_owned(), len, start: self.start + range.start, inner: self.inner.clone() })
    }

    fn check(&self, range: &Range<u64>) -> Result<(), FileError> {
        if range.start <= range.end && range.end <= self.len {
            return Ok(());
        }
        let name = self.path.clone();
        Err(FileError::Truncated { name, len: self.len, start: range.start, end: range.end })
    }

    /// Some bytes of the file.
    ///
    /// # Errors
    /// When the range lies outside, or the platform refuses.
    pub async fn read(&self, range: Range<u64>) -> Result<Vec<u8>, FileError> {
        self.check(&range)?;
        self.read_inner(self.start + range.start..self.start + range.end)
            .await
            .map_err(|reason| FileError::Unreadable { name: self.path.clone(), reason })
    }

    /// The whole file. Only for files known to be small.
    ///
    /// # Errors
    /// When the platform refuses.
    pub async fn read_all(&self) -> Result<Vec<u8>, FileError> {
        self.read(0..self.len).await
    }

    async fn read_inner(&self, range: Range<u64>) -> Result<Vec<u8>, String> {
        match &self.inner {
            Inner::Bytes(bytes) => Ok(bytes[range.start as usize..range.end as usize].to_vec()),
            #[cfg(not(target_arch = "wasm32"))]
            Inner::Path(place) => {
                use std::io::{Read, Seek, SeekFrom};
                let read = || -> std::io::Result<Vec<u8>> {
                    let mut file = std::fs::File::open(place)?;
                    file.seek(SeekFrom::Start(range.start))?;
                    let mut bytes = vec![0; (range.end - range.start) as usize];
                    file.read_exact(&mut bytes)?;
                    Ok(bytes)
                };
                read().map_err(|error| error.to_string())
            }
            #[cfg(target_arch = "wasm32")]
            Inner::Blob(blob) => {
                let say = |error: wasm_bindgen::JsValue| {
                    js_sys::Reflect::get(&error, &"name".into())
                        .ok()
                        .and_then(|name| name.as_string())
                        .unwrap_or_else(|| format!("{error:?}"))
                };
                let slice = blob.slice_with_f64_and_f64(range.start as f64, range.end as f64).map_err(say)?;
                let buffer = wasm_bindgen_futures::JsFuture::from(slice.array_buffer()).await.map_err(say)?;
                Ok(js_sys::Uint8Array::new(&buffer).to_vec())
            }
        }
    }
}
