//! The CPU engine's half.

use burn::backend::ops::FloatTensorOps;
use burn::backend::{Flex, TensorMetadata, tensor::FloatTensor};
use burn::tensor::Slice;

use super::{GramProducts, tiles_shape};
use crate::kernels::flex::{tensor, values};

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
