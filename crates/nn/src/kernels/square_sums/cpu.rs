//! The CPU engine's half: one sum, in the tensor's first slot.

use burn::backend::{Flex, TensorMetadata, tensor::FloatTensor};
use heirloom_lanes as lanes;

use super::{SquareSumsBackend, slots};
use crate::kernels::flex::{values, values_mut};

impl SquareSumsBackend for Flex {
    fn square_sums_into(mut sums: FloatTensor<Self>, tensor: FloatTensor<Self>, slot: usize) -> FloatTensor<Self> {
        let tensor = tensor.to_contiguous();
        let own = &mut values_mut(&mut sums)[slot..][..slots(tensor.shape().num_elements())];
        own.fill(0.0);
        own[0] = lanes::square_sum(values(&tensor));
        sums
    }
}
