//! Which heads of a layer are near each other, for all layers in one launch (docs/methods.md, section 1.2).
//!
//! The comparison uses one subtraction per direction and no square root, so that every engine and the host give exactly
//! the same table: a head at exactly `eps` is near everywhere or nowhere.

mod cpu;
#[cfg(feature = "webgpu")]
mod gpu;

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, Dispatch, backend_extension};
use burn::tensor::{Int, Shape, Tensor};

/// Neighbours of every head.
#[derive(Clone, Debug)]
pub struct Density {
    /// 1 where two heads of a layer are at most `eps` apart, else 0: `[layers, heads, heads]`.
    pub near: Tensor<3, Int>,
    /// How many heads are near each, itself included: `[layers, heads]`. Those with at least `min_heads` are core heads.
    pub counts: Tensor<2, Int>,
}

/// Compares all pairs of heads within each layer.
///
/// # Shapes
/// - distance: `[layers, heads]`, px
pub fn density(distance: Tensor<2>, eps: f32) -> Density {
    let (near, counts) = Dispatch::density_tables(distance.inner().into_dispatch(), eps);
    Density { near: Tensor::from_dispatch(near), counts: Tensor::from_dispatch(counts) }
}

/// The same tables composed of tensor operations: the reference for tests and benchmarks.
pub fn density_reference(distance: Tensor<2>, eps: f32) -> Density {
    let [layers, heads] = distance.dims();
    let apart = distance.clone().reshape([layers, heads, 1]) - distance.reshape([layers, 1, heads]);
    let near = apart.abs().lower_equal_elem(eps).int();
    let counts = near.clone().sum_dim(2).reshape([layers, heads]);
    Density { near, counts }
}

/// The comparison on each engine.
#[backend_extension(Cube: cfg(feature = "webgpu"), Flex, Fusion: cfg(feature = "webgpu"))]
pub trait DensityTables: Backend {
    /// See [`density`]: `[layers, heads]` to `[layers, heads, heads]` and `[layers, heads]`.
    #[fusion(meta = gpu::specs)]
    fn density_tables(distance: FloatTensor<Self>, eps: f32) -> (IntTensor<Self>, IntTensor<Self>);
}

fn tables_shape(distance: &Shape) -> Shape {
    Shape::from(vec![distance[0], distance[1], distance[1]])
}
