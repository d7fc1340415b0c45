//! Sums of squares of many tensors, side by side in one buffer: what a global norm needs, in one launch a tensor.
//!
//! Composed of tensor operations each tensor takes a product, a reduction of several launches and one more that puts
//! its sum beside the others.

mod cpu;
#[cfg(feature = "webgpu")]
mod gpu;

use burn::backend::{Backend, Dispatch, backend_extension, tensor::FloatTensor};
use burn::tensor::{Device, Tensor};

/// Elements that are worth a slot of their own.
const ELEMENTS_PER_SLOT: usize = 2048;
/// Slots of one tensor at most: enough cubes for the largest of a small model.
const MOST_SLOTS: usize = 32;

/// Slots that the sums of a tensor take: a fixed count, so that every slot of the buffer is written.
fn slots(elements: usize) -> usize {
    elements.div_ceil(ELEMENTS_PER_SLOT).clamp(1, MOST_SLOTS)
}

/// Tensors whose squares are going to be added up.
#[derive(Debug, Default)]
pub struct SquareSums {
    /// Each with its first slot.
    tensors: Vec<(FloatTensor<Dispatch>, usize)>,
    slots: usize,
    device: Option<Device>,
}

impl SquareSums {
    /// One more tensor, which autodiff does not track.
    pub fn add<const D: usize>(&mut self, tensor: Tensor<D>) {
        let elements = tensor.shape().num_elements();
        if elements == 0 {
            return;
        }
        self.device.get_or_insert_with(|| tensor.device());
        self.tensors.push((tensor.into_dispatch(), self.slots));
        self.slots += slots(elements);
    }

    /// Sum of the squares of all elements of all tensors, `[1]`; `None` when there are none.
    pub fn total(self) -> Option<Tensor<1>> {
        let sums = Tensor::<1>::empty([self.slots], &self.device?).into_dispatch();
        let each = self.tensors.into_iter();
        let sums = each.fold(sums, |sums, (tensor, slot)| Dispatch::square_sums_into(sums, tensor, slot));
        Some(Tensor::<1>::from_dispatch(sums).sum())
    }
}

/// Sums of squares on each engine.
#[backend_extension(Cube: cfg(feature = "webgpu"), Flex, Fusion: cfg(feature = "webgpu"))]
pub trait SquareSumsBackend: Backend {
    /// `sums` with the sums of squares of parts of `tensor` from `slot` on, as many as it has slots; in place where
    /// nobody else holds it.
    #[fusion(dtype = sums, shape = sums)]
    fn square_sums_into(sums: FloatTensor<Self>, tensor: FloatTensor<Self>, slot: usize) -> FloatTensor<Self>;
}

#[cfg(test)]
mod tests {
    use super::{MOST_SLOTS, slots};

    #[test]
    fn every_tensor_has_a_slot_and_none_has_too_many() {
        assert_eq!([1, 2048, 2049, 1 << 30].map(slots), [1, 1, 2, MOST_SLOTS]);
    }
}
