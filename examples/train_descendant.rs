//! Trains a descendant of the ancestor's first layers for a few steps and judges it:
//! `cargo run --release -p heirloom-cli --example train_descendant`

use std::error::Error;
use std::ops::ControlFlow;
use std::path::Path;

use heirloom_checkpoint::Checkpoint;
use heirloom_data::{Augment, Loader, LoaderSettings, PictureSet, SplitPlan, model_files, walk};
use heirloom_engine::{RaceBatches, normalise};
use heirloom_learngene::Initializer;
use heirloom_learngene::layers::{LayersPlan, WholeLayers};
use heirloom_nn::device::acquire_cpu;
use heirloom_nn::model::Model;
use heirloom_train::{AdamWSettings, Batches, ClassificationMetrics, Run, RunSettings, Schedule};

const MODEL: &str = "static/ancestors/classroom.safetensors";
const PICTURES: &str = "static/samples/doodles.zip";
const STEPS: usize = 60;
const SIDE: usize = 32;

async fn train() -> Result<(), Box<dyn Error>> {
    let device = acquire_cpu().await?.device;
    let checkpoint = Checkpoint::open(&model_files(Path::new(MODEL))?).await?;
    let ancestor = Model::load(&checkpoint.config, &mut &checkpoint, &device).await?;
    let mut pictures = PictureSet::new();
    pictures.add(&walk(Path::new(PICTURES))?, None, |_| ControlFlow::Continue(())).await?;
    let split = pictures.split(SplitPlan::default())?;
    let (normalise, augment) = (normalise(&checkpoint), Some(Augment::default()));
    let loader = LoaderSettings { image_size: SIDE, batch: 16, normalise, augment, ..LoaderSettings::default() };
    let mut batches = RaceBatches::new(Loader::new(&pictures, &split, loader)?);

    // Three layers of the ancestor, one random layer on top, a new classifier.
    let start = WholeLayers::new(ancestor, LayersPlan::first(3, 4), split.classes.len(), SIDE)?;
    let schedule = Schedule { peak: 5e-4, floor: 0.0, warmup_steps: STEPS / 10, steps: STEPS };
    let adamw = AdamWSettings::default();
    let settings = RunSettings {
        schedule,
        adamw,
        label_smoothing: 0.1,
        drop_path: 0.0,
        freeze_steps: 0,
        lr_scales: Vec::new(),
        fresh_lr: None,
        seed: 1,
    };
    let mut run = Run::new(start.start(1).await?, settings);
    let autodiff = device.clone().autodiff();
    for step in 0..STEPS {
        let batch = batches.training(1, step).await?;
        let stepped = run.step(batch.images(&autodiff)?, batch.targets(&autodiff)).await?;
        println!("step {}: loss {:.3}", stepped.step, stepped.loss);
    }
    let mut tally = ClassificationMetrics::new(split.classes.len());
    for index in 0..batches.validation_batches() {
        let batch = batches.validation(index).await?;
        run.evaluate_batch(batch.images(&device)?, &batch.labels, &mut tally).await?;
    }
    println!("{:.1} % of {} pictures", 100.0 * tally.accuracy(), tally.count());
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    pollster::block_on(train())
}
