//! Attention straight from `qkv`, its gradient, and what is measured on the way: against the composed operations on the
//! CPU engine, and against differences of a plain loop in f64.
use burn::tensor::{Device, Tensor, TensorData};
use heirloom_nn::device::{cpu, read};
use heirloom_nn::kernels::{
    AttentionDistance, PatchGeometry, attention, attention_composed, attention_distance_composed, attention_measured,
};
use heirloom_nn::vit::RandomWeights;

use crate::support::assert_close;

/// Batch, tokens, heads, channels of a head.
type Sizes = [usize; 4];

/// One token, odd ones, one more than a block of queries or keys, heads narrower and wider than one.
const SIZES: [Sizes; 9] = [
    [1, 1, 1, 3],
    [2, 5, 2, 3],
    [3, 17, 3, 16],
    [1, 16, 1, 5],
    [2, 65, 3, 16],
    [1, 65, 2, 64],
    [1, 33, 1, 80],
    [1, 19, 2, 128],
    [1, 197, 1, 16],
];

fn columns([_, _, heads, head_dim]: Sizes) -> usize {
    3 * heads * head_dim
}

/// Numbers of about 1, the same for a key.
fn numbers(key: &str, count: usize) -> Vec<f32> {
    RandomWeights { seed: 9 }.values(key, count).into_iter().map(|x| 60.0 * x).collect()
}

fn tensor(key: &str, size: [usize; 3], device: &Device) -> Tensor<3> {
    Tensor::from_data(TensorData::new(numbers(key, size.iter().product()), size), device)
}

fn qkv(sizes: Sizes, device: &Device) -> Tensor<3> {
    tensor("qkv.weight", [sizes[0], sizes[1], columns(sizes)], device)
}

/// The result, and the gradient of `qkv` where the loss is the result times fixed factors.
async fn run(sizes: Sizes, device: &Device, mix: fn(Tensor<3>, usize) -> Tensor<3>) -> [Vec<f32>; 2] {
    let device = device.clone().autodiff();
    let qkv = qkv(sizes, &device).require_grad();
    let mixed = mix(qkv.clone(), sizes[2]);
    let factors = tensor("factors.weight", mixed.dims(), &device);
    let grads = (mixed.clone() * factors).sum().backward();
    [read(mixed.inner()).await.unwrap(), read(qkv.grad(&grads).unwrap()).await.unwrap()]
}

/// The loss of [`run`] by a plain loop.
fn loss(qkv: &[f64], sizes: Sizes) -> f64 {
    let [batch, tokens, heads, head_dim] = sizes;
    let factors = numbers("factors.weight", batch * tokens * heads * head_dim);
    let mut loss = 0.0;
    for (sample, head) in (0..batch).flat_map(|sample| (0..heads).map(move |head| (sample, head))) {
        let at = |part: usize, token: usize, channel: usize| {
            qkv[(sample * tokens + token) * columns(sizes) + (part * heads + head) * head_dim + channel]
        };
        for query in 0..tokens {
            let score = |key: usize| (0..head_dim).map(|c| at(0, query, c) * at(1, key, c)).sum::<f64>();
            let weights: Vec<f64> = (0..tokens).map(|key| (score(key) / (head_dim as f64).sqrt()).exp()).collect();
            let sum: f64 = weights.iter().sum();
            for channel in 0..head_dim {
                let mixed: f64 =
                    weights.iter().enumerate().map(|(key, weight)| weight / sum * at(2, key, channel)).sum();
                loss += mixed * f64::from(factors[((sample * tokens + query) * heads + head) * head_dim + channel]);
            }
        }
    }
    loss
}

on_every_engine! {
    async fn attention_and_its_gradient_equal_the_composed_operations_on_odd_sizes(device: Device) {
        for sizes in SIZES {
            let expected = run(sizes, &cpu(), attention_composed).await;
            for device in [&device, &cpu()] {
                let got = run(sizes, device, attention).await;
                assert_close(&got[0], &expected[0], 2e-5);
                assert_close(&got[1], &expected[1], 1e-4);
            }
        }
    }

    async fn without_autodiff_attention_is_the_same(device: Device) {
        let sizes = [2, 17, 2, 16];
        let expected = run(sizes, &cpu(), attention_composed).await;
        let got = read(attention(qkv(sizes, &device), sizes[2])).await.unwrap();
        assert_close(&got, &expected[0], 2e-5);
    }

    async fn the_gradient_of_attention_is_its_difference(device: Device) {
        const STEP: f64 = 1e-5;
        let sizes = [2, 5, 2, 3];
        let [_, got] = run(sizes, &device, attention).await;
        let start: Vec<f64> = numbers("qkv.weight", got.len()).into_iter().map(f64::from).collect();
        let moved = |at: usize, step: f64| {
            let mut qkv = start.clone();
            qkv[at] += step;
            loss(&qkv, sizes)
        };
        let slope = |at: usize| ((moved(at, STEP) - moved(at, -STEP)) / (2.0 * STEP)) as f32;
        let expected: Vec<f32> = (0..got.len()).map(slope).collect();
        assert_close(&got, &expected, 1e-4);
    }

    async fn scores_that_rise_from_key_to_key_overflow_nothing(device: Device) {
        // Scores from 0 to 14,000, the highest last: every block of keys fades all before it, and the last key wins.
        let (tokens, head_dim) = (51, 2);
        let row = |token: usize| [8.0, 0.0, 50.0 * token as f32, 0.0, token as f32, 1.0];
        let values: Vec<f32> = (0..tokens).flat_map(row).collect();
        let qkv = Tensor::<3>::from_data(TensorData::new(values, [1, tokens, 3 * head_dim]), &device);
        let got = read(attention(qkv, 1)).await.unwrap();
        let expected: Vec<f32> = (0..tokens).flat_map(|_| [(tokens - 1) as f32, 1.0]).collect();
        assert_close(&got, &expected, 1e-4);
    }

    async fn measuring_tells_what_attention_distance_tells_and_mixes_as_attention_does(device: Device) {
        for (heads, head_dim, grid, prefix_tokens, renormalise) in [
            (1, 3, 2, 1, false),
            (3, 16, 4, 1, false),
            (2, 7, 7, 3, true),
            (1, 16, 9, 0, false),
            (2, 64, 8, 1, true),
            (1, 16, 14, 1, false),
        ] {
            let sizes = [2, prefix_tokens + grid * grid, heads, head_dim];
            let geometry = PatchGeometry { grid, patch_size: 14, prefix_tokens, renormalise };
            let parts = qkv(sizes, &cpu()).reshape([sizes[0], sizes[1], 3, heads, head_dim]);
            let part = |i: usize| {
                let part = parts.clone().narrow(2, i, 1).reshape([sizes[0], sizes[1], heads, head_dim]);
                part.swap_dims(1, 2)
            };
            let expected = attention_distance_composed(part(0), part(1), geometry);
            let expected = [read(expected.distance).await.unwrap(), read(expected.entropy).await.unwrap()];
            let mixed = read(attention_composed(qkv(sizes, &cpu()), heads)).await.unwrap();
            for device in [&device, &cpu()] {
                let (got, AttentionDistance { distance, entropy }) =
                    attention_measured(qkv(sizes, device), heads, geometry);
                assert_close(&read(got).await.unwrap(), &mixed, 2e-5);
                assert_close(&read(distance).await.unwrap(), &expected[0], 2e-3);
                assert_close(&read(entropy).await.unwrap(), &expected[1], 2e-4);
            }
        }
    }
}
