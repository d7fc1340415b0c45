//! One AdamW update of one tensor.
//!
//! Composed of tensor operations an update takes about twelve passes over parameter, gradient and moments; it is bound
//! by memory, so this one reads four and writes three.

/// Numbers of one AdamW update, the same for all tensors of a parameter group.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamwNumbers {
    /// `lr * weight_decay`. (`1 - lr * weight_decay` would lose most of its digits in f32.)
    pub decay: f32,
    /// `lr / (1 - beta_1^t)`.
    pub rate: f32,
    /// `1 / sqrt(1 - beta_2^t)`.
    pub correction: f32,
    /// Decay of the first moment.
    pub beta_1: f32,
    /// Decay of the second moment.
    pub beta_2: f32,
    /// `1 - beta_1`.
    pub rest_1: f32,
    /// `1 - beta_2`.
    pub rest_2: f32,
    /// Added to the root of the corrected second moment.
    pub epsilon: f32,
}

impl AdamwNumbers {
    /// Numbers of update `time` (1 = the first), computed in f64 where small differences would cancel.
    pub fn new(lr: f64, weight_decay: f64, betas: [f64; 2], epsilon: f64, time: u64) -> Self {
        let [beta_1, beta_2] = betas;
        let time = time.min(i32::MAX as u64) as i32;
        Self {
            decay: (lr * weight_decay) as f32,
            rate: (lr / (1.0 - beta_1.powi(time))) as f32,
            correction: (1.0 / (1.0 - beta_2.powi(time)).sqrt()) as f32,
            beta_1: beta_1 as f32,
            beta_2: beta_2 as f32,
            rest_1: (1.0 - beta_1) as f32,
            rest_2: (1.0 - beta_2) as f32,
            epsilon: epsilon as f32,
        }
    }
}

/// A parameter with its two moments, all of one length.
#[derive(Debug)]
pub struct AdamwState<'a> {
    /// The parameter.
    pub parameter: &'a mut [f32],
    /// Running mean of the gradient.
    pub first: &'a mut [f32],
    /// Running mean of the squared gradient.
    pub second: &'a mut [f32],
}

/// One AdamW update in place as PyTorch documents it (decoupled weight decay, bias-corrected moments), with
/// `gradient * scale` as the gradient.
///
/// # Panics
/// When the lengths differ.
#[inline(never)]
pub fn adamw(state: AdamwState<'_>, gradient: &[f32], scale: f32, numbers: AdamwNumbers) {
    let AdamwState { parameter, first, second } = state;
    let AdamwNumbers { decay, rate, correction, beta_1, beta_2, rest_1, rest_2, epsilon } = numbers;
    assert_eq!(parameter.len(), gradient.len(), "parameter and gradient differ in length");
    assert_eq!([first.len(), second.len()], [gradient.len(); 2], "moments and gradient differ in length");
    let moments = first.iter_mut().zip(second);
    for ((p, g), (m, v)) in parameter.iter_mut().zip(gradient).zip(moments) {
        let g = g * scale;
        *m = beta_1 * *m + rest_1 * g;
        *v = beta_2 * *v + rest_2 * g * g;
        *p -= decay * *p + rate * *m / (v.sqrt() * correction + epsilon);
    }
}

#[cfg(test)]
mod tests {
    use super::{AdamwNumbers, AdamwState, adamw};
    use crate::testing::{SIZES, assert_near, numbers, wide};

    /// PyTorch's description of AdamW, in f64.
    fn reference(state: &mut [Vec<f64>; 3], gradient: &[f64], settings: [f64; 5], time: i32) {
        let [lr, decay, beta_1, beta_2, epsilon] = settings;
        let [p, m, v] = state;
        for (at, g) in gradient.iter().enumerate() {
            p[at] *= 1.0 - lr * decay;
            m[at] = beta_1 * m[at] + (1.0 - beta_1) * g;
            v[at] = beta_2 * v[at] + (1.0 - beta_2) * g * g;
            let (first, second) = (m[at] / (1.0 - beta_1.powi(time)), v[at] / (1.0 - beta_2.powi(time)));
            p[at] -= lr * first / (second.sqrt() + epsilon);
        }
    }

    #[test]
    fn adamw_follows_pytorch_for_several_updates() {
        let settings = [1e-2, 0.05, 0.9, 0.999, 1e-8];
        for size in SIZES {
            let (mut p, mut m, mut v) = (numbers(size, 1, 1.0), vec![0.0; size], vec![0.0; size]);
            let mut expected = [wide(&p), vec![0.0; size], vec![0.0; size]];
            for time in 1..=5 {
                let gradient = numbers(size, 10 + time, 0.3);
                let numbers = AdamwNumbers::new(1e-2, 0.05, [0.9, 0.999], 1e-8, u64::from(time));
                adamw(AdamwState { parameter: &mut p, first: &mut m, second: &mut v }, &gradient, 0.5, numbers);
                let scaled: Vec<f64> = wide(&gradient).iter().map(|g| g * 0.5).collect();
                reference(&mut expected, &scaled, settings, time as i32);
            }
            for (found, expected) in [&p, &m, &v].into_iter().zip(&expected) {
                assert_near(found, expected, 1e-6);
            }
        }
    }

    #[test]
    fn adamw_numbers_survive_any_time() {
        let late = AdamwNumbers::new(1e-3, 0.0, [0.9, 0.999], 1e-8, u64::MAX);
        assert_eq!((late.rate, late.correction), (1e-3, 1.0));
    }
}
