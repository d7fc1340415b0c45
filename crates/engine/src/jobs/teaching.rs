//! What all jobs share in which a frozen ancestor teaches: the ancestor, the pictures, how steps are taken, curves.

use crate::batches::RaceBatches;
use crate::error::EngineError;
use crate::workspace::Workspace;
use heirloom_data::{Augment, Loader, LoaderSettings};
use heirloom_learngene::pool::frozen;
use heirloom_nn::vit::Vit;
use heirloom_plan::protocol::LossPoint;
use heirloom_train::{AdamWSettings, RunSettings, Schedule};

/// Rate of the ancestor's head: a linear classifier on standing features, so it may be high.
pub const HEAD_LR: f64 = 2e-3;
/// Points that a curve of losses has at most.
const POINTS: usize = 100;

/// How the ancestor and the pictures are wanted.
#[derive(Clone, Copy)]
pub struct Lessons {
    /// Side of the pictures, px.
    pub image_size: usize,
    pub batch: usize,
    pub seed: u64,
    pub augment: bool,
}

impl Lessons {
    /// The frozen ancestor and the pictures.
    ///
    /// # Errors
    /// Says what is missing.
    pub async fn inputs(self, workspace: &Workspace) -> Result<(Vit, RaceBatches), EngineError> {
        let (vit, split) = (workspace.vit()?, workspace.split()?);
        let Self { image_size, batch, seed, augment } = self;
        let loader = LoaderSettings {
            image_size,
            batch,
            seed,
            normalise: workspace.ancestor()?.normalise,
            augment: augment.then(Augment::default),
            ..LoaderSettings::default()
        };
        let loader = Loader::new(&workspace.dataset.set, split, loader)?;
        Ok((frozen(vit, image_size).await?, RaceBatches::new(loader)))
    }
}

/// How so many steps are taken.
pub fn steps(lr: f64, steps: usize, seed: u64) -> RunSettings {
    RunSettings {
        schedule: Schedule { peak: lr, floor: 0.0, warmup_steps: steps / 20, steps },
        adamw: AdamWSettings::default(),
        label_smoothing: 0.0,
        drop_path: 0.0,
        freeze_steps: 0,
        lr_scales: Vec::new(),
        fresh_lr: None,
        seed,
    }
}

/// A curve of at most [`POINTS`] points: means of neighbouring steps.
pub fn thinned(losses: &[f32]) -> Vec<LossPoint> {
    let each = losses.len().div_ceil(POINTS).max(1);
    let point = |(at, some): (usize, &[f32])| LossPoint {
        step: at * each + some.len(),
        loss: some.iter().sum::<f32>() / some.len() as f32,
    };
    losses.chunks(each).enumerate().map(point).collect()
}
