//! Tied layers: a learngene of two or a few stored layers from which layers of any depth are read off, TLEG's line and
//! SWS's stages as one rule (docs/methods.md, section 5.6).

use serde::{Deserialize, Serialize};

use super::config::{ModelConfig, VitConfig};
use super::layers::{LayersError, LayersPlan, descendant_config};

/// How layers follow from the stored ones: every tensor of layer `l` of `L` is `Σ_b c_b(l, L) · θ_b`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tying {
    /// TLEG: `θ_B + (l / L) · θ_A`, with `θ_B` stored first.
    Line,
    /// SWS: so many stages as even as can be, whose layers are all the stored one.
    Stages(usize),
}

impl Tying {
    /// Layers that are stored.
    pub fn stored(self) -> usize {
        match self {
            Self::Line => 2,
            Self::Stages(stages) => stages,
        }
    }

    /// How much of each stored layer is in layer `layer` of `layers`, from 0. TLEG counts layers from 1, so that the last
    /// is `θ_B + θ_A` at any depth.
    pub fn coefficients(self, layer: usize, layers: usize) -> Vec<f64> {
        match self {
            Self::Line => vec![1.0, (layer + 1) as f64 / layers as f64],
            Self::Stages(stages) => {
                let stage = (layer as u128 * stages as u128 / layers.max(1) as u128) as usize;
                (0..stages).map(|one| f64::from(u8::from(one == stage))).collect()
            }
        }
    }

    /// The configuration of a descendant: the ancestor's, with so many layers.
    ///
    /// # Errors
    /// When there are no layers or classes, fewer layers than stages, or the picture is no whole number of patches.
    pub fn config(
        self,
        ancestor: &VitConfig,
        layers: usize,
        [classes, image_size]: [usize; 2],
    ) -> Result<VitConfig, LayersError> {
        let least = if self == Self::Line { 1 } else { self.stored() };
        if least == 0 {
            return Err(LayersError::Zero { name: "stages" });
        }
        if (1..least).contains(&layers) {
            return Err(LayersError::TooShallow { layers, chosen: least });
        }
        let plan = LayersPlan { chosen: Vec::new(), layers };
        match descendant_config(&ancestor.clone().into(), &plan, classes, image_size)? {
            ModelConfig::Vit(config) => Ok(config),
            _ => Err(LayersError::Stitched),
        }
    }

    /// The configuration of the learngene: the ancestor's, with the stored layers.
    ///
    /// # Errors
    /// As [`Tying::config`].
    pub fn learngene(self, ancestor: &VitConfig, sizes: [usize; 2]) -> Result<VitConfig, LayersError> {
        self.config(ancestor, self.stored(), sizes)
    }
}

/// Parameters of a model without its classifier: what a learngene stores.
pub fn stored_parameters(config: &VitConfig) -> u64 {
    VitConfig { classes: None, ..config.clone() }.parameters()
}
