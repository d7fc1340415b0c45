//! Writing a model as ONNX (opset 17), for onnxruntime and whatever else reads it.
//!
//! The file is written by hand, field by field: a graph of some thirty kinds of operators needs no library. Each family
//! of models has one file here that builds its graph; weights then follow one tensor after the other, so that only the
//! file grows in memory. Numbers of fields are those of `onnx.proto`.

mod attention;
mod cnn;
mod graph;
mod proto;
mod stitched;
mod vit;

use super::description::{Description, METADATA_KEY, Preprocessing};
use graph::{FLOAT, Graph, INITIALIZER, Layout, RAW_DATA, Value, tensor_front, weight_name};
use heirloom_plan::config::ModelConfig;
use heirloom_plan::weights::HostTensor;
use proto::Message;

/// Version of the operators; the first with `LayerNormalization`.
const OPSET: i64 = 17;
/// Version of the file format that goes with it.
const IR_VERSION: i64 = 8;
/// Name of the input, as in Hugging Face's exports.
const INPUT: &str = "pixel_values";
/// Protocol Buffers end at 2 GiB.
const MOST_BYTES: u64 = (1 << 31) - 1;

/// Why a model cannot be written as ONNX.
#[derive(Debug, thiserror::Error, serde::Serialize)]
pub enum OnnxError {
    /// The graph needs a tensor that the weights lack.
    #[error("the weights hold no `{0}`, which the model needs; save another model")]
    Missing(String),
    /// The weights hold a tensor that the graph does not use.
    #[error("the weights hold `{0}`, which the model does not use; they belong to another model")]
    Unused(String),
    /// Larger than the format allows.
    #[error("the model has {bytes} bytes, but an ONNX file ends at 2 GiB; save it as safetensors")]
    TooLarge {
        /// Bytes of its weights.
        bytes: u64,
    },
}

/// Writes a model as ONNX: input `pixel_values` `[batch, channels, image_size, image_size]`, already normalised, output
/// `logits` `[batch, classes]` (`features` `[batch, width]` where there is no classifier), any batch. The tensors are
/// taken one after the other.
///
/// # Errors
/// When the tensors are not those of the described model, or too large for the format.
pub fn write_onnx(
    tensors: impl IntoIterator<Item = (String, HostTensor)>,
    description: &Description,
) -> Result<Vec<u8>, OnnxError> {
    let config = &description.config;
    let bytes = 4 * config.parameters();
    if bytes + (1 << 20) > MOST_BYTES {
        return Err(OnnxError::TooLarge { bytes });
    }
    let mut graph = Graph::default();
    let result = logits(&mut graph, config, INPUT);
    let output = if config.classes().is_some() { "logits" } else { "features" };
    graph.node_to("Identity", &[&result], graph::Attributes::none(), output);
    let mut file = Vec::with_capacity((1 << 20) + bytes as usize);
    write_weights(&mut file, &graph, tensors)?;
    let front = front(graph, description, output, file.len());
    file.splice(0..0, front);
    Ok(file)
}

/// The graph of each family.
fn logits(graph: &mut Graph, config: &ModelConfig, images: &str) -> Value {
    match config {
        ModelConfig::Vit(config) => vit::logits(graph, config, images),
        ModelConfig::Cnn(config) => cnn::logits(graph, config, images),
        ModelConfig::Stitched(config) => stitched::logits(graph, config, images),
    }
}

/// Colour channels of the input.
fn channels(config: &ModelConfig) -> usize {
    match config {
        ModelConfig::Vit(config) => config.channels,
        ModelConfig::Cnn(config) => config.channels,
        ModelConfig::Stitched(config) => config.front.channels,
    }
}

/// Everything before the weights, which are the graph's last field as the graph is the model's.
fn front(graph: Graph, description: &Description, output: &str, weights: usize) -> Vec<u8> {
    let size = description.config.image_size();
    let preprocessing = description.preprocessing.as_ref();
    let input = value_info(INPUT, &[channels(&description.config), size, size], &input_words(size, preprocessing));
    let labels = description.labels.as_ref().map(|labels| labels.join(", "));
    let meaning = match &labels {
        Some(labels) => format!("One score per class: {labels}. Softmax makes shares of them."),
        None if output == "logits" => "One score per class. Softmax makes shares of them.".to_string(),
        None => "What a classifier would see; this model has none.".to_string(),
    };
    let result = value_info(output, &[description.config.outputs()], &meaning);
    let mut whole = Message::new()
        .text(2, "heirloom")
        .text(10, "A small vision model made with Heirloom.")
        .message(11, &input)
        .message(12, &result)
        .into_bytes();
    whole.extend(graph.nodes.into_bytes());
    whole.extend(graph.constants.into_bytes());
    let opset = Message::new().text(1, "").int(2, OPSET);
    let mut model = Message::new()
        .int(1, IR_VERSION)
        .text(2, "heirloom")
        .text(3, env!("CARGO_PKG_VERSION"))
        .text(6, "A small vision model made with Heirloom. How pictures are prepared stands in the metadata.")
        .message(8, &opset);
    for (key, value) in metadata(description) {
        model = model.message(14, &Message::new().text(1, key).text(2, &value));
    }
    model.prefix(7, whole.len() + weights);
    let mut front = model.into_bytes();
    front.extend(whole);
    front
}

/// What programs read beside the graph: our description whole, and its parts under plain names.
fn metadata(description: &Description) -> Vec<(&'static str, String)> {
    let json = |value: serde_json::Result<String>| value.unwrap_or_default();
    let mut all = vec![(METADATA_KEY, json(serde_json::to_string(description)))];
    all.push(("image_size", description.config.image_size().to_string()));
    if let Some(labels) = &description.labels {
        all.push(("labels", json(serde_json::to_string(labels))));
    }
    if let Some(Preprocessing { mean, std, .. }) = &description.preprocessing {
        all.push(("mean", json(serde_json::to_string(mean))));
        all.push(("std", json(serde_json::to_string(std))));
    }
    all
}

fn input_words(size: usize, preprocessing: Option<&Preprocessing>) -> String {
    let normalised = preprocessing.map_or_else(String::new, |said| {
        format!(", scaled to 0..1, then (value - mean) / std with mean {:?} and std {:?}", said.mean, said.std)
    });
    format!("Pictures, red green blue, {size} x {size} px{normalised}.")
}

/// A value of the graph's border: `[batch, sides…]` of floats, any batch.
fn value_info(name: &str, sides: &[usize], words: &str) -> Message {
    let batch = Message::new().message(1, &Message::new().text(2, "batch"));
    let shape = sides.iter().fold(batch, |shape, &side| shape.message(1, &Message::new().int(1, side as i64)));
    let tensor = Message::new().int(1, FLOAT).message(2, &shape);
    Message::new().text(1, name).message(2, &Message::new().message(1, &tensor)).text(3, words)
}

/// Every weight the graph names, as one initializer each.
fn write_weights(
    file: &mut Vec<u8>,
    graph: &Graph,
    tensors: impl IntoIterator<Item = (String, HostTensor)>,
) -> Result<(), OnnxError> {
    let mut wanted = graph.weights.clone();
    for (key, tensor) in tensors {
        let Some(layout) = wanted.remove(&key) else { return Err(OnnxError::Unused(key)) };
        let mut shape = tensor.shape;
        if layout == Layout::Turned {
            shape.reverse();
        }
        let mut front = tensor_front(&weight_name(&key, layout), FLOAT, &shape);
        let bytes = 4 * tensor.values.len();
        front.prefix(RAW_DATA, bytes);
        let mut field = Message::new();
        field.prefix(INITIALIZER, front.len() + bytes);
        file.extend(field.into_bytes());
        file.extend(front.into_bytes());
        match (layout, &shape[..]) {
            (Layout::Turned, &[columns, rows]) => {
                for column in 0..columns {
                    file.extend((0..rows).flat_map(|row| tensor.values[row * columns + column].to_le_bytes()));
                }
            }
            _ => file.extend(tensor.values.iter().flat_map(|value| value.to_le_bytes())),
        }
    }
    match wanted.into_keys().next() {
        Some(key) => Err(OnnxError::Missing(key)),
        None => Ok(()),
    }
}
