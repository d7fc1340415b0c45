//! AdamW over a whole model, with parameter groups and clipping by the global norm.
//!
//! burn's optimiser keys its state by random parameter ids and clips each tensor alone. This one keys it by the path of
//! the parameter, so that a saved state fits the same model in another process, clips by the norm of all gradients
//! without reading it back, and updates each tensor in one launch. As in PyTorch, each parameter counts its own updates.

use super::TrainError;
use super::state::{DeviceTensor, HostTensors, read_parts};
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Device, Gradients, Tensor, TensorData};
use heirloom_nn::kernels::SquareSums;
use heirloom_nn::kernels::adamw::{AdamwNumbers, Adapted, adamw};
use heirloom_nn::vit::HostTensor;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Which parameters weight decay pulls towards 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decay {
    /// Every parameter (PyTorch's default, and the peer benchmark's).
    Every,
    /// All but vectors (biases, norms, layer scales), the CLS, distillation, register and position embeddings, the pooling query, the
    /// biases of relative places and learned frequencies: timm's habit.
    Weights,
}

impl Decay {
    fn reaches(self, path: &[String], rank: usize) -> bool {
        const EXEMPT: [&str; 7] = [
            "cls_token",
            "dist_token",
            "reg_token",
            "pos_embed",
            "latent",
            "relative_position_bias_table",
            "rope_freqs",
        ];
        match self {
            Self::Every => true,
            Self::Weights => rank > 1 && !path.iter().any(|name| EXEMPT.contains(&name.as_str())),
        }
    }
}

/// Settings of AdamW.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct AdamWSettings {
    /// Decays of the first and second moment.
    pub betas: [f64; 2],
    /// Added to the root of the second moment.
    pub epsilon: f64,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// What is decayed.
    pub decay: Decay,
    /// Largest global norm of the gradient; `None` switches clipping off.
    pub clip_norm: Option<f64>,
}

impl Default for AdamWSettings {
    /// PyTorch's betas and epsilon, Cluster-Learngene's weight decay 0.05, timm's exemptions, gradients clipped at 1.
    fn default() -> Self {
        Self { betas: [0.9, 0.999], epsilon: 1e-8, weight_decay: 0.05, decay: Decay::Weights, clip_norm: Some(1.0) }
    }
}

/// A share of the learning rate for a group of parameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LrScale {
    /// What the paths of its parameters begin with, e.g. `stitches.`.
    pub prefix: String,
    /// Factor of the schedule's rate; as in PyTorch it reaches the decoupled weight decay as well.
    pub scale: f64,
}

/// The moments of one parameter, flat.
#[derive(Clone, Debug)]
struct Moments {
    first: Tensor<1>,
    second: Tensor<1>,
    /// Updates of this parameter; steps in which it had no gradient are none.
    updates: u64,
    /// Which of the optimiser's updates was the last of them; 0 when it is not known or was taken back.
    last: u64,
}

/// AdamW with the state of every parameter.
#[derive(Clone, Debug)]
pub struct Optimiser {
    settings: AdamWSettings,
    updates: u64,
    moments: BTreeMap<String, Moments>,
    lr_scales: Vec<LrScale>,
}

/// What one update reports; still on the device, so that one read-back serves everything.
pub struct Updated<M> {
    /// The model after the update.
    pub model: M,
    /// Global norm of the gradient before clipping, `[1]`; `None` when clipping is off.
    pub norm: Option<Tensor<1>>,
}

impl Optimiser {
    /// No update made yet.
    pub fn new(settings: AdamWSettings) -> Self {
        Self { settings, updates: 0, moments: BTreeMap::new(), lr_scales: Vec::new() }
    }

    /// With rates of their own for some groups; of several that name a parameter the first counts, and those that none
    /// names have the schedule's rate.
    #[must_use]
    pub fn with_lr_scales(self, lr_scales: Vec<LrScale>) -> Self {
        Self { lr_scales, ..self }
    }

    /// The settings.
    pub fn settings(&self) -> &AdamWSettings {
        &self.settings
    }

    /// One update of `model` by the gradients of `loss`.
    ///
    /// A loss or (with clipping) a gradient norm that is not finite leaves weights and moments as they were; the caller
    /// sees it in the numbers it reads back anyway. Only `model` may hold its tensors: a second handle (a clone) makes
    /// every update allocate.
    ///
    /// # Shapes
    /// `loss: [1]`, tracked by autodiff
    pub fn step<M: Module>(&mut self, lr: f64, model: M, loss: Tensor<1>) -> Updated<M> {
        let gradients = loss.backward();
        self.update(lr, model, gradients, loss.inner())
    }

    /// One update of `model` by gradients that are already there; see [`Optimiser::step`]. They belong to `loss`, which
    /// only tells whether they are fit to be used.
    ///
    /// # Shapes
    /// `loss: [1]`, without autodiff
    pub fn update<M: Module>(&mut self, lr: f64, model: M, gradients: Gradients, loss: Tensor<1>) -> Updated<M> {
        let guard = loss.mul_scalar(0.0).add_scalar(1.0); // 1, or NaN when the loss is not finite
        let norm = self.settings.clip_norm.and_then(|_| global_norm(&model, &gradients));
        let scale = match (&norm, self.settings.clip_norm) {
            (Some(norm), Some(most)) => clip_scale(norm.clone(), most) * guard,
            _ => guard,
        };
        self.updates += 1;
        let mut mapper = Mapper {
            path: Vec::new(),
            gradients,
            scale,
            lr,
            settings: self.settings,
            updates: self.updates,
            moments: &mut self.moments,
            lr_scales: &self.lr_scales,
        };
        Updated { model: model.map(&mut mapper), norm }
    }

    /// Takes back the counts of an update that changed nothing because its gradient was not finite.
    pub(super) fn forget_update(&mut self) {
        for moments in self.moments.values_mut().filter(|moments| moments.last == self.updates && moments.last > 0) {
            moments.updates -= 1;
            moments.last = 0;
        }
        self.updates = self.updates.saturating_sub(1);
    }
}

/// Adds the gradients of another part of a batch to those of the parts before it.
pub(super) fn add_gradients<M: Module>(model: &M, total: &mut Gradients, part: Gradients) {
    struct Adder<'a> {
        total: &'a mut Gradients,
        part: Gradients,
    }
    impl ModuleVisitor for Adder<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let tensor = param.val();
            let Some(gradient) = tensor.grad_remove(&mut self.part) else { return };
            // Taken out first, so that the sum is the only holder and may be written in place.
            let sum = match tensor.grad_remove(self.total) {
                Some(total) => total + gradient,
                None => gradient,
            };
            tensor.grad_replace(self.total, sum);
        }
    }
    model.visit(&mut Adder { total, part });
}

/// Root of the sum of squares of all gradients, `[1]`; `None` when there is no gradient.
fn global_norm<M: Module>(model: &M, gradients: &Gradients) -> Option<Tensor<1>> {
    struct Squares<'a> {
        gradients: &'a Gradients,
        sums: SquareSums,
    }
    impl ModuleVisitor for Squares<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(gradient) = param.val().grad(self.gradients) {
                self.sums.add(gradient);
            }
        }
    }
    let mut squares = Squares { gradients, sums: SquareSums::default() };
    model.visit(&mut squares);
    squares.sums.total().map(Tensor::sqrt)
}

/// `min(1, most / norm)`, and NaN for a norm that is not finite (`x / inf` would be a silent 0).
fn clip_scale(norm: Tensor<1>, most: f64) -> Tensor<1> {
    let finite = norm.clone().mul_scalar(0.0);
    // PyTorch's `clip_grad_norm_` adds 1e-6 to the norm.
    norm.add_scalar(1e-6).recip().mul_scalar(most).clamp_max(1.0) + finite
}

/// Updates every parameter that has a gradient.
struct Mapper<'a> {
    path: Vec<String>,
    gradients: Gradients,
    scale: Tensor<1>,
    lr: f64,
    settings: AdamWSettings,
    /// Updates made, this one included.
    updates: u64,
    moments: &'a mut BTreeMap<String, Moments>,
    lr_scales: &'a [LrScale],
}

impl ModuleMapper for Mapper<'_> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_string());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (id, tensor, mapper) = param.consume();
        let Some(gradient) = tensor.grad_remove(&mut self.gradients) else {
            return Param::from_mapped_value(id, tensor, mapper);
        };
        let checkpointing = tensor.gradient_checkpointing_strategy();
        let parameter = tensor.inner();
        let path = self.path.join(".");
        let scale =
            self.lr_scales.iter().find(|group| path.starts_with(&group.prefix)).map_or(1.0, |group| group.scale);
        let Moments { first, second, updates, .. } = self.moments.remove(&path).unwrap_or_else(|| {
            let zeros = || Tensor::zeros([parameter.shape().num_elements()], &parameter.device());
            Moments { first: zeros(), second: zeros(), updates: 0, last: 0 }
        });
        let (updates, last) = (updates + 1, self.updates);
        let AdamWSettings { betas, epsilon, weight_decay, decay, .. } = self.settings;
        let decay = if decay.reaches(&self.path, D) { weight_decay } else { 0.0 };
        let numbers = AdamwNumbers::new(self.lr * scale, decay, betas, epsilon, updates);
        let updated = adamw(Adapted { parameter, first, second }, gradient, self.scale.clone(), numbers);
        let moments = Moments { first: updated.first, second: updated.second, updates, last };
        self.moments.insert(path, moments);
        let mut tensor = Tensor::from_inner(updated.parameter);
        if let Some(strategy) = checkpointing {
            tensor = tensor.with_gradient_checkpointing_strategy(strategy);
        }
        Param::from_mapped_value(id, tensor.require_grad(), mapper)
    }
}

/// Optimiser state on the host.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OptimiserState {
    /// Updates made.
    pub updates: u64,
    /// `first.{path}` and `second.{path}` of every parameter that was ever updated, flat; `updates.{path}`, one number, of
    /// those that were updated less often than `updates` says. States of earlier versions have `before.{path}` instead,
    /// for the updates before the parameter's first.
    pub tensors: HostTensors,
}

impl Optimiser {
    /// Reads the whole state back.
    ///
    /// # Errors
    /// When the device does not answer.
    pub async fn save(&self) -> Result<OptimiserState, TrainError> {
        Ok(OptimiserState { updates: self.updates, tensors: read_parts(self.parts()).await? })
    }

    /// Updates made.
    pub fn updates(&self) -> u64 {
        self.updates
    }

    /// The moments as [`OptimiserState::tensors`] names them, still on the device.
    pub fn parts(&self) -> Vec<DeviceTensor> {
        let kinds = |(path, moments): (&String, &Moments)| {
            let part = |kind: &str, tensor: &Tensor<1>| DeviceTensor {
                name: format!("{kind}.{path}"),
                shape: tensor.dims().to_vec(),
                tensor: tensor.clone(),
            };
            let number = || Tensor::from_floats([moments.updates as f32], &moments.first.device());
            let own = (moments.updates != self.updates).then(|| part("updates", &number()));
            [part("first", &moments.first), part("second", &moments.second)].into_iter().chain(own)
        };
        self.moments.iter().flat_map(kinds).collect()
    }

    /// The optimiser a state was saved from.
    ///
    /// # Errors
    /// When a first moment lacks its second.
    pub fn restore(settings: AdamWSettings, state: &OptimiserState, device: &Device) -> Result<Self, TrainError> {
        let device = device.clone().inner();
        let upload = |tensor: &HostTensor| {
            Tensor::<1>::from_data(TensorData::new(tensor.values.clone(), [tensor.values.len()]), &device)
        };
        let mut moments = BTreeMap::new();
        for (name, first) in &state.tensors {
            let Some(path) = name.strip_prefix("first.") else { continue };
            let name = format!("second.{path}");
            let second = state.tensors.get(&name).ok_or(TrainError::MissingTensor { name })?;
            let number = |kind: &str| state.tensors.get(&format!("{kind}.{path}"))?.values.first().map(|&n| n as u64);
            let updates = number("updates").unwrap_or(state.updates.saturating_sub(number("before").unwrap_or(0)));
            let (first, second) = (upload(first), upload(second));
            moments.insert(path.to_string(), Moments { first, second, updates, last: 0 });
        }
        Ok(Self { settings, updates: state.updates, moments, lr_scales: Vec::new() })
    }
}
