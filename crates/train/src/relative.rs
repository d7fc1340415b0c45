//! A learning rate for each tensor by its own size (docs/methods.md, section 6.2).
//!
//! AdamW moves every weight by about its rate per step, whatever the weight's size. Inherited tensors differ in size a
//! hundredfold, so one rate for all leaves large ones where they were or overwrites small ones.

use super::{Classifier, LrScale, TrainError};
use burn::module::{ModuleVisitor, Param, ParamId};
use burn::tensor::Tensor;
use heirloom_nn::device::read_all;
use std::collections::{BTreeMap, BTreeSet};

/// Least size that a rate goes by, so that tensors of zeros learn: Adafactor's second epsilon (Shazeer and Stern 2018).
pub const LEAST_RMS: f64 = 1e-3;

/// For every parameter of `model` its factor of a schedule whose peak is `relative`: for an inherited one the root mean
/// square of its values, [`LEAST_RMS`] at least, so that its peak rate is `relative` times that; for a fresh one the
/// factor that makes its peak rate `fresh`.
///
/// # Errors
/// When the device does not answer.
pub(super) async fn relative_lr_scales<M: Classifier>(
    model: &M,
    relative: f64,
    fresh: f64,
) -> Result<Vec<LrScale>, TrainError> {
    let mut sizes = Sizes::default();
    model.visit(&mut sizes);
    let Sizes { names, squares, .. } = sizes;
    let values = read_all(squares).await?;
    let rms = |square: &Vec<f32>| {
        let size = square.first().map_or(0.0, |square| square.sqrt());
        // Weights that are not finite end the run at its first step. A number in as few digits as an f32 needs is read
        // from JSON as it was written, so that a saved run goes on with the same rates.
        let size = if size.is_finite() { size.to_string().parse().unwrap_or(LEAST_RMS) } else { LEAST_RMS };
        size.max(LEAST_RMS)
    };
    let by_id: BTreeMap<u64, f64> =
        names.iter().zip(&values).map(|((id, _), square)| (id.val(), rms(square))).collect();
    let added: BTreeMap<u64, u64> = model.added().into_iter().map(|(map, of)| (map.val(), of.val())).collect();
    let random: BTreeSet<u64> = model.fresh().into_iter().map(|id| id.val()).collect();
    let scale = |id: u64| match random.contains(&id) {
        true => fresh / relative,
        false => by_id.get(added.get(&id).unwrap_or(&id)).copied().unwrap_or(LEAST_RMS),
    };
    Ok(names.into_iter().map(|(id, prefix)| LrScale { prefix, scale: scale(id.val()) }).collect())
}

/// Path and mean square of every parameter.
#[derive(Default)]
struct Sizes {
    path: Vec<String>,
    names: Vec<(ParamId, String)>,
    squares: Vec<Tensor<1>>,
}

impl ModuleVisitor for Sizes {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_string());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let tensor = param.val().inner();
        self.names.push((param.id, self.path.join(".")));
        self.squares.push((tensor.clone() * tensor).mean());
    }
}
