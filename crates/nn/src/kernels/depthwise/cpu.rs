//! Depthwise convolutions of the CPU engine.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Flex, TensorMetadata};
use burn::tensor::Shape;
use heirloom_lanes as lanes;

use super::DepthwiseBackend;
use crate::kernels::flex::{tensor, values};

fn sizes(map: &Shape, stride: usize) -> lanes::Depthwise {
    lanes::Depthwise { channels: map[1], height: map[2], width: map[3], stride }
}

impl DepthwiseBackend for Flex {
    fn depthwise_convolution(input: FloatTensor<Self>, weight: FloatTensor<Self>, stride: usize) -> FloatTensor<Self> {
        let [input, weight] = [input, weight].map(|tensor| tensor.to_contiguous());
        let shape = input.shape();
        let sizes = sizes(&shape, stride);
        let [rows, columns] = sizes.output();
        let mut output = vec![0.0; shape[0] * shape[1] * rows * columns];
        lanes::depthwise(values(&input), values(&weight), sizes, &mut output);
        tensor(output, Shape::new([shape[0], shape[1], rows, columns]))
    }

    fn depthwise_input_gradient(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        stride: usize,
    ) -> FloatTensor<Self> {
        let shape = input.shape();
        let [weight, gradient] = [weight, gradient].map(|tensor| tensor.to_contiguous());
        let mut to_input = vec![0.0; shape.num_elements()];
        lanes::depthwise_input_gradient(values(&gradient), values(&weight), sizes(&shape, stride), &mut to_input);
        tensor(to_input, shape)
    }

    fn depthwise_weight_gradient(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        stride: usize,
    ) -> FloatTensor<Self> {
        let [input, gradient] = [input, gradient].map(|tensor| tensor.to_contiguous());
        let mut to_weight = vec![0.0; weight.shape().num_elements()];
        let sizes = sizes(&input.shape(), stride);
        lanes::depthwise_weight_gradient(values(&input), values(&gradient), sizes, &mut to_weight);
        tensor(to_weight, weight.shape())
    }
}
