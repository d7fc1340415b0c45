//! Convolutional networks as a graph: line by line what [`heirloom_plan::config::Cnn`] computes when it is not training.

use super::graph::{Attributes, Graph, Value};
use heirloom_plan::config::{
    BlockKind, CnnConfig, Convolution, Pair, StageConfig, head_conv_keys, projection_keys, sides,
};

/// Class scores `[batch, classes]` of pictures `[batch, channels, image_size, image_size]`; without a classifier the
/// pooled features.
pub fn logits(graph: &mut Graph, config: &CnnConfig, images: &str) -> Value {
    let mut map = images.to_string();
    if let Some(stem) = config.stem {
        map = conv_norm(graph, config, config.stem_keys(), stem.convolution(config.channels), &map);
        map = activation(graph, config.is_mobile(), &map);
        if stem.pool {
            map = max_pool(graph, &map, [3, 2, 1]);
        }
    }
    for (at, stage) in config.stages.iter().enumerate() {
        for block in 0..stage.depth {
            map = one_block(graph, config, (at, block), &map);
        }
        if stage.block == BlockKind::Plain && stage.stride > 1 {
            map = max_pool(graph, &map, [stage.stride, stage.stride, 0]);
        }
    }
    if let Some(conv) = config.head_convolution() {
        map = conv_norm(graph, config, head_conv_keys(), conv, &map);
        map = activation(graph, true, &map);
    }
    let values = pooled(graph, config, &map);
    classify(graph, config, values)
}

/// `relu(f(x) + x)`; a plain block is `relu(f(x))`, an inverted residual `f(x) + x` or `f(x)`.
fn one_block(graph: &mut Graph, config: &CnnConfig, (at, block): (usize, usize), map: &str) -> Value {
    let stage = &config.stages[at];
    let convs = stage.convolutions(block);
    let mut branch = map.to_string();
    for (index, conv) in convs.iter().enumerate() {
        branch = conv_norm(graph, config, config.conv_keys(at, block, index), *conv, &branch);
        if index + 1 < convs.len() {
            branch = activation(graph, config.is_mobile(), &branch);
        }
    }
    if stage.block == BlockKind::Inverted {
        return if stage.is_residual(block) { graph.add(&branch, map) } else { branch };
    }
    if stage.is_residual(block) {
        let shortcut = match stage.projection(block) {
            Some(conv) => conv_norm(graph, config, projection_keys(at, block), conv, map),
            None => padded(graph, stage, block, map),
        };
        branch = graph.add(&branch, &shortcut);
    }
    relu(graph, &branch)
}

/// Option A: every so many pixels, and channels of zeros on both sides.
fn padded(graph: &mut Graph, stage: &StageConfig, block: usize, map: &str) -> Value {
    let (mut map, stride) = (map.to_string(), if block == 0 { stage.stride as i64 } else { 1 });
    if stride > 1 {
        let attributes = Attributes::none().ints("kernel_shape", &[1, 1]).ints("strides", &[stride, stride]);
        map = graph.node("AveragePool", &[&map], attributes);
    }
    let input = if block == 0 { stage.input } else { stage.width };
    let missing = stage.width - input;
    if missing == 0 {
        return map;
    }
    let front = (missing / 2) as i64;
    let pads = graph.ints(&[0, front, 0, 0, 0, missing as i64 - front, 0, 0]);
    graph.node("Pad", &[&map, &pads], Attributes::none())
}

fn conv_norm(graph: &mut Graph, config: &CnnConfig, [conv, norm]: Pair, shape: Convolution, map: &str) -> Value {
    let (kernel, stride, pad) = (shape.kernel as i64, shape.stride as i64, (shape.kernel / 2) as i64);
    let map = graph.within(&conv, |graph| {
        let mut inputs = vec![map.to_string(), graph.weight("weight")];
        if config.conv_bias {
            inputs.push(graph.weight("bias"));
        }
        let attributes =
            Attributes::none().ints("kernel_shape", &[kernel; 2]).ints("strides", &[stride; 2]).ints("pads", &[pad; 4]);
        let attributes = if shape.groups > 1 { attributes.int("group", shape.groups as i64) } else { attributes };
        graph.node("Conv", &inputs.iter().map(String::as_str).collect::<Vec<_>>(), attributes)
    });
    batch_norm(graph, config, &norm, &map)
}

fn batch_norm(graph: &mut Graph, config: &CnnConfig, key: &str, values: &str) -> Value {
    graph.within(key, |graph| {
        let [weight, bias, mean, var] =
            ["weight", "bias", "running_mean", "running_var"].map(|part| graph.weight(part));
        let attributes = Attributes::none().float("epsilon", config.norm_eps as f32);
        graph.node("BatchNormalization", &[values, &weight, &bias, &mean, &var], attributes)
    })
}

/// ReLU, or ReLU6.
fn activation(graph: &mut Graph, ends_at_6: bool, values: &str) -> Value {
    if !ends_at_6 {
        return relu(graph, values);
    }
    let (least, most) = (graph.number(0.0), graph.number(6.0));
    graph.node("Clip", &[values, &least, &most], Attributes::none())
}

fn relu(graph: &mut Graph, values: &str) -> Value {
    graph.node("Relu", &[values], Attributes::none())
}

/// Kernel, stride and padding.
fn max_pool(graph: &mut Graph, map: &str, [kernel, stride, pad]: [usize; 3]) -> Value {
    let attributes = Attributes::none()
        .ints("kernel_shape", &[kernel as i64; 2])
        .ints("strides", &[stride as i64; 2])
        .ints("pads", &[pad as i64; 4]);
    graph.node("MaxPool", &[map], attributes)
}

/// What the classifier sees: `[batch, width * pooled_side * pooled_side]`.
fn pooled(graph: &mut Graph, config: &CnnConfig, map: &str) -> Value {
    let (side, wanted) = (sides(config).last().copied().unwrap_or(1), config.pooled_side);
    let map = match wanted {
        1 => graph.node("GlobalAveragePool", &[map], Attributes::none()),
        _ if wanted == side => map.to_string(),
        // ONNX knows no adaptive pooling: a matrix of means over the rows, and over the columns.
        _ => {
            let means = means(side, wanted);
            let turned: Vec<f32> = (0..side * wanted).map(|at| means[at % wanted * side + at / wanted]).collect();
            let rows = graph.numbers("mean of rows", &[wanted, side], &means);
            let columns = graph.numbers("mean of columns", &[side, wanted], &turned);
            let map = graph.node("MatMul", &[&rows, map], Attributes::none());
            graph.node("MatMul", &[&map, &columns], Attributes::none())
        }
    };
    graph.reshape(&map, &[0, -1])
}

/// `[wanted, side]`: each row takes the mean of its window, as PyTorch's adaptive pooling places it.
fn means(side: usize, wanted: usize) -> Vec<f32> {
    let row = |at: usize| {
        let (from, to) = (at * side / wanted, ((at + 1) * side).div_ceil(wanted));
        (0..side).map(move |place| if (from..to).contains(&place) { 1.0 / (to - from) as f32 } else { 0.0 })
    };
    (0..wanted).flat_map(row).collect()
}

/// Hidden layers and the last one.
fn classify(graph: &mut Graph, config: &CnnConfig, mut values: Value) -> Value {
    if config.classes.is_none() {
        return values;
    }
    for at in 0..config.hidden.len() {
        let [linear, norm] = config.hidden_keys(at);
        values = graph.linear(&values, &linear, true);
        if config.hidden_norm {
            values = batch_norm(graph, config, &norm, &values);
        }
        values = relu(graph, &values);
    }
    graph.linear(&values, &config.head_key(), true)
}
