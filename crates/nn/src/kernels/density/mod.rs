//! Which heads of a layer are near each other, for all layers in one launch (docs/methods.md, section 1.2).
//!
//! The comparison uses one subtraction per direction and no square root, so that every engine and the host give exactly
//! the same table: a head at exactly `eps` is near everywhere or nowhere.

use burn::backend::fusion::custom::TensorSpec;
use burn::backend::ops::IntTensorOps;
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, Dispatch, Flex, TensorMetadata, backend_extension};
use burn::tensor::{DType, Int, Shape, Tensor, TensorData};
use burn_cubecl::kernel::into_contiguous;
use burn_wgpu::{CubeBackend, CubeTensor};
use cubecl::{CubeDim, calculate_cube_count_elemwise, prelude::*};

use super::flex::values;

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
#[backend_extension(Cube, Flex, Fusion)]
pub trait DensityTables: Backend {
    /// See [`density`]: `[layers, heads]` to `[layers, heads, heads]` and `[layers, heads]`.
    #[fusion(meta = |distance, _eps| (tables_spec(&distance.shape), counts_spec(&distance.shape)))]
    fn density_tables(distance: FloatTensor<Self>, eps: f32) -> (IntTensor<Self>, IntTensor<Self>);
}

fn tables_shape(distance: &Shape) -> Shape {
    Shape::from(vec![distance[0], distance[1], distance[1]])
}

fn tables_spec(distance: &Shape) -> TensorSpec {
    TensorSpec::new(tables_shape(distance), DType::I32)
}

fn counts_spec(distance: &Shape) -> TensorSpec {
    TensorSpec::new(distance.clone(), DType::I32)
}

/// One invocation per head.
#[cube(launch)]
fn density_kernel(
    distance: &cubecl::prelude::Tensor<f32>,
    near: &mut cubecl::prelude::Tensor<i32>,
    counts: &mut cubecl::prelude::Tensor<i32>,
    eps: f32,
    heads: usize,
) {
    let row = ABSOLUTE_POS;
    if row >= counts.len() {
        terminate!();
    }
    let first = row / heads * heads;
    let own = distance[row];
    let mut count = 0i32;
    for other in 0..heads {
        let apart = own - distance[first + other];
        let mut is_near = 0i32;
        if apart <= eps && -apart <= eps {
            is_near = 1i32;
        }
        near[row * heads + other] = is_near;
        count += is_near;
    }
    counts[row] = count;
}

impl DensityTables for CubeBackend {
    fn density_tables(distance: FloatTensor<Self>, eps: f32) -> (IntTensor<Self>, IntTensor<Self>) {
        let distance = into_contiguous(distance);
        assert_eq!(distance.dtype, DType::F32, "distances are f32");
        let shape = distance.meta.shape().clone();
        let client = distance.client.clone();
        let empty = |shape: Shape| {
            let buffer = client.empty(shape.num_elements() * DType::I32.size());
            CubeTensor::new_contiguous(client.clone(), distance.device.clone(), shape, buffer, DType::I32)
        };
        let (near, counts) = (empty(tables_shape(&shape)), empty(shape.clone()));
        let rows = shape.num_elements();
        if rows > 0 {
            let cube_dim = CubeDim::new(&client, rows);
            density_kernel::launch(
                &client,
                calculate_cube_count_elemwise(&client, rows, cube_dim),
                cube_dim,
                distance.clone().into_tensor_arg(),
                near.clone().into_tensor_arg(),
                counts.clone().into_tensor_arg(),
                eps,
                shape[1],
            );
        }
        (near, counts)
    }
}

impl DensityTables for Flex {
    fn density_tables(distance: FloatTensor<Self>, eps: f32) -> (IntTensor<Self>, IntTensor<Self>) {
        let distance = distance.to_contiguous();
        let shape = distance.shape();
        let (mut near, mut counts) = (Vec::new(), Vec::new());
        for layer in values(&distance).chunks(shape[1].max(1)) {
            for own in layer {
                let row = layer.iter().map(|other| i32::from((own - other).abs() <= eps));
                counts.push(row.clone().sum::<i32>());
                near.extend(row);
            }
        }
        let near = Self::int_from_data(TensorData::new(near, tables_shape(&shape)), &Default::default());
        (near, Self::int_from_data(TensorData::new(counts, shape), &Default::default()))
    }
}
