//! Linear layers of the CPU engine.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Flex, TensorMetadata};
use burn::tensor::Shape;
use heirloom_lanes as lanes;

use super::LinearBackend;
use crate::kernels::flex::{product, tensor, transposed, values, values_mut};

impl LinearBackend for Flex {
    fn linear_forward(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let mut output = product(input, weight);
        lanes::add_rows(values_mut(&mut output), values(&bias.to_contiguous()));
        output
    }

    fn linear_gelu_forward(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let mut before = product(input, weight);
        let shape = before.shape();
        let mut output = vec![0.0; shape.num_elements()];
        lanes::gelu_with_bias(values_mut(&mut before), values(&bias.to_contiguous()), &mut output);
        (before, tensor(output, shape))
    }

    fn linear_input_gradient(weight: FloatTensor<Self>, gradient: FloatTensor<Self>) -> FloatTensor<Self> {
        product(gradient, transposed(weight))
    }

    fn linear_weight_gradient(input: FloatTensor<Self>, gradient: FloatTensor<Self>) -> FloatTensor<Self> {
        product(transposed(input), gradient)
    }

    fn linear_bias_gradient(gradient: FloatTensor<Self>) -> FloatTensor<Self> {
        let gradient = gradient.to_contiguous();
        let width = gradient.shape()[1];
        let mut sums = vec![0.0; width];
        lanes::column_sums(values(&gradient), width, &mut sums);
        tensor(sums, Shape::new([width]))
    }
}
