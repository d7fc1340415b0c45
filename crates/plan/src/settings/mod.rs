//! What a person can choose, declared once: [`Settings`] and its table in `table.rs` say of each setting its name in an
//! address, its option on a command line, what is understood, its unit and what it is where nobody chose. The page's
//! fields, links, presets and the command line all follow from there; the words are the page's.
//!
//! Only what differs from the usual is written in an address (`#eps=8&steps=200`), so a link stays short and a later
//! version may have better defaults. Distances are kept for a 224 px picture and scaled to the ancestor's, so that a
//! link fits any.

mod address;
mod presets;
mod setting;
mod table;
mod words;

pub use address::{Fault, plain};
pub use presets::{PRESETS, Preset, STORY, nearest};
pub use setting::{Expected, Flag, Setting, flags};
pub use table::{Key, Settings};
pub use words::{Experiment, MOST_BLOCKS, MOST_WIDTH};

use crate::cluster::FfnMatching;
use crate::protocol::{
    ClusterSettings, CondenseSettings, DepthChoice, DescendantPlan, DescendantSettings, Design, ExperimentSettings,
    LayersSettings, LearnTied, LearningRate, MeasureSettings, Method, PoolSettings, SplitSettings, TiedSettings,
    TrainSettings, Tying,
};

/// Side of the pictures that distances are kept for, px.
pub const EPS_SIZE: f64 = 224.0;

impl Settings {
    /// How pictures are divided.
    pub fn split(&self) -> SplitSettings {
        SplitSettings { validation_share: self.validation_share as f32, seed: self.split_seed }
    }

    /// How heads are measured.
    pub fn measuring(&self) -> MeasureSettings {
        MeasureSettings { pictures: self.measured_pictures, renormalise: self.renormalise }
    }

    /// Cluster settings for an ancestor whose pictures have `image_size` px.
    pub fn clusters(&self, image_size: usize) -> ClusterSettings {
        let scale = image_size as f64 / EPS_SIZE;
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

    /// How an ancestor of `patch_size` px patches is condensed to layers; `classes` are those that are learned.
    pub fn condensing(&self, patch_size: usize, classes: Vec<String>) -> CondenseSettings {
        CondenseSettings {
            layers: self.pseudo_layers,
            steps: self.pseudo_steps,
            lr: self.pseudo_lr,
            image_size: self.whole_patches(patch_size),
            classes,
            share: self.slice,
            probe: self.probe,
            likeness: self.likeness,
            ..CondenseSettings::default()
        }
    }

    /// The descendant of an ancestor of `depth` layers and `patch_size` px patches, by the method in use.
    pub fn descendant(&self, depth: usize, patch_size: usize) -> DescendantPlan {
        let image_size = self.whole_patches(patch_size);
        if let Some(tying) = self.tying() {
            return TiedSettings { tying, layers: self.layers, image_size }.into();
        }
        match self.method {
            Method::Layers => DescendantPlan::Layers(LayersSettings {
                chosen: self.chosen.iter().copied().filter(|layer| *layer < depth).collect(),
                layers: self.layers.max(self.chosen.len()),
                image_size,
                freeze_epochs: self.freeze_epochs,
            }),
            _ => DescendantPlan::Cluster(DescendantSettings {
                heads: self.heads,
                layers: self.layers.min(depth),
                image_size,
                depth: if self.even { DepthChoice::Even } else { DepthChoice::First },
                copy_scale: self.copy_scale,
                compensate: self.compensate,
                ffn_maps: self.ffn_maps,
            }),
        }
    }

    /// A pool of the method in use, from an ancestor of `patch_size` px patches.
    pub fn pool(&self, patch_size: usize) -> PoolSettings {
        PoolSettings {
            method: self.method,
            models: self.small.into_iter().filter(|model| model.blocks > 0).collect(),
            image_size: self.whole_patches(patch_size),
            batch: self.batch,
            head_steps: self.head_steps,
            distil_steps: self.distil_steps,
            pool_steps: self.pool_steps,
            lr: self.distil_lr,
            pool_lr: self.pool_lr,
            stitch_lr: Some(self.stitch_lr),
            basis: self.basis,
            is_every_block: self.is_every_block,
            feature_weight: self.feature_weight,
            stitch_start: self.stitch_start,
            is_label_only: self.is_label_only,
            is_anchor_teacher: self.is_anchor_teacher,
            augment: self.pool_augment,
            seed: self.pool_seed,
        }
    }

    /// The rule of the method in use, if it ties layers.
    pub fn tying(&self) -> Option<Tying> {
        match self.method {
            Method::Tleg => Some(Tying::Line),
            Method::Sws => Some(Tying::Stages(self.stages)),
            _ => None,
        }
    }

    /// How tied layers of this rule are learned from an ancestor of `patch_size` px patches.
    pub fn learning(&self, tying: Tying, patch_size: usize) -> LearnTied {
        LearnTied {
            tying,
            layers: self.auxiliary_layers,
            image_size: self.whole_patches(patch_size),
            batch: self.batch,
            head_steps: self.head_steps,
            steps: self.distil_steps,
            lr: self.distil_lr,
            temperature: self.temperature,
            augment: self.pool_augment,
            seed: self.pool_seed,
        }
    }

    /// The race of a descendant.
    pub fn training(&self, descendant: DescendantPlan) -> TrainSettings {
        TrainSettings {
            descendant,
            arms: self.arms.clone(),
            seeds: self.seeds,
            first_seed: 1,
            steps: self.steps,
            batch: self.batch,
            lr: self.learning_rate(),
            warmup_steps: (self.steps as f64 * self.warmup).round() as usize,
            weight_decay: self.weight_decay,
            label_smoothing: self.label_smoothing,
            drop_path: self.drop_path,
            clip_norm: self.clip_norm,
            augment: self.augment,
            validate_every: self.validate_every,
            share: 1.0,
            is_interleaved: self.is_interleaved,
            micro_batch: self.micro_batch,
            cut: 0,
        }
    }

    /// Peak learning rate of a race.
    pub fn learning_rate(&self) -> LearningRate {
        match self.lr {
            0.0 => LearningRate::Relative { relative: self.relative_lr, fresh: self.fresh_lr },
            lr => LearningRate::One(lr),
        }
    }

    /// The experiment that repeats this race.
    pub fn experiment(&self, descendant: DescendantPlan) -> ExperimentSettings {
        let design = match self.experiment {
            Experiment::Race => Design::Race,
            Experiment::Family => Design::Family(self.sizes.clone()),
            Experiment::Sweep => Design::Sweep { rates: self.rates.clone(), batches: self.batches.clone() },
            Experiment::Shares => Design::Shares(self.shares.iter().map(|share| share / 100.0).collect()),
            Experiment::Depths => Design::Depths { cuts: vec![0], then: None },
        };
        ExperimentSettings { race: self.training(descendant), design }
    }
}
