//! Layer norm on WebGPU: one launch forward, two backward.

use burn::backend::tensor::FloatTensor;
use burn::tensor::DType;
use burn_cubecl::kernel::into_contiguous;
use burn_wgpu::CubeBackend;
use cubecl::{CubeCount, CubeDim, prelude::*};

use super::{LayerNormBackend, statistics_shape};
use crate::kernels::launch::{at_most, empty, folded, line_sum};

/// Units that share a row.
const LANES: usize = 32;
/// Rows that one cube works on.
const ROWS: usize = 4;
/// Columns and lines of a cube that sums over rows: 256 units, what every WebGPU adapter has.
const SIDE: usize = 16;

/// Mean and variance in two passes: the sum of squares less the squared mean would cancel for rows far from 0. Rows are
/// short, so all passes but the first find them in the cache.
#[cube(launch)]
fn norm_kernel(
    input: &cubecl::prelude::Tensor<f32>,
    weight: &cubecl::prelude::Tensor<f32>,
    bias: &cubecl::prelude::Tensor<f32>,
    output: &mut cubecl::prelude::Tensor<f32>,
    statistics: &mut cubecl::prelude::Tensor<f32>,
    rows: usize,
    width: usize,
    epsilon: f32,
) {
    let (lane, line) = (UNIT_POS_X as usize, UNIT_POS_Y as usize);
    let row = CUBE_POS * ROWS + line;
    // Units without a row read the last one and write nothing: all have to reach the barriers.
    let from = at_most(row, rows - 1) * width;
    let count = f32::cast_from(width);
    let mut shared = Shared::<[f32]>::new_slice(comptime!(ROWS * LANES));
    let mut sum = 0.0f32;
    let mut at = lane;
    while at < width {
        sum += input[from + at];
        at += LANES;
    }
    let mean = line_sum(&mut shared, sum, line, lane, LANES) / count;
    let mut squares = 0.0f32;
    at = lane;
    while at < width {
        let away = input[from + at] - mean;
        squares += away * away;
        at += LANES;
    }
    let variance = line_sum(&mut shared, squares, line, lane, LANES) / count;
    let steepness = 1.0f32 / f32::sqrt(variance + epsilon);
    if row < rows {
        at = lane;
        while at < width {
            output[from + at] = (input[from + at] - mean) * steepness * weight[at] + bias[at];
            at += LANES;
        }
        if lane == 0 {
            statistics[2 * row] = mean;
            statistics[2 * row + 1] = steepness;
        }
    }
}

/// Gradient of the input: `(h - mean(h) - n · mean(h · n)) / deviation`, where n is the normed input and h the gradient
/// times the weight.
#[cube(launch)]
fn norm_input_gradient_kernel(
    input: &cubecl::prelude::Tensor<f32>,
    weight: &cubecl::prelude::Tensor<f32>,
    statistics: &cubecl::prelude::Tensor<f32>,
    gradient: &cubecl::prelude::Tensor<f32>,
    to_input: &mut cubecl::prelude::Tensor<f32>,
    rows: usize,
    width: usize,
) {
    let (lane, line) = (UNIT_POS_X as usize, UNIT_POS_Y as usize);
    let row = CUBE_POS * ROWS + line;
    let read = at_most(row, rows - 1);
    let from = read * width;
    let mean = statistics[2 * read];
    let steepness = statistics[2 * read + 1];
    let mut shared = Shared::<[f32]>::new_slice(comptime!(ROWS * LANES));
    let mut sum = 0.0f32;
    let mut product = 0.0f32;
    let mut at = lane;
    while at < width {
        let h = gradient[from + at] * weight[at];
        sum += h;
        product += h * ((input[from + at] - mean) * steepness);
        at += LANES;
    }
    let count = f32::cast_from(width);
    let sum = line_sum(&mut shared, sum, line, lane, LANES) / count;
    let product = line_sum(&mut shared, product, line, lane, LANES) / count;
    if row < rows {
        at = lane;
        while at < width {
            let normed = (input[from + at] - mean) * steepness;
            let h = gradient[from + at] * weight[at];
            to_input[from + at] = (h - sum - normed * product) * steepness;
            at += LANES;
        }
    }
}

/// Gradients of weight and bias: a cube for some columns, whose lines walk the rows together.
#[cube(launch)]
fn norm_parameter_gradients_kernel(
    input: &cubecl::prelude::Tensor<f32>,
    statistics: &cubecl::prelude::Tensor<f32>,
    gradient: &cubecl::prelude::Tensor<f32>,
    to_weight: &mut cubecl::prelude::Tensor<f32>,
    to_bias: &mut cubecl::prelude::Tensor<f32>,
    rows: usize,
    width: usize,
) {
    let (lane, line) = (UNIT_POS_X as usize, UNIT_POS_Y as usize);
    let column = CUBE_POS_X as usize * SIDE + lane;
    let read = at_most(column, width - 1);
    let mut weights = Shared::<[f32]>::new_slice(comptime!(SIDE * SIDE));
    let mut biases = Shared::<[f32]>::new_slice(comptime!(SIDE * SIDE));
    let mut to_weight_sum = 0.0f32;
    let mut to_bias_sum = 0.0f32;
    let mut row = line;
    while row < rows {
        let g = gradient[row * width + read];
        to_weight_sum += g * ((input[row * width + read] - statistics[2 * row]) * statistics[2 * row + 1]);
        to_bias_sum += g;
        row += SIDE;
    }
    weights[line * SIDE + lane] = to_weight_sum;
    biases[line * SIDE + lane] = to_bias_sum;
    sync_cube();
    if line == 0 && column < width {
        let mut weight = 0.0f32;
        let mut bias = 0.0f32;
        for other in 0..SIDE {
            weight += weights[other * SIDE + lane];
            bias += biases[other * SIDE + lane];
        }
        to_weight[column] = weight;
        to_bias[column] = bias;
    }
}

impl LayerNormBackend for CubeBackend {
    fn norm_forward(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        epsilon: f32,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let [input, weight, bias] = [input, weight, bias].map(into_contiguous);
        assert_eq!([input.dtype, weight.dtype, bias.dtype], [DType::F32; 3], "norms are f32");
        let shape = input.meta.shape().clone();
        let [rows, width] = shape.dims();
        let statistics = empty(&input, statistics_shape(&shape));
        let output = empty(&input, shape);
        norm_kernel::launch(
            &output.client,
            folded(rows.div_ceil(ROWS)),
            CubeDim::new_2d(LANES as u32, ROWS as u32),
            input.into_tensor_arg(),
            weight.into_tensor_arg(),
            bias.into_tensor_arg(),
            output.clone().into_tensor_arg(),
            statistics.clone().into_tensor_arg(),
            rows,
            width,
            epsilon,
        );
        (output, statistics)
    }

    fn norm_backward(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        statistics: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let [input, weight, statistics, gradient] = [input, weight, statistics, gradient].map(into_contiguous);
        let client = input.client.clone();
        let [rows, width] = input.meta.shape().dims();
        let to_input = empty(&input, input.meta.shape().clone());
        let [to_weight, to_bias] = [(); 2].map(|()| empty(&weight, weight.meta.shape().clone()));
        norm_input_gradient_kernel::launch(
            &client,
            folded(rows.div_ceil(ROWS)),
            CubeDim::new_2d(LANES as u32, ROWS as u32),
            input.clone().into_tensor_arg(),
            weight.into_tensor_arg(),
            statistics.clone().into_tensor_arg(),
            gradient.clone().into_tensor_arg(),
            to_input.clone().into_tensor_arg(),
            rows,
            width,
        );
        norm_parameter_gradients_kernel::launch(
            &client,
            CubeCount::Static(width.div_ceil(SIDE) as u32, 1, 1),
            CubeDim::new_2d(SIDE as u32, SIDE as u32),
            input.into_tensor_arg(),
            statistics.into_tensor_arg(),
            gradient.into_tensor_arg(),
            to_weight.clone().into_tensor_arg(),
            to_bias.clone().into_tensor_arg(),
            rows,
            width,
        );
        (to_input, to_weight, to_bias)
    }
}
