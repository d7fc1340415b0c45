//! Depthwise 3×3 convolutions, forward and backward (padding 1, stride 1 or 2). Each channel of a picture is a plane of
//! its own, and all planes but the first few of a network are small: a loop over the row of a map of 7 × 7 places fills
//! no vector. Here a plane is copied once with its padding, split by the parity of rows and columns where the stride is
//! 2, so that each of the nine taps is one run of numbers through the whole plane. What falls between two rows is
//! computed for nothing and left out.

use crate::epilogue::Epilogue;
use crate::wide::F32x4;

/// Numbers of two vectors: runs are filled up with zeros to whole pairs of them.
const PAIR: usize = 8;

/// Sizes of the maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Depthwise {
    /// Channels: plane `p` of a batch belongs to channel `p % channels`.
    pub channels: usize,
    /// Rows of the map that is read.
    pub height: usize,
    /// Columns of the map that is read.
    pub width: usize,
    /// 1 or 2.
    pub stride: usize,
}

impl Depthwise {
    /// Rows and columns of the map that is given: half of them at stride 2, rounded up.
    pub fn output(&self) -> [usize; 2] {
        [self.height, self.width].map(|side| side.div_ceil(self.stride))
    }

    /// Length of a row of a phase, behind which the next begins.
    fn pitch(&self) -> usize {
        self.output()[1] + 2 / self.stride
    }

    /// Numbers of a phase: the padded plane at stride 1, every second row and column of it at stride 2.
    fn phase(&self) -> usize {
        (self.output()[0] + 2 / self.stride) * self.pitch()
    }

    /// From the first output to the last, with what lies between the rows, filled up to whole pairs of vectors.
    fn run(&self) -> usize {
        let [rows, columns] = self.output();
        ((rows - 1) * self.pitch() + columns).next_multiple_of(PAIR)
    }

    /// Where each tap's run begins among the phases. Computed once, as [`Depthwise::rows`] are: the divisions would take
    /// longer than a small plane.
    fn starts(&self) -> [usize; 9] {
        let stride = self.stride;
        std::array::from_fn(|tap| {
            let (row, column) = (tap / 3, tap % 3);
            let phase = row % stride * stride + column % stride;
            phase * self.phase() + row / stride * self.pitch() + column / stride
        })
    }

    /// Where the columns of the plane's rows stand in the phases, row by row and parity by parity.
    fn rows(&self) -> Vec<(usize, usize)> {
        (0..self.height * self.stride).map(|at| self.places(at / self.stride, at % self.stride)).collect()
    }

    /// Room for all phases, and for what the last run is filled up with.
    fn room(&self) -> Vec<f32> {
        vec![0.0; self.stride * self.stride * self.phase() + PAIR]
    }

    /// Where in the phases row `row` of the plane has its columns of one parity: the first of the plane's, the place of
    /// that.
    fn places(&self, row: usize, parity: usize) -> (usize, usize) {
        let stride = self.stride;
        // The padding is one row and column: what is read stands one further.
        let (padded_row, first) = (row + 1, (parity + stride - 1) % stride);
        let phase = padded_row % stride * stride + parity;
        (first, phase * self.phase() + padded_row / stride * self.pitch() + (first + 1) / stride)
    }

    fn check(&self, input: usize, output: usize, weight: usize) {
        let [rows, columns] = self.output();
        assert!(self.stride == 1 || self.stride == 2, "strides are 1 or 2");
        assert!(self.height > 0 && self.width > 0, "an empty map");
        assert_eq!(weight, 9 * self.channels, "nine weights for each channel");
        let planes = input / (self.height * self.width);
        assert_eq!(input, planes * self.height * self.width, "whole planes of input");
        assert_eq!(output, planes * rows * columns, "a plane of output for each of input");
    }
}

/// `output[p][y][x] = Σ input[p][stride · y + i - 1][stride · x + j - 1] · weight[p % channels][i][j]`, where what lies
/// outside of the plane is 0, and then the epilogue of the channel.
///
/// # Panics
/// When a length does not fit.
#[inline(never)]
pub fn depthwise(input: &[f32], weight: &[f32], sizes: Depthwise, epilogue: Epilogue<'_>, output: &mut [f32]) {
    sizes.check(input.len(), output.len(), weight.len());
    assert_eq!(epilogue.bias.len(), sizes.channels, "a bias for each channel");
    let [rows, columns] = sizes.output();
    let (mut phases, mut run) = (sizes.room(), vec![0.0; sizes.run()]);
    let (places, starts) = (sizes.rows(), sizes.starts());
    let weights = weight.as_chunks::<9>().0.iter().enumerate().cycle();
    let planes = input.chunks_exact(sizes.height * sizes.width).zip(output.chunks_exact_mut(rows * columns));
    for ((input, output), (channel, weight)) in planes.zip(weights) {
        split(input, sizes, &places, &mut phases);
        weigh(&phases, weight, starts, &mut run);
        for (output, run) in output.chunks_exact_mut(columns).zip(run.chunks(sizes.pitch())) {
            epilogue.apply(channel, &run[..columns], output);
        }
    }
}

/// The gradient of the input of [`depthwise`] from that of its output; what was in `to_input` is overwritten.
///
/// # Panics
/// When a length does not fit.
#[inline(never)]
pub fn depthwise_input_gradient(gradient: &[f32], weight: &[f32], sizes: Depthwise, to_input: &mut [f32]) {
    sizes.check(to_input.len(), gradient.len(), weight.len());
    let [rows, columns] = sizes.output();
    let (mut phases, mut run) = (sizes.room(), vec![0.0; sizes.run()]);
    let (places, starts) = (sizes.rows(), sizes.starts());
    let weights = weight.as_chunks::<9>().0.iter().cycle();
    let planes = to_input.chunks_exact_mut(sizes.height * sizes.width).zip(gradient.chunks_exact(rows * columns));
    for ((to_input, gradient), weight) in planes.zip(weights) {
        spread(gradient, sizes, &mut run);
        phases.fill(0.0);
        for (tap, &weight) in weight.iter().enumerate() {
            let start = starts[tap];
            add_scaled(&mut phases[start..start + run.len()], &run, weight);
        }
        join(&phases, sizes, &places, to_input);
    }
}

/// The gradient of the weights of [`depthwise`] from that of its output; what was in `to_weight` is overwritten.
///
/// # Panics
/// When a length does not fit.
#[inline(never)]
pub fn depthwise_weight_gradient(input: &[f32], gradient: &[f32], sizes: Depthwise, to_weight: &mut [f32]) {
    sizes.check(input.len(), gradient.len(), to_weight.len());
    let [rows, columns] = sizes.output();
    let (mut phases, mut run) = (sizes.room(), vec![0.0; sizes.run()]);
    let (places, starts) = (sizes.rows(), sizes.starts());
    to_weight.fill(0.0);
    let planes = input.chunks_exact(sizes.height * sizes.width).zip(gradient.chunks_exact(rows * columns));
    for (plane, (input, gradient)) in planes.enumerate() {
        split(input, sizes, &places, &mut phases);
        spread(gradient, sizes, &mut run);
        let first = 9 * (plane % sizes.channels);
        let sums = correlate(&phases, &run, starts);
        to_weight[first..first + 9].iter_mut().zip(sums).for_each(|(weight, sum)| *weight += sum);
    }
}

/// Puts a plane among its zeros, by parities.
#[inline(always)]
fn split(plane: &[f32], sizes: Depthwise, places: &[(usize, usize)], phases: &mut [f32]) {
    for (values, places) in plane.chunks_exact(sizes.width).zip(places.chunks_exact(sizes.stride)) {
        for &(first, at) in places {
            let Some(values) = values.get(first..) else { continue };
            if sizes.stride == 1 {
                phases[at..at + values.len()].copy_from_slice(values);
            } else {
                let every = values.iter().step_by(2);
                phases[at..].iter_mut().zip(every).for_each(|(to, value)| *to = *value);
            }
        }
    }
}

/// Takes a plane out again.
#[inline(always)]
fn join(phases: &[f32], sizes: Depthwise, places: &[(usize, usize)], plane: &mut [f32]) {
    for (values, places) in plane.chunks_exact_mut(sizes.width).zip(places.chunks_exact(sizes.stride)) {
        for &(first, at) in places {
            let Some(values) = values.get_mut(first..) else { continue };
            if sizes.stride == 1 {
                values.copy_from_slice(&phases[at..at + values.len()]);
            } else {
                values.iter_mut().step_by(2).zip(&phases[at..]).for_each(|(to, value)| *to = *value);
            }
        }
    }
}

/// The rows of a gradient one pitch apart; what lies between them stays 0.
#[inline(always)]
fn spread(gradient: &[f32], sizes: Depthwise, run: &mut [f32]) {
    let columns = sizes.output()[1];
    for (run, gradient) in run.chunks_mut(sizes.pitch()).zip(gradient.chunks_exact(columns)) {
        run[..columns].copy_from_slice(gradient);
    }
}

/// The sum of nine runs, each times its weight.
#[inline(never)]
fn weigh(phases: &[f32], weight: &[f32; 9], starts: [usize; 9], run: &mut [f32]) {
    let count = run.len();
    let [a, b, c, d, e, f, g, h, i] = starts.map(|start| &phases[start..][..count]);
    for (at, sum) in run.iter_mut().enumerate() {
        let upper = weight[0] * a[at] + weight[1] * b[at] + weight[2] * c[at];
        let middle = weight[3] * d[at] + weight[4] * e[at] + weight[5] * f[at];
        let lower = weight[6] * g[at] + weight[7] * h[at] + weight[8] * i[at];
        *sum = upper + middle + lower;
    }
}

#[inline(never)]
fn add_scaled(to: &mut [f32], run: &[f32], weight: f32) {
    to.iter_mut().zip(run).for_each(|(to, value)| *to += weight * value);
}

/// What each of the nine runs and the gradient have in common: the sums of their products.
fn correlate(phases: &[f32], run: &[f32], starts: [usize; 9]) -> [f32; 9] {
    starts.map(|start| product_sum(run, &phases[start..][..run.len()]))
}

/// The sum of the products of two runs of whole pairs of vectors.
#[inline(never)]
fn product_sum(run: &[f32], values: &[f32]) -> f32 {
    let ((run, _), (values, _)) = (run.as_chunks::<PAIR>(), values.as_chunks::<PAIR>());
    let mut sums = [F32x4::splat(0.0); 2];
    for (a, b) in run.iter().zip(values) {
        let (a, b) = (a.as_chunks::<4>().0, b.as_chunks::<4>().0);
        for half in 0..2 {
            sums[half] = sums[half].plus_product(F32x4::load(&a[half]), F32x4::load(&b[half]));
        }
    }
    let mut lanes = [0.0; 4];
    sums[0].plus(sums[1]).store(&mut lanes);
    lanes.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_near, numbers, wide};

    /// Planes, channels, height, width.
    const MAPS: [[usize; 4]; 8] = [
        [1, 1, 1, 1],
        [2, 1, 1, 7],
        [6, 3, 4, 4],
        [4, 2, 5, 3],
        [3, 3, 7, 7],
        [2, 2, 2, 9],
        [2, 1, 8, 1],
        [4, 4, 17, 22],
    ];

    /// Calls with plane, place of the output, place of the input and place of the weight, for all that meet.
    fn meet(planes: usize, sizes: Depthwise, mut see: impl FnMut(usize, usize, usize)) {
        let Depthwise { channels, height, width, stride } = sizes;
        let [rows, columns] = sizes.output();
        for plane in 0..planes {
            for (y, x, i, j) in
                (0..rows * columns * 9).map(|at| (at / 9 / columns, at / 9 % columns, at / 3 % 3, at % 3))
            {
                let (row, column) = (stride * y + i, stride * x + j);
                if (1..=height).contains(&row) && (1..=width).contains(&column) {
                    let input = (plane * height + row - 1) * width + column - 1;
                    see((plane * rows + y) * columns + x, input, 9 * (plane % channels) + 3 * i + j);
                }
            }
        }
    }

    #[test]
    fn depthwise_convolutions_and_their_gradients_are_those_of_plain_loops() {
        for ([planes, channels, height, width], stride) in MAPS.into_iter().flat_map(|map| [(map, 1), (map, 2)]) {
            let sizes = Depthwise { channels, height, width, stride };
            let [rows, columns] = sizes.output();
            let input = numbers(planes * height * width, 1, 1.0);
            let (weight, gradient) = (numbers(9 * channels, 2, 1.0), numbers(planes * rows * columns, 3, 1.0));
            let bias = numbers(channels, 4, 1.0);
            let (x, w, g) = (wide(&input), wide(&weight), wide(&gradient));
            let biases = (0..g.len()).map(|at| f64::from(bias[at / rows / columns % channels]));
            let mut expected = [biases.collect(), vec![0.0; x.len()], vec![0.0; w.len()]];
            meet(planes, sizes, |output, input, weight| {
                expected[0][output] += x[input] * w[weight];
                expected[1][input] += g[output] * w[weight];
                expected[2][weight] += g[output] * x[input];
            });
            let mut found = [vec![7.0; g.len()], vec![7.0; x.len()], vec![7.0; w.len()]];
            depthwise(&input, &weight, sizes, Epilogue::of(&bias), &mut found[0]);
            depthwise_input_gradient(&gradient, &weight, sizes, &mut found[1]);
            depthwise_weight_gradient(&input, &gradient, sizes, &mut found[2]);
            for (found, expected) in found.iter().zip(&expected) {
                assert_near(found, expected, 1e-5);
            }
            let cut: Vec<f64> = expected[0].iter().map(|value| value.clamp(0.0, 0.5)).collect();
            depthwise(&input, &weight, sizes, Epilogue { bias: &bias, limits: [0.0, 0.5] }, &mut found[0]);
            assert_near(&found[0], &cut, 1e-5);
        }
    }
}
