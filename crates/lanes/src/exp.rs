//! An exponential that the compiler can turn into SIMD: libm's `expf` is a call per number and takes longer than all
//! the rest of a softmax.

/// Below this the exponential is 0: soon after `e^-87` the denormal numbers begin.
const LOWEST: f32 = -87.0;
/// Above this it stays what it is here: `e^89` no longer fits.
const HIGHEST: f32 = 88.0;

/// Replaces every value by its exponential.
///
/// `e^x = 2^n · e^r` with `|r| <= ln2 / 2` and a polynomial of degree 5 for `e^r`, fitted to a largest relative error of
/// 1e-7 with its first two coefficients 1 (Taylor's needs degree 6 for that); with the rounding of f32 the relative
/// error stays under 3e-7. Values below -87 become 0, above 88 they saturate at `e^88`; NaN stays NaN.
#[inline(never)]
pub fn exp_in_place(values: &mut [f32]) {
    values.iter_mut().for_each(|value| *value = exp(*value));
}

/// See [`exp_in_place`].
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    exp_above(at_most(x, HIGHEST), LOWEST)
}

/// [`exp`] of a number that is at most 88, and 0 already below `lowest` (at least -87): without bounds of its own, since
/// most callers subtract the highest number first.
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

/// `max(x, low)` as one instruction (`pmax`, `maxps`); NaN stays NaN. `f32::max` must prefer numbers to NaN, which
/// takes a compare and a select more.
#[inline(always)]
pub(crate) fn at_least(x: f32, low: f32) -> f32 {
    if x < low { low } else { x }
}

/// `min(x, high)`, see [`at_least`].
#[inline(always)]
fn at_most(x: f32, high: f32) -> f32 {
    if high < x { high } else { x }
}

#[cfg(test)]
mod tests {
    use super::exp_in_place;
    use crate::testing::{SIZES, numbers};

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

    #[test]
    fn exp_is_the_same_wherever_a_number_stands() {
        for size in SIZES {
            let values = numbers(size, 7, 20.0);
            let mut together = values.clone();
            exp_in_place(&mut together);
            for (value, together) in values.into_iter().zip(together) {
                let mut alone = [value];
                exp_in_place(&mut alone);
                assert_eq!(alone[0], together);
            }
        }
    }

    #[test]
    fn exp_of_extremes_is_0_large_or_nan_and_never_denormal() {
        let mut values = [f32::NEG_INFINITY, -1e30, -87.1, -87.0, 0.0, 88.0, 1e30, f32::INFINITY, f32::NAN];
        exp_in_place(&mut values);
        assert_eq!(values[..3], [0.0; 3]);
        assert!(values[3].is_normal());
        assert_eq!(values[4], 1.0);
        assert!(values[5] > 1.6e38 && values[5..8].iter().all(|value| *value == values[5]));
        assert!(values[8].is_nan());
    }
}
