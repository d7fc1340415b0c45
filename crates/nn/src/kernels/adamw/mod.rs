//! One AdamW update of one tensor in one launch.
//!
//! Composed of tensor operations an update takes about twelve passes over parameter, gradient and moments; it is bound
//! by memory, so the fused one reads four and writes three. It works in place wherever nobody else holds the tensors.

use burn::backend::{Backend, Dispatch, Flex, backend_extension, tensor::FloatTensor};
use burn::tensor::{Shape, Tensor};
use burn_cubecl::{CubeBackend, kernel::into_contiguous, tensor::CubeTensor};
use cubecl::{CubeDim, calculate_cube_count_elemwise, prelude::*};

use super::flex::{self, values, values_mut};

/// Numbers of one AdamW update, the same for all tensors of a parameter group.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamwNumbers {
    /// `lr * weight_decay`. (`1 - lr * weight_decay` would lose most of its digits in f32.)
    pub decay: f32,
    /// `lr / (1 - beta_1^t)`.
    pub rate: f32,
    /// `1 / sqrt(1 - beta_2^t)`.
    pub correction: f32,
    /// Decay of the first moment.
    pub beta_1: f32,
    /// Decay of the second moment.
    pub beta_2: f32,
    /// `1 - beta_1`.
    pub rest_1: f32,
    /// `1 - beta_2`.
    pub rest_2: f32,
    /// Added to the root of the corrected second moment.
    pub epsilon: f32,
}

impl AdamwNumbers {
    /// Numbers of update `time` (1 = the first), computed in f64 where small differences would cancel.
    pub fn new(lr: f64, weight_decay: f64, betas: [f64; 2], epsilon: f64, time: u64) -> Self {
        let [beta_1, beta_2] = betas;
        let time = time.min(i32::MAX as u64) as i32;
        Self {
            decay: (lr * weight_decay) as f32,
            rate: (lr / (1.0 - beta_1.powi(time))) as f32,
            correction: (1.0 / (1.0 - beta_2.powi(time)).sqrt()) as f32,
            beta_1: beta_1 as f32,
            beta_2: beta_2 as f32,
            rest_1: (1.0 - beta_1) as f32,
            rest_2: (1.0 - beta_2) as f32,
            epsilon: epsilon as f32,
        }
    }
}

/// A parameter with its two moments.
#[derive(Clone, Debug)]
pub struct Adapted<const D: usize> {
    /// The parameter.
    pub parameter: Tensor<D>,
    /// Running mean of the gradient, flat.
    pub first: Tensor<1>,
    /// Running mean of the squared gradient, flat.
    pub second: Tensor<1>,
}

/// One AdamW update as PyTorch documents it (decoupled weight decay, bias-corrected moments), with `gradient * scale`
/// as the gradient. A `scale` that is not a finite number leaves everything as it was.
///
/// # Shapes
/// `state.parameter, gradient: [..]` (n elements), `state.first, state.second: [n]`, `scale: [1]`
pub fn adamw<const D: usize>(
    state: Adapted<D>,
    gradient: Tensor<D>,
    scale: Tensor<1>,
    numbers: AdamwNumbers,
) -> Adapted<D> {
    debug_assert_eq!(state.parameter.dims(), gradient.dims(), "parameter and gradient differ in shape");
    debug_assert_eq!(state.parameter.shape().num_elements(), state.first.dims()[0], "moments differ in size");
    let (parameter, first, second) = Dispatch::adamw_update(
        state.parameter.into_dispatch(),
        gradient.into_dispatch(),
        state.first.into_dispatch(),
        state.second.into_dispatch(),
        scale.into_dispatch(),
        numbers,
    );
    Adapted {
        parameter: Tensor::from_dispatch(parameter),
        first: Tensor::from_dispatch(first),
        second: Tensor::from_dispatch(second),
    }
}

/// The same update composed of tensor operations: the reference for tests and benchmarks.
pub fn adamw_reference<const D: usize>(
    state: Adapted<D>,
    gradient: Tensor<D>,
    scale: Tensor<1>,
    numbers: AdamwNumbers,
) -> Adapted<D> {
    let shape = state.parameter.dims();
    let gradient = gradient.flatten::<1>(0, D - 1) * scale;
    let first = state.first * numbers.beta_1 + gradient.clone() * numbers.rest_1;
    let second = state.second * numbers.beta_2 + gradient.square() * numbers.rest_2;
    let delta = first.clone() / (second.clone().sqrt() * numbers.correction + numbers.epsilon) * numbers.rate;
    let decayed = state.parameter.clone() - state.parameter * numbers.decay;
    Adapted { parameter: decayed - delta.reshape(shape), first, second }
}

/// Sum of the squares of all elements, `[1]`; on the CPU engine without a tensor of squares.
pub fn square_sum<const D: usize>(tensor: Tensor<D>) -> Tensor<1> {
    Tensor::from_dispatch(Dispatch::square_sum(tensor.into_dispatch()))
}

/// Backends with a fused AdamW update.
#[backend_extension(Cube, Flex, Fusion)]
pub trait AdamwBackend: Backend {
    /// See [`square_sum`].
    #[fusion(default)]
    fn square_sum(tensor: FloatTensor<Self>) -> FloatTensor<Self> {
        Self::float_sum(Self::float_mul(tensor.clone(), tensor))
    }

    /// See [`adamw`]; returns parameter, first and second moment.
    #[fusion(meta = |parameter, _gradient, first, second, _scale, _numbers| (parameter.clone(), first.clone(), second.clone()))]
    fn adamw_update(
        parameter: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        first: FloatTensor<Self>,
        second: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        numbers: AdamwNumbers,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);
}

impl AdamwBackend for Flex {
    fn square_sum(tensor: FloatTensor<Self>) -> FloatTensor<Self> {
        let tensor = tensor.to_contiguous();
        // Several sums side by side: faster, and closer to the true sum than one running total.
        const LANES: usize = 16;
        let mut lanes = [0.0_f32; LANES];
        let chunks = values(&tensor).chunks_exact(LANES);
        let rest: f32 = chunks.remainder().iter().map(|value| value * value).sum();
        for chunk in chunks {
            for (lane, value) in lanes.iter_mut().zip(chunk) {
                *lane += value * value;
            }
        }
        let sum = lanes.iter().map(|&lane| f64::from(lane)).sum::<f64>() + f64::from(rest);
        flex::tensor(vec![sum as f32], Shape::new([1]))
    }

    fn adamw_update(
        parameter: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        first: FloatTensor<Self>,
        second: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        numbers: AdamwNumbers,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let [mut parameter, gradient, mut first, mut second] =
            [parameter, gradient, first, second].map(|tensor| tensor.to_contiguous());
        let scale = values(&scale.to_contiguous())[0];
        if scale.is_finite() {
            let (p, m, v) = (values_mut(&mut parameter), values_mut(&mut first), values_mut(&mut second));
            adamw_slices(p, values(&gradient), m, v, scale, numbers);
        }
        (parameter, first, second)
    }
}

/// The loop of the CPU engine, in pieces of a fixed length: they become SIMD also where code is built for size.
fn adamw_slices(
    parameter: &mut [f32],
    gradient: &[f32],
    first: &mut [f32],
    second: &mut [f32],
    scale: f32,
    numbers: AdamwNumbers,
) {
    const LANES: usize = 8;
    let ((p, p_rest), (g, g_rest)) = (parameter.as_chunks_mut::<LANES>(), gradient.as_chunks::<LANES>());
    let ((m, m_rest), (v, v_rest)) = (first.as_chunks_mut::<LANES>(), second.as_chunks_mut::<LANES>());
    for ((p, g), (m, v)) in p.iter_mut().zip(g).zip(m.iter_mut().zip(v)) {
        adamw_piece(p, g, m, v, scale, numbers);
    }
    adamw_piece(p_rest, g_rest, m_rest, v_rest, scale, numbers);
}

#[inline(always)]
fn adamw_piece(
    parameter: &mut [f32],
    gradient: &[f32],
    first: &mut [f32],
    second: &mut [f32],
    scale: f32,
    numbers: AdamwNumbers,
) {
    let AdamwNumbers { decay, rate, correction, beta_1, beta_2, rest_1, rest_2, epsilon } = numbers;
    let moments = first.iter_mut().zip(second.iter_mut());
    for ((p, g), (m, v)) in parameter.iter_mut().zip(gradient).zip(moments) {
        let g = g * scale;
        *m = beta_1 * *m + rest_1 * g;
        *v = beta_2 * *v + rest_2 * g * g;
        *p -= decay * *p + rate * *m / (v.sqrt() * correction + epsilon);
    }
}

/// One invocation per element, in place.
#[cube(launch)]
fn adamw_kernel(
    gradient: &cubecl::prelude::Tensor<f32>,
    scale: &cubecl::prelude::Tensor<f32>,
    parameter: &mut cubecl::prelude::Tensor<f32>,
    first: &mut cubecl::prelude::Tensor<f32>,
    second: &mut cubecl::prelude::Tensor<f32>,
    decay: f32,
    rate: f32,
    correction: f32,
    beta_1: f32,
    beta_2: f32,
    rest_1: f32,
    rest_2: f32,
    epsilon: f32,
) {
    let at = ABSOLUTE_POS;
    if at >= parameter.len() {
        terminate!();
    }
    // A shader compiler may assume that there are no NaNs, so the exponent bits are asked instead of the number.
    let exponent = u32::reinterpret(scale[0]) & 0x7f80_0000u32;
    if exponent != 0x7f80_0000u32 {
        let g = gradient[at] * scale[0];
        let m = beta_1 * first[at] + rest_1 * g;
        let v = beta_2 * second[at] + rest_2 * g * g;
        let p = parameter[at];
        first[at] = m;
        second[at] = v;
        parameter[at] = p - (decay * p + rate * m / (f32::sqrt(v) * correction + epsilon));
    }
}

impl AdamwBackend for CubeBackend {
    fn adamw_update(
        parameter: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        first: FloatTensor<Self>,
        second: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        numbers: AdamwNumbers,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let [parameter, first, second] = [parameter, first, second].map(writable);
        let (gradient, scale) = (into_contiguous(gradient), into_contiguous(scale));
        let client = parameter.client.clone();
        let elements = parameter.meta.num_elements();
        if elements == 0 {
            return (parameter, first, second);
        }
        let cube_dim = CubeDim::new(&client, elements);
        adamw_kernel::launch(
            &client,
            calculate_cube_count_elemwise(&client, elements, cube_dim),
            cube_dim,
            gradient.into_tensor_arg(),
            scale.into_tensor_arg(),
            parameter.clone().into_tensor_arg(),
            first.clone().into_tensor_arg(),
            second.clone().into_tensor_arg(),
            numbers.decay,
            numbers.rate,
            numbers.correction,
            numbers.beta_1,
            numbers.beta_2,
            numbers.rest_1,
            numbers.rest_2,
            numbers.epsilon,
        );
        (parameter, first, second)
    }
}

/// The tensor itself where nobody else holds its buffer, else a copy of it.
fn writable(tensor: CubeTensor) -> CubeTensor {
    let tensor = into_contiguous(tensor);
    if tensor.can_mut() { tensor } else { tensor.copy() }
}
