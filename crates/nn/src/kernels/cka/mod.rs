//! Gram matrices for linear CKA (Kornblith et al. 2019), never stored where they are larger than what they are of.
//!
//! All that CKA asks of two sets of centred features `A [examples, p]` and `B [examples, q]` is `‖AᵀB‖²`, the squared
//! Frobenius norm, which is also the inner product of their Gram matrices `AAᵀ` and `BBᵀ`. The first form multiplies
//! tiles of `AᵀB` and adds their squares at once; the second stores `[examples, examples]` per set. [`pair_squares`]
//! takes whichever is less work.

mod cpu;
#[cfg(feature = "webgpu")]
mod gpu;

use burn::backend::{Backend, Dispatch, backend_extension, tensor::FloatTensor};
use burn::tensor::{Shape, Tensor};

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
#[backend_extension(Cube: cfg(feature = "webgpu"), Flex, Fusion: cfg(feature = "webgpu"))]
pub trait GramProducts: Backend {
    /// Sums of squares of `AᵢᵀBⱼ`, tile by tile: `[pairs, tiles]`, the last set fastest; with `is_own` only `i = j`.
    #[fusion(dtype = a, shape = tiles_shape(a, b, is_own))]
    fn pair_square_tiles(a: FloatTensor<Self>, b: FloatTensor<Self>, is_own: bool) -> FloatTensor<Self>;

    /// See [`gram`].
    #[fusion(dtype = a, shape = gpu::gram_shape(a))]
    fn gram_matrices(a: FloatTensor<Self>) -> FloatTensor<Self>;
}

fn tiles_shape(a: &Shape, b: &Shape, is_own: &bool) -> Shape {
    let pairs = if *is_own { a[0] } else { a[0] * b[0] };
    Shape::from(vec![pairs, a[2].div_ceil(TILE) * b[2].div_ceil(TILE)])
}
