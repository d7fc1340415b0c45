//! What is left of the ancestor before any training, for learngenes of several sizes: the price of a smaller one.

use burn::tensor::Tensor;
use futures::FutureExt;
use futures::future::{LocalBoxFuture, ready};

use super::job::{Job, Making, Step, making};
use crate::emitter::Emitter;
use crate::error::EngineError;
use crate::plain_pictures::PlainPictures;
use crate::workspace::Workspace;
use heirloom_learngene::cluster::{ExpansionPlan, FIT_RIDGE, Inherited, Likeness, MeasuredError};
use heirloom_plan::cluster::{ClusterSettings, Clusters, scaled_eps, taken_parameters};
use heirloom_plan::protocol::{Command, DescendantSettings, Event, JobKind, Nearness, Survival, SurvivalReport};
use heirloom_platform::clock::now_ms;

/// Pictures that projections are fitted to, and further ones on which all are compared.
const FITTED: usize = 30;
const COMPARED: usize = 10;
/// Of the usual eps.
const FACTORS: [f32; 5] = [0.0, 0.5, 1.0, 2.0, 4.0];

/// One learngene after the other.
struct SurvivalJob {
    settings: DescendantSettings,
    pictures: PlainPictures,
    /// Batches read.
    read: usize,
    /// To fit to, and to compare on.
    seen: [Vec<Tensor<4>>; 2],
    compared: usize,
    waiting: std::vec::IntoIter<ClusterSettings>,
    points: Vec<Survival>,
    started: f64,
}

/// On [`Command::Survive`].
pub fn start<'a>(command: &'a Command, workspace: &'a mut Workspace) -> Making<'a> {
    let Command::Survive(settings) = command else { return None };
    making(ready(SurvivalJob::new(*settings, workspace)))
}

impl Job for SurvivalJob {
    fn kind(&self) -> JobKind {
        JobKind::Survival
    }

    fn advance<'a>(&'a mut self, workspace: &'a mut Workspace, emitter: &'a Emitter) -> LocalBoxFuture<'a, Step> {
        async move {
            if let Err(error) = self.go_on(workspace).await {
                emitter.notify_error(error);
                return Step::Ended { is_finished: false };
            }
            let done = self.read + self.points.len();
            let left = self.pictures.batches() - self.read + self.waiting.len();
            emitter.progress(JobKind::Survival, done, done + left, "comparing descendants with the ancestor");
            if left > 0 {
                return Step::Worked;
            }
            emitter.emit(Event::Survival(SurvivalReport {
                settings: self.settings,
                points: std::mem::take(&mut self.points),
                pictures: self.compared,
                seconds: (now_ms() - self.started) / 1e3,
            }));
            Step::Ended { is_finished: true }
        }
        .boxed_local()
    }
}

impl SurvivalJob {
    fn new(settings: DescendantSettings, workspace: &Workspace) -> Result<Self, EngineError> {
        let (vit, split) = (workspace.vit()?, workspace.split()?);
        let heads = workspace.heads.as_ref().ok_or(EngineError::NoClusters)?;
        let current = heads.saved.clusters;
        let usual = scaled_eps(vit.config.image_size);
        let mut sizes: Vec<f32> = FACTORS.iter().map(|factor| factor * usual).chain([current.eps]).collect();
        sizes.sort_by(f32::total_cmp);
        sizes.dedup();
        let all: Vec<ClusterSettings> = sizes.into_iter().map(|eps| ClusterSettings { eps, ..current }).collect();
        let pictures = PlainPictures::new(workspace, split, split.spread(FITTED + COMPARED), settings.image_size)?;
        Ok(Self {
            settings,
            pictures,
            read: 0,
            seen: [Vec::new(), Vec::new()],
            compared: 0,
            waiting: all.into_iter(),
            points: Vec::new(),
            started: now_ms(),
        })
    }

    /// Reads a batch of pictures, and once all are there compares a descendant.
    async fn go_on(&mut self, workspace: &Workspace) -> Result<(), EngineError> {
        if self.read < self.pictures.batches() {
            // Every fourth batch is compared on; the first, where there are few.
            let side = usize::from(self.read.is_multiple_of(4));
            if let Some((images, _)) = self.pictures.batch(self.read).await? {
                self.compared += side * images.dims()[0];
                self.seen[side].push(images);
            }
            self.read += 1;
            return Ok(());
        }
        let Some(clusters) = self.waiting.next() else { return Ok(()) };
        let point = self.compare(workspace, clusters).await?;
        self.points.push(point);
        Ok(())
    }

    async fn compare(&self, workspace: &Workspace, settings: ClusterSettings) -> Result<Survival, EngineError> {
        let (vit, heads) = (workspace.vit()?, workspace.heads.as_ref().ok_or(EngineError::NoClusters)?);
        let clusters =
            Clusters::from_distances(&heads.saved.report.distance, &settings).map_err(MeasuredError::from)?;
        let plan = ExpansionPlan::from_clusters(&clusters, &(&self.settings).into())?;
        let taken = taken_parameters(&vit.config, &plan);
        let kept = |layer: &heirloom_plan::cluster::LayerPlan| {
            layer.heads.iter().map(|head| head.cluster).collect::<std::collections::BTreeSet<_>>().len()
        };
        let heads = plan.layers.iter().map(kept).sum();
        let ffns = plan.layers.iter().map(|layer| layer.ffn_layer).collect::<std::collections::BTreeSet<_>>().len();
        let plain = Inherited::new(vit.clone(), plan, 2, self.settings.image_size)?;
        let [fit_to, compared] = &self.seen;
        // Nothing seen is not nothing left.
        if compared.is_empty() {
            return Err(EngineError::NothingToMeasureOn);
        }
        let fit_to = if fit_to.is_empty() { compared } else { fit_to };
        let before = plain.likeness(compared).await?;
        let fitted = plain.fitted(fit_to, FIT_RIDGE).await?;
        let compensated = nearness(fitted.likeness_on(compared).await?);
        Ok(Survival { eps: settings.eps, heads, ffns, taken, plain: nearness(before), compensated })
    }
}

fn nearness(likeness: Likeness) -> Nearness {
    Nearness { cosine: likeness.cosine, error: likeness.error }
}
