//! Layer norm and its gradients: against the composed operations on the CPU engine, and against differences of a plain
//! loop in f64.
use burn::tensor::{Device, Tensor, TensorData};
use heirloom_nn::device::read;
use heirloom_nn::kernels::{layer_norm, layer_norm_composed};
use heirloom_nn::vit::RandomWeights;

use crate::support::assert_close;

const EPSILON: f64 = 1e-6;

/// Rows and widths: one number, odd ones, one above and below what shares a row or a column, the largest models'.
const SIZES: [[usize; 2]; 9] = [[1, 1], [3, 5], [70, 7], [5, 33], [17, 64], [9, 192], [37, 48], [3, 768], [2, 2047]];

/// Numbers of about 1, the same for a key.
fn numbers(key: &str, count: usize) -> Vec<f32> {
    RandomWeights { seed: 5 }.values(key, count).into_iter().map(|x| 50.0 * x).collect()
}

/// Inputs, weights, biases and factors of the result in the loss.
struct Case {
    size: [usize; 2],
    input: Vec<f32>,
    weight: Vec<f32>,
    bias: Vec<f32>,
    factors: Vec<f32>,
}

impl Case {
    /// Inputs around `centre`.
    fn new([rows, width]: [usize; 2], centre: f32) -> Self {
        let count = rows * width;
        Self {
            size: [rows, width],
            input: numbers("input.weight", count).into_iter().map(|x| x + centre).collect(),
            weight: numbers("gain.weight", width).into_iter().map(|x| 1.0 + 0.3 * x).collect(),
            bias: numbers("shift.weight", width),
            factors: numbers("factors.weight", count),
        }
    }

    /// The result, and gradients of input, weight and bias.
    async fn run(&self, device: &Device, norm: fn(Tensor<2>, Tensor<1>, Tensor<1>, f64) -> Tensor<2>) -> [Vec<f32>; 4] {
        let device = device.clone().autodiff();
        let matrix = |values: &Vec<f32>| Tensor::<2>::from_data(TensorData::new(values.clone(), self.size), &device);
        let vector = |values: &Vec<f32>| {
            Tensor::<1>::from_data(TensorData::new(values.clone(), [self.size[1]]), &device).require_grad()
        };
        let (input, weight, bias) = (matrix(&self.input).require_grad(), vector(&self.weight), vector(&self.bias));
        let output = norm(input.clone(), weight.clone(), bias.clone(), EPSILON);
        let grads = (output.clone() * matrix(&self.factors)).sum().backward();
        let (input, weight, bias) = (input.grad(&grads), weight.grad(&grads), bias.grad(&grads));
        [
            read(output.inner()).await.unwrap(),
            read(input.unwrap()).await.unwrap(),
            read(weight.unwrap()).await.unwrap(),
            read(bias.unwrap()).await.unwrap(),
        ]
    }

    /// The loss, by a plain loop.
    fn loss(&self, input: &[f64], weight: &[f64], bias: &[f64]) -> f64 {
        let [_, width] = self.size;
        let mut loss = 0.0;
        for (row, factors) in input.chunks(width).zip(self.factors.chunks(width)) {
            let mean = row.iter().sum::<f64>() / width as f64;
            let variance = row.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / width as f64;
            for (at, x) in row.iter().enumerate() {
                let normed = (x - mean) / (variance + EPSILON).sqrt();
                loss += f64::from(factors[at]) * (normed * weight[at] + bias[at]);
            }
        }
        loss
    }

    /// Gradients of input, weight and bias by differences of the loss.
    fn differences(&self) -> [Vec<f32>; 3] {
        const STEP: f64 = 1e-5;
        let start: [Vec<f64>; 3] =
            [&self.input, &self.weight, &self.bias].map(|part| part.iter().map(|&x| f64::from(x)).collect());
        [0, 1, 2].map(|part| {
            let slope = |at: usize| {
                let loss = |step: f64| {
                    let mut parts = start.clone();
                    parts[part][at] += step;
                    self.loss(&parts[0], &parts[1], &parts[2])
                };
                ((loss(STEP) - loss(-STEP)) / (2.0 * STEP)) as f32
            };
            (0..start[part].len()).map(slope).collect()
        })
    }
}

on_every_engine! {
    async fn layer_norm_and_its_gradients_equal_the_composed_operations_on_odd_sizes(device: Device) {
        for size in SIZES {
            let case = Case::new(size, 0.5);
            let expected = case.run(&heirloom_nn::device::cpu(), layer_norm_composed).await;
            for device in [&device, &heirloom_nn::device::cpu()] {
                let got = case.run(device, layer_norm).await;
                assert_close(&got[0], &expected[0], 1e-5);
                got.iter().zip(&expected).skip(1).for_each(|(got, expected)| assert_close(got, expected, 1e-4));
            }
        }
    }

    async fn layer_norm_keeps_its_digits_far_from_zero(device: Device) {
        // The mean is a hundred times the deviation: a mean of squares less the squared mean would have few digits left.
        let case = Case::new([5, 192], 100.0);
        let expected = Case::new([5, 192], 0.0).run(&heirloom_nn::device::cpu(), layer_norm_composed).await;
        for device in [&device, &heirloom_nn::device::cpu()] {
            let got = case.run(device, layer_norm).await;
            assert_close(&got[0], &expected[0], 3e-4);
        }
    }

    async fn the_gradients_of_layer_norm_are_its_differences(device: Device) {
        let case = Case::new([3, 5], 0.5);
        let [_, input, weight, bias] = case.run(&device, layer_norm).await;
        for (got, expected) in [input, weight, bias].iter().zip(&case.differences()) {
            assert_close(got, expected, 1e-4);
        }
    }

    async fn layer_norm_reads_a_turned_tensor_by_rows(device: Device) {
        let [rows, width] = [6, 10];
        let tensor = |values: Vec<f32>, size| Tensor::<2>::from_data(TensorData::new(values, size), &device);
        let turned = tensor(numbers("input.weight", rows * width), [width, rows]).transpose();
        let vector = |key| Tensor::<1>::from_data(TensorData::new(numbers(key, width), [width]), &device);
        let (weight, bias) = (vector("gain.weight"), vector("shift.weight"));
        let flat = tensor(read(turned.clone()).await.unwrap(), [rows, width]);
        let expected = read(layer_norm(flat, weight.clone(), bias.clone(), EPSILON)).await.unwrap();
        assert_close(&read(layer_norm(turned, weight, bias, EPSILON)).await.unwrap(), &expected, 0.0);
    }
}
