//! Learning a learngene of tied layers (TLEG, SWS): how, how far it is, what came out.

use serde::{Deserialize, Serialize};

use super::{LossPoint, RaceState};
pub use crate::tied::Tying;

/// What a descendant of tied layers is to look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TiedSettings {
    /// How its layers follow from the stored ones.
    pub tying: Tying,
    /// Layers.
    pub layers: usize,
    /// Side of the pictures it is trained on, px (a multiple of the patch size).
    pub image_size: usize,
}

/// How tied layers are learned: in an auxiliary model that is bound to the rule, from the frozen ancestor's answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LearnTied {
    /// The rule.
    pub tying: Tying,
    /// Layers of the auxiliary model.
    pub layers: usize,
    /// Side of the pictures, px (a multiple of the ancestor's patch size).
    pub image_size: usize,
    /// Pictures per step.
    pub batch: usize,
    /// Steps that fit the ancestor's head to the person's classes.
    pub head_steps: usize,
    /// Steps that the auxiliary model learns from it.
    pub steps: usize,
    /// Peak learning rate of these.
    pub lr: f64,
    /// Temperature of both answers.
    pub temperature: f64,
    /// Flip and random resized crop. Off, the ancestor sees every picture only once.
    pub augment: bool,
    /// Seed of start values and batches.
    pub seed: u64,
}

/// Where learning stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TiedStage {
    /// The ancestor gets a head for the person's classes, which is judged.
    Head,
    /// The auxiliary model learns.
    Distil,
    /// It is judged.
    Evaluate,
    /// Nothing is left to do.
    Done,
}

/// A learngene of tied layers, as far as it is learned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TiedReport {
    /// The settings.
    pub settings: LearnTied,
    /// Whether it is running, paused or done.
    pub state: RaceState,
    /// What it is at.
    pub stage: TiedStage,
    /// Optimiser steps done and planned.
    pub steps: [usize; 2],
    /// Name of the ancestor.
    pub ancestor: String,
    /// Loss of the ancestor's head.
    pub head_loss: Vec<LossPoint>,
    /// Divergence of the auxiliary model's answers from the ancestor's, nats.
    pub loss: Vec<LossPoint>,
    /// Accuracy of the ancestor with its new head, 0..1.
    pub ancestor_accuracy: Option<f32>,
    /// Accuracy of the auxiliary model, 0..1.
    pub accuracy: Option<f32>,
    /// Parameters of the ancestor, without the classifier.
    pub ancestor_parameters: u64,
    /// Parameters of the auxiliary model, without the classifier.
    pub auxiliary_parameters: u64,
    /// Parameters stored: stem, stored layers and norm, without the classifier.
    pub stored_parameters: u64,
    /// Names of the classes.
    pub classes: Vec<String>,
    /// Pictures to train and to judge on.
    pub pictures: [usize; 2],
    /// Whether there are layers to read descendants off: it took a step, and is under way no more.
    pub is_learned: bool,
}

impl TiedReport {
    /// Whether descendants of this rule can be read off it, of this ancestor.
    pub fn fits(&self, tying: Tying, ancestor: &str) -> bool {
        self.is_learned && self.settings.tying == tying && self.ancestor == ancestor
    }
}
