//! Tensors of the CPU engine as slices.

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
