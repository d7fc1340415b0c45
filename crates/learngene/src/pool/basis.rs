//! One coordinate system for all small models (docs/methods.md, sections 2.3 and 2.5): fixed linear maps from the
//! ancestor's tokens, so that what one model writes another can read.
//!
//! `Q_D`, the map of a model of width `D`, is the first `D` rows of one orthonormal basis. It never trains. With it a
//! stitch layer needs neither pictures nor an inverse: the front's coordinates are the first of the end's.

use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::token_sums::PlaceMoments;
use crate::Matrix;
use crate::stitch::AffineFit;
use heirloom_nn::vit::RandomWeights;
use heirloom_plan::pool::Basis;
use heirloom_train::{DeviceTensor, HostTensors, TrainError};

/// Through which coordinates small models listen. A shared basis is standardised, tied and nested; it can do without
/// each of these, so that their worth can be told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coordinates {
    /// What they are.
    pub basis: Basis,
    /// Whether the ancestor's tokens are brought to mean 0 in each channel and mean square 1 at each place.
    pub is_standardised: bool,
    /// Whether all places have the same basis; else each has its own.
    pub is_tied: bool,
    /// Whether a narrow model has the first of a wide one's coordinates; else each width has its own.
    pub is_nested: bool,
}

impl Coordinates {
    /// Those of a basis, whole.
    pub fn of(basis: Basis) -> Self {
        Self { basis, is_standardised: true, is_tied: true, is_nested: true }
    }

    /// What a pool has whose plan comes from a version that knew no other.
    pub fn of_earlier_versions() -> Self {
        Self::of(Basis::of_earlier_versions())
    }
}

/// Why there is no basis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, Serialize)]
pub enum BasisError {
    /// NaN or infinite tokens.
    #[error(
        "the ancestor's tokens are not finite on these pictures, expected numbers: its weights are spoiled; open its \
         file again"
    )]
    NotFinite,
}

/// How the ancestor's tokens behind one of its blocks are standardised: `(t − mean) / scale`.
#[derive(Clone, Debug, PartialEq)]
struct Place {
    /// `μ_q`, `[D_T]`.
    mean: Vec<f32>,
    /// `σ_q`.
    scale: f32,
}

/// What a basis is found for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BasisPlan {
    /// What it is.
    pub coordinates: Coordinates,
    /// Seed of what is drawn.
    pub seed: u64,
    /// Width of the ancestor, `D_T`.
    pub ancestor_width: usize,
    /// Width of the widest small model.
    pub widest: usize,
}

impl BasisPlan {
    /// Axes that are ever asked for.
    fn axes(&self) -> usize {
        self.widest.min(self.ancestor_width)
    }

    /// Bases there are for an ancestor of `depth` blocks.
    fn bases(&self, depth: usize) -> usize {
        if self.coordinates.is_tied { 1 } else { depth }
    }

    /// Orthonormal rows drawn under a name.
    fn drawn(&self, rows: usize, columns: usize, name: &str) -> Matrix {
        let values = RandomWeights { seed: self.seed }.values(&format!("basis.{name}.weight"), rows * columns);
        orthonormal_rows(Matrix::from_f32(rows, columns, &values))
    }
}

/// A basis as it was found on some pictures; see the module.
#[derive(Clone, Debug, PartialEq)]
pub struct SharedBasis {
    plan: BasisPlan,
    /// By block of the ancestor.
    places: Vec<Place>,
    /// Orthonormal rows, `[axes, D_T]`: one basis for all places or one for each. In numbers that f32 holds, so that a
    /// basis that was saved is the same one.
    bases: Vec<Matrix>,
}

impl SharedBasis {
    /// The basis for what was measured behind each block of the ancestor.
    ///
    /// # Errors
    /// When the ancestor's tokens are not finite.
    pub fn find(plan: BasisPlan, measured: Vec<PlaceMoments>) -> Result<Self, BasisError> {
        let is_standardised = plan.coordinates.is_standardised;
        let (mut places, mut bases) = (Vec::with_capacity(measured.len()), Vec::new());
        let mut total: Option<Matrix> = None;
        for (at, PlaceMoments { mean, variance, covariance }) in measured.into_iter().enumerate() {
            if !variance.is_finite() || mean.iter().any(|value| !value.is_finite()) {
                return Err(BasisError::NotFinite);
            }
            // Tokens that never differ have nothing to be divided by.
            let scale = if is_standardised && variance > 0.0 { variance.sqrt() } else { 1.0 };
            let products = covariance.map(|covariance| match is_standardised {
                true => covariance.scaled(1.0 / (scale * scale)),
                false => plus_square(covariance, &mean),
            });
            let mean = mean.iter().map(|&mean| if is_standardised { mean as f32 } else { 0.0 }).collect();
            places.push(Place { mean, scale: scale as f32 });
            match products {
                Some(products) if plan.coordinates.is_tied => match &mut total {
                    Some(total) => total.add(&products),
                    None => total = Some(products),
                },
                Some(products) => bases.push(principal_axes(plan, &products)?),
                None if !plan.coordinates.is_tied => {
                    bases.push(plan.drawn(plan.axes(), plan.ancestor_width, &format!("place.{at}")));
                }
                None => {}
            }
        }
        if plan.coordinates.is_tied {
            bases.push(match total {
                Some(total) => principal_axes(plan, &total)?,
                None => plan.drawn(plan.axes(), plan.ancestor_width, "places"),
            });
        }
        let bases = bases.iter().map(|axes| Matrix::from_f32(axes.rows, axes.columns, &axes.to_f32())).collect();
        Ok(Self { plan, places, bases })
    }

    /// `Q_D` of a model of width `width` for what leaves block `block` of the ancestor, `[width, D_T]`. Coordinates
    /// beyond the ancestor's width are 0.
    pub fn map(&self, width: usize, block: usize) -> Matrix {
        let (plan, columns) = (self.plan, self.plan.ancestor_width);
        let place = if plan.coordinates.is_tied { 0 } else { block };
        let axes = &self.bases[place];
        let taken = width.min(axes.rows);
        let first = || Matrix { rows: taken, columns, values: axes.values[..taken * columns].to_vec() };
        let mut map = match plan.coordinates {
            Coordinates { is_nested: true, .. } => first(),
            Coordinates { basis: Basis::Random, .. } => plan.drawn(taken, columns, &format!("own.{place}.{width}")),
            // Principal axes stay those; each width looks at them its own way round.
            _ => plan.drawn(taken, taken, &format!("turn.{place}.{width}")).times(&first()),
        };
        map.rows = width;
        map.values.resize(width * columns, 0.0);
        map
    }

    /// What a model of width `width` should have where the ancestor has `t`: `Q_D (t − μ_q) / σ_q`.
    pub fn listening(&self, width: usize, block: usize) -> AffineFit {
        let Place { mean, scale } = &self.places[block];
        let weight = self.map(width, block).scaled(1.0 / f64::from(*scale));
        let lift = |row: &[f64]| -row.iter().zip(mean).map(|(weight, &mean)| weight * f64::from(mean)).sum::<f64>();
        let bias = weight.values.chunks(self.plan.ancestor_width.max(1)).map(lift).collect();
        AffineFit { weight, bias }
    }

    /// The stitch from a front of width `front` to an end of width `end`, where they stand for these blocks of the
    /// ancestor: `Q_E Q_Fᵀ`. Of a tied and nested basis that is `[I; 0]`, padding with zeros.
    pub fn stitch(&self, [front, end]: [usize; 2], [front_block, end_block]: [usize; 2]) -> AffineFit {
        let Coordinates { is_tied, is_nested, .. } = self.plan.coordinates;
        AffineFit::linear_map(match is_tied && is_nested {
            true => padding(front, end),
            false => self.map(end, end_block).times(&self.map(front, front_block).transposed()),
        })
    }

    /// Everything of it that is not in the plan: `places`, `[blocks, D_T + 1]` (mean, then scale), and `axes.{i}`.
    pub(super) fn parts(&self, device: &Device) -> Vec<DeviceTensor> {
        let part = |name: String, shape: [usize; 2], values: Vec<f32>| {
            let tensor = Tensor::<1>::from_data(TensorData::new(values, [shape[0] * shape[1]]), device);
            DeviceTensor { name, shape: shape.into(), tensor }
        };
        let places = self.places.iter().flat_map(|place| place.mean.iter().copied().chain([place.scale])).collect();
        let shape = [self.places.len(), self.plan.ancestor_width + 1];
        let axes = self.bases.iter().enumerate();
        let axes = axes.map(|(at, axes)| part(format!("axes.{at}"), [axes.rows, axes.columns], axes.to_f32()));
        [part("places".into(), shape, places)].into_iter().chain(axes).collect()
    }

    /// The basis that was saved, of an ancestor of `depth` blocks.
    ///
    /// # Errors
    /// When a tensor is absent or has another shape.
    pub(super) fn restore(plan: BasisPlan, depth: usize, saved: &HostTensors) -> Result<Self, TrainError> {
        let find = |name: &str, shape: [usize; 2]| {
            let tensor = saved.get(name).ok_or_else(|| TrainError::MissingTensor { name: format!("basis.{name}") })?;
            match tensor.shape == shape && tensor.values.iter().all(|value| value.is_finite()) {
                true => Ok(&tensor.values),
                false => Err(TrainError::Mismatch {
                    what: format!("shape of saved tensor `basis.{name}`"),
                    found: format!("{:?}", tensor.shape),
                    expected: format!("{shape:?}, finite"),
                }),
            }
        };
        let columns = plan.ancestor_width;
        let place = |row: &[f32]| Place { mean: row[..columns].to_vec(), scale: row[columns] };
        let places = find("places", [depth, columns + 1])?.chunks(columns + 1).map(place).collect();
        let axes = |at: usize| {
            let values = find(&format!("axes.{at}"), [plan.axes(), columns])?;
            Ok(Matrix::from_f32(plan.axes(), columns, values))
        };
        let bases = (0..plan.bases(depth)).map(axes).collect::<Result<_, TrainError>>()?;
        Ok(Self { plan, places, bases })
    }
}

/// `covariance + mean meanᵀ`.
fn plus_square(mut covariance: Matrix, mean: &[f64]) -> Matrix {
    for (row, of_row) in covariance.values.chunks_mut(mean.len().max(1)).zip(mean) {
        row.iter_mut().zip(mean).for_each(|(value, of_column)| *value += of_row * of_column);
    }
    covariance
}

/// The first eigenvectors, largest eigenvalue first.
fn principal_axes(plan: BasisPlan, products: &Matrix) -> Result<Matrix, BasisError> {
    let mut axes = products.eigen_symmetric().ok_or(BasisError::NotFinite)?.vectors;
    axes.rows = plan.axes();
    axes.values.truncate(axes.rows * axes.columns);
    Ok(axes)
}

/// `[I; 0]`, or the first rows of `I`.
fn padding(input: usize, output: usize) -> Matrix {
    let mut padding = Matrix::zeros(output, input);
    padding.values.iter_mut().step_by(input + 1).take(input.min(output)).for_each(|value| *value = 1.0);
    padding
}

/// Rows made orthonormal one after the other, twice: once leaves what rounding put in.
fn orthonormal_rows(mut matrix: Matrix) -> Matrix {
    let columns = matrix.columns.max(1);
    for _ in 0..2 {
        for row in 0..matrix.rows {
            let (before, rest) = matrix.values.split_at_mut(row * columns);
            let own = &mut rest[..columns];
            for other in before.chunks(columns) {
                let along: f64 = own.iter().zip(other).map(|(a, b)| a * b).sum();
                own.iter_mut().zip(other).for_each(|(value, other)| *value -= along * other);
            }
            let length = own.iter().map(|value| value * value).sum::<f64>().sqrt();
            own.iter_mut().for_each(|value| *value /= length);
        }
    }
    matrix
}
