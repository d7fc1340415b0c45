//! Weights of any module in and out, by parameter path. This is the training state, not an export: shapes and names are
//! burn's own (a linear weight is `[in, out]`).

use super::TrainError;
use crate::device::read;
use crate::vit::HostTensor;
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Tensor, TensorData};
use std::collections::BTreeMap;

/// Named tensors on the host.
pub type HostTensors = BTreeMap<String, HostTensor>;

/// Reads every parameter of `model`.
///
/// # Errors
/// When the device does not answer.
pub async fn read_model<M: Module>(model: &M) -> Result<HostTensors, TrainError> {
    let mut collector = Collector::default();
    model.visit(&mut collector);
    let mut tensors = HostTensors::new();
    for (name, shape, tensor) in collector.found {
        tensors.insert(name, HostTensor { shape, values: read(tensor).await? });
    }
    Ok(tensors)
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
    found: Vec<(String, Vec<usize>, Tensor<1>)>,
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
        self.found.push((self.path.join("."), shape, tensor.flatten(0, D - 1)));
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
