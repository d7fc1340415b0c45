//! Taking things home: weights and curves, written here and nowhere else.

use std::fmt::Write;

use crate::emitter::Emitter;
use crate::error::EngineError;
use crate::fitted::FittedStart;
use crate::workspace::{Trained, Workspace};
use heirloom_checkpoint::{Description, Preprocessing, timm_form, write_onnx, write_package, write_safetensors};
use heirloom_data::{Normalise, evaluation_side};
use heirloom_learngene::Initializer;
use heirloom_nn::device::ReadError;
use heirloom_nn::model::{Model, ModelConfig};
use heirloom_plan::protocol::RaceReport;
use heirloom_plan::weights::HostTensor;

/// Seed of the classifier of a descendant that is exported untrained.
const UNTRAINED_SEED: u64 = 1;

/// What a model is written as.
#[derive(Clone, Copy)]
pub enum Format {
    /// Weights that describe themselves.
    Safetensors,
    /// A graph that onnxruntime runs.
    Onnx,
    /// A zip of weights, description, labels and instructions.
    Package,
}

/// Writes the model of a run; `None` writes the untrained descendant as planned.
pub async fn export_model(workspace: &Workspace, emitter: &Emitter, run: Option<usize>, format: Format) {
    let written = match run {
        Some(run) => trained_file(workspace, run, format).await,
        None => untrained_file(workspace, format).await,
    };
    match written {
        Ok((name, bytes)) => emitter.emit_file(name, format.mime(), bytes),
        Err(reason) => emitter.notify_error(reason),
    }
}

async fn trained_file(workspace: &Workspace, run: usize, format: Format) -> Result<(String, Vec<u8>), EngineError> {
    let Trained { model, classes, normalise, arm, seed, .. } = workspace.trained(run)?;
    let bytes = format.write(model, Some(classes.clone()), normalise).await?;
    Ok((file_name(model, &format!("{}-seed{seed}", arm.name()), format), bytes))
}

async fn untrained_file(workspace: &Workspace, format: Format) -> Result<(String, Vec<u8>), EngineError> {
    let (Some(ancestor), Some(planned)) = (&workspace.ancestor, &workspace.planned) else {
        return Err(EngineError::NoPlan);
    };
    // Without pictures there is nothing to fit it to, and it is the expansion alone.
    let fitted = match &workspace.dataset.split {
        Some(split) => FittedStart::of(workspace, split, planned)?,
        None => None,
    };
    let model = match fitted {
        Some(fitted) => fitted.start(UNTRAINED_SEED).await?,
        None => planned.start.start(UNTRAINED_SEED).await?,
    };
    let model = model.fold();
    let bytes = format.write(&model, None, &ancestor.normalise).await?;
    Ok((file_name(&model, "untrained", format), bytes))
}

/// Writes the curves of the last race.
pub fn export_curves(workspace: &Workspace, emitter: &Emitter) {
    match &workspace.last_race {
        Some(report) => emitter.emit_file("heirloom-curves.csv".into(), "text/csv", curves(report).into_bytes()),
        None => emitter.notify_error(EngineError::NoCurves),
    }
}

impl Format {
    fn ending(self) -> &'static str {
        match self {
            Self::Safetensors => "safetensors",
            Self::Onnx => "onnx",
            Self::Package => "zip",
        }
    }

    fn mime(self) -> &'static str {
        match self {
            Self::Package => "application/zip",
            Self::Safetensors | Self::Onnx => "application/octet-stream",
        }
    }

    async fn write(
        self,
        model: &Model,
        labels: Option<Vec<String>>,
        normalise: &Normalise,
    ) -> Result<Vec<u8>, EngineError> {
        let (tensors, description) = described(model, labels, normalise).await?;
        Ok(match self {
            Self::Safetensors => write_safetensors(tensors, &description),
            Self::Onnx => write_onnx(tensors, &description)?,
            Self::Package => write_package(tensors, &description, evaluation_side(description.config.image_size()))?,
        })
    }
}

/// A model as safetensors with timm's keys, describing itself.
///
/// # Errors
/// When the device is lost.
pub async fn weights(model: &Model, labels: Option<Vec<String>>, normalise: &Normalise) -> Result<Vec<u8>, ReadError> {
    let (tensors, description) = described(model, labels, normalise).await?;
    Ok(write_safetensors(tensors, &description))
}

/// The weights of a model in timm's form, and what is to be said of them.
pub(super) async fn described(
    model: &Model,
    labels: Option<Vec<String>>,
    normalise: &Normalise,
) -> Result<(Vec<(String, HostTensor)>, Description), ReadError> {
    let (config, tensors) = (model.config(), model.state().await?);
    let preprocessing = Preprocessing { mean: normalise.mean, std: normalise.std, image_size: config.image_size() };
    let (config, tensors) = match config.vit() {
        Some(vit) => {
            let (vit, tensors) = timm_form(vit, tensors);
            (vit.into(), tensors)
        }
        None => (config, tensors),
    };
    Ok((tensors, Description { config, labels, preprocessing: Some(preprocessing) }))
}

fn file_name(model: &Model, what: &str, format: Format) -> String {
    format!("heirloom-{}-{what}.{}", shape_name(model), format.ending())
}

/// The sizes of a model, as they stand in the name of a file.
pub(super) fn shape_name(model: &Model) -> String {
    match model.config() {
        ModelConfig::Vit(config) => format!("{}heads-{}layers", config.num_heads, config.depth),
        ModelConfig::Stitched(config) => {
            let (front, end) = (config.front_layer + 1, config.end.depth.saturating_sub(config.end_layer));
            let [front_width, end_width] = [&config.front, &config.end].map(|part| part.embed_dim);
            format!("stitched-{front}x{front_width}-{end}x{end_width}")
        }
        ModelConfig::Cnn(config) => {
            let blocks: usize = config.stages.iter().map(|stage| stage.depth).sum();
            format!("{}stages-{blocks}blocks", config.stages.len())
        }
    }
}

/// The curves as a table, one line per measured point.
pub fn curves(report: &RaceReport) -> String {
    let mut table = String::from("arm,seed,step,epoch,train_loss,validation_loss,validation_accuracy\n");
    for run in &report.runs {
        for p in &run.points {
            let arm = run.arm.name();
            let _ = writeln!(
                table,
                "{arm},{},{},{},{},{},{}",
                run.seed, p.step, p.epoch, p.train_loss, p.validation_loss, p.validation_accuracy
            );
        }
    }
    table
}
