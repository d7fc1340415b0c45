//! One AdamW update of one tensor in one launch.
//!
//! Composed of tensor operations an update takes about twelve passes over parameter, gradient and moments; it is bound
//! by memory, so the fused one reads four and writes three. It works in place wherever nobody else holds the tensors.

mod cpu;
#[cfg(feature = "webgpu")]
mod gpu;

use burn::backend::{Backend, Dispatch, backend_extension, tensor::FloatTensor};
use burn::tensor::Tensor;

pub use heirloom_lanes::AdamwNumbers;

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

/// Backends with a fused AdamW update.
#[backend_extension(Cube: cfg(feature = "webgpu"), Flex, Fusion: cfg(feature = "webgpu"))]
pub trait AdamwBackend: Backend {
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
