//! How attention knows places: queries and keys turned by them (RoPE), or a bias for every step between two of them.
//!
//! Both are composed of tensor operations, so every engine computes them and gradients pass; models without them keep the
//! fused kernels. Turned queries and keys are queries and keys as any other, so whatever looks at them (measuring,
//! rollout) is right by itself.

use burn::tensor::{Int, Tensor, TensorData};

use super::Rope;
use heirloom_plan::config::relative_index;

/// Turns queries or keys by their places; the first `prefix` tokens have none.
///
/// # Shapes
/// - tokens: `[batch, tokens, heads, head_dim]` to the same; behind the prefix they are a square of patches
/// - freqs: `[2, heads, head_dim / 2]`, where they are learned
pub fn turn(tokens: Tensor<4>, rope: &Rope, freqs: Option<Tensor<3>>, prefix: usize) -> Tensor<4> {
    let [batch, count, heads, head_dim] = tokens.dims();
    let grid = (count - prefix).isqrt();
    assert_eq!(prefix + grid * grid, count, "tokens are not prefix and patches");
    let (pairs, device) = (head_dim / 2, tokens.device());
    let [cos, sin] = match freqs {
        Some(freqs) => learned_angles(freqs, grid, prefix),
        None => {
            let mut angles = vec![0.0; prefix * pairs];
            angles.extend(rope.angles(grid, head_dim));
            let table = |of: fn(f32) -> f32| {
                let values: Vec<f32> = angles.iter().map(|&angle| of(angle)).collect();
                Tensor::from_data(TensorData::new(values, [count, 1, pairs]), &device)
            };
            [table(f32::cos), table(f32::sin)]
        }
    };
    // The axis of a pair: two halves `[2, pairs]`, or neighbours `[pairs, 2]`.
    let (shape, axis) = match rope.halves {
        true => ([batch, count, heads, 2, pairs], 3),
        false => ([batch, count, heads, pairs, 2], 4),
    };
    let [cos, sin]: [Tensor<5>; 2] = [cos, sin].map(|table| table.unsqueeze_dims(&[0, axis as isize]));
    let tokens = tokens.reshape(shape);
    let [one, other] = [0, 1].map(|at| tokens.clone().narrow(axis, at, 1));
    let turned = [one.clone() * cos.clone() - other.clone() * sin.clone(), other * cos + one * sin];
    Tensor::cat(turned.to_vec(), axis).reshape([batch, count, heads, head_dim])
}

/// Cosines and sines of learned frequencies `[2, heads, pairs]`, `[tokens, heads, pairs]` each.
fn learned_angles(freqs: Tensor<3>, grid: usize, prefix: usize) -> [Tensor<3>; 2] {
    let (count, device) = (prefix + grid * grid, freqs.device());
    let along = |axis: usize, of: fn(usize, usize) -> usize| {
        let mut places = vec![0.0; prefix];
        places.extend((0..grid * grid).map(|patch| of(patch, grid) as f32));
        Tensor::<3>::from_data(TensorData::new(places, [count, 1, 1]), &device) * freqs.clone().narrow(0, axis, 1)
    };
    let angles = along(0, |patch, grid| patch % grid) + along(1, |patch, grid| patch / grid);
    [angles.clone().cos(), angles.sin()]
}

/// What is added to the scores of every query and key.
///
/// # Shapes
/// - table: `[heads, rows]`, see [`VitConfig::relative_rows`](super::VitConfig::relative_rows)
/// - output: `[heads, tokens, tokens]`, where the tokens are CLS and a square of patches
pub fn relative_bias(table: Tensor<2>, tokens: usize) -> Tensor<3> {
    let [heads, _] = table.dims();
    let rows = relative_index(tokens).into_iter().map(|row| row as i32).collect::<Vec<_>>();
    let rows = Tensor::<1, Int>::from_data(TensorData::new(rows, [tokens * tokens]), &table.device());
    table.select(1, rows).reshape([heads, tokens, tokens])
}
