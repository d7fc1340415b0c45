//! Convolutions of the CPU engine: dense ones as products of matrices, depthwise 3×3 ones by a loop of their own, and the
//! library's where groups are anything else.

use burn::backend::ops::ModuleOps;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Flex, TensorMetadata};
use burn::tensor::Shape;
use heirloom_lanes::{self as lanes, Epilogue};

use super::{Activation, ConvolutionBackend, options};
use crate::kernels::flex::{tensor, values};

/// Which loop computes it.
#[derive(Clone, Copy)]
enum Sizes {
    Dense(lanes::Convolution),
    Depthwise(lanes::Depthwise),
}

impl Sizes {
    /// `None`: the library's.
    fn of(input: &Shape, weight: &Shape, stride: usize) -> Option<Self> {
        let [_, channels, height, width] = input.dims();
        let [outputs, seen, kernel, _] = weight.dims();
        if height * width == 0 {
            return None;
        }
        let is_depthwise = (seen, outputs, kernel) == (1, channels, 3) && (stride == 1 || stride == 2);
        match seen == channels {
            true => Some(Self::Dense(lanes::Convolution { inputs: channels, height, width, outputs, kernel, stride })),
            false => is_depthwise.then_some(Self::Depthwise(lanes::Depthwise { channels, height, width, stride })),
        }
    }

    fn output(self, input: &Shape, weight: &Shape) -> Shape {
        let [rows, columns] = match self {
            Self::Dense(sizes) => sizes.output(),
            Self::Depthwise(sizes) => sizes.output(),
        };
        Shape::new([input[0], weight[0], rows, columns])
    }

    fn forward(
        self,
        input: FloatTensor<Flex>,
        weight: &[f32],
        shape: Shape,
        epilogue: Epilogue<'_>,
    ) -> FloatTensor<Flex> {
        let input = input.to_contiguous();
        let mut output = vec![0.0; shape.num_elements()];
        match self {
            Self::Dense(sizes) => lanes::convolution(values(&input), weight, sizes, epilogue, &mut output),
            Self::Depthwise(sizes) => lanes::depthwise(values(&input), weight, sizes, epilogue, &mut output),
        }
        tensor(output, shape)
    }
}

impl ConvolutionBackend for Flex {
    fn convolution(input: FloatTensor<Self>, weight: FloatTensor<Self>, stride: usize) -> FloatTensor<Self> {
        let (seen, kernels) = (input.shape(), weight.shape());
        let Some(sizes) = Sizes::of(&seen, &kernels, stride) else {
            return Self::conv2d(input, weight, None, options(&seen, &kernels, stride));
        };
        let (weight, nothing) = (weight.to_contiguous(), vec![0.0; kernels[0]]);
        sizes.forward(input, values(&weight), sizes.output(&seen, &kernels), Epilogue::of(&nothing))
    }

    fn convolution_affine(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        stride: usize,
        activation: Option<Activation>,
    ) -> FloatTensor<Self> {
        let (seen, kernels) = (input.shape(), weight.shape());
        let [weight, scale, shift] = [weight, scale, shift].map(|tensor| tensor.to_contiguous());
        // A product of each weight, instead of one of each number that comes out.
        let mut scaled = values(&weight).to_vec();
        let kernel = (scaled.len() / kernels[0].max(1)).max(1);
        for (kernel, scale) in scaled.chunks_exact_mut(kernel).zip(values(&scale)) {
            kernel.iter_mut().for_each(|weight| *weight *= scale);
        }
        let Some(sizes) = Sizes::of(&seen, &kernels, stride) else {
            let options = options(&seen, &kernels, stride);
            let map = Self::conv2d(input, tensor(scaled, kernels), Some(shift), options);
            return match activation {
                None => map,
                Some(Activation::Relu) => <Self as burn::backend::ops::ActivationOps<Self>>::relu(map),
                Some(Activation::Relu6) => {
                    <Self as burn::backend::ops::FloatTensorOps<Self>>::float_clamp(map, 0.0.into(), 6.0.into())
                }
            };
        };
        let limits = match activation {
            None => [f32::NEG_INFINITY, f32::INFINITY],
            Some(Activation::Relu) => [0.0, f32::INFINITY],
            Some(Activation::Relu6) => [0.0, 6.0],
        };
        let epilogue = Epilogue { bias: values(&shift), limits };
        sizes.forward(input, &scaled, sizes.output(&seen, &kernels), epilogue)
    }

    fn convolution_input_gradient(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        stride: usize,
    ) -> FloatTensor<Self> {
        let (seen, kernels) = (input.shape(), weight.shape());
        let Some(sizes) = Sizes::of(&seen, &kernels, stride) else {
            return Self::conv2d_x_backward(input, weight, gradient, options(&seen, &kernels, stride));
        };
        let [weight, gradient] = [weight, gradient].map(|tensor| tensor.to_contiguous());
        let (gradient, weight, mut to_input) = (values(&gradient), values(&weight), vec![0.0; seen.num_elements()]);
        match sizes {
            Sizes::Dense(sizes) => lanes::convolution_input_gradient(gradient, weight, sizes, &mut to_input),
            Sizes::Depthwise(sizes) => lanes::depthwise_input_gradient(gradient, weight, sizes, &mut to_input),
        }
        tensor(to_input, seen)
    }

    fn convolution_weight_gradient(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        stride: usize,
    ) -> FloatTensor<Self> {
        let (seen, kernels) = (input.shape(), weight.shape());
        let Some(sizes) = Sizes::of(&seen, &kernels, stride) else {
            return Self::conv2d_weight_backward(input, weight, gradient, options(&seen, &kernels, stride));
        };
        let [input, gradient] = [input, gradient].map(|tensor| tensor.to_contiguous());
        let (input, gradient, mut to_weight) = (values(&input), values(&gradient), vec![0.0; kernels.num_elements()]);
        match sizes {
            Sizes::Dense(sizes) => lanes::convolution_weight_gradient(input, gradient, sizes, &mut to_weight),
            Sizes::Depthwise(sizes) => lanes::depthwise_weight_gradient(input, gradient, sizes, &mut to_weight),
        }
        tensor(to_weight, kernels)
    }
}
