//! The header of a safetensors file: eight bytes of length, JSON, then the tensors end to end.
//!
//! Only the header is read here. It comes from strangers, so its length is bounded and every offset is checked before
//! anybody relies on it.

use super::error::CheckpointError;
use super::stored::{Dtype, Place, Stored};
use heirloom_platform::file::FileHandle;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Longest header that is read. ViT-g's has 70 KB.
pub(super) const MAX_HEADER: u64 = 16 << 20;

/// What the header says of a tensor. The crate's own `TensorInfo` has `usize` offsets, which end at 4 GiB in a browser.
#[derive(Deserialize)]
struct Entry {
    dtype: safetensors::Dtype,
    shape: Vec<usize>,
    data_offsets: (u64, u64),
}

/// Tensors by key, and the free text beside them.
pub(super) type Contents = (Vec<(String, Stored)>, BTreeMap<String, String>);

/// Reads and checks the header of the file with index `file`.
pub(super) async fn read_header(file: usize, handle: &FileHandle) -> Result<Contents, CheckpointError> {
    let damaged = |problem: String| CheckpointError::Damaged { name: handle.name().into(), problem };
    let start = handle.read(0..8).await?;
    let length = start.first_chunk::<8>().map_or(0, |bytes| u64::from_le_bytes(*bytes));
    if length > MAX_HEADER {
        return Err(damaged(format!("its header claims {length} bytes, at most {MAX_HEADER} make sense")));
    }
    let bytes = handle.read(8..8 + length).await?;
    let header: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(&bytes).map_err(|error| damaged(format!("its header is not readable ({error})")))?;
    let (mut tensors, mut metadata) = (Vec::with_capacity(header.len()), BTreeMap::new());
    for (key, value) in header {
        if key == "__metadata__" {
            metadata = serde_json::from_value(value).unwrap_or_default();
            continue;
        }
        let entry: Entry = serde_json::from_value(value)
            .map_err(|error| damaged(format!("the header's entry `{key}` is not readable ({error})")))?;
        tensors.push((key, entry));
    }
    check_offsets(&mut tensors, handle, 8 + length)?;
    let stored = |(key, entry): (String, Entry)| {
        let place = Place::At(8 + length + entry.data_offsets.0);
        (key, Stored { file, dtype: dtype(entry.dtype), shape: entry.shape, strides: None, place })
    };
    Ok((tensors.into_iter().map(stored).collect(), metadata))
}

fn dtype(dtype: safetensors::Dtype) -> Dtype {
    match dtype {
        safetensors::Dtype::F64 => Dtype::F64,
        safetensors::Dtype::F32 => Dtype::F32,
        safetensors::Dtype::F16 => Dtype::F16,
        safetensors::Dtype::BF16 => Dtype::Bf16,
        other => Dtype::Other(format!("{other:?}")),
    }
}

/// Sorts by offset and checks that no tensor overlaps another, is longer than its shape, or leaves the file.
fn check_offsets(tensors: &mut [(String, Entry)], handle: &FileHandle, data_start: u64) -> Result<(), CheckpointError> {
    let damaged = |problem: String| CheckpointError::Damaged { name: handle.name().into(), problem };
    tensors.sort_by_key(|(_, entry)| entry.data_offsets);
    let available = handle.len() - data_start;
    let (mut end_of_last, mut last) = (0, "");
    for (key, entry) in tensors.iter() {
        let (start, end) = entry.data_offsets;
        let elements = entry.shape.iter().try_fold(1_u64, |product, &axis| product.checked_mul(axis as u64));
        let bytes =
            elements.and_then(|elements| elements.checked_mul(entry.dtype.bitsize() as u64)).map(|bits| bits / 8);
        if start > end || bytes != Some(end - start) {
            let (shape, dtype) = (&entry.shape, entry.dtype);
            return Err(damaged(format!(
                "`{key}` of shape {shape:?} and type {dtype:?} cannot fill bytes {start}..{end}"
            )));
        }
        if start < end_of_last {
            return Err(damaged(format!("`{key}` and `{last}` overlap at byte {start}")));
        }
        if end > available {
            return Err(damaged(format!(
                "`{key}` should end at byte {end} of the data, but the file stops after {available}; it is cut off"
            )));
        }
        (end_of_last, last) = (end, key);
    }
    Ok(())
}
