//! An exponential that the compiler can turn into SIMD: libm's `expf` is a call per number and takes longer than all
//! the rest of a softmax.

/// `e^x` of a number that is at most 88 (most callers subtract the highest number first), and 0 below `lowest`, which is
/// at least -87: soon after that the denormal numbers begin.
///
/// `e^x = 2^n · e^r` with `|r| <= ln2 / 2` and a polynomial of degree 5 for `e^r`, fitted to a largest relative error of
/// 1e-7 with its first two coefficients 1 (Taylor's needs degree 6 for that); with the rounding of f32 the relative
/// error stays under 3e-7. NaN stays NaN.
#[inline(always)]
pub(crate) fn exp_above(x: f32, lowest: f32) -> f32 {
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    /// Adding and taking away 1.5 · 2^23 rounds to the nearest whole number without a function call.
    const ROUND: f32 = 12_582_912.0;
    let rounded = x * std::f32::consts::LOG2_E + ROUND;
    let n = rounded - ROUND;
    let r = x - n * LN2_HIGH - n * LN2_LOW;
    // Written out: a loop over an array of coefficients is kept as one in code for size, array and all.
    let p = 0.008_312_502 * r + 0.041_890_334;
    let p = p * r + 0.166_671_16;
    let p = p * r + 0.499_992_3;
    let p = p * r + 1.0;
    let p = p * r + 1.0;
    // The low bits of `rounded` are n: shifted into the exponent they make 2^n.
    let power = f32::from_bits(rounded.to_bits().wrapping_add(127) << 23);
    if x < lowest { 0.0 } else { p * power }
}

/// `max(x, low)` as one instruction (`pmax`, `maxps`); NaN stays NaN. `f32::max` prefers numbers to NaN, for which wasm
/// has no instruction: there it is a call for each number, 4.5 ns against less than 1.
#[inline(always)]
pub(crate) fn at_least(x: f32, low: f32) -> f32 {
    if x < low { low } else { x }
}

#[cfg(test)]
mod tests {
    use super::exp_above;

    #[test]
    fn exp_is_within_3e_7_of_the_library() {
        for i in -8700..8800 {
            let x = i as f32 / 100.0;
            let y = exp_above(x, -87.0);
            let expected = f64::from(x).exp();
            assert!((f64::from(y) / expected - 1.0).abs() < 3e-7, "exp({x}) = {y} instead of {expected}");
        }
    }

    #[test]
    fn exp_of_extremes_is_0_or_nan_and_never_denormal() {
        let exp = |x: f32| exp_above(x, -87.0);
        assert_eq!([f32::NEG_INFINITY, -1e30, -87.1].map(exp), [0.0; 3]);
        assert!(exp(-87.0).is_normal() && exp(88.0) > 1.6e38);
        assert_eq!(exp(0.0), 1.0);
        assert!(exp(f32::NAN).is_nan());
        assert_eq!(exp_above(-50.1, -50.0), 0.0);
    }
}
