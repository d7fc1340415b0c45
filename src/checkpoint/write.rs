//! Writing weights: safetensors with timm's keys, which timm loads and [`Checkpoint::open`](super::Checkpoint::open)
//! opens again exactly as they were.

use super::description::{Description, METADATA_KEY};
use crate::vit::HostTensor;
use serde_json::{Map, Value, json};

/// Room left in front for the header, so that it can be put there without copying the weights into a new buffer.
const HEADER_ROOM: usize = 64 << 10;

/// Writes tensors as F32 safetensors. They are taken one after the other, so that only the file grows in memory.
///
/// The metadata holds the description as JSON under [`METADATA_KEY`] and `format: pt`, which Hugging Face asks for.
pub fn write_safetensors(
    tensors: impl IntoIterator<Item = (String, HostTensor)>,
    description: &Description,
) -> Vec<u8> {
    let mut file = Vec::with_capacity(HEADER_ROOM + 4 * description.config.parameters() as usize);
    let description = serde_json::to_string(description).unwrap_or_default();
    let mut header = Map::new();
    header.insert("__metadata__".into(), json!({ "format": "pt", METADATA_KEY: description }));
    for (key, tensor) in tensors {
        let start = file.len();
        file.extend(tensor.values.iter().flat_map(|value| value.to_le_bytes()));
        let entry = json!({ "dtype": "F32", "shape": tensor.shape, "data_offsets": [start, file.len()] });
        header.insert(key, entry);
    }
    let mut front = Value::Object(header).to_string().into_bytes();
    // Tensors begin at a multiple of eight bytes, as the format's own writers see to.
    front.resize(front.len().next_multiple_of(8), b' ');
    let length = (front.len() as u64).to_le_bytes();
    file.splice(0..0, length.into_iter().chain(front));
    file
}

/// The description as the text of a `config.json`, for people and for dropping beside foreign copies of the weights.
pub fn write_config(description: &Description) -> String {
    serde_json::to_string_pretty(description).unwrap_or_default()
}
