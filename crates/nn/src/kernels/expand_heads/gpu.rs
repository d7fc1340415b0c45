//! The GPU's half.

use burn::backend::fusion::custom::TensorSpec;
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::tensor::{DType, Shape};
use burn_cubecl::kernel::into_contiguous;
use burn_wgpu::{CubeBackend, CubeTensor};
use cubecl::{CubeDim, calculate_cube_count_elemwise, prelude::*};

use super::{ExpandHeadWeights, Shapes};

/// What the gathered weights are, before they are gathered.
pub(super) fn specs(
    qkv: &TensorSpec,
    bias: &TensorSpec,
    proj: &TensorSpec,
    heads: &TensorSpec,
    _scales: &TensorSpec,
    head_dim: &usize,
) -> (TensorSpec, TensorSpec, TensorSpec) {
    let shapes = Shapes::new(&qkv.shape, heads.shape[0], *head_dim);
    (
        TensorSpec::new(shapes.qkv, qkv.dtype),
        TensorSpec::new(shapes.bias, bias.dtype),
        TensorSpec::new(shapes.proj, proj.dtype),
    )
}

/// One invocation per element of the projection; it also copies the three elements of `qkv` with the same channel and
/// width, and those of the first column the bias.
#[cube(launch)]
fn expand_heads_kernel(
    qkv: &cubecl::prelude::Tensor<f32>,
    bias: &cubecl::prelude::Tensor<f32>,
    proj: &cubecl::prelude::Tensor<f32>,
    heads: &cubecl::prelude::Tensor<i32>,
    scales: &cubecl::prelude::Tensor<f32>,
    qkv_out: &mut cubecl::prelude::Tensor<f32>,
    bias_out: &mut cubecl::prelude::Tensor<f32>,
    proj_out: &mut cubecl::prelude::Tensor<f32>,
    ancestor_channels: usize,
    channels: usize,
    width: usize,
    head_dim: usize,
) {
    let at = ABSOLUTE_POS;
    if at >= proj_out.len() {
        terminate!();
    }
    let channel = at / width;
    let column = at % width;
    let head = channel / head_dim;
    let source = heads[head] as usize * head_dim + channel % head_dim;
    proj_out[at] = proj[source * width + column] * scales[head];
    // `qkv` is `[width, 3, channels]`: here `column` is its row.
    for part in 0..3usize {
        let from = part * ancestor_channels + source;
        let to = part * channels + channel;
        qkv_out[column * 3 * channels + to] = qkv[column * 3 * ancestor_channels + from];
        if column == 0 {
            bias_out[to] = bias[from];
        }
    }
}

impl ExpandHeadWeights for CubeBackend {
    fn expand_head_weights(
        qkv: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        proj: FloatTensor<Self>,
        heads: IntTensor<Self>,
        scales: FloatTensor<Self>,
        head_dim: usize,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let [qkv, bias, proj, heads, scales] = [qkv, bias, proj, heads, scales].map(into_contiguous);
        for tensor in [&qkv, &bias, &proj, &scales] {
            assert_eq!(tensor.dtype, DType::F32, "weights are f32");
        }
        let [width, columns] = qkv.meta.shape().dims();
        let shapes = Shapes::new(qkv.meta.shape(), heads.meta.shape()[0], head_dim);
        let (client, device) = (qkv.client.clone(), qkv.device.clone());
        let empty = |shape: Shape| {
            let buffer = client.empty(shape.num_elements() * DType::F32.size());
            CubeTensor::new_contiguous(client.clone(), device.clone(), shape, buffer, DType::F32)
        };
        let channels = shapes.proj[0];
        let elements = shapes.proj.num_elements();
        let [qkv_out, bias_out, proj_out] = [shapes.qkv, shapes.bias, shapes.proj].map(empty);
        if elements > 0 {
            let cube_dim = CubeDim::new(&client, elements);
            expand_heads_kernel::launch(
                &client,
                calculate_cube_count_elemwise(&client, elements, cube_dim),
                cube_dim,
                qkv.into_tensor_arg(),
                bias.into_tensor_arg(),
                proj.into_tensor_arg(),
                heads.into_tensor_arg(),
                scales.into_tensor_arg(),
                qkv_out.clone().into_tensor_arg(),
                bias_out.clone().into_tensor_arg(),
                proj_out.clone().into_tensor_arg(),
                columns / 3,
                channels,
                width,
                head_dim,
            );
        }
        (qkv_out, bias_out, proj_out)
    }
}
