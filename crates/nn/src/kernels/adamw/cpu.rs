//! The CPU engine's half.

use burn::backend::{Flex, tensor::FloatTensor};

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
            let (p, m, v) = (values_mut(&mut parameter), values_mut(&mut first), values_mut(&mut second));
            adamw_slices(p, values(&gradient), m, v, scale, numbers);
        }
        (parameter, first, second)
    }
}

/// The loop of the CPU engine, in pieces of a fixed length: they become SIMD also where code is built for size.
fn adamw_slices(
    parameter: &mut [f32],
    gradient: &[f32],
    first: &mut [f32],
    second: &mut [f32],
    scale: f32,
    numbers: AdamwNumbers,
) {
    const LANES: usize = 8;
    let ((p, p_rest), (g, g_rest)) = (parameter.as_chunks_mut::<LANES>(), gradient.as_chunks::<LANES>());
    let ((m, m_rest), (v, v_rest)) = (first.as_chunks_mut::<LANES>(), second.as_chunks_mut::<LANES>());
    for ((p, g), (m, v)) in p.iter_mut().zip(g).zip(m.iter_mut().zip(v)) {
        adamw_piece(p, g, m, v, scale, numbers);
    }
    adamw_piece(p_rest, g_rest, m_rest, v_rest, scale, numbers);
}

#[inline(always)]
fn adamw_piece(
    parameter: &mut [f32],
    gradient: &[f32],
    first: &mut [f32],
    second: &mut [f32],
    scale: f32,
    numbers: AdamwNumbers,
) {
    let AdamwNumbers { decay, rate, correction, beta_1, beta_2, rest_1, rest_2, epsilon } = numbers;
    let moments = first.iter_mut().zip(second.iter_mut());
    for ((p, g), (m, v)) in parameter.iter_mut().zip(gradient).zip(moments) {
        let g = g * scale;
        *m = beta_1 * *m + rest_1 * g;
        *v = beta_2 * *v + rest_2 * g * g;
        *p -= decay * *p + rate * *m / (v.sqrt() * correction + epsilon);
    }
}
