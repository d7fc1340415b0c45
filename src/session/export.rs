//! Taking things home: weights and curves, written here and nowhere else.

use std::fmt::Write;

use super::protocol::RaceReport;
use super::race::Trained;
use super::runner::Runner;
use crate::checkpoint::{Description, Preprocessing, write_safetensors};
use crate::data::Normalise;
use crate::device::ReadError;
use crate::learngene::StartingPoint;
use crate::model::{Model, ModelConfig};

/// Seed of the classifier of a descendant that is exported untrained.
const UNTRAINED_SEED: u64 = 1;

impl Runner {
    pub(super) async fn export_safetensors(&mut self, run: Option<usize>) {
        let written = match run {
            Some(run) => self.trained_file(run).await,
            None => self.untrained_file().await,
        };
        match written {
            Ok((name, bytes)) => self.say_file(name, "application/octet-stream", bytes),
            Err(reason) => self.fail(reason),
        }
    }

    async fn trained_file(&self, run: usize) -> Result<(String, Vec<u8>), String> {
        let Some(Some(Trained { model, classes, normalise, arm, seed })) = self.trained.get(run) else {
            return Err("there is no trained descendant yet; train one first".into());
        };
        let bytes = weights(model, Some(classes.clone()), normalise).await.map_err(|error| error.to_string())?;
        Ok((file_name(model, &format!("{}-seed{seed}", arm.name())), bytes))
    }

    async fn untrained_file(&self) -> Result<(String, Vec<u8>), String> {
        let (Some(ancestor), Some(planned)) = (&self.ancestor, &self.planned) else {
            return Err("no descendant is planned yet; plan one first".into());
        };
        let descendant = planned.start.start(UNTRAINED_SEED).await;
        let model = descendant.map_err(|error| error.to_string())?.fold();
        let bytes = weights(&model, None, &ancestor.normalise).await.map_err(|error| error.to_string())?;
        Ok((file_name(&model, "untrained"), bytes))
    }

    pub(super) fn export_curves(&mut self) {
        match &self.last_race {
            Some(report) => self.say_file("heirloom-curves.csv".into(), "text/csv", curves(report).into_bytes()),
            None => self.fail("there are no curves yet; train first"),
        }
    }
}

/// A model as safetensors with timm's keys, describing itself.
///
/// # Errors
/// When the device is lost.
pub async fn weights(model: &Model, labels: Option<Vec<String>>, normalise: &Normalise) -> Result<Vec<u8>, ReadError> {
    let (config, image_size) = (model.config(), model.config().image_size());
    let preprocessing = Preprocessing { mean: normalise.mean, std: normalise.std, image_size };
    let description = Description { config, labels, preprocessing: Some(preprocessing) };
    Ok(write_safetensors(model.state().await?, &description))
}

fn file_name(model: &Model, what: &str) -> String {
    match model.config() {
        ModelConfig::Vit(config) => {
            format!("heirloom-{}heads-{}layers-{what}.safetensors", config.num_heads, config.depth)
        }
        ModelConfig::Stitched(config) => {
            let (front, end) = (config.front_layer + 1, config.end.depth.saturating_sub(config.end_layer));
            let [front_width, end_width] = [&config.front, &config.end].map(|part| part.embed_dim);
            format!("heirloom-stitched-{front}x{front_width}-{end}x{end_width}-{what}.safetensors")
        }
        ModelConfig::Cnn(config) => {
            let blocks: usize = config.stages.iter().map(|stage| stage.depth).sum();
            format!("heirloom-{}stages-{blocks}blocks-{what}.safetensors", config.stages.len())
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
