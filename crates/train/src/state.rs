//! Weights of any module in and out, by parameter path. This is the training state, not an export: shapes and names are
//! burn's own (a linear weight is `[in, out]`).

use super::TrainError;
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Tensor, TensorData};
use heirloom_nn::device::read;
use heirloom_nn::vit::HostTensor;
use std::collections::BTreeMap;

/// Named tensors on the host.
pub type HostTensors = BTreeMap<String, HostTensor>;

/// A tensor that still lies on its device, flat: to be read when its turn comes, so that a large state never lies on the
/// host as a whole. Drop it before the next step, see [`Run::model`](super::Run::model).
#[derive(Clone, Debug)]
pub struct DeviceTensor {
    /// Its name.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its values, row-major.
    pub tensor: Tensor<1>,
}

impl DeviceTensor {
    /// The same tensor, its name behind `prefix`.
    #[must_use]
    pub fn under(mut self, prefix: &str) -> Self {
        self.name.insert_str(0, prefix);
        self
    }
}

/// Every parameter of `model`, still on the device.
pub fn parts_of_model<M: Module>(model: &M) -> Vec<DeviceTensor> {
    let mut collector = Collector::default();
    model.visit(&mut collector);
    collector.found
}

/// Reads tensors back.
///
/// # Errors
/// When the device does not answer.
pub async fn read_parts(parts: Vec<DeviceTensor>) -> Result<HostTensors, TrainError> {
    let mut tensors = HostTensors::new();
    for DeviceTensor { name, shape, tensor } in parts {
        tensors.insert(name, HostTensor { shape, values: read(tensor).await? });
    }
    Ok(tensors)
}

/// Reads every parameter of `model`.
///
/// # Errors
/// When the device does not answer.
pub async fn read_model<M: Module>(model: &M) -> Result<HostTensors, TrainError> {
    read_parts(parts_of_model(model)).await
}

/// `model` with every parameter replaced by the tensor of its path.
///
/// # Errors
/// When a tensor is absent or has another shape.
pub fn load_model<M: Module>(model: M, tensors: &HostTensors) -> Result<M, TrainError> {
    let mut loader = Loader { path: Vec::new(), tensors, error: None };
    let model = model.map(&mut loader);
    loader.error.map_or(Ok(model), Err)
}

/// Moves the tensors whose names begin with `prefix` out, without it.
pub(super) fn take(tensors: &mut HostTensors, prefix: &str) -> HostTensors {
    let names: Vec<String> = tensors.range(prefix.to_string()..).map(|(name, _)| name.clone()).collect();
    let names = names.into_iter().take_while(|name| name.starts_with(prefix));
    names.filter_map(|name| Some((name[prefix.len()..].to_string(), tensors.remove(&name)?))).collect()
}

#[derive(Default)]
struct Collector {
    path: Vec<String>,
    found: Vec<DeviceTensor>,
}

impl ModuleVisitor for Collector {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_string());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let tensor = param.val().inner();
        let shape = tensor.dims().to_vec();
        self.found.push(DeviceTensor { name: self.path.join("."), shape, tensor: tensor.flatten(0, D - 1) });
    }
}

struct Loader<'a> {
    path: Vec<String>,
    tensors: &'a HostTensors,
    error: Option<TrainError>,
}

impl Loader<'_> {
    fn find(&self, dims: &[usize]) -> Result<Vec<f32>, TrainError> {
        let name = self.path.join(".");
        let Some(tensor) = self.tensors.get(&name) else { return Err(TrainError::MissingTensor { name }) };
        if tensor.shape != dims {
            let (found, expected) = (format!("{:?}", tensor.shape), format!("{dims:?}"));
            return Err(TrainError::Mismatch { what: format!("shape of saved tensor `{name}`"), found, expected });
        }
        Ok(tensor.values.clone())
    }
}

impl ModuleMapper for Loader<'_> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_string());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (id, old, mapper) = param.consume();
        let tensor = match self.find(&old.dims()) {
            Ok(values) => {
                let tensor = Tensor::from_data(TensorData::new(values, old.shape()), &old.device());
                if old.is_require_grad() { tensor.require_grad() } else { tensor }
            }
            Err(error) => {
                self.error.get_or_insert(error);
                old
            }
        };
        Param::from_mapped_value(id, tensor, mapper)
    }
}
