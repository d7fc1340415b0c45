//! Attention weights of a descendant, gathered from its ancestor's heads in one launch per layer (docs/methods.md,
//! section 1.5.1).
//!
//! Columns of `qkv` are ordered `[q, k, v][head][channel]`; taking whole runs of three heads' width instead would mix
//! queries, keys and values, the fault of the published code.

use burn::backend::fusion::custom::TensorSpec;
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, Dispatch, Flex, TensorMetadata, backend_extension};
use burn::tensor::{DType, Int, IntDType, Shape, Tensor};
use burn_cubecl::kernel::into_contiguous;
use burn_wgpu::{CubeBackend, CubeTensor};
use cubecl::{CubeDim, calculate_cube_count_elemwise, prelude::*};

use super::flex::{tensor, values};

/// Weights of an attention that belong to single heads; the projection's bias belongs to none.
#[derive(Clone, Debug)]
pub struct HeadWeights {
    /// `[embed_dim, 3 * heads * head_dim]`.
    pub qkv: Tensor<2>,
    /// `[3 * heads * head_dim]`, if q, k and v have biases.
    pub qkv_bias: Option<Tensor<1>>,
    /// `[heads * head_dim, embed_dim]`.
    pub proj: Tensor<2>,
}

/// Head `i` of the result has the weights of head `heads[i]`, its projection times `scales[i]`. The result carries no
/// gradients: it is a start value.
///
/// # Shapes
/// - heads: `[descendant heads]`, each below the ancestor's number of heads
/// - scales: `[descendant heads]`
///
/// # Panics
/// When the weights are not of whole heads of `head_dim` channels, or fit each other in no way.
pub fn expand_heads(weights: HeadWeights, heads: Tensor<1, Int>, scales: Tensor<1>, head_dim: usize) -> HeadWeights {
    let [_, columns] = weights.qkv.dims();
    let [count] = heads.dims();
    let has_bias = weights.qkv_bias.is_some();
    let device = weights.qkv.device().inner();
    let bias = weights.qkv_bias.unwrap_or_else(|| Tensor::zeros([columns], &device));
    check(&weights.qkv, &bias, &weights.proj, head_dim);
    assert_eq!(scales.dims(), [count], "one scale per head is needed");
    let (qkv, bias, proj) = Dispatch::expand_head_weights(
        weights.qkv.inner().into_dispatch(),
        bias.inner().into_dispatch(),
        weights.proj.inner().into_dispatch(),
        heads.inner().cast(IntDType::I32).into_dispatch(),
        scales.inner().into_dispatch(),
        head_dim,
    );
    let bias = Tensor::from_dispatch(bias);
    HeadWeights {
        qkv: Tensor::from_dispatch(qkv),
        qkv_bias: has_bias.then_some(bias),
        proj: Tensor::from_dispatch(proj),
    }
}

fn check(qkv: &Tensor<2>, bias: &Tensor<1>, proj: &Tensor<2>, head_dim: usize) {
    let ([width, columns], [rows, out]) = (qkv.dims(), proj.dims());
    assert!(head_dim > 0 && rows.is_multiple_of(head_dim), "{rows} channels are no heads of {head_dim}");
    assert_eq!([columns, out], [3 * rows, width], "qkv and projection are not of the same heads");
    assert_eq!(bias.dims(), [columns], "the bias of qkv differs from its columns");
}

/// The same gathering composed of tensor operations: the reference for tests and benchmarks.
pub fn expand_heads_reference(
    weights: HeadWeights,
    heads: Tensor<1, Int>,
    scales: Tensor<1>,
    head_dim: usize,
) -> HeadWeights {
    let [width, columns] = weights.qkv.dims();
    let (all, [count]) = (columns / 3 / head_dim, heads.dims());
    let qkv = weights.qkv.reshape([width, 3, all, head_dim]).select(2, heads.clone());
    let bias =
        |bias: Tensor<1>| bias.reshape([3, all, head_dim]).select(1, heads.clone()).reshape([3 * count * head_dim]);
    let proj = weights.proj.reshape([all, head_dim * width]).select(0, heads.clone()) * scales.reshape([count, 1]);
    HeadWeights {
        qkv: qkv.reshape([width, 3 * count * head_dim]),
        qkv_bias: weights.qkv_bias.map(bias),
        proj: proj.reshape([count * head_dim, width]),
    }
}

/// The gathering on each engine.
#[backend_extension(Cube, Flex, Fusion)]
pub trait ExpandHeadWeights: Backend {
    /// See [`expand_heads`]; returns weights and bias of qkv, and the projection.
    #[fusion(meta = |qkv, bias, proj, heads, _scales, head_dim| {
        let shapes = Shapes::new(&qkv.shape, heads.shape[0], *head_dim);
        (
            TensorSpec::new(shapes.qkv, qkv.dtype),
            TensorSpec::new(shapes.bias, bias.dtype),
            TensorSpec::new(shapes.proj, proj.dtype),
        )
    })]
    fn expand_head_weights(
        qkv: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        proj: FloatTensor<Self>,
        heads: IntTensor<Self>,
        scales: FloatTensor<Self>,
        head_dim: usize,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);
}

/// Shapes of the gathered weights.
struct Shapes {
    qkv: Shape,
    bias: Shape,
    proj: Shape,
}

impl Shapes {
    fn new(qkv: &Shape, heads: usize, head_dim: usize) -> Self {
        let (width, channels) = (qkv[0], heads * head_dim);
        Self {
            qkv: Shape::from(vec![width, 3 * channels]),
            bias: Shape::from(vec![3 * channels]),
            proj: Shape::from(vec![channels, width]),
        }
    }
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

impl ExpandHeadWeights for Flex {
    fn expand_head_weights(
        qkv: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        proj: FloatTensor<Self>,
        heads: IntTensor<Self>,
        scales: FloatTensor<Self>,
        head_dim: usize,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let [qkv, bias, proj, scales] = [qkv, bias, proj, scales].map(|tensor| tensor.to_contiguous());
        let shape = qkv.shape();
        let [width, columns] = shape.dims();
        let sources: Vec<usize> = heads.into_data().iter::<i64>().map(|head| head as usize).collect();
        let shapes = Shapes::new(&shape, sources.len(), head_dim);
        let gather = |row: &[f32], into: &mut Vec<f32>| {
            for part in row.chunks_exact(columns / 3) {
                sources.iter().for_each(|&head| into.extend_from_slice(&part[head * head_dim..][..head_dim]));
            }
        };
        let mut qkv_out = Vec::with_capacity(shapes.qkv.num_elements());
        values(&qkv).chunks_exact(columns).for_each(|row| gather(row, &mut qkv_out));
        let mut bias_out = Vec::with_capacity(shapes.bias.num_elements());
        gather(values(&bias), &mut bias_out);
        let mut proj_out = Vec::with_capacity(shapes.proj.num_elements());
        for (&head, scale) in sources.iter().zip(values(&scales)) {
            let rows = &values(&proj)[head * head_dim * width..][..head_dim * width];
            proj_out.extend(rows.iter().map(|weight| weight * scale));
        }
        (tensor(qkv_out, shapes.qkv), tensor(bias_out, shapes.bias), tensor(proj_out, shapes.proj))
    }
}
