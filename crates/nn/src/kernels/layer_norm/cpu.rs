//! Layer norm of the CPU engine.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Flex, TensorMetadata};
use burn::tensor::Shape;
use heirloom_lanes as lanes;

use super::{LayerNormBackend, statistics_shape};
use crate::kernels::flex::{tensor, values};

impl LayerNormBackend for Flex {
    fn norm_forward(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        epsilon: f32,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let [input, weight, bias] = [input, weight, bias].map(|tensor| tensor.to_contiguous());
        let shape = input.shape();
        let mut output = vec![0.0; shape.num_elements()];
        let mut statistics = vec![[0.0; 2]; shape[0]];
        let norm = lanes::LayerNorm { weight: values(&weight), bias: Some(values(&bias)), epsilon };
        lanes::layer_norm(values(&input), norm, &mut output, &mut statistics);
        let spread = statistics_shape(&shape);
        (tensor(output, shape), tensor(statistics.into_flattened(), spread))
    }

    fn norm_backward(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        statistics: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let [input, weight, statistics, gradient] =
            [input, weight, statistics, gradient].map(|tensor| tensor.to_contiguous());
        let shape = input.shape();
        let width = shape[1];
        let mut to_input = vec![0.0; shape.num_elements()];
        let (mut to_weight, mut to_bias) = (vec![0.0; width], vec![0.0; width]);
        let (statistics, _) = values(&statistics).as_chunks::<2>();
        let into = lanes::LayerNormGradients { input: &mut to_input, weight: &mut to_weight, bias: &mut to_bias };
        lanes::layer_norm_gradient(values(&input), values(&weight), statistics, values(&gradient), into);
        let vector = |values: Vec<f32>| tensor(values, Shape::new([width]));
        (tensor(to_input, shape), vector(to_weight), vector(to_bias))
    }
}
