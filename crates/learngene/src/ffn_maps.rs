//! A feed-forward network shared by several layers through one learnable map (docs/methods.md, section 1.5.4).
//!
//! Network and map train together; nothing per layer is stored until the map is folded.

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::{Device, Tensor, TensorData};

use super::copy::detached_mlp;
use heirloom_nn::kernels::ffn_map;
use heirloom_nn::kernels::ffn_map::MAP_ROWS;
use heirloom_nn::vit::{Mlp, RandomWeights};

/// One group of layers with their common network.
#[derive(Module, Debug)]
pub struct SharedFfn {
    /// The shared network.
    pub mlp: Mlp,
    /// The map's MLP, `[k + 3, k]` as [`heirloom_nn::kernels::ffn_map()`] has it.
    pub map: Param<Tensor<2>>,
    /// Layers of the group; the position is the map's output for that layer.
    #[module(skip)]
    pub layers: Vec<usize>,
}

impl SharedFfn {
    /// A group at its start: the map's last layer is exactly 0, so that every layer has the shared network itself; its
    /// first layer is random and not 0. Magnitudes are random, signs alternate, so that weights of either sign reach a
    /// hidden unit from the start and its last layer gets a gradient. `key` names the group for the seed.
    pub fn new(mlp: Mlp, layers: Vec<usize>, random: RandomWeights, key: &str, device: &Device) -> Self {
        let count = layers.len();
        // Deviation 0.02 as all weights; the first layer's factors are near 1, its biases near the size of a weight.
        let numbers = random.values(&format!("ffn_maps.{key}.weight"), 2 * count);
        let mut map = vec![0.0; (count + MAP_ROWS) * count];
        for unit in 0..count {
            let sign = if unit % 2 == 0 { 1.0 } else { -1.0 };
            map[unit] = sign * (0.5 + 25.0 * numbers[unit].abs());
            map[count + unit] = numbers[count + unit];
        }
        let map = Param::from_data(TensorData::new(map, [count + MAP_ROWS, count]), device);
        Self { mlp, map, layers }
    }

    /// The network of the layer at a position of the group, computed from the shared one. Under training its weights
    /// lead gradients back to network and map; they are no parameters themselves.
    pub fn mapped(&self, position: usize) -> Mlp {
        let linear = |shared: &Linear| Linear {
            weight: self.lend(&shared.weight, position),
            bias: shared.bias.as_ref().map(|bias| self.lend(bias, position)),
        };
        // A norm is the layers' as it is: the map is of weights.
        let Mlp { fc1, norm, fc2, activation, gated } = &self.mlp;
        Mlp { fc1: linear(fc1), norm: norm.clone(), fc2: linear(fc2), activation: *activation, gated: *gated }
    }

    fn lend<const D: usize>(&self, shared: &Param<Tensor<D>>, position: usize) -> Param<Tensor<D>> {
        Param::initialized(shared.id, ffn_map(shared.val(), self.map.val(), position))
    }

    /// As [`SharedFfn::mapped`], but with weights of its own, without autodiff.
    pub fn folded(&self, position: usize) -> Mlp {
        detached_mlp(&self.mapped(position))
    }
}
