//! Convolutions and their gradients: against the library's, and against differences.
use burn::tensor::{Device, Tensor, TensorData};
use heirloom_nn::device::{read, uniform};
use heirloom_nn::kernels::convolution::convolution_composed;
use heirloom_nn::kernels::{Activation, Affine, convolution, convolution_affine};

use crate::support::assert_close;

/// Batch, channels, height, width, channels that are given (0: of a depthwise convolution), kernel: one place, odd sides,
/// maps as narrow as a network's last, more channels than lanes, tiles that span pictures.
const MAPS: [[usize; 6]; 13] = [
    [1, 1, 1, 1, 0, 3],
    [2, 3, 5, 5, 0, 3],
    [1, 2, 1, 6, 0, 3],
    [2, 9, 4, 4, 0, 3],
    [3, 5, 7, 7, 0, 3],
    [1, 4, 9, 2, 0, 3],
    [2, 3, 17, 12, 0, 3],
    [1, 1, 1, 1, 1, 1],
    [3, 5, 7, 6, 17, 1],
    [2, 19, 13, 12, 3, 1],
    [3, 3, 5, 4, 2, 3],
    [2, 4, 9, 17, 5, 3],
    [1, 3, 10, 9, 4, 7],
];

type Convolution = fn(Tensor<4>, Tensor<4>, usize) -> Tensor<4>;

struct Case {
    map: [usize; 4],
    kernels: [usize; 4],
    stride: usize,
    input: Vec<f32>,
    weight: Vec<f32>,
    factors: Vec<f32>,
}

impl Case {
    fn new([batch, channels, height, width, outputs, kernel]: [usize; 6], stride: usize) -> Self {
        let (map, seen) = ([batch, channels, height, width], if outputs == 0 { 1 } else { channels });
        let kernels = [if outputs == 0 { channels } else { outputs }, seen, kernel, kernel];
        let given = batch * kernels[0] * height.div_ceil(stride) * width.div_ceil(stride);
        let input = uniform(map.iter().product(), 1, 1.0);
        let weight = uniform(kernels.iter().product(), 2, 1.0);
        Self { map, kernels, stride, input, weight, factors: uniform(given, 3, 1.0) }
    }

    fn run(&self, device: &Device, convolution: Convolution) -> [Tensor<1>; 3] {
        let device = device.clone().autodiff();
        let [input, weight] = [tensor(&self.input, self.map, &device), tensor(&self.weight, self.kernels, &device)];
        let [input, weight] = [input, weight].map(Tensor::require_grad);
        let output = convolution(input.clone(), weight.clone(), self.stride);
        let factors = tensor(&self.factors, output.dims(), &device);
        let grads = (output.clone() * factors).sum().backward();
        [output.inner(), input.grad(&grads).unwrap(), weight.grad(&grads).unwrap()].map(|tensor| tensor.flatten(0, 3))
    }

    async fn loss(&self, device: &Device, input: &[f32], weight: &[f32]) -> f32 {
        let output = convolution(tensor(input, self.map, device), tensor(weight, self.kernels, device), self.stride);
        read(output).await.unwrap().iter().zip(&self.factors).map(|(value, factor)| value * factor).sum()
    }
}

fn tensor<const D: usize>(values: &[f32], shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values.to_vec(), shape), device)
}

on_every_engine! {
    async fn convolutions_and_their_gradients_equal_those_of_the_library_on_odd_sizes(device: Device) {
        for (map, stride) in MAPS.into_iter().flat_map(|map| [(map, 1), (map, 2)]) {
            let case = Case::new(map, stride);
            let expected = case.run(&heirloom_nn::device::cpu(), convolution_composed);
            for device in [&device, &heirloom_nn::device::cpu()] {
                for (got, expected) in case.run(device, convolution).into_iter().zip(&expected) {
                    assert_close(&read(got).await.unwrap(), &read(expected.clone()).await.unwrap(), 2e-5);
                }
            }
        }
    }

    async fn the_gradients_of_a_convolution_are_its_differences(device: Device) {
        let maps = [[2, 2, 3, 5, 0, 3], [2, 2, 3, 5, 3, 3], [2, 3, 3, 4, 2, 1]];
        for (map, stride) in maps.into_iter().flat_map(|map| [(map, 1), (map, 2)]) {
            let case = Case::new(map, stride);
            let [_, to_input, to_weight] = case.run(&device, convolution);
            let (to_input, to_weight) = (read(to_input).await.unwrap(), read(to_weight).await.unwrap());
            let still = case.loss(&device, &case.input, &case.weight).await;
            // It is linear in each, so that a long step is as right as a short one.
            for at in (0..case.input.len()).step_by(7) {
                let moved = |by: f32| { let mut input = case.input.clone(); input[at] += by; input };
                let slope = case.loss(&device, &moved(1.0), &case.weight).await - still;
                assert_close(&[to_input[at]], &[slope], 1e-4);
            }
            for at in (0..case.weight.len()).step_by(5) {
                let moved = |by: f32| { let mut weight = case.weight.clone(); weight[at] += by; weight };
                let slope = case.loss(&device, &case.input, &moved(1.0)).await - still;
                assert_close(&[to_weight[at]], &[slope], 1e-4);
            }
        }
    }

    async fn what_follows_a_convolution_may_be_part_of_it(device: Device) {
        for (map, stride) in MAPS.into_iter().flat_map(|map| [(map, 1), (map, 2)]) {
            let case = Case::new(map, stride);
            let ([input, weight], channels) =
                ([tensor(&case.input, case.map, &device), tensor(&case.weight, case.kernels, &device)], case.kernels[0]);
            let [scale, shift] = [4, 5].map(|seed| uniform(channels, seed, 2.0)).map(|one| tensor(&one, [channels], &device));
            let plain = convolution_composed(input.clone(), weight.clone(), stride);
            let plain = plain * scale.clone().reshape([1, -1, 1, 1]) + shift.clone().reshape([1, -1, 1, 1]);
            for activation in [None, Some(Activation::Relu), Some(Activation::Relu6)] {
                let affine = Affine { scale: scale.clone(), shift: shift.clone(), activation };
                let got = convolution_affine(input.clone(), weight.clone(), stride, affine);
                let expected = match activation {
                    Some(activation) => activation.forward(plain.clone()),
                    None => plain.clone(),
                };
                assert_close(&read(got).await.unwrap(), &read(expected).await.unwrap(), 1e-5);
            }
        }
    }

    async fn a_turned_map_is_read_as_it_stands(device: Device) {
        for outputs in [0, 4] {
            let case = Case::new([2, 3, 4, 6, outputs, 3], 2);
            let (map, weight) = (tensor(&case.input, [2, 3, 6, 4], &device), tensor(&case.weight, case.kernels, &device));
            let turned = map.swap_dims(2, 3);
            let straight = tensor(&read(turned.clone()).await.unwrap(), [2, 3, 4, 6], &device);
            let got = read(convolution(turned, weight.clone(), 2)).await.unwrap();
            assert_close(&got, &read(convolution(straight, weight, 2)).await.unwrap(), 1e-6);
        }
    }
}
