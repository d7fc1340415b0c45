//! Writing weights: safetensors with timm's keys, which timm loads and [`Checkpoint::open`](super::Checkpoint::open)
//! opens again exactly as they were.

use super::description::{Description, METADATA_KEY};
use super::{timm, timm_mobile};
use heirloom_plan::config::ModelConfig;
use heirloom_plan::weights::HostTensor;
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
    write_as("F32", f32::to_le_bytes, tensors, description)
}

/// The same as F16 safetensors, half as large: weights keep about three digits. For files that are handed on, not for a
/// training that goes on.
pub fn write_half_safetensors(
    tensors: impl IntoIterator<Item = (String, HostTensor)>,
    description: &Description,
) -> Vec<u8> {
    write_as("F16", |value| half::f16::from_f32(value).to_le_bytes(), tensors, description)
}

fn write_as<const BYTES: usize>(
    dtype: &str,
    bytes_of: impl Fn(f32) -> [u8; BYTES],
    tensors: impl IntoIterator<Item = (String, HostTensor)>,
    description: &Description,
) -> Vec<u8> {
    // A hint: what does not fit 32 bits does not fit the browser's memory either.
    let bytes = usize::try_from(BYTES as u64 * description.config.parameters()).unwrap_or(0);
    let mut file = Vec::with_capacity(HEADER_ROOM + bytes);
    let description = serde_json::to_string(description).unwrap_or_default();
    let mut header = Map::new();
    header.insert("__metadata__".into(), json!({ "format": "pt", METADATA_KEY: description }));
    for (key, tensor) in tensors {
        let start = file.len();
        file.extend(tensor.values.iter().flat_map(|value| bytes_of(*value)));
        let entry = json!({ "dtype": dtype, "shape": tensor.shape, "data_offsets": [start, file.len()] });
        header.insert(key, entry);
    }
    let mut front = Value::Object(header).to_string().into_bytes();
    // Tensors begin at a multiple of eight bytes, as the format's own writers see to.
    front.resize(front.len().next_multiple_of(8), b' ');
    let length = (front.len() as u64).to_le_bytes();
    file.splice(0..0, length.into_iter().chain(front));
    file
}

/// The description as the text of a `config.json`: for people, for dropping beside copies of the weights that lost
/// their metadata, and for timm where it has such a model. `resize` is the shorter side that pictures are scaled to
/// before the centre is cut out, px.
pub fn write_config(description: &Description, resize: usize) -> String {
    // By way of the text: a value would make 0.48500001430511475 of the number 0.485.
    let text = serde_json::to_string(description).unwrap_or_default();
    let mut all: Value = serde_json::from_str(&text).unwrap_or_default();
    let labels = description.labels.as_deref();
    let timm = match &description.config {
        ModelConfig::Vit(vit) => timm::description(vit, labels),
        ModelConfig::Cnn(cnn) => timm_mobile::description(cnn, labels),
        ModelConfig::Stitched(_) => None,
    };
    if let (Some(timm), Some(all)) = (timm, all.as_object_mut()) {
        all.extend(timm);
    }
    if let Some(said) = &description.preprocessing {
        let steps = [("resize", json!(resize)), ("crop", json!("center")), ("interpolation", json!("bicubic"))];
        for (key, value) in steps {
            all["preprocessing"][key] = value;
        }
        let [mean, std] = ["mean", "std"].map(|key| all["preprocessing"][key].clone());
        if let Some(picture) = all.get_mut("pretrained_cfg") {
            (picture["mean"], picture["std"]) = (mean, std);
            picture["interpolation"] = json!("bicubic");
            picture["crop_pct"] = json!(crop_share(said.image_size, resize));
        }
    }
    serde_json::to_string_pretty(&all).unwrap_or_default()
}

/// Share of the scaled picture that the crop keeps, such that timm's `floor(size / share)` is `resize` again.
fn crop_share(size: usize, resize: usize) -> f64 {
    let exact = size as f64 / resize as f64;
    let is_kept = (size as f64 / exact).floor() as usize == resize;
    if is_kept { exact } else { size as f64 / (resize as f64 + 0.5) }
}
