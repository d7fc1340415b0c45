//! The GPU's half.

use burn::backend::tensor::FloatTensor;
use burn::tensor::{DType, Shape};
use burn_cubecl::kernel::into_contiguous;
use burn_wgpu::{CubeBackend, CubeTensor};
use cubecl::{CubeCount, CubeDim, prelude::*};

use super::{GramProducts, TILE, tiles_shape};

/// Shape of the Gram matrices.
pub(super) fn gram_shape(a: &Shape) -> Shape {
    Shape::from(vec![a[0], a[1], a[1]])
}

/// One cube per tile of `AᵢᵀBⱼ` and pair: features of both sets lie in shared memory, 16 examples at a time.
#[cube(launch)]
fn pair_square_kernel(
    a: &cubecl::prelude::Tensor<f32>,
    b: &cubecl::prelude::Tensor<f32>,
    output: &mut cubecl::prelude::Tensor<f32>,
    examples: usize,
    a_width: usize,
    b_width: usize,
    others: usize,
    tiles: usize,
    #[comptime] is_own: bool,
) {
    let (column, row) = (UNIT_POS_X as usize, UNIT_POS_Y as usize);
    let pair = CUBE_POS_Z as usize;
    let mut first = pair / others;
    let mut second = pair % others;
    if comptime!(is_own) {
        first = pair;
        second = pair;
    }
    let a_column = CUBE_POS_Y as usize * TILE + column;
    let b_column = CUBE_POS_X as usize * TILE + column;
    let mut a_tile = Shared::<[f32]>::new_slice(comptime!(TILE * TILE));
    let mut b_tile = Shared::<[f32]>::new_slice(comptime!(TILE * TILE));
    let mut product = 0.0f32;
    for tile in 0..tiles {
        let example = tile * TILE + row;
        let mut from_a = 0.0f32;
        if example < examples && a_column < a_width {
            from_a = a[(first * examples + example) * a_width + a_column];
        }
        let mut from_b = 0.0f32;
        if example < examples && b_column < b_width {
            from_b = b[(second * examples + example) * b_width + b_column];
        }
        sync_cube();
        a_tile[row * TILE + column] = from_a;
        b_tile[row * TILE + column] = from_b;
        sync_cube();
        for k in 0..TILE {
            product += a_tile[k * TILE + row] * b_tile[k * TILE + column];
        }
    }
    sync_cube();
    a_tile[row * TILE + column] = product * product;
    sync_cube();
    if row == 0 && column == 0 {
        let mut total = 0.0f32;
        for k in 0..TILE * TILE {
            total += a_tile[k];
        }
        let tile = CUBE_POS_Y as usize * CUBE_COUNT_X as usize + CUBE_POS_X as usize;
        output[pair * (CUBE_COUNT_X * CUBE_COUNT_Y) as usize + tile] = total;
    }
}

/// One cube per tile on or above the diagonal; it writes the mirrored tile too.
#[cube(launch)]
fn gram_kernel(
    a: &cubecl::prelude::Tensor<f32>,
    output: &mut cubecl::prelude::Tensor<f32>,
    examples: usize,
    width: usize,
    tiles: usize,
) {
    let (column, row) = (UNIT_POS_X as usize, UNIT_POS_Y as usize);
    let set = CUBE_POS_Z as usize;
    if CUBE_POS_X >= CUBE_POS_Y {
        let upper = CUBE_POS_Y as usize * TILE + row;
        let lower = CUBE_POS_X as usize * TILE + row;
        let mut a_tile = Shared::<[f32]>::new_slice(comptime!(TILE * TILE));
        let mut b_tile = Shared::<[f32]>::new_slice(comptime!(TILE * TILE));
        let mut product = 0.0f32;
        for tile in 0..tiles {
            let feature = tile * TILE + column;
            let mut from_a = 0.0f32;
            if upper < examples && feature < width {
                from_a = a[(set * examples + upper) * width + feature];
            }
            let mut from_b = 0.0f32;
            if lower < examples && feature < width {
                from_b = a[(set * examples + lower) * width + feature];
            }
            sync_cube();
            a_tile[row * TILE + column] = from_a;
            b_tile[row * TILE + column] = from_b;
            sync_cube();
            for k in 0..TILE {
                product += a_tile[row * TILE + k] * b_tile[column * TILE + k];
            }
        }
        let other = CUBE_POS_X as usize * TILE + column;
        if upper < examples && other < examples {
            output[(set * examples + upper) * examples + other] = product;
            output[(set * examples + other) * examples + upper] = product;
        }
    }
}

/// A tensor that a kernel is going to fill.
fn empty_like(a: &CubeTensor, shape: Shape) -> CubeTensor {
    let buffer = a.client.empty(shape.num_elements() * DType::F32.size());
    CubeTensor::new_contiguous(a.client.clone(), a.device.clone(), shape, buffer, DType::F32)
}

impl GramProducts for CubeBackend {
    fn pair_square_tiles(a: FloatTensor<Self>, b: FloatTensor<Self>, is_own: bool) -> FloatTensor<Self> {
        let (a, b) = (into_contiguous(a), into_contiguous(b));
        assert_eq!((a.dtype, b.dtype), (DType::F32, DType::F32), "features are f32");
        let shape = tiles_shape(a.meta.shape(), b.meta.shape(), &is_own);
        let output = empty_like(&a, shape.clone());
        let ([_, examples, a_width], [others, _, b_width]) = (a.meta.shape().dims(), b.meta.shape().dims());
        pair_square_kernel::launch(
            &output.client,
            CubeCount::Static(b_width.div_ceil(TILE) as u32, a_width.div_ceil(TILE) as u32, shape[0] as u32),
            CubeDim::new_2d(TILE as u32, TILE as u32),
            a.into_tensor_arg(),
            b.into_tensor_arg(),
            output.clone().into_tensor_arg(),
            examples,
            a_width,
            b_width,
            others,
            examples.div_ceil(TILE),
            is_own,
        );
        output
    }

    fn gram_matrices(a: FloatTensor<Self>) -> FloatTensor<Self> {
        let a = into_contiguous(a);
        assert_eq!(a.dtype, DType::F32, "features are f32");
        let output = empty_like(&a, gram_shape(a.meta.shape()));
        let [sets, examples, width] = a.meta.shape().dims();
        let tiles = examples.div_ceil(TILE) as u32;
        gram_kernel::launch(
            &output.client,
            CubeCount::Static(tiles, tiles, sets as u32),
            CubeDim::new_2d(TILE as u32, TILE as u32),
            a.into_tensor_arg(),
            output.clone().into_tensor_arg(),
            examples,
            width,
            width.div_ceil(TILE),
        );
        output
    }
}
