//! An exponential that the compiler can turn into SIMD: libm's `expf` is a call per number and takes longer than all
//! the rest of a softmax.

/// Replaces every value by its exponential.
///
/// `e^x = 2^n · e^r` with `|r| <= ln2 / 2` and a polynomial of degree 6 for `e^r`; the relative error stays under 3e-7.
/// Values below -87 become 0 or tiny, above 88 they saturate.
pub fn exp_in_place(values: &mut [f32]) {
    // In pieces of a fixed length, which become SIMD also where code is built for size.
    let (chunks, rest) = values.as_chunks_mut::<16>();
    chunks.iter_mut().for_each(|chunk| chunk.iter_mut().for_each(|value| *value = exp(*value)));
    rest.iter_mut().for_each(|value| *value = exp(*value));
}

/// See [`exp_in_place`].
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    /// Adding and taking away 1.5 · 2^23 rounds to the nearest whole number without a function call.
    const ROUND: f32 = 12_582_912.0;
    let x = x.clamp(-87.0, 88.0);
    let n = (x * std::f32::consts::LOG2_E + ROUND) - ROUND;
    let r = x - n * LN2_HIGH - n * LN2_LOW;
    let mut p = 1.0 / 720.0;
    for c in [1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        p = p * r + c;
    }
    let power = f32::from_bits((((n + ROUND).to_bits() as i32).wrapping_add(127) << 23) as u32);
    p * power
}

#[cfg(test)]
mod tests {
    use super::exp_in_place;

    #[test]
    fn exp_is_within_3e_7_of_the_library() {
        for i in -8700..8800 {
            let x = i as f32 / 100.0;
            let mut y = [x];
            exp_in_place(&mut y);
            let expected = f64::from(x).exp();
            assert!((f64::from(y[0]) / expected - 1.0).abs() < 3e-7, "exp({x}) = {} instead of {expected}", y[0]);
        }
    }
}
