//! The learnable map of a feed-forward group, forward and backward (docs/methods.md, section 1.5.4).
//!
//! `W + Δ_t(W)`, where Δ is an MLP `1 → k → k` with ReLU applied to every weight and t one of its outputs. Composed of
//! tensor operations the hidden layer alone would hold `k` copies of the weights for the backward pass; here forward
//! keeps nothing but its inputs and backward computes the hidden layer again.
//!
//! The MLP's weights are one tensor `[k + 3, k]`: row 0 the first layer's weights, row 1 its biases, row 2 the last
//! layer's biases, row `3 + j` the last layer's weights of hidden unit `j` (column `t` = output `t`).

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, TensorMetadata, backend_extension};
use burn::tensor::activation::relu;
use burn::tensor::{DType, Shape, Tensor};
use burn_cubecl::kernel::into_contiguous;
use burn_wgpu::{CubeBackend, CubeTensor};
use cubecl::{CubeCount, CubeDim, calculate_cube_count_elemwise, prelude::*};

use super::flex::{tensor, values};

/// Rows of the map's tensor before the last layer's weights.
pub const MAP_ROWS: usize = 3;

/// Applies output `layer` of a map to weights of any shape.
///
/// # Shapes
/// - weight: any
/// - map: `[k + 3, k]`
///
/// # Panics
/// When the map has another shape, or no such output.
pub fn ffn_map<const D: usize>(weight: Tensor<D>, map: Tensor<2>, layer: usize) -> Tensor<D> {
    let [rows, outputs] = map.dims();
    assert_eq!(rows, outputs + MAP_ROWS, "a map of {outputs} layers has {} rows", outputs + MAP_ROWS);
    assert!(layer < outputs, "the map has {outputs} outputs, and output {layer} was asked for");
    Tensor::from_dispatch(Dispatch::ffn_map_forward(weight.into_dispatch(), map.into_dispatch(), layer))
}

/// The same map composed of tensor operations: the reference for tests and benchmarks.
pub fn ffn_map_reference<const D: usize>(weight: Tensor<D>, map: Tensor<2>, layer: usize) -> Tensor<D> {
    let shape = weight.dims();
    let [_, outputs] = map.dims();
    let flat = weight.clone().reshape([shape.iter().product::<usize>(), 1]);
    let hidden = relu(flat.matmul(map.clone().narrow(0, 0, 1)) + map.clone().narrow(0, 1, 1));
    let last = map.clone().narrow(0, MAP_ROWS, outputs).narrow(1, layer, 1);
    let delta = hidden.matmul(last) + map.narrow(0, 2, 1).narrow(1, layer, 1);
    weight + delta.reshape(shape)
}

/// The map on each engine.
#[backend_extension(Cube, Flex, Fusion, Autodiff)]
pub trait FfnMapBackend: Backend {
    /// See [`ffn_map`].
    #[fusion(dtype = weight, shape = weight)]
    fn ffn_map_forward(weight: FloatTensor<Self>, map: FloatTensor<Self>, layer: usize) -> FloatTensor<Self>;

    /// Gradients of weight and map from the gradient of the result.
    #[fusion(meta = |weight, map, _gradient, _layer| (weight.clone(), map.clone()))]
    fn ffn_map_backward(
        weight: FloatTensor<Self>,
        map: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        layer: usize,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);
}

#[derive(Debug)]
struct FfnMapStep;

impl<B: Backend + FfnMapBackend> Backward<B, 2> for FfnMapStep {
    type State = (FloatTensor<B>, FloatTensor<B>, usize);

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let [weight_node, map_node] = ops.parents;
        let gradient = grads.consume::<B>(&ops.node);
        let (weight, map, layer) = ops.state;
        let (weight, map) = B::ffn_map_backward(weight, map, gradient, layer);
        if let Some(node) = weight_node {
            grads.register::<B>(node.id, weight);
        }
        if let Some(node) = map_node {
            grads.register::<B>(node.id, map);
        }
    }
}

impl<B: Backend + FfnMapBackend, C: CheckpointStrategy> FfnMapBackend for Autodiff<B, C> {
    fn ffn_map_forward(weight: FloatTensor<Self>, map: FloatTensor<Self>, layer: usize) -> FloatTensor<Self> {
        match FfnMapStep.prepare::<C>([weight.node(), map.node()]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let (weight, map) = (weight.into_primitive(), map.into_primitive());
                let output = B::ffn_map_forward(weight.clone(), map.clone(), layer);
                prep.finish((weight, map, layer), output)
            }
            OpsKind::UnTracked(prep) => {
                prep.finish(B::ffn_map_forward(weight.into_primitive(), map.into_primitive(), layer))
            }
        }
    }

    fn ffn_map_backward(
        _weight: FloatTensor<Self>,
        _map: FloatTensor<Self>,
        _gradient: FloatTensor<Self>,
        _layer: usize,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        panic!("the backward pass of `ffn_map` has no gradient of its own");
    }
}

/// One invocation per weight.
#[cube(launch)]
fn ffn_map_kernel(
    weight: &cubecl::prelude::Tensor<f32>,
    map: &cubecl::prelude::Tensor<f32>,
    output: &mut cubecl::prelude::Tensor<f32>,
    layer: usize,
    #[comptime] hidden: usize,
) {
    let at = ABSOLUTE_POS;
    if at >= output.len() {
        terminate!();
    }
    let own = weight[at];
    let mut sum = own + map[2 * hidden + layer];
    for j in 0..hidden {
        let before = own * map[j] + map[hidden + j];
        if before > 0.0f32 {
            sum += before * map[(3 + j) * hidden + layer];
        }
    }
    output[at] = sum;
}

/// Sums one unit keeps for each hidden unit: of the gradient times the hidden value, and of the gradient where the
/// hidden unit is active, with and without the weight as a factor. One more, at the end, is of the gradient alone.
const SUMS: usize = 3;

/// Gradient of the weights, and per cube the sums from which [`ffn_map_gather_kernel`] makes the gradient of the map.
#[cube(launch)]
fn ffn_map_backward_kernel(
    weight: &cubecl::prelude::Tensor<f32>,
    map: &cubecl::prelude::Tensor<f32>,
    gradient: &cubecl::prelude::Tensor<f32>,
    weight_gradient: &mut cubecl::prelude::Tensor<f32>,
    partial: &mut cubecl::prelude::Tensor<f32>,
    layer: usize,
    cubes: usize,
    #[comptime] hidden: usize,
    #[comptime] units: usize,
) {
    let width = comptime!(SUMS * hidden + 1);
    let unit = UNIT_POS_X as usize;
    let mut sums = Array::<f32>::new(width);
    for i in 0..width {
        sums[i] = 0.0f32;
    }
    let mut at = CUBE_POS_X as usize * units + unit;
    while at < weight.len() {
        let own = weight[at];
        let g = gradient[at];
        let mut slope = 1.0f32;
        for j in 0..hidden {
            let before = own * map[j] + map[hidden + j];
            if before > 0.0f32 {
                slope += map[(3 + j) * hidden + layer] * map[j];
                sums[SUMS * j] += g * before;
                sums[SUMS * j + 1] += g * own;
                sums[SUMS * j + 2] += g;
            }
        }
        sums[SUMS * hidden] += g;
        weight_gradient[at] = g * slope;
        at += cubes * units;
    }
    let mut shared = Shared::<[f32]>::new_slice(comptime!(units * (SUMS * hidden + 1)));
    for i in 0..width {
        shared[unit * width + i] = sums[i];
    }
    sync_cube();
    let mut i = unit;
    while i < width {
        let mut sum = 0.0f32;
        for other in 0..units {
            sum += shared[other * width + i];
        }
        partial[CUBE_POS_X as usize * width + i] = sum;
        i += units;
    }
}

/// One invocation per element of the map's gradient: adds the cubes' sums.
#[cube(launch)]
fn ffn_map_gather_kernel(
    map: &cubecl::prelude::Tensor<f32>,
    partial: &cubecl::prelude::Tensor<f32>,
    map_gradient: &mut cubecl::prelude::Tensor<f32>,
    layer: usize,
    cubes: usize,
    #[comptime] hidden: usize,
) {
    let at = ABSOLUTE_POS;
    if at >= map_gradient.len() {
        terminate!();
    }
    let width = comptime!(SUMS * hidden + 1);
    let row = at / hidden;
    let column = at % hidden;
    // Which sum this element needs, and its factor; only column `layer` of the last layer has a gradient.
    let mut which = SUMS * column + 1;
    let mut factor = map[(3 + column) * hidden + layer];
    if row == 1 {
        which = SUMS * column + 2;
    }
    if row >= 2 {
        which = SUMS * hidden;
        factor = 0.0f32;
        if column == layer {
            factor = 1.0f32;
        }
        if row > 2 {
            which = SUMS * (row - 3);
        }
    }
    let mut sum = 0.0f32;
    for cube in 0..cubes {
        sum += partial[cube * width + which];
    }
    map_gradient[at] = sum * factor;
}

/// Cubes of the backward kernel at most: enough to fill an adapter, few enough to add up in one loop.
const CUBES: usize = 128;
/// Floats of workgroup memory every WebGPU adapter has.
const SHARED_FLOATS: usize = 16_384 / 4;

/// Units of a cube of the backward kernel, so that their sums fit in workgroup memory.
fn backward_units(hidden: usize) -> usize {
    let fit = SHARED_FLOATS / (SUMS * hidden + 1);
    assert!(fit > 0, "a map of {hidden} layers is too large for a kernel");
    [64, 32, 16, 8, 4, 2].into_iter().find(|&units| units <= fit).unwrap_or(1)
}

fn empty_like(like: &CubeTensor, shape: Shape) -> CubeTensor {
    let buffer = like.client.empty(shape.num_elements() * DType::F32.size());
    CubeTensor::new_contiguous(like.client.clone(), like.device.clone(), shape, buffer, DType::F32)
}

impl FfnMapBackend for CubeBackend {
    fn ffn_map_forward(weight: FloatTensor<Self>, map: FloatTensor<Self>, layer: usize) -> FloatTensor<Self> {
        let [weight, map] = [weight, map].map(into_contiguous);
        assert_eq!([weight.dtype, map.dtype], [DType::F32; 2], "weights and map are f32");
        let output = empty_like(&weight, weight.meta.shape().clone());
        let (client, elements, hidden) = (output.client.clone(), weight.meta.num_elements(), map.meta.shape()[1]);
        if elements > 0 {
            let cube_dim = CubeDim::new(&client, elements);
            ffn_map_kernel::launch(
                &client,
                calculate_cube_count_elemwise(&client, elements, cube_dim),
                cube_dim,
                weight.into_tensor_arg(),
                map.into_tensor_arg(),
                output.clone().into_tensor_arg(),
                layer,
                hidden,
            );
        }
        output
    }

    fn ffn_map_backward(
        weight: FloatTensor<Self>,
        map: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        layer: usize,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let [weight, map, gradient] = [weight, map, gradient].map(into_contiguous);
        let client = weight.client.clone();
        let (elements, hidden) = (weight.meta.num_elements(), map.meta.shape()[1]);
        let units = backward_units(hidden);
        let cubes = elements.div_ceil(units).clamp(1, CUBES);
        let weight_gradient = empty_like(&weight, weight.meta.shape().clone());
        let map_gradient = empty_like(&map, map.meta.shape().clone());
        let partial = empty_like(&map, Shape::from(vec![cubes, SUMS * hidden + 1]));
        ffn_map_backward_kernel::launch(
            &client,
            CubeCount::Static(cubes as u32, 1, 1),
            CubeDim::new_1d(units as u32),
            weight.into_tensor_arg(),
            map.clone().into_tensor_arg(),
            gradient.into_tensor_arg(),
            weight_gradient.clone().into_tensor_arg(),
            partial.clone().into_tensor_arg(),
            layer,
            cubes,
            hidden,
            units,
        );
        let outputs = map.meta.num_elements();
        let cube_dim = CubeDim::new(&client, outputs);
        ffn_map_gather_kernel::launch(
            &client,
            calculate_cube_count_elemwise(&client, outputs, cube_dim),
            cube_dim,
            map.into_tensor_arg(),
            partial.into_tensor_arg(),
            map_gradient.clone().into_tensor_arg(),
            layer,
            cubes,
            hidden,
        );
        (weight_gradient, map_gradient)
    }
}

/// Weights the CPU works on at a time: they stay in the first cache while every hidden unit passes over them, and sums
/// of so few lose nothing in f32.
const BLOCK: usize = 1024;

/// One hidden unit: weight and bias of the first layer, weight of the last one towards the output in question.
#[derive(Clone, Copy)]
struct Hidden {
    weight: f32,
    bias: f32,
    out: f32,
}

/// The hidden units of a map and the output's bias.
fn hidden_units(map: &[f32], outputs: usize, layer: usize) -> (Vec<Hidden>, f32) {
    let unit = |j: usize| Hidden { weight: map[j], bias: map[outputs + j], out: map[(MAP_ROWS + j) * outputs + layer] };
    ((0..outputs).map(unit).collect(), map[2 * outputs + layer])
}

impl FfnMapBackend for Flex {
    fn ffn_map_forward(weight: FloatTensor<Self>, map: FloatTensor<Self>, layer: usize) -> FloatTensor<Self> {
        let [weight, map] = [weight, map].map(|tensor| tensor.to_contiguous());
        let (units, bias) = hidden_units(values(&map), map.shape()[1], layer);
        let mut output = values(&weight).to_vec();
        for (out, own) in output.chunks_mut(BLOCK).zip(values(&weight).chunks(BLOCK)) {
            out.iter_mut().for_each(|out| *out += bias);
            for unit in &units {
                for (out, own) in out.iter_mut().zip(own) {
                    *out += unit.out * (own * unit.weight + unit.bias).max(0.0);
                }
            }
        }
        tensor(output, weight.shape())
    }

    fn ffn_map_backward(
        weight: FloatTensor<Self>,
        map: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        layer: usize,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let [weight, map, gradient] = [weight, map, gradient].map(|tensor| tensor.to_contiguous());
        let outputs = map.shape()[1];
        let (units, _) = hidden_units(values(&map), outputs, layer);
        let mut weight_gradient = values(&gradient).to_vec();
        let mut sums = vec![[0.0_f64; SUMS]; outputs];
        let mut total = 0.0_f64;
        let mut slope = [0.0; BLOCK];
        let blocks = values(&weight).chunks(BLOCK).zip(values(&gradient).chunks(BLOCK));
        for ((own, g), out) in blocks.zip(weight_gradient.chunks_mut(BLOCK)) {
            slope.fill(1.0);
            for (unit, sums) in units.iter().zip(&mut sums) {
                let block = unit_sums(*unit, own, g, &mut slope);
                sums.iter_mut().zip(block).for_each(|(sum, block)| *sum += f64::from(block));
            }
            total += f64::from(g.iter().sum::<f32>());
            out.iter_mut().zip(&slope).for_each(|(out, slope)| *out *= slope);
        }
        let mut map_gradient = vec![0.0; (outputs + MAP_ROWS) * outputs];
        for (j, (unit, [hidden, with_weight, alone])) in units.iter().zip(sums).enumerate() {
            map_gradient[j] = (with_weight * f64::from(unit.out)) as f32;
            map_gradient[outputs + j] = (alone * f64::from(unit.out)) as f32;
            map_gradient[(MAP_ROWS + j) * outputs + layer] = hidden as f32;
        }
        map_gradient[2 * outputs + layer] = total as f32;
        (tensor(weight_gradient, weight.shape()), tensor(map_gradient, map.shape()))
    }
}

/// Sums of one hidden unit over one block, in eight lanes (a plain float sum must keep its order and is no SIMD); adds
/// the unit's part to the slope of each weight.
fn unit_sums(unit: Hidden, own: &[f32], gradient: &[f32], slope: &mut [f32; BLOCK]) -> [f32; SUMS] {
    let mut lanes = [[0.0_f32; 8]; SUMS];
    let blocks = own.chunks(8).zip(gradient.chunks(8)).zip(slope.chunks_mut(8));
    for ((own, gradient), slope) in blocks {
        for (i, ((own, gradient), slope)) in own.iter().zip(gradient).zip(slope).enumerate() {
            let before = own * unit.weight + unit.bias;
            let active = if before > 0.0 { 1.0 } else { 0.0 };
            let g = gradient * active;
            *slope += active * unit.out * unit.weight;
            lanes[0][i] += g * before;
            lanes[1][i] += g * own;
            lanes[2][i] += g;
        }
    }
    lanes.map(|lanes| lanes.iter().sum())
}
