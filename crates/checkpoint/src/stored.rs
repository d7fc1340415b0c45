//! Where a tensor lies in a file, and reading it.
//!
//! The one constraint: a checkpoint may be larger than memory, so only the bytes of one tensor are read, in chunks,
//! and turned into `f32` as they come.

use super::error::CheckpointError;
use super::zip_directory;
use heirloom_platform::file::FileHandle;

/// Bytes read at once: large enough that the browser's per-slice cost vanishes, small beside a tensor.
const CHUNK: usize = 4 << 20;

/// Largest tensor that is read, in elements: 512 MiB as `f32`. ViT-G's classifier for ImageNet-21k has 36 million, the
/// first layer of VGG's 103 million; a request far beyond that would end the engine instead of coming back as an error.
pub(super) const MAX_ELEMENTS: usize = 1 << 27;

/// Element type of a stored tensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Dtype {
    /// 64-bit float.
    F64,
    /// 32-bit float.
    F32,
    /// 16-bit IEEE float.
    F16,
    /// The upper half of an f32.
    Bf16,
    /// Anything that is not read, by its name.
    Other(String),
}

impl Dtype {
    /// Bytes of one element; 0 for types that are not read.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::F64 => 8,
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
            Self::Other(_) => 0,
        }
    }

    /// Its name, as safetensors writes it.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::F64 => "F64",
            Self::F32 => "F32",
            Self::F16 => "F16",
            Self::Bf16 => "BF16",
            Self::Other(name) => name,
        }
    }

    /// Appends little-endian elements as `f32`.
    fn decode(&self, bytes: &[u8], values: &mut Vec<f32>) {
        match self {
            Self::F64 => values.extend(bytes.as_chunks::<8>().0.iter().map(|b| f64::from_le_bytes(*b) as f32)),
            Self::F32 => values.extend(bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b))),
            Self::F16 => values.extend(bytes.as_chunks::<2>().0.iter().map(|b| half::f16::from_le_bytes(*b).to_f32())),
            Self::Bf16 => {
                values.extend(bytes.as_chunks::<2>().0.iter().map(|b| half::bf16::from_le_bytes(*b).to_f32()))
            }
            Self::Other(_) => {}
        }
    }
}

/// Where the bytes begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// At this byte of the file.
    At(u64),
    /// `skip` bytes into an uncompressed zip entry whose local header is at `header`. The length of that header is
    /// only known once it is read, which waits until the tensor is wanted.
    ZipEntry {
        /// First byte of the local header.
        header: u64,
        /// Bytes of the entry before the tensor.
        skip: u64,
    },
}

/// A tensor that has not been read.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    /// Index of its file.
    pub file: usize,
    /// Element type.
    pub dtype: Dtype,
    /// PyTorch shape.
    pub shape: Vec<usize>,
    /// Elements between neighbours along each axis, where the tensor is not row-major (PyTorch views).
    pub strides: Option<Vec<usize>>,
    /// Where its first element lies.
    pub place: Place,
}

impl Stored {
    /// Elements; `None` when the product overflows.
    pub(super) fn elements(&self) -> Option<usize> {
        self.shape.iter().try_fold(1_usize, |product, &axis| product.checked_mul(axis))
    }

    /// Elements between the first and the last one, both counted.
    pub(super) fn extent(&self) -> Option<usize> {
        let elements = self.elements()?;
        match &self.strides {
            Some(strides) if elements > 0 => {
                let steps = self.shape.iter().zip(strides).map(|(&axis, &stride)| (axis - 1).checked_mul(stride));
                steps.into_iter().try_fold(1_usize, |sum, step| sum.checked_add(step?))
            }
            _ => Some(elements),
        }
    }

    /// Reads the values, row-major, and appends them. `key` names the tensor in errors.
    pub(super) async fn read(
        &self,
        key: &str,
        file: &FileHandle,
        values: &mut Vec<f32>,
    ) -> Result<(), CheckpointError> {
        if let Dtype::Other(dtype) = &self.dtype {
            return Err(CheckpointError::ElementType { key: key.into(), dtype: dtype.clone() });
        }
        let damaged = |problem: String| CheckpointError::Damaged { name: file.name().into(), problem };
        let extent = self.extent().filter(|&extent| extent <= MAX_ELEMENTS);
        let Some(extent) = extent.filter(|_| self.elements().is_some_and(|elements| elements <= MAX_ELEMENTS)) else {
            return Err(damaged(format!("`{key}` claims the shape {:?}, too large for any model", self.shape)));
        };
        let start = self.first_byte(file).await?;
        let first = values.len();
        values.reserve(extent);
        let (size, mut done) = (self.dtype.size(), 0);
        while done < extent * size {
            let end = (done + CHUNK).min(extent * size);
            let bytes = file.read(start.saturating_add(done as u64)..start.saturating_add(end as u64)).await?;
            self.dtype.decode(&bytes, values);
            done = end;
        }
        if let Some(strides) = &self.strides {
            let view = gather(&values[first..], &self.shape, strides);
            values.truncate(first);
            values.extend(view);
        }
        Ok(())
    }

    async fn first_byte(&self, file: &FileHandle) -> Result<u64, CheckpointError> {
        match self.place {
            Place::At(start) => Ok(start),
            Place::ZipEntry { header, skip } => Ok(zip_directory::data_start(file, header).await?.saturating_add(skip)),
        }
    }
}

/// Brings a strided view into row-major order.
fn gather(values: &[f32], shape: &[usize], strides: &[usize]) -> Vec<f32> {
    let elements: usize = shape.iter().product();
    let mut index = vec![0; shape.len()];
    let mut gathered = Vec::with_capacity(elements);
    for _ in 0..elements {
        let at: usize = index.iter().zip(strides).map(|(i, stride)| i * stride).sum();
        gathered.push(values[at]);
        for axis in (0..shape.len()).rev() {
            index[axis] += 1;
            if index[axis] < shape[axis] {
                break;
            }
            index[axis] = 0;
        }
    }
    gathered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transposed_view_comes_out_row_major() {
        assert_eq!(gather(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0], &[3, 2], &[1, 3]), [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
    }

    #[test]
    fn half_precision_is_widened_exactly() {
        let mut values = Vec::new();
        Dtype::F16.decode(&half::f16::from_f32(-1.5).to_le_bytes(), &mut values);
        Dtype::Bf16.decode(&half::bf16::from_f32(3.0).to_le_bytes(), &mut values);
        Dtype::F64.decode(&0.25_f64.to_le_bytes(), &mut values);
        assert_eq!(values, [-1.5, 3.0, 0.25]);
    }
}
