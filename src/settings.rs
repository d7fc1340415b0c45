//! What the person chose, and how it stands in the address.
//!
//! Only what differs from the defaults is written (`#eps=8&steps=200`), so a link stays short and a later version may
//! have better defaults. Distances are kept for a 224 px picture and scaled to the ancestor's, so that a link fits any.
//!
//! To add a setting: a field and its default here, and one line in `table.rs`. Address, link, presets, notices of bad
//! values and the list of what differs follow from that line.

mod table;

pub use table::Setting;
use table::TABLE;

use super::experiment::Choice;
use super::layers::LayersChoices;
use super::pools::PoolChoice;
use heirloom_plan::protocol::{
    ClusterSettings, DepthChoice, DescendantPlan, DescendantSettings, Engine, FfnMatching, LayersSettings,
    MeasureSettings, Method, PoolSettings, SplitSettings, TrainSettings,
};

/// Everything that can be chosen.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The engine to start; `None` lets it choose. `?engine=` goes before it.
    pub engine: Option<Engine>,
    pub method: Method,
    pub split: SplitSettings,
    pub measure: MeasureSettings,
    /// Largest gap inside a cluster, px at 224 px.
    pub eps: f64,
    pub min_heads: usize,
    /// As `eps`, for feed-forward networks.
    pub eps_ffn: f64,
    pub strict: bool,
    pub heads: usize,
    pub layers: usize,
    pub image_size: usize,
    pub even: bool,
    pub scale_projection: bool,
    pub ffn_maps: bool,
    /// Layers to inherit whole, ascending.
    pub chosen: Vec<usize>,
    pub freeze_epochs: f64,
    pub by_layers: LayersChoices,
    pub pool: PoolChoice,
    /// What is raced against what.
    pub race: Choice,
    pub seeds: usize,
    pub steps: usize,
    pub batch: usize,
    pub lr: f64,
    /// Share of the steps.
    pub warmup: f64,
    pub weight_decay: f64,
    pub label_smoothing: f64,
    pub drop_path: f64,
    pub clip_norm: f64,
    pub augment: bool,
    pub validate_every: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            engine: None,
            method: Method::default(),
            split: SplitSettings::default(),
            measure: MeasureSettings::default(),
            eps: 10.0,
            min_heads: 1,
            eps_ffn: 10.0,
            strict: false,
            heads: 6,
            layers: 6,
            image_size: 112,
            even: false,
            scale_projection: true,
            ffn_maps: true,
            chosen: Vec::new(),
            freeze_epochs: 0.0,
            by_layers: LayersChoices::default(),
            pool: PoolChoice::default(),
            race: Choice::default(),
            seeds: 1,
            steps: 100,
            batch: 16,
            // An inherited layer whose LayerScale was folded in has output weights near 0.005; AdamW moves each weight by about
            // the rate per step, so the published 5e-4 overwrites what was inherited before it is used.
            lr: 3e-5,
            warmup: 0.1,
            weight_decay: 0.05,
            label_smoothing: 0.1,
            drop_path: 0.0,
            clip_norm: 1.0,
            augment: true,
            validate_every: 0,
        }
    }
}

impl Settings {
    /// Cluster settings for an ancestor whose pictures have `image_size` px.
    pub fn clusters(&self, image_size: usize) -> ClusterSettings {
        let scale = image_size as f64 / 224.0;
        ClusterSettings {
            eps: (self.eps * scale) as f32,
            min_heads: self.min_heads,
            eps_ffn: (self.eps_ffn * scale) as f32,
            matching: if self.strict { FfnMatching::Strict } else { FfnMatching::Sorted },
            ..ClusterSettings::for_image_size(image_size)
        }
    }

    /// The picture size, rounded to whole patches, px.
    pub fn whole_patches(&self, patch_size: usize) -> usize {
        let patches = (self.image_size as f64 / patch_size as f64).round().max(2.0) as usize;
        patches * patch_size
    }

    /// The descendant of an ancestor of `depth` layers and `patch_size` px patches, by the method in use.
    pub fn descendant(&self, depth: usize, patch_size: usize) -> DescendantPlan {
        let image_size = self.whole_patches(patch_size);
        match self.method {
            Method::Layers => DescendantPlan::Layers(LayersSettings {
                chosen: self.chosen.iter().copied().filter(|layer| *layer < depth).collect(),
                layers: self.layers.max(self.chosen.len()),
                image_size,
                freeze_epochs: self.freeze_epochs,
            }),
            Method::Cluster | Method::Pool | Method::Stitch => DescendantPlan::Cluster(DescendantSettings {
                heads: self.heads,
                layers: self.layers.min(depth),
                image_size,
                depth: if self.even { DepthChoice::Even } else { DepthChoice::First },
                scale_projection: self.scale_projection,
                ffn_maps: self.ffn_maps,
            }),
        }
    }

    /// A pool of the method in use, from an ancestor of `patch_size` px patches.
    pub fn pool_settings(&self, patch_size: usize) -> PoolSettings {
        self.pool.settings(self.method, self.whole_patches(patch_size), self.batch)
    }

    /// The race of a descendant.
    pub fn training(&self, descendant: DescendantPlan) -> TrainSettings {
        TrainSettings {
            descendant,
            arms: self.race.arms.clone(),
            seeds: self.seeds,
            first_seed: 1,
            steps: self.steps,
            batch: self.batch,
            lr: self.lr,
            warmup_steps: (self.steps as f64 * self.warmup).round() as usize,
            weight_decay: self.weight_decay,
            label_smoothing: self.label_smoothing,
            drop_path: self.drop_path,
            clip_norm: self.clip_norm,
            augment: self.augment,
            validate_every: self.validate_every,
            share: 1.0,
            is_interleaved: self.race.is_interleaved,
            micro_batch: self.race.micro_batch,
        }
    }

    /// The part of the address after `#`: what differs from the usual.
    pub fn to_fragment(&self) -> String {
        let usual = Self::default();
        let changed = TABLE.iter().filter(|setting| setting.write(self) != setting.write(&usual));
        changed.map(|setting| format!("{}={}", setting.key, setting.write(self))).collect::<Vec<_>>().join("&")
    }

    /// Reads the part of the address after `#`. What is unknown, unreadable or out of range leaves the usual in place
    /// and is told: an address may come from another version, or have lost its end on the way.
    pub fn read_fragment(fragment: &str) -> (Self, Vec<Fault>) {
        let (mut settings, mut faults) = (Self::default(), Vec::new());
        let pieces = fragment.trim_start_matches('#').split('&').filter(|piece| !piece.is_empty());
        for piece in pieces.filter(|piece| !ANCHORS.contains(piece)).take(MOST_PIECES) {
            let (key, value) = piece.split_once('=').unwrap_or((piece, ""));
            let fault = |expected| Fault { piece: piece.chars().take(MOST_SHOWN).collect(), expected };
            match TABLE.iter().find(|setting| setting.key == key) {
                None => faults.push(fault(None)),
                Some(setting) => {
                    if let Err(expected) = setting.read(&mut settings, value) {
                        faults.push(fault(Some(expected)));
                    }
                }
            }
        }
        (settings, faults)
    }

    /// As [`Settings::read_fragment`], for fragments of our own.
    pub fn from_fragment(fragment: &str) -> Self {
        Self::read_fragment(fragment).0
    }

    /// Takes from a fragment of our own what is still as usual here: what the person chose stays. `is_meant` picks keys.
    pub fn fill(&mut self, fragment: &str, is_meant: impl Fn(&str) -> bool) {
        let (usual, given) = (Self::default(), Self::from_fragment(fragment));
        for setting in TABLE.iter().filter(|setting| is_meant(setting.key)) {
            let value = setting.write(&given);
            if setting.write(self) == setting.write(&usual) && value != setting.write(&usual) {
                // A value that was written can be read.
                let _ = setting.read(self, &value);
            }
        }
    }

    /// Keys whose values differ, in the order of the table.
    pub fn differing(&self, other: &Self) -> Vec<&'static Setting> {
        TABLE.iter().filter(|setting| setting.write(self) != setting.write(other)).collect()
    }
}

/// A piece of an address that was left out.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// As it stands there.
    pub piece: String,
    /// What would have been understood; `None` where no setting has this name.
    pub expected: Option<String>,
}

/// Right end of the eps slider, px at 224 px; the paper tries 1, 10 and 100.
pub const MOST_EPS: f64 = 100.0;
/// Anchors of the page, which are no settings: a step's address opened in a new tab has one.
const ANCHORS: [&str; 8] = ["main", "ancestor", "pictures", "heads", "descendant", "training", "trial", "home"];
/// Pieces of an address that are looked at, and letters of a bad one that are shown: addresses come from anybody.
const MOST_PIECES: usize = 200;
const MOST_SHOWN: usize = 40;
