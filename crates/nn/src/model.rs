//! The families of models behind one face: whatever the methods produce can be trained, judged, saved and opened again
//! without anybody asking what it is.

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use crate::cnn::{self, Cnn, Statistics};
use crate::device::ReadError;
use crate::vit::{self, Hooks, Stitched, Vit};
pub use heirloom_plan::config::ModelConfig;
use heirloom_plan::weights::{HostTensor, Weights};

/// A model of any family.
#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant, reason = "one model is held at a time; a box would only hide it from burn")]
pub enum Model {
    /// A Vision Transformer.
    Vit(Vit),
    /// The front of one Vision Transformer stitched to the end of another.
    Stitched(Stitched),
    /// A convolutional network.
    Cnn(Cnn),
}

impl From<Vit> for Model {
    fn from(vit: Vit) -> Self {
        Self::Vit(vit)
    }
}

impl From<Stitched> for Model {
    fn from(stitched: Stitched) -> Self {
        Self::Stitched(stitched)
    }
}

impl From<Cnn> for Model {
    fn from(cnn: Cnn) -> Self {
        Self::Cnn(cnn)
    }
}

impl Model {
    /// Builds a model from weights, asking for one tensor at a time.
    ///
    /// # Errors
    /// The first error of `weights`.
    pub async fn load<W: Weights>(config: &ModelConfig, weights: &mut W, device: &Device) -> Result<Self, W::Error> {
        match config {
            ModelConfig::Vit(config) => Ok(Vit::load(config, weights, device).await?.into()),
            ModelConfig::Stitched(config) => Ok(Stitched::load(config, weights, device).await?.into()),
            ModelConfig::Cnn(config) => Ok(Cnn::load(config, weights, device).await?.into()),
        }
    }

    /// A model of random weights, as its family starts; equal seeds give equal models.
    pub async fn random(config: &ModelConfig, seed: u64, device: &Device) -> Self {
        let Ok(model) = match config {
            ModelConfig::Vit(_) | ModelConfig::Stitched(_) => {
                Self::load(config, &mut vit::RandomWeights { seed }, device).await
            }
            ModelConfig::Cnn(_) => Self::load(config, &mut cnn::RandomWeights { seed }, device).await,
        };
        model
    }

    /// Hyper-parameters.
    pub fn config(&self) -> ModelConfig {
        match self {
            Self::Vit(vit) => vit.config.clone().into(),
            Self::Stitched(stitched) => stitched.config.clone().into(),
            Self::Cnn(cnn) => cnn.config.clone().into(),
        }
    }

    /// The Vision Transformer, if it is one.
    pub fn vit(&self) -> Option<&Vit> {
        match self {
            Self::Vit(vit) => Some(vit),
            Self::Stitched(_) | Self::Cnn(_) => None,
        }
    }

    /// The convolutional network, if it is one.
    pub fn cnn(&self) -> Option<&Cnn> {
        match self {
            Self::Cnn(cnn) => Some(cnn),
            Self::Vit(_) | Self::Stitched(_) => None,
        }
    }

    /// Where its parameters are.
    pub fn device(&self) -> Device {
        match self {
            Self::Vit(vit) => vit.device(),
            Self::Stitched(stitched) => stitched.front.device(),
            Self::Cnn(cnn) => cnn.device(),
        }
    }

    /// Class scores `[batch, classes]` of pictures `[batch, channels, image_size, image_size]`; without a classifier
    /// what a classifier would see. `drop_path`: `[branches, batch]`, the factor of each residual branch.
    pub fn logits(&self, images: Tensor<4>, drop_path: Option<Tensor<2>>) -> Tensor<2> {
        match self {
            Self::Vit(vit) => vit.logits(images, &mut Hooks { drop_path, ..Default::default() }),
            Self::Stitched(stitched) => stitched.logits(images, &mut Hooks { drop_path, ..Default::default() }),
            Self::Cnn(cnn) => cnn.logits(images, &mut cnn::Hooks::default()),
        }
    }

    /// As [`Model::logits`], in a training pass: batch norms use the batch's own statistics and add them to
    /// `statistics`, for [`Model::update_running_stats`].
    pub fn forward_train(
        &self,
        images: Tensor<4>,
        drop_path: Option<Tensor<2>>,
        statistics: &mut Statistics,
    ) -> Tensor<2> {
        match self {
            Self::Vit(_) | Self::Stitched(_) => self.logits(images, drop_path),
            Self::Cnn(cnn) => {
                cnn.logits(images, &mut cnn::Hooks { statistics: Some(statistics), ..Default::default() })
            }
        }
    }

    /// Takes in the batch statistics of training passes; a model without batch norms stays as it is.
    pub fn update_running_stats(self, statistics: &Statistics) -> Self {
        match self {
            Self::Vit(_) | Self::Stitched(_) => self,
            Self::Cnn(cnn) => Self::Cnn(cnn.update_running_stats(statistics)),
        }
    }

    /// All weights by key in PyTorch's shape, on the host.
    ///
    /// # Errors
    /// When the device cannot be read.
    pub async fn state(&self) -> Result<Vec<(String, HostTensor)>, ReadError> {
        match self {
            Self::Vit(vit) => vit.state().await,
            Self::Stitched(stitched) => stitched.state().await,
            Self::Cnn(cnn) => cnn.state().await,
        }
    }
}
