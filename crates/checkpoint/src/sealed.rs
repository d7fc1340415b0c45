//! Safetensors files that say whether they are whole: the last tensor, `seal`, is the SHA-256 of everything before it.
//!
//! A store that may be torn down in the middle of a write needs that, and a file as large as two models with their
//! moments must never lie in memory: it is written and read one tensor at a time.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::description::METADATA_KEY;
use super::stored::MAX_ELEMENTS;
use heirloom_plan::weights::{HostTensor, Weights};
use heirloom_platform::file::{FileError, FileHandle};
use heirloom_platform::storage::{Storage, StorageError, Writer};

/// Name of the tensor that holds the checksum, and its bytes.
const SEAL: &str = "seal";
const SEAL_BYTES: u64 = 32;
/// Longest header that is read. It lists pictures and curves, a few hundred bytes each.
const MAX_HEADER: u64 = 64 << 20;
/// Bytes converted or read at a time.
const SLICE: usize = 1 << 20;

/// Why a sealed file cannot be used.
#[derive(Debug, thiserror::Error, serde::Serialize)]
pub enum SealedError {
    /// It is cut off or changed.
    #[error("`{name}` is damaged: {problem}")]
    Damaged {
        /// Which file.
        name: String,
        /// What does not add up.
        problem: String,
    },
    /// A tensor is absent or has another shape.
    #[error("`{name}` has no tensor `{key}` of shape {shape:?}; it belongs to another model")]
    Tensor {
        /// Which file.
        name: String,
        /// The tensor.
        key: String,
        /// What was asked for.
        shape: Vec<usize>,
    },
    /// The platform could not read it.
    #[error(transparent)]
    File(#[from] FileError),
}

/// A sealed file being written.
pub struct SealedWriter {
    writer: Writer,
    hash: Sha256,
    slice: Vec<u8>,
}

impl SealedWriter {
    /// Begins a file whose tensors will be `shapes`, in this order. `metadata` is any text.
    ///
    /// # Errors
    /// When the store refuses.
    pub async fn create<'a>(
        storage: &Storage,
        path: &str,
        metadata: &str,
        shapes: impl IntoIterator<Item = (&'a str, &'a [usize])>,
    ) -> Result<Self, StorageError> {
        let (mut header, mut end) = (Map::new(), 0_u64);
        header.insert("__metadata__".into(), json!({ METADATA_KEY: metadata }));
        for (name, shape) in shapes {
            let start = end;
            end += 4 * shape.iter().map(|&axis| axis as u64).product::<u64>();
            header.insert(name.into(), json!({ "dtype": "F32", "shape": shape, "data_offsets": [start, end] }));
        }
        let seal = json!({ "dtype": "U8", "shape": [SEAL_BYTES], "data_offsets": [end, end + SEAL_BYTES] });
        header.insert(SEAL.into(), seal);
        let mut front = Value::Object(header).to_string().into_bytes();
        front.resize(front.len().next_multiple_of(8), b' ');
        let mut sealed = Self { writer: storage.create(path).await?, hash: Sha256::new(), slice: Vec::new() };
        sealed.write(&(front.len() as u64).to_le_bytes())?;
        sealed.write(&front)?;
        Ok(sealed)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), StorageError> {
        self.hash.update(bytes);
        self.writer.write(bytes)
    }

    /// Adds the next tensor's values, row-major.
    ///
    /// # Errors
    /// When the store refuses.
    pub fn tensor(&mut self, values: &[f32]) -> Result<(), StorageError> {
        let mut slice = std::mem::take(&mut self.slice);
        for part in values.chunks(SLICE / 4) {
            slice.resize(4 * part.len(), 0);
            let (bytes, _) = slice.as_chunks_mut::<4>();
            bytes.iter_mut().zip(part).for_each(|(bytes, value)| *bytes = value.to_le_bytes());
            self.write(&slice)?;
        }
        self.slice = slice;
        Ok(())
    }

    /// Seals and closes the file; returns its bytes and its seal.
    ///
    /// # Errors
    /// When the store refuses.
    pub fn finish(self) -> Result<(u64, [u8; 32]), StorageError> {
        let Self { mut writer, hash, .. } = self;
        let seal: [u8; 32] = hash.finalize().into();
        writer.write(&seal)?;
        let len = writer.len();
        writer.finish()?;
        Ok((len, seal))
    }
}

#[derive(Deserialize)]
struct Listed {
    shape: Vec<usize>,
    data_offsets: (u64, u64),
}

struct Place {
    shape: Vec<usize>,
    start: u64,
}

/// A sealed file whose header was read.
pub struct Sealed {
    file: FileHandle,
    metadata: String,
    tensors: BTreeMap<String, Place>,
}

impl Sealed {
    /// Reads the header; what it claims is checked against the length of the file, not yet against the seal.
    ///
    /// # Errors
    /// When it is no such file, or a cut-off one.
    pub async fn open(file: FileHandle) -> Result<Self, SealedError> {
        let damaged = |problem: &str| SealedError::Damaged { name: file.path().into(), problem: problem.into() };
        if file.len() < 8 + SEAL_BYTES {
            return Err(damaged("it is cut off"));
        }
        let start = file.read(0..8).await?;
        let length = start.first_chunk::<8>().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        if length > MAX_HEADER || 8 + length + SEAL_BYTES > file.len() {
            return Err(damaged("its header is longer than the file, so it is cut off"));
        }
        let header = file.read(8..8 + length).await?;
        let header: Map<String, Value> = serde_json::from_slice(&header)
            .map_err(|error| damaged(&format!("its header is not readable ({error})")))?;
        let (mut metadata, mut tensors, mut end) = (String::new(), BTreeMap::new(), 0);
        for (name, value) in header {
            if name == "__metadata__" {
                metadata = value.get(METADATA_KEY).and_then(Value::as_str).unwrap_or_default().to_owned();
                continue;
            }
            let Listed { shape, data_offsets: (from, to) } =
                serde_json::from_value(value).map_err(|error| damaged(&format!("`{name}`: {error}")))?;
            let elements = shape.iter().try_fold(1_u64, |product, &axis| product.checked_mul(axis as u64));
            let size = if name == SEAL { 1 } else { 4 };
            let fits = elements.is_some_and(|elements| {
                elements <= MAX_ELEMENTS as u64 && from.checked_add(size * elements) == Some(to)
            });
            if !fits {
                return Err(damaged(&format!("`{name}` does not have the bytes of its shape")));
            }
            end = end.max(to);
            tensors.insert(name, Place { shape, start: 8 + length + from });
        }
        if 8 + length + end != file.len() || tensors.remove(SEAL).is_none() {
            return Err(damaged(&format!("it has {} bytes, its header speaks of {}", file.len(), 8 + length + end)));
        }
        Ok(Self { file, metadata, tensors })
    }

    /// Reads the whole file once, compares it with its seal, and returns that.
    ///
    /// # Errors
    /// When they differ.
    pub async fn verify(&self) -> Result<[u8; 32], SealedError> {
        let (mut hash, end) = (Sha256::new(), self.file.len() - SEAL_BYTES);
        for start in (0..end).step_by(SLICE) {
            hash.update(self.file.read(start..(start + SLICE as u64).min(end)).await?);
        }
        let seal: [u8; 32] = hash.finalize().into();
        match seal.as_slice() == self.file.read(end..self.file.len()).await?.as_slice() {
            true => Ok(seal),
            false => {
                Err(SealedError::Damaged { name: self.file.path().into(), problem: "its checksum is wrong".into() })
            }
        }
    }

    /// The text beside the tensors.
    pub fn metadata(&self) -> &str {
        &self.metadata
    }

    /// Bytes of the file.
    pub fn len(&self) -> u64 {
        self.file.len()
    }

    /// Whether it holds no tensor.
    pub fn is_empty(&self) -> bool {
        self.tensors.is_empty()
    }

    /// Names of the tensors that begin with `prefix`.
    pub fn names(&self, prefix: &str) -> Vec<String> {
        let from = self.tensors.range(prefix.to_owned()..).map(|(name, _)| name);
        from.take_while(|name| name.starts_with(prefix)).cloned().collect()
    }

    /// Reads one tensor.
    ///
    /// # Errors
    /// When it is not there or cannot be read.
    pub async fn tensor(&self, name: &str) -> Result<HostTensor, SealedError> {
        let Some(Place { shape, start }) = self.tensors.get(name) else { return Err(self.absent(name, &[])) };
        let elements: usize = shape.iter().product();
        let (mut values, end) = (Vec::with_capacity(elements), start + 4 * elements as u64);
        for from in (*start..end).step_by(SLICE) {
            let bytes = self.file.read(from..(from + SLICE as u64).min(end)).await?;
            values.extend(bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)));
        }
        Ok(HostTensor { shape: shape.clone(), values })
    }

    fn absent(&self, key: &str, shape: &[usize]) -> SealedError {
        SealedError::Tensor { name: self.file.path().into(), key: key.into(), shape: shape.to_vec() }
    }
}

/// A model loads straight from its file; the shape is compared before anything is read.
impl Weights for &Sealed {
    type Error = SealedError;

    async fn tensor(&mut self, key: &str, shape: &[usize]) -> Result<HostTensor, SealedError> {
        match self.tensors.get(key) {
            Some(place) if place.shape == shape => Sealed::tensor(self, key).await,
            _ => Err(self.absent(key, shape)),
        }
    }
}
