//! The fused kernel against a plain loop, and the closed forms of docs/methods.md, section 1.1.
use burn::tensor::{Device, Tensor, TensorData};
use heirloom_nn::kernels::{
    PatchGeometry, attention_distance, attention_distance_composed, attention_distance_launches,
};
use heirloom_nn::vit::RandomWeights;

use crate::support::assert_close;

/// `[batch, heads, tokens, head_dim]`.
type Sizes = [usize; 4];

fn reference(
    q: &[f32],
    k: &[f32],
    [batch, heads, tokens, dim]: Sizes,
    geometry: PatchGeometry,
) -> (Vec<f32>, Vec<f32>) {
    let PatchGeometry { grid, patch_size, prefix_tokens, renormalise } = geometry;
    let (mut distances, mut entropies) = (Vec::new(), Vec::new());
    for matrix in 0..batch * heads {
        let (mut distance, mut entropy) = (0.0_f64, 0.0_f64);
        for i in 0..tokens {
            let score = |j: usize| -> f64 {
                let at = |x: &[f32], t: usize, d: usize| f64::from(x[(matrix * tokens + t) * dim + d]);
                (0..dim).map(|d| at(q, i, d) * at(k, j, d)).sum::<f64>() / (dim as f64).sqrt()
            };
            let weights: Vec<f64> = (0..tokens).map(|j| score(j).exp()).collect();
            let sum: f64 = weights.iter().sum();
            entropy -= weights.iter().map(|w| w / sum * (w / sum).ln()).sum::<f64>();
            if i < prefix_tokens {
                continue;
            }
            let divisor = if renormalise { weights[prefix_tokens..].iter().sum() } else { sum };
            for (j, weight) in weights.iter().enumerate().skip(prefix_tokens) {
                let (a, b) = (i - prefix_tokens, j - prefix_tokens);
                let (dx, dy) = ((a % grid).abs_diff(b % grid), (a / grid).abs_diff(b / grid));
                distance += weight / divisor * (patch_size as f64) * ((dx * dx + dy * dy) as f64).sqrt();
            }
        }
        distances.push((distance / (grid * grid) as f64) as f32);
        entropies.push((entropy / tokens as f64) as f32);
    }
    (distances, entropies)
}

async fn read(tensor: Tensor<2>) -> Vec<f32> {
    tensor.into_data_async().await.unwrap().iter::<f32>().collect()
}

on_both_engines! {
    async fn attention_distance_equals_a_plain_loop_on_odd_sizes(device: Device) {
        for (sizes, prefix_tokens, renormalise) in [
            ([1, 1, 5, 3], 1, false),
            ([2, 3, 26, 7], 1, false),
            ([1, 2, 52, 16], 3, true),
            ([1, 2, 81, 5], 0, false),
            ([1, 1, 122, 9], 1, true),
        ] {
            let [batch, heads, tokens, dim]: Sizes = sizes;
            let grid = (tokens - prefix_tokens).isqrt();
            let geometry = PatchGeometry { grid, patch_size: 14, prefix_tokens, renormalise };
            let values = |key| -> Vec<f32> {
                let flat = RandomWeights { seed: 5 }.values(key, batch * heads * tokens * dim);
                flat.into_iter().map(|x| 60.0 * x).collect()
            };
            let (q, k) = (values("q.weight"), values("k.weight"));
            let tensor = |x: &Vec<f32>| Tensor::<4>::from_data(TensorData::new(x.clone(), sizes), &device);
            let got = attention_distance(tensor(&q), tensor(&k), geometry);
            let (distance, entropy) = (read(got.distance).await, read(got.entropy).await);
            let (expected_distance, expected_entropy) = reference(&q, &k, sizes, geometry);
            assert_close(&distance, &expected_distance, 2e-3);
            assert_close(&entropy, &expected_entropy, 2e-4);
            let composed = attention_distance_composed(tensor(&q), tensor(&k), geometry);
            assert_close(&read(composed.distance).await, &expected_distance, 2e-3);
            assert_close(&read(composed.entropy).await, &expected_entropy, 2e-4);
        }
    }

    async fn uniform_attention_of_a_two_by_two_grid_is_0_8536(device: Device) {
        let zeros = Tensor::<4>::zeros([1, 1, 4, 3], &device);
        let geometry = PatchGeometry { grid: 2, patch_size: 1, prefix_tokens: 0, renormalise: false };
        let got = attention_distance(zeros.clone(), zeros, geometry);
        assert_close(&read(got.distance).await, &[0.853_553_4], 1e-5);
        assert_close(&read(got.entropy).await, &[4.0_f32.ln()], 1e-5);
    }

    async fn attention_to_oneself_has_no_distance(device: Device) {
        // Orthogonal tokens with large products: every query sees itself alone.
        let eye = Tensor::<2>::eye(9, &device).reshape([1, 1, 9, 9]) * 40.0;
        let geometry = PatchGeometry { grid: 3, patch_size: 16, prefix_tokens: 0, renormalise: false };
        let got = attention_distance(eye.clone(), eye, geometry);
        assert_close(&read(got.distance).await, &[0.0], 1e-4);
    }
}

/// Several heads, and more queries than one cube works on, are one launch all the same; the composed reference is none.
async fn count_launches(device: &Device) {
    let sizes: Sizes = [2, 3, 82, 5];
    let geometry = PatchGeometry { grid: 9, patch_size: 14, prefix_tokens: 1, renormalise: false };
    let tensor = |key| {
        let values = RandomWeights { seed: 5 }.values(key, sizes.iter().product());
        Tensor::<4>::from_data(TensorData::new(values, sizes), device)
    };
    let (query, key) = (tensor("q.weight"), tensor("k.weight"));
    // Once beforehand, so that nothing older waits in the engine's queue.
    read(attention_distance(query.clone(), key.clone(), geometry).distance).await;
    let before = attention_distance_launches();
    for calls in 1..=3 {
        let got = attention_distance(query.clone(), key.clone(), geometry);
        assert_eq!((read(got.distance).await.len(), read(got.entropy).await.len()), (6, 6));
        assert_eq!(attention_distance_launches() - before, calls);
    }
    let composed = attention_distance_composed(query, key, geometry);
    assert_eq!((read(composed.distance).await.len(), read(composed.entropy).await.len()), (6, 6));
    assert_eq!(attention_distance_launches() - before, 3, "the reference went through the kernel");
}

#[cfg(not(target_arch = "wasm32"))]
#[test]
fn a_call_is_one_launch_for_all_heads_and_the_reference_is_none() {
    const NAME: &str = "kernels::attention_distance::a_call_is_one_launch_for_all_heads_and_the_reference_is_none";
    const ALONE: &str = "HEIRLOOM_COUNTS_LAUNCHES_ALONE";
    if std::env::var_os(ALONE).is_some() {
        pollster::block_on(async { count_launches(&crate::support::device().await).await });
        return;
    }
    // The tests beside this one launch the kernel too, so the count means something only in a program without them.
    let program = std::env::current_exe().unwrap();
    let alone = std::process::Command::new(program).args(["--exact", NAME]).env(ALONE, "1").output().unwrap();
    let said = String::from_utf8_lossy(&alone.stdout);
    assert!(alone.status.success(), "{said}");
    assert!(said.contains("1 passed"), "no test is called {NAME}: {said}");
}

/// In the browser one test runs after the other.
#[cfg(target_arch = "wasm32")]
#[wasm_bindgen_test::wasm_bindgen_test]
async fn a_call_is_one_launch_for_all_heads_and_the_reference_is_none() {
    count_launches(&crate::support::device().await).await;
}

/// 32 heads, 257 tokens, 16 channels: the matrix `[heads, tokens, tokens]` would take 8.5 MB; the library that multiplies
/// matrices takes up to 2 MB for itself, by the machine's caches.
#[cfg(not(target_arch = "wasm32"))]
#[test]
fn measuring_holds_less_than_one_attention_matrix() {
    let device = heirloom_nn::device::cpu();
    let tensor = |key| {
        let values = RandomWeights { seed: 1 }.values(key, 32 * 257 * 16);
        Tensor::<4>::from_data(TensorData::new(values, [1, 32, 257, 16]), &device)
    };
    let (query, key) = (tensor("q.weight"), tensor("k.weight"));
    let geometry = PatchGeometry { grid: 16, patch_size: 14, prefix_tokens: 1, renormalise: false };
    let peak_of = |work: fn(Tensor<4>, Tensor<4>, PatchGeometry) -> heirloom_nn::kernels::AttentionDistance| {
        let (query, key) = (query.clone(), key.clone());
        crate::support::heap::peak(|| pollster::block_on(read(work(query, key, geometry).distance))).0
    };
    let (fused, composed) = (peak_of(attention_distance), peak_of(attention_distance_composed));
    let matrix = 32 * 257 * 257 * 4;
    println!("peak heap: fused {fused} bytes, composed {composed} bytes, one attention matrix {matrix} bytes");
    assert!(fused < matrix, "peak was {fused} bytes");
    assert!(composed > matrix, "the counter counts nothing: {composed} bytes");
}
