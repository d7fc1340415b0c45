//! The CPU engine's half.

use burn::backend::{Flex, tensor::FloatTensor};
use heirloom_lanes as lanes;

use super::{AdamwBackend, AdamwNumbers};
use crate::kernels::flex::{values, values_mut};

impl AdamwBackend for Flex {
    fn adamw_update(
        parameter: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        first: FloatTensor<Self>,
        second: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        numbers: AdamwNumbers,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let [mut parameter, gradient, mut first, mut second] =
            [parameter, gradient, first, second].map(|tensor| tensor.to_contiguous());
        let scale = values(&scale.to_contiguous())[0];
        if scale.is_finite() {
            let state = lanes::AdamwState {
                parameter: values_mut(&mut parameter),
                first: values_mut(&mut first),
                second: values_mut(&mut second),
            };
            lanes::adamw(state, values(&gradient), scale, numbers);
        }
        (parameter, first, second)
    }
}
