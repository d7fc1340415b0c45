//! Depthwise convolutions and their gradients: against the library's convolution in groups, and against differences.
use burn::tensor::{Device, Tensor, TensorData};
use heirloom_nn::device::{read, uniform};
use heirloom_nn::kernels::depthwise;
use heirloom_nn::kernels::depthwise::depthwise_composed;

use crate::support::assert_close;

/// Batch, channels, height, width: one place, odd sides, maps as narrow as a network's last, more channels than lanes.
const MAPS: [[usize; 4]; 7] =
    [[1, 1, 1, 1], [2, 3, 5, 5], [1, 2, 1, 6], [2, 9, 4, 4], [3, 5, 7, 7], [1, 4, 9, 2], [2, 3, 17, 12]];

type Convolution = fn(Tensor<4>, Tensor<4>, usize) -> Tensor<4>;

struct Case {
    map: [usize; 4],
    stride: usize,
    input: Vec<f32>,
    weight: Vec<f32>,
    factors: Vec<f32>,
}

impl Case {
    fn new(map: [usize; 4], stride: usize) -> Self {
        let [batch, channels, height, width] = map;
        let given = batch * channels * height.div_ceil(stride) * width.div_ceil(stride);
        let (input, weight) = (uniform(map.iter().product(), 1, 1.0), uniform(9 * channels, 2, 1.0));
        Self { map, stride, input, weight, factors: uniform(given, 3, 1.0) }
    }

    fn run(&self, device: &Device, convolution: Convolution) -> [Tensor<1>; 3] {
        let device = device.clone().autodiff();
        let tensor = |values: &[f32], shape: [usize; 4]| {
            Tensor::<4>::from_data(TensorData::new(values.to_vec(), shape), &device).require_grad()
        };
        let (input, weight) = (tensor(&self.input, self.map), tensor(&self.weight, [self.map[1], 1, 3, 3]));
        let output = convolution(input.clone(), weight.clone(), self.stride);
        let factors = Tensor::<4>::from_data(TensorData::new(self.factors.clone(), output.dims()), &device);
        let grads = (output.clone() * factors).sum().backward();
        [output.inner(), input.grad(&grads).unwrap(), weight.grad(&grads).unwrap()].map(|tensor| tensor.flatten(0, 3))
    }

    async fn loss(&self, device: &Device, input: &[f32], weight: &[f32]) -> f32 {
        let tensor =
            |values: &[f32], shape: [usize; 4]| Tensor::<4>::from_data(TensorData::new(values.to_vec(), shape), device);
        let output = depthwise(tensor(input, self.map), tensor(weight, [self.map[1], 1, 3, 3]), self.stride);
        read(output).await.unwrap().iter().zip(&self.factors).map(|(value, factor)| value * factor).sum()
    }
}

on_every_engine! {
    async fn depthwise_convolutions_and_their_gradients_equal_those_of_the_library_on_odd_sizes(device: Device) {
        for (map, stride) in MAPS.into_iter().flat_map(|map| [(map, 1), (map, 2)]) {
            let case = Case::new(map, stride);
            let expected = case.run(&heirloom_nn::device::cpu(), depthwise_composed);
            for device in [&device, &heirloom_nn::device::cpu()] {
                for (got, expected) in case.run(device, depthwise).into_iter().zip(&expected) {
                    assert_close(&read(got).await.unwrap(), &read(expected.clone()).await.unwrap(), 2e-5);
                }
            }
        }
    }

    async fn the_gradients_of_a_depthwise_convolution_are_its_differences(device: Device) {
        for stride in [1, 2] {
            let case = Case::new([2, 2, 3, 5], stride);
            let [_, to_input, to_weight] = case.run(&device, depthwise);
            let (to_input, to_weight) = (read(to_input).await.unwrap(), read(to_weight).await.unwrap());
            // It is linear in each, so that a long step is as right as a short one.
            for at in (0..case.input.len()).step_by(7) {
                let moved = |by: f32| { let mut input = case.input.clone(); input[at] += by; input };
                let slope = case.loss(&device, &moved(1.0), &case.weight).await - case.loss(&device, &case.input, &case.weight).await;
                assert_close(&[to_input[at]], &[slope], 1e-4);
            }
            for at in 0..case.weight.len() {
                let moved = |by: f32| { let mut weight = case.weight.clone(); weight[at] += by; weight };
                let slope = case.loss(&device, &case.input, &moved(1.0)).await - case.loss(&device, &case.input, &case.weight).await;
                assert_close(&[to_weight[at]], &[slope], 1e-4);
            }
        }
    }

    async fn a_turned_map_is_read_as_it_stands(device: Device) {
        let case = Case::new([2, 3, 4, 6], 2);
        let tensor = |values: &Vec<f32>, shape: [usize; 4]| Tensor::<4>::from_data(TensorData::new(values.clone(), shape), &device);
        let (map, weight) = (tensor(&case.input, [2, 3, 6, 4]), tensor(&case.weight, [3, 1, 3, 3]));
        let turned = map.swap_dims(2, 3);
        let straight = tensor(&read(turned.clone()).await.unwrap(), [2, 3, 4, 6]);
        let got = read(depthwise(turned, weight.clone(), 2)).await.unwrap();
        assert_close(&got, &read(depthwise(straight, weight, 2)).await.unwrap(), 1e-6);
    }
}
