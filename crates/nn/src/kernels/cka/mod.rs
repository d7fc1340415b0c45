//! Gram matrices for linear CKA (Kornblith et al. 2019), never stored where they are larger than what they are of.
//!
//! All that CKA asks of two sets of centred features `A [examples, p]` and `B [examples, q]` is `‖AᵀB‖²`, the squared
//! Frobenius norm, which is also the inner product of their Gram matrices `AAᵀ` and `BBᵀ`. The first form multiplies
//! tiles of `AᵀB` and adds their squares at once; the second stores `[examples, examples]` per set. [`pair_squares`]
//! takes whichever is less work.

use burn::backend::ops::FloatTensorOps;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, Flex, TensorMetadata, backend_extension};
use burn::tensor::{DType, Shape, Slice, Tensor};
use burn_cubecl::kernel::into_contiguous;
use burn_wgpu::{CubeBackend, CubeTensor};
use cubecl::{CubeCount, CubeDim, prelude::*};

use super::flex::{tensor, values};

/// Side of a tile of the product; one unit per element, so 256 units, what every WebGPU adapter has.
const TILE: usize = 16;

/// `‖AᵢᵀBⱼ‖²` of all pairs of two stacks.
///
/// # Shapes
/// - a: `[sets, examples, p]`, b: `[other sets, examples, q]`, features centred
/// - output: `[sets, other sets]`
///
/// # Panics
/// When the stacks are not of the same examples.
pub fn pair_squares(a: Tensor<3>, b: Tensor<3>) -> Tensor<2> {
    let ([sets, examples, _], [others, _, _]) = (a.dims(), b.dims());
    if !prefers_gram(a.dims(), b.dims()) {
        return pair_squares_by_features(a, b);
    }
    let flat = |gram: Tensor<3>, sets: usize| gram.reshape([sets, examples * examples]);
    flat(gram(a), sets).matmul(flat(gram(b), others).transpose())
}

/// [`pair_squares`] by features, `p × q` per pair.
///
/// # Panics
/// When the stacks are not of the same examples.
pub fn pair_squares_by_features(a: Tensor<3>, b: Tensor<3>) -> Tensor<2> {
    let ([sets, examples, _], [others, found, _]) = (a.dims(), b.dims());
    assert_eq!(examples, found, "the two stacks are of different examples");
    let tiles = Dispatch::pair_square_tiles(a.inner().into_dispatch(), b.inner().into_dispatch(), false);
    Tensor::<2>::from_dispatch(tiles).sum_dim(1).reshape([sets, others])
}

/// `‖AᵢᵀAᵢ‖²` of every set of a stack.
///
/// # Shapes
/// - a: `[sets, examples, p]`, features centred
/// - output: `[sets]`
pub fn own_squares(a: Tensor<3>) -> Tensor<1> {
    let [sets, examples, width] = a.dims();
    if examples < width {
        let gram = gram(a);
        return (gram.clone() * gram).reshape([sets, examples * examples]).sum_dim(1).reshape([sets]);
    }
    let a = a.inner().into_dispatch();
    let tiles = Dispatch::pair_square_tiles(a.clone(), a, true);
    Tensor::<2>::from_dispatch(tiles).sum_dim(1).reshape([sets])
}

/// Gram matrices `AᵢAᵢᵀ`.
///
/// # Shapes
/// - a: `[sets, examples, p]`
/// - output: `[sets, examples, examples]`
pub fn gram(a: Tensor<3>) -> Tensor<3> {
    Tensor::from_dispatch(Dispatch::gram_matrices(a.inner().into_dispatch()))
}

/// Whether Gram matrices of examples are less work than products of features.
pub fn prefers_gram(a: [usize; 3], b: [usize; 3]) -> bool {
    let [sets, examples, p] = a.map(|count| count as u128);
    let [others, _, q] = b.map(|count| count as u128);
    examples * (sets * p + others * q + sets * others) < sets * others * p * q
}

/// The products on each engine.
#[backend_extension(Cube, Flex, Fusion)]
pub trait GramProducts: Backend {
    /// Sums of squares of `AᵢᵀBⱼ`, tile by tile: `[pairs, tiles]`, the last set fastest; with `is_own` only `i = j`.
    #[fusion(dtype = a, shape = tiles_shape(a, b, is_own))]
    fn pair_square_tiles(a: FloatTensor<Self>, b: FloatTensor<Self>, is_own: bool) -> FloatTensor<Self>;

    /// See [`gram`].
    #[fusion(dtype = a, shape = gram_shape(a))]
    fn gram_matrices(a: FloatTensor<Self>) -> FloatTensor<Self>;
}

fn tiles_shape(a: &Shape, b: &Shape, is_own: &bool) -> Shape {
    let pairs = if *is_own { a[0] } else { a[0] * b[0] };
    Shape::from(vec![pairs, a[2].div_ceil(TILE) * b[2].div_ceil(TILE)])
}

fn gram_shape(a: &Shape) -> Shape {
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

/// One set of a stack, `[1, examples, width]`.
fn set(stack: &FloatTensor<Flex>, index: usize) -> FloatTensor<Flex> {
    let [_, examples, width] = stack.shape().dims();
    let slices = [Slice::from(index..index + 1), Slice::from(0..examples), Slice::from(0..width)];
    Flex::float_slice(stack.clone(), &slices)
}

impl GramProducts for Flex {
    fn pair_square_tiles(a: FloatTensor<Self>, b: FloatTensor<Self>, is_own: bool) -> FloatTensor<Self> {
        let shape = tiles_shape(&a.shape(), &b.shape(), &is_own);
        let (others, tiles) = (b.shape()[0], shape[1]);
        let mut output = vec![0.0; shape.num_elements()];
        for pair in 0..shape[0] {
            let (first, second) = if is_own { (pair, pair) } else { (pair / others, pair % others) };
            let product = Self::float_matmul(Self::float_swap_dims(set(&a, first), 1, 2), set(&b, second));
            // The whole product lies in memory here; its sum stands in the first tile.
            let squares = values(&product).iter().map(|&x| f64::from(x) * f64::from(x));
            output[pair * tiles] = squares.sum::<f64>() as f32;
        }
        tensor(output, shape)
    }

    fn gram_matrices(a: FloatTensor<Self>) -> FloatTensor<Self> {
        Self::float_matmul(a.clone(), Self::float_swap_dims(a, 1, 2))
    }
}
