//! The parameters of a model as one row of numbers.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Tensor, TensorData};

use crate::TrainError;
use crate::state::parts_of_model;

/// All parameters of a model in the order a visitor meets them.
///
/// # Errors
/// When the device does not answer.
pub(crate) async fn flat_weights<M: Module>(model: &M) -> Result<Vec<f32>, TrainError> {
    let mut all = Vec::new();
    for part in parts_of_model(model) {
        all.extend(values(part.tensor).await?);
    }
    Ok(all)
}

/// Read from the device.
pub(super) async fn values(tensor: Tensor<1>) -> Result<Vec<f32>, TrainError> {
    let data = tensor.into_data_async().await.map_err(|_| TrainError::ModelLost)?;
    data.try_into_vec().map_err(|_| TrainError::ModelLost)
}

/// `model` with all its parameters replaced, in the order a visitor meets them.
///
/// # Errors
/// When it has another number of parameters.
pub fn with_weights<M: Module>(model: M, weights: &[f32]) -> Result<M, TrainError> {
    struct Filler<'a> {
        rest: &'a [f32],
        is_short: bool,
    }
    impl ModuleMapper for Filler<'_> {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let (id, old, mapper) = param.consume();
            let Some((values, rest)) = self.rest.split_at_checked(old.shape().num_elements()) else {
                self.is_short = true;
                return Param::from_mapped_value(id, old, mapper);
            };
            self.rest = rest;
            let tensor = Tensor::from_data(TensorData::new(values.to_vec(), old.shape()), &old.device());
            let tensor = if old.is_require_grad() { tensor.require_grad() } else { tensor };
            Param::from_mapped_value(id, tensor, mapper)
        }
    }
    let mut filler = Filler { rest: weights, is_short: false };
    let model = model.map(&mut filler);
    if filler.is_short || !filler.rest.is_empty() {
        let (found, expected) = (weights.len().to_string(), "those of its architecture".into());
        return Err(TrainError::Mismatch { what: "weights of a model".into(), found, expected });
    }
    Ok(model)
}
