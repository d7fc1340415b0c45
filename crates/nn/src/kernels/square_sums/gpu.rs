//! The GPU's half: a cube for every slot.

use burn::backend::tensor::FloatTensor;
use burn::tensor::DType;
use burn_cubecl::kernel::into_contiguous;
use burn_wgpu::CubeBackend;
use cubecl::{CubeCount, CubeDim, prelude::*};

use super::{SquareSumsBackend, slots};
use crate::kernels::launch::writable;

/// Numbers that one unit adds in the end.
const SIDE: usize = 16;
/// Units of a cube: what every WebGPU adapter has.
const UNITS: usize = SIDE * SIDE;

#[cube(launch)]
fn square_sums_kernel(
    tensor: &cubecl::prelude::Tensor<f32>,
    sums: &mut cubecl::prelude::Tensor<f32>,
    elements: usize,
    slot: usize,
    cubes: usize,
) {
    let unit = UNIT_POS_X as usize;
    let mut shared = Shared::<[f32]>::new_slice(comptime!(UNITS));
    let mut parts = Shared::<[f32]>::new_slice(comptime!(SIDE));
    let mut sum = 0.0f32;
    let mut at = CUBE_POS_X as usize * UNITS + unit;
    while at < elements {
        sum += tensor[at] * tensor[at];
        at += cubes * UNITS;
    }
    shared[unit] = sum;
    sync_cube();
    if unit < SIDE {
        let mut part = 0.0f32;
        for i in 0..SIDE {
            part += shared[i * SIDE + unit];
        }
        parts[unit] = part;
    }
    sync_cube();
    if unit == 0 {
        let mut total = 0.0f32;
        for i in 0..SIDE {
            total += parts[i];
        }
        sums[slot + CUBE_POS_X as usize] = total;
    }
}

impl SquareSumsBackend for CubeBackend {
    fn square_sums_into(sums: FloatTensor<Self>, tensor: FloatTensor<Self>, slot: usize) -> FloatTensor<Self> {
        let (sums, tensor) = (writable(sums), into_contiguous(tensor));
        assert_eq!([sums.dtype, tensor.dtype], [DType::F32; 2], "sums are of f32");
        let elements = tensor.meta.num_elements();
        let cubes = slots(elements);
        square_sums_kernel::launch(
            &sums.client,
            CubeCount::Static(cubes as u32, 1, 1),
            CubeDim::new_1d(UNITS as u32),
            tensor.into_tensor_arg(),
            sums.clone().into_tensor_arg(),
            elements,
            slot,
            cubes,
        );
        sums
    }
}
