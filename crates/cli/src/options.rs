//! Options that commands share.

use std::path::PathBuf;

use clap::Args;
use heirloom_plan::protocol::{DescendantPlan, Engine, Init, TrainSettings};

/// What a command works on.
#[derive(Debug, Args)]
pub struct Inputs {
    /// The model: a checkpoint file, or a folder with its shards and config.json
    pub model: PathBuf,
    /// A folder or zip with a folder per class
    pub pictures: PathBuf,
    /// Prints one JSON object
    #[arg(long)]
    pub json: bool,
    /// Where it is computed: cpu or webgpu
    #[arg(long, value_parser = engine, default_value = "cpu")]
    pub engine: Engine,
}

/// Options of races by any method.
#[derive(Debug, Args)]
pub struct TrainingOptions {
    /// Side of the pictures, px
    #[arg(long, default_value_t = 112)]
    pub size: usize,
    /// Seeds of every start
    #[arg(long, default_value_t = 1)]
    pub seeds: usize,
    /// The first of them; they can be raced apart with the same result
    #[arg(long, default_value_t = 1)]
    pub first_seed: u64,
    /// Pictures per step
    #[arg(long, default_value_t = 16)]
    pub batch: usize,
    /// Share of the training pictures, 0..1
    #[arg(long, default_value_t = 1.0)]
    pub share: f64,
    /// No flips and crops
    #[arg(long)]
    pub no_augment: bool,
}

impl TrainingOptions {
    /// A race of no steps yet.
    pub fn settings(&self, descendant: DescendantPlan, arms: Vec<Init>) -> TrainSettings {
        let Self { seeds, first_seed, batch, share, no_augment, .. } = *self;
        TrainSettings {
            cut: 0,
            descendant,
            arms,
            seeds,
            first_seed,
            steps: 0,
            batch,
            lr: 0.0.into(),
            warmup_steps: 0,
            weight_decay: 0.05,
            label_smoothing: 0.1,
            drop_path: 0.0,
            clip_norm: 1.0,
            augment: !no_augment,
            validate_every: 0,
            share,
            is_interleaved: true,
            micro_batch: 0,
        }
    }
}

/// An engine by its name.
pub fn engine(name: &str) -> Result<Engine, String> {
    choice(name, &[("cpu", Engine::Cpu), ("webgpu", Engine::WebGpu)])
}

/// One of several by its name.
pub fn choice<T: Copy>(name: &str, known: &[(&str, T)]) -> Result<T, String> {
    let found = known.iter().find(|(one, _)| *one == name.trim());
    let names = || known.iter().map(|(one, _)| *one).collect::<Vec<_>>().join(", ");
    found.map(|(_, choice)| *choice).ok_or_else(|| format!("found `{name}`, expected one of: {}", names()))
}
