//! Linear layers and their gradients against plain loops in f64.
use burn::module::Param;
use burn::nn::Linear;
use burn::tensor::{Device, Tensor, TensorData};
use heirloom_nn::kernels::{gelu, linear, linear_gelu};

use crate::support::assert_close;

/// Rows, inputs and outputs: below, at and above the tiles and blocks of either engine.
const SIZES: [[usize; 3]; 6] = [[1, 1, 1], [3, 5, 7], [17, 16, 15], [65, 33, 17], [130, 64, 81], [2, 600, 3]];

/// Small numbers without a pattern that a wrong order of elements could hide.
fn numbers(count: usize, seed: usize) -> Vec<f32> {
    (0..count).map(|i| ((i * 37 + seed * 101 + i * i % 23) % 41) as f32 / 20.0 - 1.0).collect()
}

async fn read<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data_async().await.unwrap().iter::<f32>().collect()
}

struct Case {
    input: Vec<f32>,
    weight: Vec<f32>,
    bias: Vec<f32>,
    gradient: Vec<f32>,
    size: [usize; 3],
}

impl Case {
    fn new(size: [usize; 3]) -> Self {
        let [rows, inputs, outputs] = size;
        Self {
            input: numbers(rows * inputs, 1),
            weight: numbers(inputs * outputs, 2),
            bias: numbers(outputs, 3),
            gradient: numbers(rows * outputs, 4),
            size,
        }
    }

    fn layer(&self, device: &Device) -> Linear {
        let [_, inputs, outputs] = self.size;
        let weight = Tensor::<2>::from_data(TensorData::new(self.weight.clone(), [inputs, outputs]), device);
        let bias = Tensor::<1>::from_data(TensorData::new(self.bias.clone(), [outputs]), device);
        Linear { weight: Param::from_tensor(weight), bias: Some(Param::from_tensor(bias)) }
    }

    fn input(&self, device: &Device) -> Tensor<2> {
        let [rows, inputs, _] = self.size;
        Tensor::from_data(TensorData::new(self.input.clone(), [rows, inputs]), device)
    }

    /// `Σ_k a(i, k) b(k, j)` as numbers in rows.
    fn product(m: usize, n: usize, k: usize, cell: impl Fn(usize, usize, usize) -> f64) -> Vec<f32> {
        let cells = (0..m).flat_map(|i| (0..n).map(move |j| (i, j)));
        cells.map(|(i, j)| (0..k).map(|d| cell(i, j, d)).sum::<f64>() as f32).collect()
    }

    fn output(&self) -> Vec<f32> {
        let [rows, inputs, outputs] = self.size;
        let cell = |i: usize, j: usize, d: usize| {
            f64::from(self.input[i * inputs + d]) * f64::from(self.weight[d * outputs + j])
        };
        let product = Self::product(rows, outputs, inputs, cell);
        product.iter().enumerate().map(|(at, value)| value + self.bias[at % outputs]).collect()
    }
}

on_both_engines! {
    async fn linear_layers_give_the_product_and_the_bias(device: Device) {
        for size in SIZES {
            let case = Case::new(size);
            let [rows, inputs, outputs] = size;
            let layer = case.layer(&device);
            let tolerance = 1e-5 * inputs as f32;
            assert_close(&read(linear(&layer, case.input(&device))).await, &case.output(), tolerance);
            // Columns that lie apart, and an axis more.
            let turned = case.input(&device).transpose().reshape([inputs, rows]).transpose();
            let output = linear(&layer, turned.reshape([1, rows, inputs]));
            assert_eq!(output.dims(), [1, rows, outputs]);
            assert_close(&read(output).await, &case.output(), tolerance);
        }
    }

    async fn without_a_bias_it_is_the_product(device: Device) {
        let case = Case { bias: vec![0.0; 7], ..Case::new([3, 5, 7]) };
        let layer = Linear { bias: None, ..case.layer(&device) };
        assert_close(&read(linear(&layer, case.input(&device))).await, &case.output(), 1e-5);
    }

    async fn gradients_of_linear_layers_are_the_products_they_should_be(device: Device) {
        let device = device.autodiff();
        for size in SIZES {
            let case = Case::new(size);
            let [rows, inputs, outputs] = size;
            let (layer, input) = (case.layer(&device), case.input(&device).require_grad());
            let factors = Tensor::<2>::from_data(TensorData::new(case.gradient.clone(), [rows, outputs]), &device);
            let grads = (linear(&layer, input.clone()) * factors).sum().backward();
            let (x, w, g) = (&case.input, &case.weight, &case.gradient);
            let product = |a: f32, b: f32| f64::from(a) * f64::from(b);
            let to_input = Case::product(rows, inputs, outputs, |i, j, d| product(g[i * outputs + d], w[j * outputs + d]));
            let to_weight = Case::product(inputs, outputs, rows, |i, j, d| product(x[d * inputs + i], g[d * outputs + j]));
            let to_bias = Case::product(1, outputs, rows, |_, j, d| f64::from(g[d * outputs + j]));
            let tolerance = 1e-5 * rows.max(outputs) as f32;
            assert_close(&read(input.grad(&grads).unwrap()).await, &to_input, tolerance);
            assert_close(&read(layer.weight.val().grad(&grads).unwrap()).await, &to_weight, tolerance);
            assert_close(&read(layer.bias.as_ref().unwrap().val().grad(&grads).unwrap()).await, &to_bias, tolerance);
        }
    }

    async fn gelu_behind_a_layer_is_gelu_of_its_output_with_its_gradients(device: Device) {
        let device = device.autodiff();
        for size in [[1, 1, 1], [17, 16, 15], [65, 33, 17]] {
            let case = Case::new(size);
            let [rows, _, outputs] = size;
            let factors = Tensor::<2>::from_data(TensorData::new(case.gradient.clone(), [rows, outputs]), &device);
            let mut found = Vec::new();
            for is_fused in [true, false] {
                let (layer, input) = (case.layer(&device), case.input(&device).require_grad());
                let output = match is_fused {
                    true => linear_gelu(&layer, input.clone()),
                    false => gelu(linear(&layer, input.clone())),
                };
                let grads = (output.clone() * factors.clone()).sum().backward();
                found.push([
                    read(output).await,
                    read(input.grad(&grads).unwrap()).await,
                    read(layer.weight.val().grad(&grads).unwrap()).await,
                    read(layer.bias.as_ref().unwrap().val().grad(&grads).unwrap()).await,
                ]);
            }
            for (fused, apart) in found[0].iter().zip(&found[1]) {
                assert_close(fused, apart, 1e-5 * size[0].max(size[2]) as f32);
            }
        }
    }

    async fn frozen_weights_get_no_gradient_and_the_input_still_does(device: Device) {
        let device = device.autodiff();
        let case = Case::new([17, 16, 15]);
        let mut layer = case.layer(&device);
        layer.weight = layer.weight.map(|weight| weight.set_require_grad(false));
        let input = case.input(&device).require_grad();
        let grads = linear(&layer, input.clone()).sum().backward();
        assert!(layer.weight.val().grad(&grads).is_none());
        assert_eq!(input.grad(&grads).unwrap().dims(), [17, 16]);
        assert!(layer.bias.as_ref().unwrap().val().grad(&grads).is_some());
    }
}
