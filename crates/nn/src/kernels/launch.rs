//! What the WebGPU halves of the kernels share.

use burn::tensor::{DType, Shape};
use burn_cubecl::kernel::into_contiguous;
use burn_wgpu::CubeTensor;
use cubecl::prelude::*;

/// Floats of workgroup memory that every WebGPU adapter has.
pub(super) const SHARED_FLOATS: usize = 16_384 / 4;
/// Cubes that a launch may have along one axis on every WebGPU adapter.
const CUBES_PER_AXIS: usize = 65_535;

/// A tensor of f32 that a kernel is going to fill, where `like` lies.
pub(super) fn empty(like: &CubeTensor, shape: Shape) -> CubeTensor {
    let buffer = like.client.empty(shape.num_elements() * DType::F32.size());
    CubeTensor::new_contiguous(like.client.clone(), like.device.clone(), shape, buffer, DType::F32)
}

/// The tensor itself where nobody else holds its buffer, else a copy of it.
pub(super) fn writable(tensor: CubeTensor) -> CubeTensor {
    let tensor = into_contiguous(tensor);
    if tensor.can_mut() { tensor } else { tensor.copy() }
}

/// At least so many cubes, over two axes where one does not hold them: the kernel asks for `CUBE_POS` and must bear with
/// cubes that have nothing to do.
pub(super) fn folded(cubes: usize) -> CubeCount {
    let lines = cubes.div_ceil(CUBES_PER_AXIS).max(1);
    CubeCount::Static(cubes.div_ceil(lines) as u32, lines as u32, 1)
}

/// The smaller of two numbers.
#[cube]
pub(super) fn at_most(value: usize, limit: usize) -> usize {
    let mut least = value;
    if value > limit {
        least = limit;
    }
    least
}

/// Sum of what the units of a line of the cube hold, for each of them. `shared` has room for a number of every unit.
///
/// All units of the cube must call it, and it may be called again with the same memory.
#[cube]
pub(super) fn line_sum(
    shared: &mut Shared<[f32]>,
    own: f32,
    line: usize,
    lane: usize,
    #[comptime] lanes: usize,
) -> f32 {
    sync_cube();
    shared[line * lanes + lane] = own;
    sync_cube();
    let mut sum = 0.0f32;
    for i in 0..lanes {
        sum += shared[line * lanes + i];
    }
    sum
}
