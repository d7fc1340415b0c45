//! The Vision Transformer as a graph: line by line what [`heirloom_plan::config::Vit`] computes, in the same order.

use super::attention::{attention, attn_pool};
use super::graph::{Attributes, Graph, Value};
use heirloom_plan::config::{Pool, VitConfig};

/// Class scores `[batch, classes]` of pictures `[batch, channels, image_size, image_size]`; without a classifier what a
/// classifier would see, `[batch, embed_dim]`.
pub fn logits(graph: &mut Graph, config: &VitConfig, images: &str) -> Value {
    let tokens = embed(graph, config, images);
    let tokens = (0..config.depth).fold(tokens, |tokens, layer| block(graph, config, layer, &tokens));
    classify(graph, config, &tokens)
}

/// From the tokens that leave the last layer to the scores.
pub(super) fn classify(graph: &mut Graph, config: &VitConfig, tokens: &str) -> Value {
    let features = match config.has_norm() {
        true => graph.norm(tokens, "norm", config),
        false => tokens.to_string(),
    };
    let pooled = match config.options.attn_pool {
        Some(pool) => graph.within("attn_pool", |graph| attn_pool(graph, config, pool, &features)),
        None => pooled(graph, config, &features),
    };
    match config.classes {
        None => pooled,
        Some(_) if config.has_dist_head() => {
            // The mean of both classifiers, as DeiT has it when it is not training.
            let distilled = graph.pick(&features, 1, 1);
            let (one, other) = (graph.linear(&pooled, "head", true), graph.linear(&distilled, "head_dist", true));
            let (both, half) = (graph.add(&one, &other), graph.number(0.5));
            graph.mul(&both, &half)
        }
        Some(_) => graph.linear(&pooled, "head", true),
    }
}

/// Pictures to tokens as they enter the first layer: `[batch, tokens, embed_dim]`.
pub(super) fn embed(graph: &mut Graph, config: &VitConfig, images: &str) -> Value {
    let tokens = placed(graph, config, images);
    match config.options.pre_norm {
        true => graph.norm(&tokens, "norm_pre", config),
        false => tokens,
    }
}

/// Patches, and the tokens before them, with their positions.
fn placed(graph: &mut Graph, config: &VitConfig, images: &str) -> Value {
    let batch = graph.node("Shape", &[images], Attributes::none().int("start", 0).int("end", 1));
    let patches = patch_embed(graph, config, images);
    let front = [("cls_token", config.cls_token), ("dist_token", config.distilled)];
    let mut front: Vec<Value> = front
        .into_iter()
        .filter(|(_, is_there)| *is_there)
        .map(|(key, _)| for_each(graph, config, key, 1, &batch))
        .collect();
    let registers = (config.register_tokens > 0)
        .then(|| for_each(graph, config, "reg_token", config.register_tokens as i64, &batch));
    if !config.options.pos_embed {
        front.extend(registers);
        front.push(patches);
        return graph.concat(&front, 1);
    }
    let positions = graph.weight("pos_embed");
    if config.pos_embed_prefix {
        front.push(patches);
        let tokens = graph.concat(&front, 1);
        let tokens = graph.add(&tokens, &positions);
        let Some(registers) = registers else { return tokens };
        // Positions belong to CLS and patches; the registers slip in between afterwards.
        let prefix = config.pos_embed_prefix_rows() as i64;
        let (head, tail) = (graph.slice(&tokens, 1, 0, prefix), graph.slice(&tokens, 1, prefix, i64::MAX));
        return graph.concat(&[head, registers, tail], 1);
    }
    front.extend(registers);
    front.push(graph.add(&patches, &positions));
    graph.concat(&front, 1)
}

/// A token that every picture gets: `[1, count, embed_dim]` to `[batch, count, embed_dim]`.
fn for_each(graph: &mut Graph, config: &VitConfig, key: &str, count: i64, batch: &str) -> Value {
    let token = graph.weight(key);
    let rest = graph.ints(&[count, config.embed_dim as i64]);
    let shape = graph.concat(&[batch.to_string(), rest], 0);
    graph.node("Expand", &[&token, &shape], Attributes::none())
}

/// Patches projected: `[batch, patches, embed_dim]`.
fn patch_embed(graph: &mut Graph, config: &VitConfig, images: &str) -> Value {
    let side = config.patch_size as i64;
    let map = graph.within("patch_embed.proj", |graph| {
        let weight = graph.weight("weight");
        let bias = config.options.patch_bias.then(|| graph.weight("bias"));
        let attributes = Attributes::none().ints("kernel_shape", &[side, side]).ints("strides", &[side, side]);
        let inputs: Vec<&str> = [images, &weight].into_iter().chain(bias.as_deref()).collect();
        graph.node("Conv", &inputs, attributes)
    });
    let rows = graph.reshape(&map, &[0, config.embed_dim as i64, -1]);
    let patches = graph.transpose(&rows, &[0, 2, 1]);
    match config.options.patch_norm {
        true => graph.within("patch_embed", |graph| graph.norm(&patches, "norm", config)),
        false => patches,
    }
}

/// A layer by its number.
pub(super) fn block(graph: &mut Graph, config: &VitConfig, layer: usize, tokens: &str) -> Value {
    graph.within(&format!("blocks.{layer}"), |graph| branches(graph, config, tokens))
}

/// `x + attn(norm1(x))`, then `x + mlp(norm2(x))`.
fn branches(graph: &mut Graph, config: &VitConfig, tokens: &str) -> Value {
    let normed = graph.norm(tokens, "norm1", config);
    let branch = graph.within("attn", |graph| attention(graph, config, &normed));
    let branch = layer_scale(graph, config.layer_scale, "ls1", branch);
    let tokens = graph.add(tokens, &branch);
    let normed = graph.norm(&tokens, "norm2", config);
    let branch = graph.within("mlp", |graph| {
        let hidden = graph.linear(&normed, "fc1", config.options.proj_bias);
        let mut hidden = feed(graph, config, hidden);
        if config.options.mlp_norm {
            hidden = graph.norm(&hidden, "norm", config);
        }
        graph.linear(&hidden, "fc2", config.options.proj_bias)
    });
    let branch = layer_scale(graph, config.has_ls2(), "ls2", branch);
    graph.add(&tokens, &branch)
}

/// Between the two layers of a feed-forward network: the activation, and what it gates.
fn feed(graph: &mut Graph, config: &VitConfig, hidden: Value) -> Value {
    if !config.options.gated {
        return graph.activation(&hidden, config.options.activation);
    }
    let width = config.mlp_dim as i64;
    let (gate, value) = (graph.slice(&hidden, 2, 0, width), graph.slice(&hidden, 2, width, i64::MAX));
    let gate = graph.activation(&gate, config.options.activation);
    graph.mul(&gate, &value)
}

fn layer_scale(graph: &mut Graph, is_there: bool, key: &str, branch: Value) -> Value {
    if !is_there {
        return branch;
    }
    let gamma = graph.within(key, |graph| graph.weight("gamma"));
    graph.mul(&branch, &gamma)
}

/// What the classifier sees: `[batch, embed_dim]`.
fn pooled(graph: &mut Graph, config: &VitConfig, features: &str) -> Value {
    match config.pool {
        Pool::Cls | Pool::Map => graph.pick(features, 1, 0),
        Pool::ClsAvg => {
            let both = [graph.pick(features, 1, 0), mean(graph, config, features)];
            graph.concat(&both, 1)
        }
        Pool::Avg => {
            let mean = mean(graph, config, features);
            match config.has_fc_norm() {
                true => graph.norm(&mean, "fc_norm", config),
                false => mean,
            }
        }
    }
}

/// The mean of the patch tokens, `[batch, embed_dim]`.
fn mean(graph: &mut Graph, config: &VitConfig, features: &str) -> Value {
    let patches = match config.prefix_tokens() {
        0 => features.to_string(),
        prefix => graph.slice(features, 1, prefix as i64, i64::MAX),
    };
    graph.node("ReduceMean", &[&patches], Attributes::none().ints("axes", &[1]).int("keepdims", 0))
}
