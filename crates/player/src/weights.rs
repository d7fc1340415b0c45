//! The weights in a page: safetensors of 16-bit or 32-bit numbers, of which every tensor is taken once.

use std::collections::BTreeMap;
use std::ops::Range;

use half::f16;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::PlayerError;

/// Longest header that is read.
const MAX_HEADER: u64 = 16 << 20;

/// What the header says of a tensor.
#[derive(Deserialize)]
struct Entry {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: [u64; 2],
}

/// Tensors by key, in the bytes of a file.
pub(crate) struct Weights<'a> {
    tensors: BTreeMap<String, (Entry, Range<usize>)>,
    bytes: &'a [u8],
    /// Free text beside the tensors.
    pub metadata: BTreeMap<String, String>,
    /// What stands before every key that is asked for.
    pub prefix: &'static str,
}

impl<'a> Weights<'a> {
    /// Reads the header and checks that every tensor lies inside the file.
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, PlayerError> {
        let damaged = |what: &str| PlayerError::Damaged(what.to_owned());
        let length = bytes.first_chunk::<8>().map_or(u64::MAX, |length| u64::from_le_bytes(*length));
        let end = usize::try_from(length.min(MAX_HEADER + 1)).unwrap_or(usize::MAX).saturating_add(8);
        let header = bytes.get(8..end).ok_or_else(|| damaged("it ends inside its header"))?;
        let header: Map<String, Value> =
            serde_json::from_slice(header).map_err(|error| PlayerError::Damaged(format!("its header: {error}")))?;
        let data = &bytes[end..];
        let (mut tensors, mut metadata) = (BTreeMap::new(), BTreeMap::new());
        for (key, value) in header {
            let unreadable = |error| PlayerError::Damaged(format!("`{key}` in its header: {error}"));
            if key == "__metadata__" {
                metadata = serde_json::from_value(value).map_err(unreadable)?;
                continue;
            }
            let entry: Entry = serde_json::from_value(value).map_err(unreadable)?;
            let range = entry.range(data.len()).ok_or_else(|| damaged(&format!("`{key}` does not fill its place")))?;
            tensors.insert(key, (entry, range));
        }
        Ok(Self { tensors, bytes: data, metadata, prefix: "" })
    }

    /// The tensor of a key, which must have this shape.
    pub(crate) fn take(&mut self, key: &str, shape: &[usize]) -> Result<Vec<f32>, PlayerError> {
        let key = format!("{}{key}", self.prefix);
        let is_right = self.tensors.get(&key).is_some_and(|(entry, _)| entry.shape == shape);
        let Some((entry, range)) = is_right.then(|| self.tensors.remove(&key)).flatten() else {
            let found = self.tensors.get(&key).map_or("nothing".into(), |(entry, _)| format!("{:?}", entry.shape));
            return Err(PlayerError::Tensor { key, found, expected: shape.to_vec() });
        };
        let bytes = &self.bytes[range];
        Ok(match entry.width() {
            Some(2) => bytes.as_chunks::<2>().0.iter().map(|bytes| f16::from_le_bytes(*bytes).to_f32()).collect(),
            _ => bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect(),
        })
    }
}

impl Entry {
    /// Bytes of a number.
    fn width(&self) -> Option<u64> {
        match self.dtype.as_str() {
            "F16" => Some(2),
            "F32" => Some(4),
            _ => None,
        }
    }

    /// Where it lies, if that is inside and as long as its shape says.
    fn range(&self, available: usize) -> Option<Range<usize>> {
        let [start, end] = self.data_offsets;
        let elements = self.shape.iter().try_fold(1_u64, |product, &axis| product.checked_mul(axis as u64))?;
        let is_whole = end.checked_sub(start)? == elements.checked_mul(self.width()?)? && end <= available as u64;
        is_whole.then(|| Some(usize::try_from(start).ok()?..usize::try_from(end).ok()?)).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(header: &str, data: &[u8]) -> Vec<u8> {
        [&(header.len() as u64).to_le_bytes(), header.as_bytes(), data].concat()
    }

    #[test]
    fn half_numbers_are_read_under_the_prefix() {
        let half = file(r#"{"front.a":{"dtype":"F16","shape":[2],"data_offsets":[0,4]}}"#, &[0, 0x3c, 0, 0xc0]);
        let mut weights = Weights::read(&half).unwrap();
        weights.prefix = "front.";
        let wrong = weights.take("a", &[1, 2]).unwrap_err();
        assert_eq!(wrong, PlayerError::Tensor { key: "front.a".into(), found: "[2]".into(), expected: vec![1, 2] });
        assert_eq!(weights.take("a", &[2]).unwrap(), [1.0, -2.0]);
        assert!(matches!(weights.take("a", &[2]), Err(PlayerError::Tensor { found, .. }) if found == "nothing"));
    }

    #[test]
    fn what_reaches_outside_is_refused() {
        for header in [
            r#"{"a":{"dtype":"F16","shape":[2],"data_offsets":[0,5]}}"#,
            r#"{"a":{"dtype":"F16","shape":[4],"data_offsets":[0,8]}}"#,
            r#"{"a":{"dtype":"F16","shape":[2],"data_offsets":[4,0]}}"#,
            r#"{"a":{"dtype":"I8","shape":[4],"data_offsets":[0,4]}}"#,
            r#"{"a":{"dtype":"F16","shape":[4294967296,4294967296,2],"data_offsets":[0,4]}}"#,
            r#"{"a":3}"#,
            "no JSON",
        ] {
            assert!(matches!(Weights::read(&file(header, &[0; 4])), Err(PlayerError::Damaged(_))), "{header}");
        }
        for cut in [0, 7, 8, 12] {
            assert!(Weights::read(&file("{\"a\":1}", &[])[..cut]).is_err());
        }
        assert!(Weights::read(&[0xff; 64]).is_err());
    }
}
