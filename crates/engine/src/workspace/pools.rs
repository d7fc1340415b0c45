//! Pools that ended: what is left of them, and cutting models out.

use burn::module::Module;
use burn::tensor::Device;

use super::id::Id;
use crate::saved::SavedPool;
use heirloom_data::Normalise;
use heirloom_learngene::stitch::StitchNet;
use heirloom_nn::model::Model;
use heirloom_nn::vit::{RandomWeights, Vit, VitConfig};
use heirloom_plan::protocol::{Method, PoolConfiguration, PoolReport};
use heirloom_train::{DeviceTensor, SavedTensors, TrainError, load_model, parts_of_model};

/// A pool as it ended.
pub struct FinishedPool {
    pub id: Id,
    pub report: PoolReport,
    pub normalise: Normalise,
    /// The stitched net; `None` when it ended before.
    pub net: Option<StitchNet>,
    /// Anchors that were done when it ended before there was a net.
    pub anchors: Vec<Vit>,
}

/// What was made last, by method.
#[derive(Default)]
pub struct Pools {
    pool: Option<FinishedPool>,
    stitch: Option<FinishedPool>,
}

impl Pools {
    pub fn of(&mut self, method: Method) -> &mut Option<FinishedPool> {
        if method == Method::Stitch { &mut self.stitch } else { &mut self.pool }
    }

    /// Those there are.
    pub fn all(&self) -> impl Iterator<Item = &FinishedPool> {
        [&self.pool, &self.stitch].into_iter().flatten()
    }
}

impl FinishedPool {
    /// A configuration as a model of its own; `None` when it cannot be cut out.
    pub fn cut(&self, configuration: usize) -> Option<(Model, PoolConfiguration)> {
        let chosen = self.report.configurations.get(configuration).filter(|one| one.is_ready)?;
        let model = match &self.net {
            Some(net) => net.cut(configuration),
            None => self.anchors.get(chosen.path.first()?.model)?.clone().into(),
        };
        Some((model, chosen.clone()))
    }

    /// What its models look like, smallest first.
    pub fn configs(&self) -> Vec<VitConfig> {
        let anchors = self.net.as_ref().map_or(&self.anchors, |net| &net.anchors);
        anchors.iter().map(|anchor| anchor.config.clone()).collect()
    }

    /// Its weights: `anchors.{i}.{path}` and, in a net, `stitches.{i}.{path}`.
    pub fn tensors(&self) -> Vec<DeviceTensor> {
        let of_anchor = |(at, anchor): (usize, &Vit)| {
            let prefix = format!("anchors.{at}.");
            parts_of_model(anchor).into_iter().map(move |part| part.under(&prefix))
        };
        match &self.net {
            Some(net) => parts_of_model(net),
            None => self.anchors.iter().enumerate().flat_map(of_anchor).collect(),
        }
    }

    /// Makes it again of what was saved; the device is one without autodiff.
    ///
    /// # Errors
    /// When the weights are not those of its models.
    pub async fn restore<T: SavedTensors>(
        saved: SavedPool,
        tensors: &mut T,
        device: &Device,
    ) -> Result<Self, TrainError> {
        let SavedPool { report, mean, std, configs, is_net, .. } = saved;
        let (mut net, mut anchors) = (None, Vec::with_capacity(configs.len()));
        for (at, config) in configs.iter().enumerate() {
            let Ok(anchor) = Vit::load(config, &mut RandomWeights { seed: 0 }, device).await;
            anchors.push(match is_net {
                true => anchor,
                false => load_model(anchor, &tensors.take(&format!("anchors.{at}.")).await?)?.valid(),
            });
        }
        if is_net {
            let state = |found: String| TrainError::State(format!("its models do not fit together: {found}"));
            let fresh =
                StitchNet::new(std::mem::take(&mut anchors), device).map_err(|error| state(error.to_string()))?;
            if fresh.configurations().len() != report.configurations.len() {
                return Err(state("there are other ways through them than it says".into()));
            }
            net = Some(load_model(fresh, &tensors.take("").await?)?.valid());
        }
        Ok(Self { id: Id::default(), report, normalise: Normalise { mean, std }, net, anchors })
    }
}
