//! Measuring heads, picture by picture.

use std::collections::VecDeque;

use futures::FutureExt;
use futures::future::{LocalBoxFuture, ready};

use super::job::{Job, Making, Step, making};
use crate::commands::clusters::take_heads;
use crate::commands::{emit_speed, pixels};
use crate::emitter::Emitter;
use crate::error::EngineError;
use crate::remark::Remark;
use crate::saved::SavedHeads;
use crate::workspace::Workspace;
use heirloom_data::{DataError, evaluation_picture, picture_url};
use heirloom_learngene::cluster::{Measurement, measure};
use heirloom_plan::protocol::{ClusterSettings, Command, HeadsReport, JobKind, MeasureSettings};
use heirloom_platform::clock::now_ms;
use heirloom_platform::image::RgbImage8;

/// Side of the shown pictures, px.
const SHOWN: usize = 112;

/// Measuring, picture by picture.
struct MeasureJob {
    settings: MeasureSettings,
    /// Indices into the picture set: those that were measured, and those that may still be.
    pictures: Vec<usize>,
    waiting: VecDeque<usize>,
    /// How many are to be measured.
    count: usize,
    /// Paths of those that do not decode.
    broken: Vec<String>,
    measured: Vec<Measurement>,
    shown: Vec<(RgbImage8, String)>,
    started: f64,
    /// When the first picture was done, ms: it compiled and filled caches.
    warm: f64,
}

/// On [`Command::MeasureHeads`].
pub fn start<'a>(command: &'a Command, workspace: &'a mut Workspace) -> Making<'a> {
    let Command::MeasureHeads(settings) = command else { return None };
    making(ready(MeasureJob::new(*settings, workspace)))
}

impl Job for MeasureJob {
    fn kind(&self) -> JobKind {
        JobKind::Measure
    }

    fn advance<'a>(&'a mut self, workspace: &'a mut Workspace, emitter: &'a Emitter) -> LocalBoxFuture<'a, Step> {
        async move {
            if let Err(error) = self.measure_next(workspace).await {
                emitter.notify_error(error);
                return Step::Ended { is_finished: false };
            }
            let (done, total) = (self.measured.len(), self.measured.len() + self.left());
            if done == 1 {
                self.warm = now_ms();
            }
            emitter.progress(JobKind::Measure, done, total, "measuring heads");
            if done < total {
                return Step::Worked;
            }
            self.finish(workspace, emitter).await;
            Step::Ended { is_finished: true }
        }
        .boxed_local()
    }
}

impl MeasureJob {
    fn new(settings: MeasureSettings, workspace: &Workspace) -> Result<Self, EngineError> {
        workspace.vit()?;
        // Training pictures spread evenly over the classes; all of them, because some may not decode.
        let waiting: VecDeque<usize> = match &workspace.dataset.split {
            Some(split) => split.spread(usize::MAX).into_iter().map(|one| one.picture).collect(),
            None => (0..workspace.dataset.set.pictures().len()).collect(),
        };
        if waiting.is_empty() {
            return Err(EngineError::NothingToMeasureOn);
        }
        let started = now_ms();
        Ok(Self {
            settings,
            pictures: Vec::new(),
            count: settings.pictures.max(1),
            waiting,
            broken: Vec::new(),
            measured: Vec::new(),
            shown: Vec::new(),
            started,
            warm: started,
        })
    }

    /// Pictures still to be measured, if all decode.
    fn left(&self) -> usize {
        (self.count - self.measured.len()).min(self.waiting.len())
    }

    async fn measure_next(&mut self, workspace: &Workspace) -> Result<(), EngineError> {
        let (ancestor, vit) = (workspace.ancestor()?, workspace.vit()?);
        let index = self.waiting.pop_front().ok_or(EngineError::NoPicture)?;
        let picture = workspace.dataset.set.pictures().get(index).ok_or(EngineError::NoPicture)?;
        let image = match evaluation_picture(&picture.path, &picture.source, vit.config.image_size).await {
            // One damaged picture among thousands must not stop everything.
            Err(DataError::Picture { path, .. }) if !self.measured.is_empty() || !self.waiting.is_empty() => {
                self.broken.push(path);
                return Ok(());
            }
            image => image?,
        };
        self.pictures.push(index);
        let url = picture_url(&image, SHOWN).map_err(|reason| DataError::picture(&picture.path, reason))?;
        let pixels = pixels(&image, &ancestor.normalise);
        self.measured.push(measure(vit, pixels, self.settings.renormalise).await?);
        self.shown.push((image, url));
        Ok(())
    }

    async fn finish(&mut self, workspace: &mut Workspace, emitter: &Emitter) {
        let Ok(vit) = workspace.vit() else { return };
        if !self.broken.is_empty() {
            emitter.notify_info(Remark::MeasuredWithout { paths: std::mem::take(&mut self.broken) });
        }
        let config = vit.config.clone();
        // A first idea of this machine, until training is measured itself.
        let (count, seconds) = (self.measured.len() - 1, (now_ms() - self.warm) / 1e3);
        if workspace.flops_per_second.is_none() && count > 0 && seconds > 0.0 {
            workspace.flops_per_second = Some(count as f64 * config.flops() as f64 / seconds);
        }
        emit_speed(workspace, emitter);
        let report = HeadsReport {
            deviation: over(&self.measured, |one| &one.distance, deviation),
            entropy: over(&self.measured, |one| &one.entropy, mean),
            distance: over(&self.measured, |one| &one.distance, mean),
            pictures: self.shown.iter().map(|(_, url)| url.clone()).collect(),
            image_size: config.image_size,
            seconds: (now_ms() - self.started) / 1e3,
        };
        let clusters = ClusterSettings::for_image_size(config.image_size);
        let pictures = self.shown.drain(..).map(|(image, _)| image).collect();
        let heads = SavedHeads { report, shown: std::mem::take(&mut self.pictures), clusters };
        take_heads(workspace, emitter, heads, pictures).await;
    }
}

/// Combines the pictures' numbers of each head.
fn over(
    measured: &[Measurement],
    part: impl Fn(&Measurement) -> &Vec<Vec<f32>>,
    combine: fn(&[f32]) -> f32,
) -> Vec<Vec<f32>> {
    let layers = measured.first().map(&part).map_or(0, Vec::len);
    let head = |layer: usize, head: usize| {
        let values: Vec<f32> = measured.iter().map(|one| part(one)[layer][head]).collect();
        combine(&values)
    };
    (0..layers).map(|layer| (0..part(&measured[0])[layer].len()).map(|h| head(layer, h)).collect()).collect()
}

fn mean(values: &[f32]) -> f32 {
    values.iter().sum::<f32>() / values.len() as f32
}

fn deviation(values: &[f32]) -> f32 {
    let mean = mean(values);
    (values.iter().map(|value| (value - mean).powi(2)).sum::<f32>() / values.len() as f32).sqrt()
}
