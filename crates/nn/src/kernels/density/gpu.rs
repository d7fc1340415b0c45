//! The GPU's half.

use burn::backend::fusion::custom::TensorSpec;
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::tensor::{DType, Shape};
use burn_cubecl::kernel::into_contiguous;
use burn_wgpu::{CubeBackend, CubeTensor};
use cubecl::{CubeDim, calculate_cube_count_elemwise, prelude::*};

use super::{DensityTables, tables_shape};

/// What both tables are, before they are computed.
pub(super) fn specs(distance: &TensorSpec, _eps: &f32) -> (TensorSpec, TensorSpec) {
    let spec = |shape: Shape| TensorSpec::new(shape, DType::I32);
    (spec(tables_shape(&distance.shape)), spec(distance.shape.clone()))
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
