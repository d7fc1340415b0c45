//! The map forward and backward: against the composed operations, a plain loop and finite differences.
use burn::tensor::{Device, Tensor, TensorData};
use heirloom_nn::kernels::ffn_map;
use heirloom_nn::kernels::ffn_map::{MAP_ROWS, ffn_map_reference};
use heirloom_nn::vit::RandomWeights;

use crate::support::assert_close;

async fn read<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data_async().await.unwrap().iter::<f32>().collect()
}

fn random(key: &str, count: usize, size: f32) -> Vec<f32> {
    RandomWeights { seed: 4 }.values(&format!("{key}.weight"), count).iter().map(|x| 50.0 * size * x).collect()
}

fn tensor<const D: usize>(values: &[f32], shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values.to_vec(), shape), device)
}

/// `W + Δ_t(W)` in f64.
fn plain(weight: &[f32], map: &[f32], outputs: usize, layer: usize) -> Vec<f64> {
    let at = |row: usize, column: usize| f64::from(map[row * outputs + column]);
    let delta = |w: f64| {
        let hidden = (0..outputs).map(|j| (w * at(0, j) + at(1, j)).max(0.0) * at(MAP_ROWS + j, layer));
        hidden.sum::<f64>() + at(2, layer)
    };
    weight.iter().map(|&w| f64::from(w) + delta(f64::from(w))).collect()
}

/// Rows and columns of the weights, layers of the group.
const SIZES: [[usize; 3]; 4] = [[1, 1, 1], [5, 7, 2], [33, 31, 3], [13, 171, 5]];

on_every_engine! {
    async fn ffn_map_equals_a_plain_loop_and_the_composed_operations_on_odd_sizes(device: Device) {
        for [rows, columns, outputs] in SIZES {
            let weight = random("w", rows * columns, 1.0);
            let map = random("map", (outputs + MAP_ROWS) * outputs, 1.0);
            for layer in 0..outputs {
                let w = tensor(&weight, [rows, columns], &device);
                let m = tensor(&map, [outputs + MAP_ROWS, outputs], &device);
                let expected: Vec<f32> = plain(&weight, &map, outputs, layer).iter().map(|&x| x as f32).collect();
                let fused = ffn_map(w.clone(), m.clone(), layer);
                assert_eq!(fused.dims(), [rows, columns]);
                assert_close(&read(fused).await, &expected, 1e-5);
                assert_close(&read(ffn_map_reference(w, m, layer)).await, &expected, 1e-5);
            }
        }
    }

    async fn ffn_map_has_the_gradients_of_the_composed_operations(device: Device) {
        let device = device.autodiff();
        for [rows, columns, outputs] in SIZES {
            let weight = random("w", rows * columns, 1.0);
            let map = random("map", (outputs + MAP_ROWS) * outputs, 1.0);
            let factor = tensor(&random("g", rows * columns, 1.0), [rows, columns], &device);
            for layer in [0, outputs - 1] {
                let gradients = |fused: bool| {
                    let w = tensor(&weight, [rows, columns], &device).require_grad();
                    let m = tensor(&map, [outputs + MAP_ROWS, outputs], &device).require_grad();
                    let apply = if fused { ffn_map::<2> } else { ffn_map_reference::<2> };
                    let grads = (apply(w.clone(), m.clone(), layer) * factor.clone()).sum().backward();
                    (w.grad(&grads).unwrap(), m.grad(&grads).unwrap())
                };
                let (fused, composed) = (gradients(true), gradients(false));
                assert_close(&read(fused.0).await, &read(composed.0).await, 1e-4);
                // Sums over all weights.
                assert_close(&read(fused.1).await, &read(composed.1).await, 2e-3);
            }
        }
    }

    async fn ffn_map_has_the_gradients_of_finite_differences(device: Device) {
        let device = device.autodiff();
        let (shape, outputs, layer) = ([5, 7], 3, 1);
        let weight = random("w", 35, 1.0);
        let map = random("map", (outputs + MAP_ROWS) * outputs, 1.0);
        let factor = random("g", 35, 1.0);
        let w = tensor(&weight, shape, &device).require_grad();
        let m = tensor(&map, [outputs + MAP_ROWS, outputs], &device).require_grad();
        let loss = (ffn_map(w.clone(), m.clone(), layer) * tensor(&factor, shape, &device)).sum();
        let grads = loss.backward();
        let objective = |weight: &[f32], map: &[f32]| -> f64 {
            plain(weight, map, outputs, layer).iter().zip(&factor).map(|(y, &g)| y * f64::from(g)).sum()
        };
        // The differences are taken in f64 on the plain loop; the step is small enough that no ReLU switches.
        let step = 1e-4_f32;
        let slopes = |values: &[f32], objective: &dyn Fn(&[f32]) -> f64| -> Vec<f32> {
            (0..values.len())
                .map(|i| {
                    let at = |offset: f32| {
                        let mut moved = values.to_vec();
                        moved[i] += offset;
                        (objective(&moved), moved[i])
                    };
                    let ((high, above), (low, below)) = (at(step), at(-step));
                    ((high - low) / f64::from(above - below)) as f32
                })
                .collect()
        };
        let expected = slopes(&weight, &|weight| objective(weight, &map));
        assert_close(&read(w.grad(&grads).unwrap()).await, &expected, 2e-3);
        let expected = slopes(&map, &|map| objective(&weight, map));
        assert_close(&read(m.grad(&grads).unwrap()).await, &expected, 2e-3);
    }

    async fn ffn_map_is_the_identity_while_its_last_layer_is_zero_and_learns_from_there(device: Device) {
        let device = device.autodiff();
        let outputs = 2;
        let weight = random("w", 21, 1.0);
        let mut map = random("map", (outputs + MAP_ROWS) * outputs, 1.0);
        map[2 * outputs..].fill(0.0);
        let m = tensor(&map, [outputs + MAP_ROWS, outputs], &device).require_grad();
        let w = tensor(&weight, [21], &device);
        let mapped = ffn_map(w.clone(), m.clone(), 1);
        assert_eq!(read(mapped.clone()).await, weight);
        let grads = mapped.powi_scalar(2).sum().backward();
        let gradient = read(m.grad(&grads).unwrap()).await;
        assert!(gradient[..2 * outputs].iter().all(|&g| g == 0.0), "first layer: {gradient:?}");
        let own = |row: usize| gradient[row * outputs + 1];
        let other = |row: usize| gradient[row * outputs];
        assert!((2..5).all(|row| own(row) != 0.0 && other(row) == 0.0), "last layer: {gradient:?}");
    }
}

/// A group of 8 layers with the weights of a 128 × 512 layer: the composed map keeps 8 copies of them, the fused none.
#[cfg(not(target_arch = "wasm32"))]
#[test]
fn ffn_map_holds_no_copy_of_the_weights_per_hidden_unit() {
    let (shape, outputs) = ([128, 512], 8);
    let device = heirloom_nn::device::cpu().autodiff();
    let w = tensor(&random("w", 128 * 512, 1.0), shape, &device).require_grad();
    let m = tensor(&random("map", (outputs + MAP_ROWS) * outputs, 1.0), [outputs + MAP_ROWS, outputs], &device);
    let m = m.require_grad();
    let peak_of = |apply: fn(Tensor<2>, Tensor<2>, usize) -> Tensor<2>| {
        let (w, m) = (w.clone(), m.clone());
        crate::support::heap::peak(move || {
            let gradients = apply(w.clone(), m, 3).sum().backward();
            pollster::block_on(read(w.grad(&gradients).unwrap()))
        })
        .0
    };
    let (fused, composed) = (peak_of(ffn_map), peak_of(ffn_map_reference));
    let weights = 128 * 512 * 4;
    println!("peak heap: fused {fused} bytes, composed {composed} bytes, weights {weights} bytes");
    assert!(fused < 6 * weights, "peak was {fused} bytes");
    assert!(composed > 8 * weights, "the counter counts nothing: {composed} bytes");
}
