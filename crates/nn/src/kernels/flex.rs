//! Tensors of the CPU engine as slices and matrices.

use burn::backend::ops::FloatTensorOps;
use burn::backend::{Flex, tensor::FloatTensor};
use burn::tensor::{Shape, TensorData};

/// The elements of a contiguous f32 tensor, which may be a window of a larger buffer.
pub(super) fn values(tensor: &FloatTensor<Flex>) -> &[f32] {
    let (start, end) = tensor.layout().contiguous_offsets().unwrap_or_default();
    &tensor.storage::<f32>()[start..end]
}

/// As [`values`], copied first when somebody else holds the buffer.
pub(super) fn values_mut(tensor: &mut FloatTensor<Flex>) -> &mut [f32] {
    let (start, end) = tensor.layout().contiguous_offsets().unwrap_or_default();
    &mut tensor.storage_mut::<f32>()[start..end]
}

/// A tensor of these elements.
pub(super) fn tensor(values: Vec<f32>, shape: Shape) -> FloatTensor<Flex> {
    Flex::float_from_data(TensorData::new(values, shape), &Default::default())
}

/// Rows as columns, without a copy.
pub(super) fn transposed(matrix: FloatTensor<Flex>) -> FloatTensor<Flex> {
    Flex::float_transpose(matrix)
}

/// `[m, k] · [k, n] -> [m, n]`, whatever the strides.
#[cfg(target_arch = "wasm32")]
pub(super) fn product(a: FloatTensor<Flex>, b: FloatTensor<Flex>) -> FloatTensor<Flex> {
    use burn::backend::TensorMetadata;
    use heirloom_lanes::{Onto, gemm};
    let ([m, _], [_, n]) = (a.shape().dims(), b.shape().dims());
    let [a, b] = [a, b].map(|tensor| match tensor.layout().has_positive_strides() {
        true => tensor,
        false => tensor.to_contiguous(),
    });
    let mut output = vec![0.0; m * n];
    gemm(matrix(&a), matrix(&b), &mut output, n, Onto::Nothing);
    tensor(output, Shape::new([m, n]))
}

#[cfg(target_arch = "wasm32")]
fn matrix(tensor: &FloatTensor<Flex>) -> heirloom_lanes::Matrix<'_> {
    let layout = tensor.layout();
    let ([rows, columns], strides) = (layout.shape().dims(), layout.strides());
    let [row_stride, column_stride] = [strides[0], strides[1]].map(|stride| stride.max(0) as usize);
    let values = &tensor.storage::<f32>()[layout.start_offset()..];
    heirloom_lanes::Matrix { values, rows, columns, row_stride, column_stride }
}

/// `[m, k] · [k, n] -> [m, n]`, whatever the strides; natively by a library that knows the machine's widest vectors.
#[cfg(not(target_arch = "wasm32"))]
pub(super) fn product(a: FloatTensor<Flex>, b: FloatTensor<Flex>) -> FloatTensor<Flex> {
    Flex::float_matmul(a, b)
}
