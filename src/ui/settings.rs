//! What the person chose, and how it stands in the address.
//!
//! Only what differs from the defaults is written (`#eps=8&steps=200`), so a link stays short and a later version may
//! have better defaults. Distances are kept for a 224 px picture and scaled to the ancestor's, so that a link fits any.

use std::collections::BTreeSet;

use super::layers::LayersChoices;
use super::pools::PoolChoice;
use crate::session::protocol::{
    ClusterSettings, DepthChoice, DescendantPlan, DescendantSettings, FfnMatching, LayersSettings, MeasureSettings,
    Method, PoolSettings, SplitSettings, StartValue, TrainSettings,
};

/// Everything that can be chosen.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
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
    pub scratch: bool,
    pub inherited: bool,
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
            scratch: true,
            inherited: true,
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

    /// The picture size as whole patches, px.
    fn whole_patches(&self, patch_size: usize) -> usize {
        let patches = (self.image_size as f64 / patch_size as f64).round().max(2.0) as usize;
        patches * patch_size
    }

    /// The race of a descendant.
    pub fn training(&self, descendant: DescendantPlan) -> TrainSettings {
        let arms = [(self.inherited, StartValue::Inherited), (self.scratch, StartValue::Scratch)];
        TrainSettings {
            descendant,
            arms: arms.into_iter().filter_map(|(wanted, arm)| wanted.then_some(arm)).collect(),
            seeds: self.seeds,
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
        }
    }

    /// The part of the address after `#`.
    pub fn to_fragment(&self) -> String {
        let (mine, usual) = (self.pairs(), Self::default().pairs());
        let changed = mine.into_iter().zip(usual).filter(|(a, b)| a != b);
        let numbers = changed.map(|((key, value), _)| format!("{key}={value}"));
        let words = self.words().into_iter().zip(Self::default().words()).filter(|(a, b)| a != b);
        let words = words.map(|((key, value), _)| format!("{key}={value}"));
        words.chain(numbers).collect::<Vec<_>>().join("&")
    }

    /// What stands in the address as words, not as one number.
    fn words(&self) -> Vec<(&'static str, String)> {
        let chosen = self.chosen.iter().map(|layer| (layer + 1).to_string());
        let mine = [("method", self.method.name().to_owned()), ("chosen", chosen.collect::<Vec<_>>().join("+"))];
        mine.into_iter().chain(self.pool.words()).collect()
    }

    /// Reads one of these; whether it is one.
    fn set_word(&mut self, key: &str, value: &str) -> bool {
        match key {
            "method" => self.method = Method::of_name(value).unwrap_or_default(),
            "chosen" => {
                let layers = value.split('+').filter_map(|layer| layer.parse::<usize>().ok()?.checked_sub(1));
                self.chosen = layers.take(1_000).collect::<BTreeSet<_>>().into_iter().collect();
            }
            _ => return self.pool.set_word(key, value),
        }
        true
    }

    /// Reads the part of the address after `#`. What is unknown, unreadable or out of range is passed over: an address
    /// may come from another version.
    pub fn from_fragment(fragment: &str) -> Self {
        let mut settings = Self::default();
        for (key, value) in fragment.trim_start_matches('#').split('&').filter_map(|pair| pair.split_once('=')) {
            if settings.set_word(key, value) {
                continue;
            }
            if let Ok(number) = value.parse::<f64>()
                && number.is_finite()
                && number >= 0.0
            {
                settings.set(key, number);
            }
        }
        settings
    }

    fn pairs(&self) -> Vec<(&'static str, f64)> {
        let flag = |on: bool| f64::from(u8::from(on));
        let mut pairs = vec![
            ("share", (f64::from(self.split.validation_share) * 1e4).round() / 1e4),
            ("seed", self.split.seed as f64),
            ("measure", self.measure.pictures as f64),
            ("renormalise", flag(self.measure.renormalise)),
            ("eps", self.eps),
            ("min", self.min_heads as f64),
            ("eps_ffn", self.eps_ffn),
            ("strict", flag(self.strict)),
            ("heads", self.heads as f64),
            ("layers", self.layers as f64),
            ("size", self.image_size as f64),
            ("even", flag(self.even)),
            ("scale", flag(self.scale_projection)),
            ("maps", flag(self.ffn_maps)),
            ("freeze", self.freeze_epochs),
            ("k", self.by_layers.k as f64),
            ("max", flag(self.by_layers.by_max)),
            ("learned", flag(self.by_layers.learned)),
            ("pseudo", self.by_layers.condense.layers as f64),
            ("pseudo_steps", self.by_layers.condense.steps as f64),
            ("pseudo_lr", self.by_layers.condense.lr),
            ("slice", self.by_layers.condense.share),
            ("probe", self.by_layers.condense.probe as f64),
            ("scratch", flag(self.scratch)),
            ("inherited", flag(self.inherited)),
            ("seeds", self.seeds as f64),
            ("steps", self.steps as f64),
            ("batch", self.batch as f64),
            ("lr", self.lr),
            ("warmup", self.warmup),
            ("decay", self.weight_decay),
            ("smoothing", self.label_smoothing),
            ("drop", self.drop_path),
            ("clip", self.clip_norm),
            ("augment", flag(self.augment)),
            ("validate", self.validate_every as f64),
        ];
        pairs.extend(self.pool.pairs());
        pairs
    }

    fn set(&mut self, key: &str, value: f64) {
        let (count, on) = (value as usize, value != 0.0);
        let at_least_one = |most: usize| count.clamp(1, most);
        match key {
            "share" => self.split.validation_share = value.min(0.9) as f32,
            "seed" => self.split.seed = value as u64,
            "measure" => self.measure.pictures = at_least_one(512),
            "renormalise" => self.measure.renormalise = on,
            "eps" => self.eps = value.min(MOST_EPS),
            "min" => self.min_heads = at_least_one(64),
            "eps_ffn" => self.eps_ffn = value.min(MOST_EPS),
            "strict" => self.strict = on,
            "heads" => self.heads = at_least_one(64),
            "layers" => self.layers = at_least_one(64),
            "size" => self.image_size = count.clamp(16, 1024),
            "even" => self.even = on,
            "scale" => self.scale_projection = on,
            "maps" => self.ffn_maps = on,
            "k" => self.by_layers.k = at_least_one(64),
            "max" => self.by_layers.by_max = on,
            "learned" => self.by_layers.learned = on,
            "pseudo" => self.by_layers.condense.layers = at_least_one(64),
            "pseudo_steps" => self.by_layers.condense.steps = at_least_one(100_000),
            "pseudo_lr" => self.by_layers.condense.lr = value.min(1.0),
            "slice" => self.by_layers.condense.share = value.min(1.0),
            "probe" => self.by_layers.condense.probe = at_least_one(4_096),
            "freeze" => self.freeze_epochs = value.min(1_000.0),
            "scratch" => self.scratch = on,
            "inherited" => self.inherited = on,
            "seeds" => self.seeds = at_least_one(20),
            "steps" => self.steps = at_least_one(1_000_000),
            "batch" => self.batch = at_least_one(1_024),
            "lr" => self.lr = value.min(1.0),
            "warmup" => self.warmup = value.min(1.0),
            "decay" => self.weight_decay = value.min(1.0),
            "smoothing" => self.label_smoothing = value.min(0.9),
            "drop" => self.drop_path = value.min(0.9),
            "clip" => self.clip_norm = value,
            "augment" => self.augment = on,
            "validate" => self.validate_every = count,
            _ => self.pool.set(key, value),
        }
    }
}

/// Right end of the eps slider, px at 224 px; the paper tries 1, 10 and 100.
pub const MOST_EPS: f64 = 100.0;
