//! Self-attention as a graph; the heads together need not be as wide as the tokens.

use super::graph::{Attributes, Graph, Value};
use heirloom_plan::config::{AttentionPoolConfig, Rope, RopeGrid, VitConfig, relative_index};

/// Tokens `[batch, tokens, embed_dim]` to the same.
pub(super) fn attention(graph: &mut Graph, config: &VitConfig, tokens: &str) -> Value {
    let (heads, head_dim) = (config.num_heads as i64, config.head_dim as i64);
    let qkv = graph.linear(tokens, "qkv", config.qkv_bias);
    let qkv = graph.reshape(&qkv, &[0, config.tokens() as i64, 3, heads, head_dim]);
    // `[3, batch, heads, tokens, head_dim]`.
    let qkv = graph.transpose(&qkv, &[2, 0, 3, 1, 4]);
    let [mut query, mut key, value] = [0, 1, 2].map(|part| graph.pick(&qkv, 0, part));
    if config.qk_norm {
        query = graph.norm(&query, "q_norm", config);
        key = graph.norm(&key, "k_norm", config);
    }
    if let Some(rope) = &config.options.rope {
        [query, key] = [query, key].map(|heads| turn(graph, config, rope, &heads));
    }
    let key = graph.transpose(&key, &[0, 1, 3, 2]);
    let scores = graph.node("MatMul", &[&query, &key], Attributes::none());
    let scale = graph.number((1.0 / (config.head_dim as f64).sqrt()) as f32);
    let mut scores = graph.mul(&scores, &scale);
    if config.options.relative_bias {
        let bias = relative_bias(graph, config);
        scores = graph.add(&scores, &bias);
    }
    let shares = graph.node("Softmax", &[&scores], Attributes::none().int("axis", -1));
    let mixed = graph.node("MatMul", &[&shares, &value], Attributes::none());
    let mixed = graph.transpose(&mixed, &[0, 2, 1, 3]);
    let mut mixed = graph.reshape(&mixed, &[0, 0, config.attention_dim() as i64]);
    if config.options.attn_norm {
        mixed = graph.norm(&mixed, "norm", config);
    }
    graph.linear(&mixed, "proj", config.options.proj_bias)
}

/// Turns queries or keys by their places: `[batch, heads, tokens, head_dim]` to the same. The tokens before the patches
/// are not turned.
fn turn(graph: &mut Graph, config: &VitConfig, rope: &Rope, heads: &str) -> Value {
    let [number, tokens, half] = [config.num_heads, config.tokens(), config.head_dim / 2].map(|count| count as i64);
    // Channels as pairs: two halves, or neighbours.
    let (shape, axis) = if rope.halves { ([0, number, tokens, 2, half], 3) } else { ([0, number, tokens, half, 2], 4) };
    let [cos, sin] = match rope.grid {
        RopeGrid::Learned => learned_angles(graph, config),
        _ => fixed_angles(graph, config, rope),
    };
    let split = graph.reshape(heads, &shape);
    let [one, other] = [0, 1].map(|at| graph.pick(&split, axis, at));
    let mut product = |a: &str, b: &str| graph.mul(a, b);
    let [one_cos, other_sin, other_cos, one_sin] =
        [product(&one, &cos), product(&other, &sin), product(&other, &cos), product(&one, &sin)];
    let first = graph.node("Sub", &[&one_cos, &other_sin], Attributes::none());
    let second = graph.add(&other_cos, &one_sin);
    let alone = if rope.halves { [0, number, tokens, 1, half] } else { [0, number, tokens, half, 1] };
    let turned = [first, second].map(|part| graph.reshape(&part, &alone));
    let turned = graph.concat(&turned, axis);
    graph.reshape(&turned, &[0, number, tokens, config.head_dim as i64])
}

/// Cosines and sines as constants, `[tokens, head_dim / 2]` each.
fn fixed_angles(graph: &mut Graph, config: &VitConfig, rope: &Rope) -> [Value; 2] {
    let (count, pairs) = (config.tokens(), config.head_dim / 2);
    let mut angles = vec![0.0; config.prefix_tokens() * pairs];
    angles.extend(rope.angles(config.grid(), config.head_dim));
    let mut table = |name: &str, of: fn(f32) -> f32| {
        let values: Vec<f32> = angles.iter().map(|&angle| of(angle)).collect();
        graph.numbers(&format!("rope.{name}.{count}x{pairs}.{}", tag(rope)), &[count, pairs], &values)
    };
    [table("cos", f32::cos), table("sin", f32::sin)]
}

/// Cosines and sines of the layer's frequencies times columns and rows, `[heads, tokens, head_dim / 2]` each.
fn learned_angles(graph: &mut Graph, config: &VitConfig) -> [Value; 2] {
    let (grid, prefix, count) = (config.grid(), config.prefix_tokens(), config.tokens());
    let freqs = graph.weight("rope_freqs");
    let mut along = |axis: i64, name: &str, of: fn(usize, usize) -> usize| {
        let mut places = vec![0.0; prefix];
        places.extend((0..grid * grid).map(|patch| of(patch, grid) as f32));
        let places = graph.numbers(&format!("rope.{name}.{count}.{grid}"), &[count, 1], &places);
        let freqs = graph.pick(&freqs, 0, axis);
        let freqs = graph.reshape(&freqs, &[config.num_heads as i64, 1, config.head_dim as i64 / 2]);
        graph.mul(&freqs, &places)
    };
    let columns = along(0, "columns", |patch, grid| patch % grid);
    let rows = along(1, "rows", |patch, grid| patch / grid);
    let angles = graph.add(&columns, &rows);
    ["Cos", "Sin"].map(|operator| graph.node(operator, &[&angles], Attributes::none()))
}

/// What tells the tables of two models apart: a stitched one may hold both.
fn tag(rope: &Rope) -> String {
    let places = match rope.grid {
        RopeGrid::Index { reference, offset } => format!("{}+{offset}", reference.unwrap_or(0)),
        RopeGrid::Centred => "centred".to_string(),
        RopeGrid::Learned => "learned".to_string(),
    };
    format!("{places}.{}.{}", rope.temperature, if rope.columns_first { "xy" } else { "yx" })
}

/// What is added to the scores: `[heads, tokens, tokens]` of a table `[rows, heads]`.
fn relative_bias(graph: &mut Graph, config: &VitConfig) -> Value {
    let tokens = config.tokens();
    let table = graph.weight("relative_position_bias_table");
    let rows: Vec<i64> = relative_index(tokens).into_iter().map(|row| row as i64).collect();
    let rows = graph.indices(&format!("relative_position_index.{tokens}"), &rows);
    let taken = graph.node("Gather", &[&table, &rows], Attributes::none().int("axis", 0));
    let square = graph.reshape(&taken, &[tokens as i64, tokens as i64, config.num_heads as i64]);
    graph.transpose(&square, &[2, 0, 1])
}

/// A learned query's answer to the tokens it sees, and the feed-forward network behind it: `[batch, embed_dim]`.
pub(super) fn attn_pool(graph: &mut Graph, config: &VitConfig, pool: AttentionPoolConfig, tokens: &str) -> Value {
    let (heads, width) = (pool.heads as i64, config.embed_dim as i64);
    let latent = graph.weight("latent");
    let query = graph.linear(&latent, "q", true);
    let query = graph.reshape(&query, &[1, 1, heads, width / heads]);
    let query = graph.transpose(&query, &[0, 2, 1, 3]);
    let first = if config.pool_sees_prefix() { 0 } else { config.prefix_tokens() };
    let seen = if first == 0 { tokens.to_string() } else { graph.slice(tokens, 1, first as i64, i64::MAX) };
    let kv = graph.linear(&seen, "kv", true);
    let kv = graph.reshape(&kv, &[0, (config.tokens() - first) as i64, 2, heads, width / heads]);
    let kv = graph.transpose(&kv, &[2, 0, 3, 1, 4]);
    let [key, value] = [0, 1].map(|part| graph.pick(&kv, 0, part));
    let key = graph.transpose(&key, &[0, 1, 3, 2]);
    let scores = graph.node("MatMul", &[&query, &key], Attributes::none());
    let scale = graph.number((heads as f32 / width as f32).sqrt());
    let scores = graph.mul(&scores, &scale);
    let shares = graph.node("Softmax", &[&scores], Attributes::none().int("axis", -1));
    let mixed = graph.node("MatMul", &[&shares, &value], Attributes::none());
    // One query: heads beside each other are its channels already.
    let mixed = graph.reshape(&mixed, &[0, width]);
    let answer = graph.linear(&mixed, "proj", true);
    let normed = graph.norm(&answer, "norm", config);
    let branch = graph.within("mlp", |graph| {
        let hidden = graph.linear(&normed, "fc1", true);
        let hidden = graph.activation(&hidden, config.pool_activation());
        graph.linear(&hidden, "fc2", true)
    });
    graph.add(&answer, &branch)
}
