//! A model's weights in and out, by key and PyTorch shape, one tensor at a time.

use burn::module::Param;
use burn::nn::Linear;
use burn::tensor::{Device, Tensor, TensorData};

use super::{Activation, BatchNorm, Block, BlockKind, Cnn, CnnConfig, ConvNorm, Hidden, Stage, StageConfig, Stem};
use super::{Convolution, Pair, head_conv_keys, projection_keys};
use crate::device::{ReadError, read};
use heirloom_plan::weights::{HostTensor, Weights, transpose};

struct Loader<'a, W> {
    weights: &'a mut W,
    device: &'a Device,
    config: &'a CnnConfig,
}

impl<W: Weights> Loader<'_, W> {
    async fn param<const D: usize>(&mut self, key: String, shape: [usize; D]) -> Result<Param<Tensor<D>>, W::Error> {
        let host = self.weights.tensor(&key, &shape).await?;
        Ok(Param::from_data(TensorData::new(host.values, shape), self.device))
    }

    async fn norm(&mut self, key: &str, width: usize) -> Result<BatchNorm, W::Error> {
        Ok(BatchNorm {
            weight: self.param(format!("{key}.weight"), [width]).await?,
            bias: self.param(format!("{key}.bias"), [width]).await?,
            running_mean: self.param(format!("{key}.running_mean"), [width]).await?.set_require_grad(false),
            running_var: self.param(format!("{key}.running_var"), [width]).await?.set_require_grad(false),
            eps: self.config.norm_eps,
        })
    }

    async fn conv_norm(&mut self, [conv, norm]: Pair, shape: Convolution) -> Result<ConvNorm, W::Error> {
        let Convolution { output, stride, .. } = shape;
        let weight = self.param(format!("{conv}.weight"), shape.weight_shape()).await?;
        let bias = match self.config.conv_bias {
            true => Some(self.param(format!("{conv}.bias"), [output]).await?),
            false => None,
        };
        Ok(ConvNorm { weight, bias, norm: self.norm(&norm, output).await?, stride })
    }

    async fn linear(&mut self, key: &str, input: usize, output: usize) -> Result<Linear, W::Error> {
        let host = self.weights.tensor(&format!("{key}.weight"), &[output, input]).await?;
        let weight = TensorData::new(transpose(&host.values, output, input), [input, output]);
        drop(host);
        let bias = Some(self.param(format!("{key}.bias"), [output]).await?);
        Ok(Linear { weight: Param::from_data(weight, self.device), bias })
    }

    async fn stage(&mut self, at: usize, stage: &StageConfig) -> Result<Stage, W::Error> {
        let mut blocks = Vec::with_capacity(stage.depth);
        for block in 0..stage.depth {
            let mut convs = Vec::new();
            for (index, conv) in stage.convolutions(block).into_iter().enumerate() {
                convs.push(self.conv_norm(self.config.conv_keys(at, block, index), conv).await?);
            }
            let downsample = match stage.projection(block) {
                Some(conv) => Some(self.conv_norm(projection_keys(at, block), conv).await?),
                None => None,
            };
            blocks.push(Block { convs, downsample, kind: stage.block, is_residual: stage.is_residual(block) });
        }
        Ok(Stage { blocks, pool: if stage.block == BlockKind::Plain { stage.stride } else { 1 } })
    }
}

impl Cnn {
    /// Builds a model from weights, asking for one tensor at a time.
    ///
    /// # Errors
    /// The first error of `weights`.
    pub async fn load<W: Weights>(config: &CnnConfig, weights: &mut W, device: &Device) -> Result<Self, W::Error> {
        let mut loader = Loader { weights, device, config };
        let stem = match config.stem {
            Some(stem) => {
                let conv = loader.conv_norm(config.stem_keys(), stem.convolution(config.channels)).await?;
                let activation = if config.is_mobile() { Activation::Relu6 } else { Activation::Relu };
                Some(Stem { conv, activation, pool: stem.pool })
            }
            None => None,
        };
        let mut stages = Vec::with_capacity(config.stages.len());
        for (at, stage) in config.stages.iter().enumerate() {
            stages.push(loader.stage(at, stage).await?);
        }
        let conv_head = match config.head_convolution() {
            Some(conv) => Some(loader.conv_norm(head_conv_keys(), conv).await?),
            None => None,
        };
        let (mut hidden, mut fc) = (Vec::new(), None);
        if let Some(classes) = config.classes {
            let mut input = config.pooled();
            for (at, &output) in config.hidden.iter().enumerate() {
                let [linear, norm] = config.hidden_keys(at);
                let linear = loader.linear(&linear, input, output).await?;
                let norm = match config.hidden_norm {
                    true => Some(loader.norm(&norm, output).await?),
                    false => None,
                };
                hidden.push(Hidden { linear, norm });
                input = output;
            }
            fc = Some(loader.linear(&config.head_key(), input, classes).await?);
        }
        Ok(Self { stem, stages, conv_head, hidden, fc, config: config.clone() })
    }

    /// All weights and running statistics by key in PyTorch's shape, on the host.
    ///
    /// # Errors
    /// When the device cannot be read.
    pub async fn state(&self) -> Result<Vec<(String, HostTensor)>, ReadError> {
        let mut collector = Collector::default();
        if let Some(stem) = &self.stem {
            collector.conv_norm(self.config.stem_keys(), &stem.conv);
        }
        for (at, stage) in self.stages.iter().enumerate() {
            for (index, block) in stage.blocks.iter().enumerate() {
                for (conv, part) in block.convs.iter().enumerate() {
                    collector.conv_norm(self.config.conv_keys(at, index, conv), part);
                }
                if let Some(conv) = &block.downsample {
                    collector.conv_norm(projection_keys(at, index), conv);
                }
            }
        }
        if let Some(conv) = &self.conv_head {
            collector.conv_norm(head_conv_keys(), conv);
        }
        for (at, hidden) in self.hidden.iter().enumerate() {
            let [linear, norm] = self.config.hidden_keys(at);
            collector.linear(&linear, &hidden.linear);
            if let Some(part) = &hidden.norm {
                collector.norm(&norm, part);
            }
        }
        if let Some(fc) = &self.fc {
            collector.linear(&self.config.head_key(), fc);
        }
        let mut state = Vec::with_capacity(collector.found.len());
        for (key, shape, tensor) in collector.found {
            state.push((key, HostTensor { shape, values: read(tensor).await? }));
        }
        Ok(state)
    }
}

/// Collects tensors with their keys and shapes.
#[derive(Default)]
struct Collector {
    found: Vec<(String, Vec<usize>, Tensor<1>)>,
}

impl Collector {
    fn add<const D: usize>(&mut self, key: String, tensor: Tensor<D>) {
        let shape = tensor.dims().to_vec();
        self.found.push((key, shape, tensor.flatten(0, D - 1)));
    }

    fn conv_norm(&mut self, [conv, norm]: Pair, part: &ConvNorm) {
        self.add(format!("{conv}.weight"), part.weight.val());
        if let Some(bias) = &part.bias {
            self.add(format!("{conv}.bias"), bias.val());
        }
        self.norm(&norm, &part.norm);
    }

    fn norm(&mut self, key: &str, norm: &BatchNorm) {
        self.add(format!("{key}.weight"), norm.weight.val());
        self.add(format!("{key}.bias"), norm.bias.val());
        self.add(format!("{key}.running_mean"), norm.running_mean.val());
        self.add(format!("{key}.running_var"), norm.running_var.val());
    }

    fn linear(&mut self, key: &str, linear: &Linear) {
        self.add(format!("{key}.weight"), linear.weight.val().swap_dims(0, 1));
        if let Some(bias) = &linear.bias {
            self.add(format!("{key}.bias"), bias.val());
        }
    }
}
