//! Condensing an ancestor to whole layers (Learngene).

use serde::{Deserialize, Serialize};

/// How an ancestor is condensed: a pseudo descendant is trained briefly and compared with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CondenseSettings {
    /// Layers of the pseudo descendant; blocks in each stage of a CNN, always fewer than the ancestor's.
    pub layers: usize,
    /// Optimiser steps it is trained for.
    pub steps: usize,
    /// Pictures per step.
    pub batch: usize,
    /// Its peak learning rate.
    pub lr: f64,
    /// Side of the pictures on which it is trained and compared, px.
    pub image_size: usize,
    /// Classes it learns to tell apart; empty = all.
    pub classes: Vec<String>,
    /// Share of the training pictures of these classes that it sees, 0..1.
    pub share: f64,
    /// Pictures on which layers are compared; the more, the steadier.
    pub probe: usize,
    /// How layers are compared.
    pub likeness: Likeness,
    /// Seed of its start and its batches.
    pub seed: u64,
}

impl Default for CondenseSettings {
    fn default() -> Self {
        Self {
            layers: 3,
            steps: 60,
            batch: 16,
            lr: 1e-3,
            image_size: 112,
            classes: Vec::new(),
            share: 0.5,
            probe: 32,
            likeness: Likeness::Cka,
            seed: 1,
        }
    }
}

/// How layers are compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Likeness {
    /// Linear CKA of token features.
    #[default]
    Cka,
    /// Weights learned on a feature-matching loss: first-order meta-learning.
    Learned,
    /// How far a layer turns the tokens that go through it; needs no pseudo descendant.
    Influence,
}

impl Likeness {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 3] = [Self::Cka, Self::Learned, Self::Influence];

    /// Its short name, as addresses and options have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cka => "cka",
            Self::Learned => "learned",
            Self::Influence => "influence",
        }
    }

    /// The likeness of a short name. Earlier addresses say whether weights are learned, by `0` and `1`.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "0" => Some(Self::Cka),
            "1" => Some(Self::Learned),
            name => Self::ALL.into_iter().find(|likeness| likeness.name() == name),
        }
    }
}

/// What condensing found. Layers count from the input on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CondenseReport {
    /// The settings that gave it.
    pub settings: CondenseSettings,
    /// Names of the ancestor's layers.
    pub ancestor_layers: Vec<String>,
    /// Names of the pseudo descendant's layers.
    pub pseudo_layers: Vec<String>,
    /// `[ancestor layer][pseudo-descendant layer]`: CKA (1 = alike up to turning and scaling) or learned weights;
    /// `[ancestor layer][1]` of block influence, 0 for a layer that changes no direction.
    pub similarity: Vec<Vec<f32>>,
    /// Scores as the mean over the pseudo descendant's layers.
    pub mean: LayerScores,
    /// Scores as the largest of them.
    pub max: LayerScores,
    /// Training loss of the pseudo descendant at its first and over its last steps, nats.
    pub losses: [f32; 2],
    /// Pictures layers were compared on.
    pub pictures: usize,
    /// What it took, s.
    pub seconds: f64,
}

impl CondenseReport {
    /// The scores in use: by the best match, or the mean.
    pub fn scores(&self, by_max: bool) -> &LayerScores {
        if by_max { &self.max } else { &self.mean }
    }
}

/// How the ancestor's layers score.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerScores {
    /// One per layer.
    pub scores: Vec<f32>,
    /// Layers by falling score.
    pub order: Vec<usize>,
}
