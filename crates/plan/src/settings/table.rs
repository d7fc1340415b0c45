//! The declarations. To add a setting: its lines here, and its words in the page's catalogue, which does not compile
//! without them.
//!
//! * `count(least, most)`: a whole number;
//! * `number(least, most, step)`: any number; `step` is how far a field goes at a time;
//! * `flag(no, yes)`: one of two words, `0` and `1` where nothing is said;
//! * `word(write, read)`: anything else;
//! * `list(write, read)`: several of it, joined by `+`.
//!
//! The sentence above a setting is its help on the command line. Keys stay for ever: they stand in addresses that people
//! have handed out.

use super::setting::{Kind, Setting};
use super::words::{self, Experiment};
use crate::protocol::{Basis, CopyScale, Engine, Init, Likeness, Method, SmallModel, StitchInit};

macro_rules! settings {
    ($($(#[doc = $help:literal])+ $key:ident $name:literal $field:ident: $type:ty = $default:expr,
        $kind:ident($($argument:expr),*) $($unit:literal)?;)+) => {
        /// Everything that can be chosen.
        #[derive(Clone, Debug, PartialEq)]
        pub struct Settings {
            $($(#[doc = $help])+ pub $field: $type,)+
        }

        impl Default for Settings {
            fn default() -> Self {
                Self { $($field: $default,)+ }
            }
        }

        /// The settings by name, in the order of the table.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Key {
            $($(#[doc = $help])+ $key,)+
        }

        pub(super) static TABLE: &[Setting] = &[
            $(Setting {
                key: Key::$key,
                name: $name,
                help: concat!($($help),+),
                unit: concat!($($unit)?),
                kind: settings!(@$kind $field $($argument),*),
            },)+
        ];
    };
    (@count $field:ident $least:expr, $most:expr) => {
        settings!(@range $field true, $least, $most, 1.0)
    };
    (@number $field:ident $least:expr, $most:expr, $step:expr) => {
        settings!(@range $field false, $least, $most, $step)
    };
    (@range $field:ident $is_whole:expr, $least:expr, $most:expr, $step:expr) => {
        Kind::Number {
            is_whole: $is_whole,
            range: ($least, $most),
            step: $step,
            get: |settings| settings.$field as f64,
            set: |settings, value| settings.$field = value as _,
        }
    };
    (@flag $field:ident) => {
        settings!(@flag $field "0", "1")
    };
    (@flag $field:ident $no:expr, $yes:expr) => {
        Kind::Flag {
            words: [$no, $yes],
            get: |settings| settings.$field,
            set: |settings, value| settings.$field = value,
        }
    };
    (@word $field:ident $write:expr, $read:expr) => {
        Kind::Word {
            get: |settings| $write(&settings.$field),
            set: |settings, value, _| $read(value).map(|value| settings.$field = value).is_some(),
        }
    };
    (@list $field:ident $write:expr, $read:expr) => {
        Kind::Word {
            get: |settings| words::join(settings.$field.iter().map($write)),
            set: |settings, value, is_typed| words::set_list(&mut settings.$field, value, is_typed, $read),
        }
    };
}

settings! {
    /// The engine to start; it chooses by itself where none is named.
    Engine "engine" engine: Option<Engine> = None, word(words::engine, words::read_engine);
    /// How the descendant inherits.
    Method "method" method: Method = Method::Cluster, word(|method: &Method| method.name().to_owned(), Method::from_name);
    /// Share of each class that is kept for checking.
    ValidationShare "share" validation_share: f64 = 0.2, number(0.0, 0.9, 0.05);
    /// Seed of the split.
    SplitSeed "seed" split_seed: u64 = 1, count(0.0, 1e6);
    /// Most megabytes of a small model, as saved in f32; 0 is half of the ancestor.
    MostMegabytes "most_mb" most_megabytes: f64 = 0.0, number(0.0, 1e5, 0.5) "MB";
    /// Most milliseconds that it may take for a picture on this machine; 0 is any number.
    MostMilliseconds "most_ms" most_milliseconds: f64 = 0.0, number(0.0, 1e6, 1.0) "ms";
    /// Minutes for which it is trained on; 0 is not at all.
    Minutes "minutes" minutes: f64 = 0.0, number(0.0, 1e3, 1.0) "min";
    /// Pictures that heads are measured on.
    MeasuredPictures "measure" measured_pictures: usize = 8, count(1.0, 512.0);
    /// Divide each row of attention by its sum over the patches.
    Renormalise "renormalise" renormalise: bool = false, flag();
    /// Largest gap inside a cluster of heads, at 224 px; the paper tries 1, 10 and 100.
    Eps "eps" eps: f64 = 10.0, number(0.0, 100.0, 0.5) "px";
    /// Neighbours, itself included, that make a head a core head.
    MinHeads "min" min_heads: usize = 1, count(1.0, 64.0);
    /// As eps, for feed-forward networks.
    EpsFfn "eps_ffn" eps_ffn: f64 = 10.0, number(0.0, 100.0, 0.5) "px";
    /// Match centroids by priority, those of single heads too.
    Strict "strict" strict: bool = false, flag();
    /// Heads per layer of the descendant.
    Heads "heads" heads: usize = 6, count(1.0, 64.0);
    /// Layers of the descendant.
    Layers "layers" layers: usize = 6, count(1.0, 64.0);
    /// Side of the pictures that are trained on.
    ImageSize "size" image_size: usize = 112, count(16.0, 1024.0) "px";
    /// Take evenly spaced layers instead of the first ones.
    Even "even" even: bool = false, flag();
    /// How much each copy of a head writes: share (1/m), members (n/m) or literal (all of it).
    CopyScale "scale" copy_scale: CopyScale = CopyScale::Share,
        word(|scale: &CopyScale| scale.name().to_owned(), CopyScale::from_name);
    /// Fit the kept heads to the pictures, so that they make up for those left out.
    Compensate "compensate" compensate: bool = true, flag();
    /// Share feed-forward networks through learnable maps.
    FfnMaps "maps" ffn_maps: bool = true, flag();
    /// Layers to inherit whole, counted from 1.
    Chosen "chosen" chosen: Vec<usize> = Vec::new(), word(words::layers, words::read_layers);
    /// Epochs for which inherited layers are held still.
    FreezeEpochs "freeze" freeze_epochs: f64 = 0.0, number(0.0, 1e3, 0.5) "epochs";
    /// Layers that are chosen by themselves, the best ones.
    BestLayers "k" best_layers: usize = 3, count(1.0, 64.0);
    /// Score a layer by its best match instead of the mean.
    ByMax "max" by_max: bool = false, flag();
    /// How layers are judged: by their features (cka), by learned weights (learned), by what they change (influence).
    Likeness "learned" likeness: Likeness = Likeness::Cka,
        word(|likeness: &Likeness| likeness.name().to_owned(), Likeness::from_name);
    /// Layers of the pseudo descendant.
    PseudoLayers "pseudo" pseudo_layers: usize = 3, count(1.0, 64.0);
    /// Steps for which it is trained.
    PseudoSteps "pseudo_steps" pseudo_steps: usize = 60, count(1.0, 1e5);
    /// Its peak learning rate.
    PseudoLr "pseudo_lr" pseudo_lr: f64 = 1e-3, number(0.0, 1.0, 0.0001);
    /// Share of the training pictures that it sees.
    Slice "slice" slice: f64 = 0.5, number(0.0, 1.0, 0.05);
    /// Pictures on which layers are compared.
    Probe "probe" probe: usize = 32, count(1.0, 4096.0);
    /// Layers of the auxiliary model in which tied layers are learned.
    AuxiliaryLayers "aux" auxiliary_layers: usize = 6, count(1.0, 64.0);
    /// Stages that share a layer each.
    Stages "stages" stages: usize = 3, count(1.0, 16.0);
    /// Temperature of the answers that tied layers are learned from.
    Temperature "temperature" temperature: f64 = 1.0, number(0.1, 20.0, 0.5);
    /// What the races of an experiment differ in.
    Experiment "experiment" experiment: Experiment = Experiment::Race,
        word(|kind: &Experiment| kind.name().to_owned(), Experiment::from_name);
    /// What is raced against what.
    Arms "arms" arms: Vec<Init> = vec![Init::Inherited, Init::Scratch, Init::Frozen],
        word(words::arms, words::read_arms);
    /// Heads and layers of a family.
    Sizes "sizes" sizes: Vec<(usize, usize)> = vec![(6, 6), (4, 6), (6, 3), (3, 3)],
        list(|(heads, layers)| format!("{heads}x{layers}"), words::read_size);
    /// Learning rates of a sweep.
    Rates "rates" rates: Vec<f64> = vec![1e-5, 3e-5, 1e-4], list(f64::to_string, words::read_rate);
    /// Pictures per step in a sweep.
    Batches "batches" batches: Vec<usize> = vec![8, 16], list(usize::to_string, words::read_batch);
    /// Shares of the training pictures.
    Shares "shares" shares: Vec<f64> = vec![5.0, 10.0, 25.0, 50.0, 100.0], list(f64::to_string, words::read_share) "%";
    /// Whether the starts take their steps in turn.
    Interleaved "order" is_interleaved: bool = true, flag("alone", "together");
    /// Pictures that go through the model at a time; 0 is the whole batch.
    MicroBatch "micro" micro_batch: usize = 0, count(0.0, 1024.0);
    /// The accuracy that steps are counted to; 0 is 90 % of the best.
    Accuracy "accuracy" accuracy: f64 = 0.0, number(0.0, 100.0, 1.0) "%";
    /// Small models of a pool, smallest first; 0 blocks are none.
    Small "small" small: [SmallModel; 3] = words::SMALL, word(words::small, words::read_small);
    /// Coordinates of the small models: pca or random (one basis for all, fixed), or learned (as published).
    Basis "basis" basis: Basis = Basis::Pca, word(|basis: &Basis| basis.name().to_owned(), Basis::from_name);
    /// In a shared basis, compare every block with the ancestor instead of three.
    EveryBlock "every_block" is_every_block: bool = true, flag();
    /// Weight of the ancestor's tokens in distillation.
    FeatureWeight "feature_weight" feature_weight: f64 = 1.0, number(0.0, 100.0, 0.5);
    /// How stitch layers start: maps, pinv, least or random.
    StitchInit "stitches" stitch_start: StitchInit = StitchInit::Maps,
        word(|start: &StitchInit| start.name().to_owned(), StitchInit::from_name);
    /// Steps that fit the ancestor's head.
    HeadSteps "head_steps" head_steps: usize = 100, count(1.0, 1e6);
    /// Steps that distil each small model.
    DistilSteps "distil_steps" distil_steps: usize = 100, count(1.0, 1e6);
    /// Steps that train the stitched whole.
    PoolSteps "pool_steps" pool_steps: usize = 100, count(1.0, 1e6);
    /// Peak learning rate of distillation.
    DistilLr "distil_lr" distil_lr: f64 = 1e-3, number(0.0, 1.0, 0.0001);
    /// Peak learning rate of the stitched whole.
    PoolLr "pool_lr" pool_lr: f64 = 1e-4, number(0.0, 1.0, 0.00001);
    /// Peak learning rate of its stitch layers.
    StitchLr "stitch_lr" stitch_lr: f64 = 1e-3, number(0.0, 1.0, 0.0001);
    /// Train the anchors of stitched models from labels alone.
    LabelOnly "label_only" is_label_only: bool = false, flag();
    /// Let the largest anchor teach the stitched whole.
    AnchorTeacher "anchor_teacher" is_anchor_teacher: bool = false, flag();
    /// Flip and crop pictures while a pool is made.
    PoolAugment "pool_augment" pool_augment: bool = false, flag();
    /// Seed of a pool.
    PoolSeed "pool_seed" pool_seed: u64 = 1, count(0.0, 1e9);
    /// Seeds per start.
    Seeds "seeds" seeds: usize = 1, count(1.0, 20.0);
    /// Optimiser steps per start and seed.
    Steps "steps" steps: usize = 100, count(1.0, 1e6);
    /// Pictures per step.
    Batch "batch" batch: usize = 16, count(1.0, 1024.0);
    /// Peak learning rate of all tensors alike; 0 gives each inherited one its own, by its size.
    Lr "lr" lr: f64 = 0.0, number(0.0, 1.0, 0.00001);
    /// Peak learning rate of an inherited tensor, as a share of the root mean square of its start values.
    RelativeLr "relative_lr" relative_lr: f64 = 4e-3, number(1e-6, 1.0, 0.001);
    /// Peak learning rate of what starts from random numbers, where inherited tensors have rates of their own.
    FreshLr "fresh_lr" fresh_lr: f64 = 1e-3, number(0.0, 1.0, 0.0001);
    /// Share of the steps that warms up.
    Warmup "warmup" warmup: f64 = 0.1, number(0.0, 1.0, 0.05);
    /// AdamW weight decay.
    WeightDecay "decay" weight_decay: f64 = 0.05, number(0.0, 1.0, 0.01);
    /// Label smoothing.
    LabelSmoothing "smoothing" label_smoothing: f64 = 0.1, number(0.0, 0.9, 0.05);
    /// Highest drop-path rate.
    DropPath "drop" drop_path: f64 = 0.0, number(0.0, 0.9, 0.05);
    /// Largest gradient norm; 0 switches clipping off.
    ClipNorm "clip" clip_norm: f64 = 1.0, number(0.0, 1e3, 0.5);
    /// Flip and crop pictures.
    Augment "augment" augment: bool = true, flag();
    /// Check every so many steps; 0 is once per epoch.
    ValidateEvery "validate" validate_every: usize = 0, count(0.0, 1e6);
}
