//! Measuring heads, clustering them, and looking at one.

use burn::tensor::{Tensor, TensorData};

use super::keep::work::SavedHeads;
use super::open::Ancestor;
use heirloom_plan::cluster::cluster_report;
use heirloom_plan::protocol::{AttentionMap, ClusterSettings, Event, HeadsReport, JobKind, MeasureSettings};

use super::runner::{Job, Runner};
use heirloom_data::{DataError, Normalise, evaluation_picture, picture_url};
use heirloom_learngene::cluster::{Clusters, Measured, Measurement, Received, attention_of, cluster_measured, measure};
use heirloom_nn::device::ReadError;
use heirloom_platform::clock::now_ms;
use heirloom_platform::image::RgbImage8;

/// Side of the shown pictures, px.
const SHOWN: usize = 112;

/// Measuring, picture by picture.
pub(super) struct MeasureJob {
    settings: MeasureSettings,
    /// Indices into the picture set.
    pictures: Vec<usize>,
    measured: Vec<Measurement>,
    shown: Vec<(RgbImage8, String)>,
    started: f64,
    /// When the first picture was done, ms: it compiled and filled caches.
    warm: f64,
}

/// What was measured, and how it is clustered now.
pub(super) struct Heads {
    /// Mean over the pictures, px, `[layers, heads]`, on the device.
    distance: Tensor<2>,
    pictures: Vec<RgbImage8>,
    /// As last clustered.
    pub clusters: Clusters,
    /// What the page was told.
    pub report: HeadsReport,
    /// Indices of the measured pictures in the set; empty once they are gone from it.
    pub shown: Vec<usize>,
    /// How `clusters` came about.
    pub settings: ClusterSettings,
}

/// Why measuring broke off.
#[derive(Debug, thiserror::Error)]
enum MeasureError {
    #[error(transparent)]
    Data(#[from] DataError),
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl Runner {
    pub(super) async fn measure_heads(&mut self, settings: MeasureSettings) {
        match self.ancestor.as_ref().map(Ancestor::vit) {
            None => return self.fail("no ancestor is open yet; open a checkpoint first"),
            Some(Err(reason)) => return self.fail(reason),
            Some(Ok(_)) => {}
        }
        if self.job.is_some() {
            return self.fail("another job is running; stop it first");
        }
        let pictures = self.spread(settings.pictures.max(1));
        if pictures.is_empty() {
            return self.fail("there are no pictures yet; add some, for heads are measured on pictures");
        }
        self.pace.begin(0);
        let started = now_ms();
        self.job = Some(Job::Measure(MeasureJob {
            settings,
            pictures,
            measured: Vec::new(),
            shown: Vec::new(),
            started,
            warm: started,
        }));
    }

    /// Training pictures spread evenly over the classes.
    fn spread(&self, count: usize) -> Vec<usize> {
        match &self.pictures.split {
            Some(split) => split.spread(count).into_iter().map(|one| one.picture).collect(),
            None => (0..self.pictures.set.pictures().len()).take(count).collect(),
        }
    }

    pub(super) async fn measure_next(&mut self, mut job: MeasureJob) -> bool {
        let (done, total) = (job.measured.len(), job.pictures.len());
        if let Err(error) = self.measure_one(&mut job).await {
            self.fail(error);
            self.end(JobKind::Measure, false);
            return true;
        }
        if done == 0 {
            job.warm = now_ms();
        }
        self.progress(JobKind::Measure, done + 1, total, "measuring heads");
        if done + 1 < total {
            self.job = Some(Job::Measure(job));
        } else {
            self.finish_measuring(job).await;
            self.end(JobKind::Measure, true);
        }
        true
    }

    async fn measure_one(&mut self, job: &mut MeasureJob) -> Result<(), MeasureError> {
        let Some((ancestor, Ok(vit))) = self.ancestor.as_ref().map(|one| (one, one.vit())) else { return Ok(()) };
        let picture = &self.pictures.set.pictures()[job.pictures[job.measured.len()]];
        let side = vit.config.image_size;
        let image = evaluation_picture(&picture.path, &picture.source, side).await?;
        let url = picture_url(&image, SHOWN).map_err(|reason| DataError::picture(&picture.path, reason))?;
        let pixels = pixels(&image, &ancestor.normalise);
        job.measured.push(measure(vit, pixels, job.settings.renormalise).await?);
        job.shown.push((image, url));
        Ok(())
    }

    async fn finish_measuring(&mut self, job: MeasureJob) {
        let Some(Ok(vit)) = self.ancestor.as_ref().map(Ancestor::vit) else { return };
        let config = vit.config.clone();
        // A first idea of this machine, until training is measured itself.
        let (count, seconds) = (job.measured.len() - 1, (now_ms() - job.warm) / 1e3);
        if self.flops_per_second.is_none() && count > 0 && seconds > 0.0 {
            self.flops_per_second = Some(count as f64 * config.flops() as f64 / seconds);
        }
        self.tell_speed();
        let report = HeadsReport {
            deviation: over(&job.measured, |one| &one.distance, deviation),
            entropy: over(&job.measured, |one| &one.entropy, mean),
            distance: over(&job.measured, |one| &one.distance, mean),
            pictures: job.shown.iter().map(|(_, url)| url.clone()).collect(),
            image_size: config.image_size,
            seconds: (now_ms() - job.started) / 1e3,
        };
        let settings = ClusterSettings::for_image_size(config.image_size);
        let pictures = job.shown.into_iter().map(|(image, _)| image).collect();
        self.hold_heads(SavedHeads { report, shown: job.pictures, clusters: settings }, pictures).await;
    }

    /// Tells what was measured of this machine.
    pub(super) fn tell_speed(&self) {
        if let Some(speed) = self.flops_per_second {
            self.say(Event::Speed(speed));
        }
    }

    async fn hold_heads(&mut self, heads: SavedHeads, pictures: Vec<RgbImage8>) {
        let Some(Ok(vit)) = self.ancestor.as_ref().map(Ancestor::vit) else { return };
        let SavedHeads { report, shown, clusters: settings } = heads;
        let flat = TensorData::new(report.distance.concat(), [vit.config.depth, vit.config.num_heads]);
        let distance = Tensor::from_data(flat, &vit.pos_embed.val().device());
        let clusters = Clusters { layers: Vec::new(), ffn_groups: Vec::new() };
        self.say(Event::Heads(report.clone()));
        self.heads = Some(Heads { distance, pictures, clusters, report, shown, settings });
        self.set_clusters(settings).await;
    }

    /// The heads as they were measured once.
    pub(super) async fn restore_heads(&mut self, saved: SavedHeads) -> Result<(), String> {
        let Some(Ok(vit)) = self.ancestor.as_ref().map(Ancestor::vit) else {
            return Err("heads were measured, but there is no ancestor that has any".into());
        };
        let (depth, heads, side) = (vit.config.depth, vit.config.num_heads, vit.config.image_size);
        let distance = &saved.report.distance;
        if distance.len() != depth || distance.iter().any(|layer| layer.len() != heads) {
            return Err("the measured heads are not those of the ancestor".into());
        }
        let mut pictures = Vec::new();
        for &index in &saved.shown {
            let picture =
                self.pictures.set.pictures().get(index).ok_or("a measured picture is not among the pictures")?;
            let image = evaluation_picture(&picture.path, &picture.source, side).await;
            pictures.push(image.map_err(|error| error.to_string())?);
        }
        self.hold_heads(saved, pictures).await;
        Ok(())
    }

    pub(super) async fn set_clusters(&mut self, settings: ClusterSettings) {
        let (Some(Ok(vit)), Some(heads)) = (self.ancestor.as_ref().map(Ancestor::vit), &mut self.heads) else {
            return self.fail("no heads are measured yet; measure them first");
        };
        match cluster_measured(heads.distance.clone(), &settings).await {
            Ok(Measured { clusters, .. }) => {
                let report = cluster_report(&vit.config, &clusters, settings);
                (heads.clusters, heads.settings) = (clusters, settings);
                self.say(Event::Clusters(report));
                self.plan_again();
            }
            Err(error) => self.fail(error),
        }
    }

    pub(super) async fn show_attention(&mut self, [layer, head]: [usize; 2], picture: usize, patch: Option<usize>) {
        let (Some(ancestor), Some(heads)) = (&self.ancestor, &self.heads) else {
            return self.fail("no heads are measured yet; measure them first");
        };
        let Ok(vit) = ancestor.vit() else { return };
        let (config, grid) = (&vit.config, vit.config.grid());
        let patch = patch.unwrap_or(grid / 2 * grid + grid / 2);
        let is_there = layer < config.depth && head < config.num_heads && patch < grid * grid;
        let (Some(image), true) = (heads.pictures.get(picture), is_there) else {
            return self.fail("there is no such head, picture or patch; choose one from the chart");
        };
        let pixels = pixels(image, &ancestor.normalise);
        match attention_of(vit, pixels, [layer, head, patch]).await {
            Ok(Received { from_all: received, from_cls, from_patch, distance: patch_distance }) => {
                let map =
                    AttentionMap { layer, head, picture, grid, received, from_cls, patch, from_patch, patch_distance };
                self.say(Event::Attention(map));
            }
            Err(error) => self.fail(error),
        }
    }
}

/// `[3, side, side]`, normalised.
pub(super) fn pixels(image: &RgbImage8, normalise: &Normalise) -> Vec<f32> {
    let mut pixels = vec![0.0; 3 * image.width * image.height];
    normalise.write(image, false, &mut pixels);
    pixels
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
