//! GELU and its gradient: against the normal distribution, integrated.
use burn::tensor::{Device, Tensor, TensorData};
use heirloom_nn::kernels::gelu;

use crate::support::assert_close;

async fn read(tensor: Tensor<2>) -> Vec<f32> {
    tensor.into_data_async().await.unwrap().iter::<f32>().collect()
}

fn density(x: f64) -> f64 {
    (-0.5 * x * x).exp() / std::f64::consts::TAU.sqrt()
}

/// The normal distribution by Simpson's rule.
fn distribution(x: f64) -> f64 {
    const PIECES: usize = 2000;
    let step = x / PIECES as f64;
    let inner = |i: usize| if i % 2 == 1 { 4.0 } else { 2.0 } * density(i as f64 * step);
    0.5 + step / 3.0 * (density(0.0) + (1..PIECES).map(inner).sum::<f64>() + density(x))
}

/// Rows and columns: below, at and above the pieces that the CPU engine works on.
const SIZES: [[usize; 2]; 4] = [[1, 1], [3, 5], [4, 4], [17, 61]];

/// From far below 0, where GELU vanishes, to far above, where it is the identity.
fn numbers(count: usize) -> Vec<f32> {
    (0..count).map(|i| if count == 1 { 0.7 } else { 24.0 * i as f32 / (count - 1) as f32 - 12.0 }).collect()
}

on_both_engines! {
    async fn gelu_is_x_times_the_normal_distribution(device: Device) {
        for [rows, columns] in SIZES {
            let values = numbers(rows * columns);
            let expected: Vec<f32> = values.iter().map(|&x| (f64::from(x) * distribution(f64::from(x))) as f32).collect();
            let tensor = Tensor::<2>::from_data(TensorData::new(values, [rows, columns]), &device);
            assert_close(&read(gelu(tensor.clone())).await, &expected, 2e-6);
            // A transposed tensor lies in memory otherwise.
            assert_close(&read(gelu(tensor.transpose()).transpose()).await, &expected, 2e-6);
        }
    }

    async fn the_gradient_of_gelu_is_its_derivative(device: Device) {
        let device = device.autodiff();
        for [rows, columns] in SIZES {
            let values = numbers(rows * columns);
            let factors: Vec<f32> = (0..values.len()).map(|i| (i % 7) as f32 - 3.0).collect();
            let slope = |x: f64| distribution(x) + x * density(x);
            let expected: Vec<f32> =
                values.iter().zip(&factors).map(|(&x, g)| (slope(f64::from(x)) * f64::from(*g)) as f32).collect();
            let tensor = Tensor::<2>::from_data(TensorData::new(values, [rows, columns]), &device).require_grad();
            let factors = Tensor::<2>::from_data(TensorData::new(factors, [rows, columns]), &device);
            let grads = (gelu(tensor.clone()) * factors).sum().backward();
            assert_close(&read(tensor.grad(&grads).unwrap()).await, &expected, 2e-6);
        }
    }
}
