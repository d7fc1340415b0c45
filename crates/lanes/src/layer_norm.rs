//! Layer norm over rows, forward and backward (Ba, Kiros and Hinton 2016). Composed of tensor operations it takes about
//! 7 passes over memory forward and 15 backward; here a row stays in the processor's first cache.

use crate::sums::{LANES, sum_here, total};

/// The numbers of a layer norm.
#[derive(Clone, Copy, Debug)]
pub struct LayerNorm<'a> {
    /// `[columns]`
    pub weight: &'a [f32],
    /// `[columns]`, where there is one.
    pub bias: Option<&'a [f32]>,
    /// Added to the variance.
    pub epsilon: f32,
}

/// Where [`layer_norm_gradient`] writes; what was there before is overwritten.
#[derive(Debug)]
pub struct LayerNormGradients<'a> {
    /// `[rows, columns]`
    pub input: &'a mut [f32],
    /// `[columns]`
    pub weight: &'a mut [f32],
    /// `[columns]`
    pub bias: &'a mut [f32],
}

/// Normalises each row of `input` `[rows, columns]` into `output` and keeps its mean and the reciprocal of its standard
/// deviation in `statistics` `[rows]`. The variance is the biased one, `Σ (x - mean)² / columns`, from a pass of its own:
/// `E[x²] - mean²` loses all digits where the mean is large.
///
/// # Panics
/// When a length does not fit.
#[inline(never)]
pub fn layer_norm(input: &[f32], norm: LayerNorm<'_>, output: &mut [f32], statistics: &mut [[f32; 2]]) {
    let LayerNorm { weight, bias, epsilon } = norm;
    let columns = weight.len();
    assert_eq!(input.len(), output.len(), "input and output differ in length");
    assert_eq!(input.len(), columns * statistics.len(), "mean and deviation for each row");
    assert!(bias.is_none_or(|bias| bias.len() == columns), "weight and bias differ in length");
    let rows = input.chunks_exact(columns.max(1)).zip(output.chunks_exact_mut(columns.max(1)));
    for ((input, output), statistics) in rows.zip(statistics) {
        let (mean, deviation) = moments(input, epsilon);
        *statistics = [mean, deviation];
        let numbers = output.iter_mut().zip(input).zip(weight);
        match bias {
            Some(bias) => numbers.zip(bias).for_each(|(((output, x), weight), bias)| {
                *output = (x - mean) * deviation * weight + bias;
            }),
            None => numbers.for_each(|((output, x), weight)| *output = (x - mean) * deviation * weight),
        }
    }
}

/// Mean and reciprocal standard deviation.
#[inline(always)]
fn moments(row: &[f32], epsilon: f32) -> (f32, f32) {
    let count = row.len() as f32;
    let mean = sum_here(row) / count;
    let (chunks, rest) = row.as_chunks::<LANES>();
    let square = |x: f32| (x - mean) * (x - mean);
    let mut lanes = [0.0; LANES];
    for chunk in chunks {
        for (lane, &x) in lanes.iter_mut().zip(chunk) {
            *lane += square(x);
        }
    }
    let variance = total(lanes, rest.iter().map(|&x| square(x)).sum()) / count;
    (mean, 1.0 / (variance + epsilon).sqrt())
}

/// The gradients of what went into [`layer_norm`] from that of what came out, `gradient` `[rows, columns]`, in one pass
/// over the rows. With `n = (x - mean) / deviation` and `h = weight · g`, the input's is `(h - mean(h) - n · mean(h · n))
/// / deviation`, the weight's `Σ g · n` and the bias's `Σ g` over the rows.
///
/// # Panics
/// When a length does not fit.
#[inline(never)]
pub fn layer_norm_gradient(
    input: &[f32],
    weight: &[f32],
    statistics: &[[f32; 2]],
    gradient: &[f32],
    into: LayerNormGradients<'_>,
) {
    let columns = weight.len();
    assert_eq!(input.len(), gradient.len(), "input and gradient differ in length");
    assert_eq!(input.len(), into.input.len(), "the input and its gradient differ in length");
    assert_eq!(input.len(), columns * statistics.len(), "mean and deviation for each row");
    assert_eq!([into.weight.len(), into.bias.len()], [columns; 2], "weight and its gradients differ in length");
    into.weight.fill(0.0);
    into.bias.fill(0.0);
    let width = columns.max(1);
    let rows = input.chunks_exact(width).zip(gradient.chunks_exact(width)).zip(into.input.chunks_exact_mut(width));
    for (((input, gradient), out), &[mean, deviation]) in rows.zip(statistics) {
        let row = Row { input, gradient, mean, deviation };
        let [level, slope] = row.sums(weight, into.weight, into.bias).map(|sum| sum / columns as f32);
        for (((out, &x), &g), &weight) in out.iter_mut().zip(input).zip(gradient).zip(weight) {
            *out = deviation * (g * weight - level - (x - mean) * deviation * slope);
        }
    }
}

/// A row on its way back.
struct Row<'a> {
    input: &'a [f32],
    gradient: &'a [f32],
    mean: f32,
    /// Reciprocal of the standard deviation.
    deviation: f32,
}

impl Row<'_> {
    /// `Σ h` and `Σ h · n`; adds the row's part to the gradients of weight and bias on the way.
    #[inline(always)]
    fn sums(&self, weight: &[f32], weight_gradient: &mut [f32], bias_gradient: &mut [f32]) -> [f32; 2] {
        let ((x, x_rest), (g, g_rest)) = (self.input.as_chunks::<LANES>(), self.gradient.as_chunks::<LANES>());
        let (w, w_rest) = weight.as_chunks::<LANES>();
        let (weight_sums, weight_sums_rest) = weight_gradient.as_chunks_mut::<LANES>();
        let (bias_sums, bias_sums_rest) = bias_gradient.as_chunks_mut::<LANES>();
        let (mut levels, mut slopes) = ([0.0; LANES], [0.0; LANES]);
        let sums = weight_sums.iter_mut().zip(bias_sums);
        for (((x, g), w), (weight_sums, bias_sums)) in x.iter().zip(g).zip(w).zip(sums) {
            for lane in 0..LANES {
                let n = (x[lane] - self.mean) * self.deviation;
                let h = g[lane] * w[lane];
                weight_sums[lane] += g[lane] * n;
                bias_sums[lane] += g[lane];
                levels[lane] += h;
                slopes[lane] += h * n;
            }
        }
        let (mut level, mut slope) = (0.0, 0.0);
        let sums = weight_sums_rest.iter_mut().zip(bias_sums_rest);
        for (((x, g), w), (weight_sum, bias_sum)) in x_rest.iter().zip(g_rest).zip(w_rest).zip(sums) {
            let n = (x - self.mean) * self.deviation;
            *weight_sum += g * n;
            *bias_sum += g;
            level += g * w;
            slope += g * w * n;
        }
        [total(levels, level), total(slopes, slope)]
    }
}

#[cfg(test)]
mod tests {
    use super::{LayerNorm, LayerNormGradients, layer_norm, layer_norm_gradient};
    use crate::testing::{assert_near, numbers, wide};

    const SHAPES: [(usize, usize); 9] =
        [(0, 5), (2, 1), (3, 7), (2, 15), (2, 16), (5, 17), (3, 33), (4, 192), (1, 1003)];
    const EPSILON: f64 = 1e-6;

    fn reference(input: &[f64], weight: &[f64], bias: &[f64]) -> Vec<f64> {
        let columns = weight.len();
        let rows = input.chunks_exact(columns).flat_map(|row| {
            let mean = row.iter().sum::<f64>() / columns as f64;
            let variance = row.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / columns as f64;
            let normal = move |x: f64| (x - mean) / (variance + EPSILON).sqrt();
            (0..columns).map(move |at| normal(row[at]) * weight[at] + bias[at])
        });
        rows.collect()
    }

    #[test]
    fn layer_norm_is_that_of_f64() {
        for (rows, columns) in SHAPES {
            for (level, tolerance) in [(0.0, 2e-6), (1000.0, 2e-3)] {
                let input: Vec<f32> = numbers(rows * columns, 1, 2.0).iter().map(|x| x + level).collect();
                let (weight, bias) = (numbers(columns, 2, 1.0), numbers(columns, 3, 1.0));
                let (mut output, mut statistics) = (vec![9.0; input.len()], vec![[0.0; 2]; rows]);
                let norm = LayerNorm { weight: &weight, bias: Some(&bias), epsilon: EPSILON as f32 };
                layer_norm(&input, norm, &mut output, &mut statistics);
                let expected = reference(&wide(&input), &wide(&weight), &wide(&bias));
                assert_near(&output, &expected, tolerance);
                let plain = LayerNorm { bias: None, ..norm };
                layer_norm(&input, plain, &mut output, &mut statistics);
                let expected = reference(&wide(&input), &wide(&weight), &vec![0.0; columns]);
                assert_near(&output, &expected, tolerance);
            }
        }
    }

    #[test]
    fn layer_norm_of_a_constant_row_is_the_bias() {
        for columns in [1, 16, 33, 192] {
            let (mut output, mut statistics) = (vec![0.0; columns], [[0.0; 2]]);
            let (weight, bias) = (vec![2.0; columns], numbers(columns, 1, 1.0));
            let norm = LayerNorm { weight: &weight, bias: Some(&bias), epsilon: 1e-6 };
            layer_norm(&vec![0.7; columns], norm, &mut output, &mut statistics);
            // The mean's last bit, times a reciprocal deviation of 1000.
            assert_near(&output, &wide(&bias), 1e-3);
            assert_near(&statistics[0], &[f64::from(0.7_f32), 1000.0], 1e-4);
        }
    }

    #[test]
    fn layer_norm_carries_nan_of_its_row_only() {
        let (mut output, mut statistics) = ([0.0; 8], [[0.0; 2]; 2]);
        let norm = LayerNorm { weight: &[1.0; 4], bias: None, epsilon: 1e-6 };
        layer_norm(&[1.0, f32::INFINITY, 2.0, 3.0, 1.0, 2.0, 3.0, 4.0], norm, &mut output, &mut statistics);
        assert!(output[..4].iter().all(|value| value.is_nan()));
        assert!(output[4..].iter().all(|value| value.is_finite()));
    }

    #[test]
    fn layer_norm_gradient_is_the_slope() {
        for (rows, columns) in SHAPES {
            let (input, gradient) = (numbers(rows * columns, 1, 2.0), numbers(rows * columns, 4, 1.0));
            let (weight, bias) = (numbers(columns, 2, 1.0), numbers(columns, 3, 1.0));
            let (mut output, mut statistics) = (vec![0.0; input.len()], vec![[0.0; 2]; rows]);
            let norm = LayerNorm { weight: &weight, bias: Some(&bias), epsilon: EPSILON as f32 };
            layer_norm(&input, norm, &mut output, &mut statistics);
            let (mut of_input, mut of_weight, mut of_bias) =
                (vec![9.0; input.len()], vec![9.0; columns], vec![9.0; columns]);
            let into = LayerNormGradients { input: &mut of_input, weight: &mut of_weight, bias: &mut of_bias };
            layer_norm_gradient(&input, &weight, &statistics, &gradient, into);

            let (input, gradient, weight, bias) = (wide(&input), wide(&gradient), wide(&weight), wide(&bias));
            let loss = |row: usize, input: &[f64], weight: &[f64], bias: &[f64]| -> f64 {
                reference(input, weight, bias).iter().zip(&gradient[row * columns..]).map(|(y, g)| y * g).sum()
            };
            let moved = |values: &[f64], at: usize, by: f64| {
                let mut values = values.to_vec();
                values[at] += by;
                values
            };
            let slope = |run: &dyn Fn(f64) -> f64| (run(1e-5) - run(-1e-5)) / 2e-5;
            let by_input = (0..input.len()).map(|at| {
                let row = at / columns;
                let own = &input[row * columns..][..columns];
                slope(&|by| loss(row, &moved(own, at % columns, by), &weight, &bias))
            });
            // A row of one number is constant: its slope is 0, times a reciprocal deviation of 1000.
            assert_near(&of_input, &by_input.collect::<Vec<f64>>(), if columns == 1 { 1e-3 } else { 5e-6 });
            let by_weight = (0..columns).map(|at| slope(&|by| loss(0, &input, &moved(&weight, at, by), &bias)));
            assert_near(&of_weight, &by_weight.collect::<Vec<f64>>(), 5e-6);
            let by_bias = (0..columns).map(|at| slope(&|by| loss(0, &input, &weight, &moved(&bias, at, by))));
            assert_near(&of_bias, &by_bias.collect::<Vec<f64>>(), 5e-6);
        }
    }
}
