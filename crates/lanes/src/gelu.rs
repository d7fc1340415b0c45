//! GELU in its erf form, `x · Φ(x)` with Φ the normal distribution (Hendrycks and Gimpel 2016), forward and backward.
//!
//! It works on the widest tensor of a Vision Transformer. Distribution and density share one exponential, in arithmetic
//! without a call or a branch.

use crate::exp::exp_above;

/// `1 / √(2π)`.
const NORMAL: f32 = 0.398_942_3;
/// `-x² / 2` below which `e^(-x² / 2)` is taken for 0 (`|x| > 8.9`, 4e-18): next to any other activation it is nothing,
/// and in the products that follow it would soon be a denormal number.
const LOWEST: f32 = -40.0;

/// `output = x · Φ(x)` of every element, with an error below 1e-8 times `|x|` and f32's own rounding.
///
/// # Panics
/// When the lengths differ.
#[inline(never)]
pub fn gelu(input: &[f32], output: &mut [f32]) {
    assert_eq!(input.len(), output.len(), "input and output differ in length");
    for (output, &x) in output.iter_mut().zip(input) {
        *output = x * normal(x).0;
    }
}

/// Adds the bias of each column to `pre` `[rows, columns]` and writes [`gelu`] of the sum to `output`: what follows the
/// product of a linear layer, in one pass. `columns` is the length of `bias`.
///
/// # Panics
/// When `pre` and `output` differ in length, or `pre` is not whole rows.
#[inline(never)]
pub fn gelu_with_bias(pre: &mut [f32], bias: &[f32], output: &mut [f32]) {
    assert_eq!(pre.len(), output.len(), "input and output differ in length");
    if pre.is_empty() {
        return;
    }
    assert!(pre.len().is_multiple_of(bias.len()), "the input is not whole rows");
    let columns = bias.len();
    for (pre, output) in pre.chunks_exact_mut(columns).zip(output.chunks_exact_mut(columns)) {
        for ((pre, &bias), output) in pre.iter_mut().zip(bias).zip(output) {
            *pre += bias;
            *output = *pre * normal(*pre).0;
        }
    }
}

/// Turns the gradient of what came out into that of what went in, `g · (Φ(x) + x · φ(x))`.
///
/// # Panics
/// When the lengths differ.
#[inline(never)]
pub fn gelu_gradient(input: &[f32], gradient: &mut [f32]) {
    assert_eq!(input.len(), gradient.len(), "input and gradient differ in length");
    for (gradient, &x) in gradient.iter_mut().zip(input) {
        let (distribution, density) = normal(x);
        *gradient *= distribution + x * density;
    }
}

/// `Φ(x)` and `φ(x)`.
///
/// `Φ(-|x|) ≈ exp(-x² / 2) · P(1 / (1 + 0.39 |x|))` with P of degree 6 without a constant: the form of Abramowitz and Stegun
/// 26.2.17, fitted anew to a largest error of 1e-8 (theirs, of degree 5: 7.5e-8).
#[inline(always)]
fn normal(x: f32) -> (f32, f32) {
    let exponential = exp_above(-0.5 * x * x, LOWEST);
    let t = 1.0 / (1.0 + 0.39 * x.abs());
    let p = 0.053_846_63 * t - 0.258_242_21;
    let p = p * t + 0.375_166_04;
    let p = p * t - 0.016_633_68;
    let p = p * t + 0.194_436_09;
    let p = p * t + 0.151_427_15;
    let tail = p * t * exponential;
    let distribution = if x > 0.0 { 1.0 - tail } else { tail };
    (distribution, NORMAL * exponential)
}

#[cfg(test)]
mod tests {
    use super::{gelu, gelu_gradient, gelu_with_bias};
    use crate::testing::{SIZES, assert_near, numbers, wide};

    /// `Φ(x)` by Simpson's rule from 0.
    fn distribution(x: f64) -> f64 {
        let steps = 2000;
        let h = x / f64::from(steps);
        let density = |t: f64| (-0.5 * t * t).exp() / (2.0 * std::f64::consts::PI).sqrt();
        let inner: f64 = (1..steps).map(|i| density(h * f64::from(i)) * if i % 2 == 1 { 4.0 } else { 2.0 }).sum();
        0.5 + (density(0.0) + inner + density(x)) * h / 3.0
    }

    fn reference(x: f64) -> f64 {
        x * distribution(x)
    }

    #[test]
    fn gelu_is_the_erf_form() {
        for size in SIZES {
            let input = numbers(size, 3, 8.0);
            let mut output = vec![9.0; size];
            gelu(&input, &mut output);
            let expected: Vec<f64> = wide(&input).into_iter().map(reference).collect();
            assert_near(&output, &expected, 2e-7);
        }
    }

    #[test]
    fn gelu_of_small_numbers_keeps_eight_digits_of_the_distribution() {
        let input: Vec<f32> = (-600..=600).map(|i| i as f32 / 100.0).collect();
        let mut output = vec![0.0; input.len()];
        gelu(&input, &mut output);
        for (&x, &y) in input.iter().zip(&output) {
            let expected = reference(f64::from(x));
            let bound = f64::from(x).abs() * 1.2e-8 + expected.abs() * 5e-7;
            assert!((f64::from(y) - expected).abs() <= bound + 1e-12, "gelu({x}) = {y} instead of {expected}");
        }
    }

    #[test]
    fn gelu_with_bias_is_both_steps() {
        for (rows, columns) in [(0, 5), (1, 1), (3, 17), (4, 16), (2, 100)] {
            let (pre, bias) = (numbers(rows * columns, 1, 3.0), numbers(columns, 2, 1.0));
            let sums: Vec<f32> = pre.iter().enumerate().map(|(at, value)| value + bias[at % columns]).collect();
            let mut expected = vec![0.0; sums.len()];
            gelu(&sums, &mut expected);
            let (mut pre, mut output) = (pre, vec![0.0; rows * columns]);
            gelu_with_bias(&mut pre, &bias, &mut output);
            assert_eq!(pre, sums);
            assert_eq!(output, expected);
        }
    }

    #[test]
    fn gelu_gradient_is_the_slope() {
        for size in SIZES {
            let (input, gradient) = (numbers(size, 5, 6.0), numbers(size, 6, 2.0));
            let mut found = gradient.clone();
            gelu_gradient(&input, &mut found);
            let slope = |x: f64| (reference(x + 1e-5) - reference(x - 1e-5)) / 2e-5;
            let expected: Vec<f64> = wide(&input).iter().zip(wide(&gradient)).map(|(&x, g)| g * slope(x)).collect();
            assert_near(&found, &expected, 1e-6);
        }
    }

    #[test]
    fn gelu_far_out_is_0_or_the_number_and_never_denormal() {
        let input = [-1e30, -50.0, -13.5, -9.0, -8.9, 9.0, 1e30, f32::INFINITY, f32::NAN];
        let mut output = [7.0; 9];
        gelu(&input, &mut output);
        assert_eq!(output[..4], [0.0; 4]);
        assert!(output[4].is_normal() && output[4].abs() < 1e-16);
        assert_eq!(output[5..8], [9.0, 1e30, f32::INFINITY]);
        assert!(output[8].is_nan());
        let mut gradient = [1.0; 9];
        gelu_gradient(&input, &mut gradient);
        assert_eq!(gradient[..4], [0.0; 4]);
        assert_eq!(gradient[5..7], [1.0; 2]);
    }
}
