//! The GPU's half.

use burn::backend::tensor::FloatTensor;
use burn::tensor::{DType, Shape};
use burn_cubecl::kernel::into_contiguous;
use burn_wgpu::{CubeBackend, CubeTensor};
use cubecl::{CubeCount, CubeDim, calculate_cube_count_elemwise, prelude::*};

use super::{FfnMapBackend, SUMS};

/// One invocation per weight.
#[cube(launch)]
fn ffn_map_kernel(
    weight: &cubecl::prelude::Tensor<f32>,
    map: &cubecl::prelude::Tensor<f32>,
    output: &mut cubecl::prelude::Tensor<f32>,
    layer: usize,
    #[comptime] hidden: usize,
) {
    let at = ABSOLUTE_POS;
    if at >= output.len() {
        terminate!();
    }
    let own = weight[at];
    let mut sum = own + map[2 * hidden + layer];
    for j in 0..hidden {
        let before = own * map[j] + map[hidden + j];
        if before > 0.0f32 {
            sum += before * map[(3 + j) * hidden + layer];
        }
    }
    output[at] = sum;
}

/// Gradient of the weights, and per cube the sums from which [`ffn_map_gather_kernel`] makes the gradient of the map.
#[cube(launch)]
fn ffn_map_backward_kernel(
    weight: &cubecl::prelude::Tensor<f32>,
    map: &cubecl::prelude::Tensor<f32>,
    gradient: &cubecl::prelude::Tensor<f32>,
    weight_gradient: &mut cubecl::prelude::Tensor<f32>,
    partial: &mut cubecl::prelude::Tensor<f32>,
    layer: usize,
    cubes: usize,
    #[comptime] hidden: usize,
    #[comptime] units: usize,
) {
    let width = comptime!(SUMS * hidden + 1);
    let unit = UNIT_POS_X as usize;
    let mut sums = Array::<f32>::new(width);
    for i in 0..width {
        sums[i] = 0.0f32;
    }
    let mut at = CUBE_POS_X as usize * units + unit;
    while at < weight.len() {
        let own = weight[at];
        let g = gradient[at];
        let mut slope = 1.0f32;
        for j in 0..hidden {
            let before = own * map[j] + map[hidden + j];
            if before > 0.0f32 {
                slope += map[(3 + j) * hidden + layer] * map[j];
                sums[SUMS * j] += g * before;
                sums[SUMS * j + 1] += g * own;
                sums[SUMS * j + 2] += g;
            }
        }
        sums[SUMS * hidden] += g;
        weight_gradient[at] = g * slope;
        at += cubes * units;
    }
    let mut shared = Shared::<[f32]>::new_slice(comptime!(units * (SUMS * hidden + 1)));
    for i in 0..width {
        shared[unit * width + i] = sums[i];
    }
    sync_cube();
    let mut i = unit;
    while i < width {
        let mut sum = 0.0f32;
        for other in 0..units {
            sum += shared[other * width + i];
        }
        partial[CUBE_POS_X as usize * width + i] = sum;
        i += units;
    }
}

/// One invocation per element of the map's gradient: adds the cubes' sums.
#[cube(launch)]
fn ffn_map_gather_kernel(
    map: &cubecl::prelude::Tensor<f32>,
    partial: &cubecl::prelude::Tensor<f32>,
    map_gradient: &mut cubecl::prelude::Tensor<f32>,
    layer: usize,
    cubes: usize,
    #[comptime] hidden: usize,
) {
    let at = ABSOLUTE_POS;
    if at >= map_gradient.len() {
        terminate!();
    }
    let width = comptime!(SUMS * hidden + 1);
    let row = at / hidden;
    let column = at % hidden;
    // Which sum this element needs, and its factor; only column `layer` of the last layer has a gradient.
    let mut which = SUMS * column + 1;
    let mut factor = map[(3 + column) * hidden + layer];
    if row == 1 {
        which = SUMS * column + 2;
    }
    if row >= 2 {
        which = SUMS * hidden;
        factor = 0.0f32;
        if column == layer {
            factor = 1.0f32;
        }
        if row > 2 {
            which = SUMS * (row - 3);
        }
    }
    let mut sum = 0.0f32;
    for cube in 0..cubes {
        sum += partial[cube * width + which];
    }
    map_gradient[at] = sum * factor;
}

/// Cubes of the backward kernel at most: enough to fill an adapter, few enough to add up in one loop.
const CUBES: usize = 128;
/// Floats of workgroup memory every WebGPU adapter has.
const SHARED_FLOATS: usize = 16_384 / 4;

/// Units of a cube of the backward kernel, so that their sums fit in workgroup memory.
fn backward_units(hidden: usize) -> usize {
    let fit = SHARED_FLOATS / (SUMS * hidden + 1);
    assert!(fit > 0, "a map of {hidden} layers is too large for a kernel");
    [64, 32, 16, 8, 4, 2].into_iter().find(|&units| units <= fit).unwrap_or(1)
}

fn empty_like(like: &CubeTensor, shape: Shape) -> CubeTensor {
    let buffer = like.client.empty(shape.num_elements() * DType::F32.size());
    CubeTensor::new_contiguous(like.client.clone(), like.device.clone(), shape, buffer, DType::F32)
}

impl FfnMapBackend for CubeBackend {
    fn ffn_map_forward(weight: FloatTensor<Self>, map: FloatTensor<Self>, layer: usize) -> FloatTensor<Self> {
        let [weight, map] = [weight, map].map(into_contiguous);
        assert_eq!([weight.dtype, map.dtype], [DType::F32; 2], "weights and map are f32");
        let output = empty_like(&weight, weight.meta.shape().clone());
        let (client, elements, hidden) = (output.client.clone(), weight.meta.num_elements(), map.meta.shape()[1]);
        if elements > 0 {
            let cube_dim = CubeDim::new(&client, elements);
            ffn_map_kernel::launch(
                &client,
                calculate_cube_count_elemwise(&client, elements, cube_dim),
                cube_dim,
                weight.into_tensor_arg(),
                map.into_tensor_arg(),
                output.clone().into_tensor_arg(),
                layer,
                hidden,
            );
        }
        output
    }

    fn ffn_map_backward(
        weight: FloatTensor<Self>,
        map: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        layer: usize,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let [weight, map, gradient] = [weight, map, gradient].map(into_contiguous);
        let client = weight.client.clone();
        let (elements, hidden) = (weight.meta.num_elements(), map.meta.shape()[1]);
        let units = backward_units(hidden);
        let cubes = elements.div_ceil(units).clamp(1, CUBES);
        let weight_gradient = empty_like(&weight, weight.meta.shape().clone());
        let map_gradient = empty_like(&map, map.meta.shape().clone());
        let partial = empty_like(&map, Shape::from(vec![cubes, SUMS * hidden + 1]));
        ffn_map_backward_kernel::launch(
            &client,
            CubeCount::Static(cubes as u32, 1, 1),
            CubeDim::new_1d(units as u32),
            weight.into_tensor_arg(),
            map.clone().into_tensor_arg(),
            gradient.into_tensor_arg(),
            weight_gradient.clone().into_tensor_arg(),
            partial.clone().into_tensor_arg(),
            layer,
            cubes,
            hidden,
            units,
        );
        let outputs = map.meta.num_elements();
        let cube_dim = CubeDim::new(&client, outputs);
        ffn_map_gather_kernel::launch(
            &client,
            calculate_cube_count_elemwise(&client, outputs, cube_dim),
            cube_dim,
            map.into_tensor_arg(),
            partial.into_tensor_arg(),
            map_gradient.clone().into_tensor_arg(),
            layer,
            cubes,
            hidden,
        );
        (weight_gradient, map_gradient)
    }
}
