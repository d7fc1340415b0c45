//! The start values of a pool's stitch layers (docs/methods.md, section 2.5).

use super::Auxiliary;
use crate::Matrix;
use crate::stitch::AffineFit;
use heirloom_nn::device::{ReadError, read_all};
use heirloom_nn::vit::RandomWeights;

/// Mean of the maps `M_p` of an auxiliary model, `[D_S, D_T]`; `None` when it was distilled without positions.
#[derive(Clone, Debug, PartialEq)]
pub struct LearnedMaps(pub Option<Matrix>);

impl LearnedMaps {
    /// Reads them back.
    ///
    /// # Errors
    /// When the device is lost.
    pub async fn from_auxiliary(auxiliary: &Auxiliary) -> Result<Self, ReadError> {
        let weights = auxiliary.token_maps.iter().map(|map| map.weight.val().inner());
        let shapes: Vec<[usize; 2]> = weights.clone().map(|weight| weight.dims()).collect();
        let values = read_all(weights.collect()).await?;
        let maps = values.iter().zip(shapes);
        let maps: Vec<_> =
            maps.map(|(values, [rows, columns])| Matrix::from_f32(rows, columns, values).transposed()).collect();
        Ok(Self(Matrix::mean(&maps)))
    }
}

/// Widths that a stitch joins, `[D_front, D_end]`, with the maps of both models.
type Joint<'a> = ([usize; 2], &'a LearnedMaps, &'a LearnedMaps);

/// The published start: `W = mean(M_front)ᵀ / s`, and where the end model is narrower than the ancestor its own map
/// behind it, `W = mean(M_end) · mean(M_front)ᵀ / s`. Identity at equal width. Zero without maps.
///
/// `s = tr(M_front M_frontᵀ) / D_front`, the mean squared length of a row: a transposed map undoes one whose rows are
/// orthogonal only up to this factor.
pub fn transposed(joint: Joint<'_>) -> AffineFit {
    through_the_ancestor(joint, |map| {
        let square: f64 = map.values.iter().map(|value| value * value).sum::<f64>() / map.rows.max(1) as f64;
        map.transposed().scaled(if square > 0.0 { 1.0 / square } else { 0.0 })
    })
}

/// As [`transposed`], with the pseudo-inverse of the front's map instead of its transpose.
pub fn pseudo_inverse(joint: Joint<'_>) -> AffineFit {
    through_the_ancestor(joint, Matrix::pseudo_inverse)
}

fn through_the_ancestor(([input, output], front, end): Joint<'_>, back: fn(&Matrix) -> Matrix) -> AffineFit {
    if input == output {
        return AffineFit::linear_map(Matrix::identity(input));
    }
    let Some(to_ancestor) = front.0.as_ref().map(back) else { return AffineFit::zero(input, output) };
    match &end.0 {
        _ if to_ancestor.rows == output => AffineFit::linear_map(to_ancestor),
        Some(map) => AffineFit::linear_map(map.times(&to_ancestor)),
        None => AffineFit::zero(input, output),
    }
}

/// A random start, as every linear weight of a Vision Transformer; stitch layers differ.
pub fn random([input, output]: [usize; 2], stitch: usize, seed: u64) -> AffineFit {
    let values = RandomWeights { seed }.values(&format!("stitches.{stitch}.weight"), input * output);
    AffineFit::linear_map(Matrix::from_f32(output, input, &values))
}
