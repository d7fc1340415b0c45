//! A stitched model as a graph: the first layers of the front, the stitch, the last layers of the end.

use super::graph::{Graph, Value};
use super::vit::{block, classify, embed};
use heirloom_plan::config::StitchedConfig;

/// Class scores `[batch, classes]` of pictures `[batch, channels, image_size, image_size]`.
pub fn logits(graph: &mut Graph, config: &StitchedConfig, images: &str) -> Value {
    let StitchedConfig { front, end, front_layer, end_layer } = config;
    let tokens = graph.within("front", |graph| {
        let tokens = embed(graph, front, images);
        (0..=*front_layer).fold(tokens, |tokens, layer| block(graph, front, layer, &tokens))
    });
    let tokens = graph.linear(&tokens, "stitch", true);
    graph.within("end", |graph| {
        let tokens = (*end_layer..end.depth).fold(tokens, |tokens, layer| block(graph, end, layer, &tokens));
        classify(graph, end, &tokens)
    })
}
