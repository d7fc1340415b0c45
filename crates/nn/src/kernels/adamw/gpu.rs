//! The GPU's half.

use burn::backend::tensor::FloatTensor;
use burn_cubecl::{CubeBackend, kernel::into_contiguous};
use cubecl::{CubeDim, calculate_cube_count_elemwise, prelude::*};

use super::{AdamwBackend, AdamwNumbers};
use crate::kernels::launch::writable;

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
