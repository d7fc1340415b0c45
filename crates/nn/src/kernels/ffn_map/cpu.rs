//! The CPU engine's half.

use burn::backend::{Flex, TensorMetadata, tensor::FloatTensor};

use super::{FfnMapBackend, MAP_ROWS, SUMS};
use crate::kernels::flex::{tensor, values};

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
