//! Rotary position embedding in two dimensions (Su et al. 2021; Heo et al. 2024): queries and keys are turned by their
//! places, so that their products tell how far apart they are.

use std::f64::consts::TAU;

use serde::{Deserialize, Serialize};

/// What the place of a patch is measured in.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RopeGrid {
    /// Its row and column, counted from `offset`; on a grid of another size than `reference` (patches a side) they are
    /// stretched to that one (EVA-02).
    Index {
        /// Patches along one side of the grid it was trained for; `None` counts every grid as it is.
        reference: Option<usize>,
        /// The number of the first row and column.
        offset: f64,
    },
    /// Its column and row, each times frequencies that every layer and head has learned for its pairs of channels
    /// (`attn.rope_freqs`; RoPE-Mixed, Heo et al. 2024).
    Learned,
    /// Its middle, from -1 at one border of the picture to 1 at the other, times 2π (DINOv3).
    Centred,
}

/// How queries and keys are turned. Half of a head's pairs of channels turn with the row, half with the column; pair `b`
/// of `B` turns by `place / temperature^(b / B)`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rope {
    /// What places are measured in.
    pub grid: RopeGrid,
    /// How much slower than the first pair one would turn that came after the last.
    pub temperature: f64,
    /// Whether the first half of the pairs turns with the column instead of the row.
    pub columns_first: bool,
    /// Whether channel `i` is paired with `i + head_dim / 2`; otherwise neighbours are pairs.
    pub halves: bool,
}

impl Rope {
    /// Angles of every patch, row by row: `[grid * grid, head_dim / 2]`, in radians; of learned frequencies those they
    /// start from, along the axes.
    pub fn angles(&self, grid: usize, head_dim: usize) -> Vec<f32> {
        let bands = head_dim / 4;
        let place = |index: usize| match self.grid {
            RopeGrid::Index { reference, offset } => {
                let at = index as f64 + offset;
                reference.map_or(at, |reference| at / grid as f64 * reference as f64)
            }
            RopeGrid::Learned => index as f64,
            RopeGrid::Centred => TAU * (2.0 * (index as f64 + 0.5) / grid as f64 - 1.0),
        };
        let slower = |band: usize| self.temperature.powf(band as f64 / bands as f64);
        let mut angles = Vec::with_capacity(grid * grid * head_dim / 2);
        for patch in 0..grid * grid {
            let (row, column) = (patch / grid, patch % grid);
            let axes = if self.columns_first { [column, row] } else { [row, column] };
            let turn = |axis: usize| (0..bands).map(move |band| (place(axis) / slower(band)) as f32);
            angles.extend(axes.into_iter().flat_map(turn));
        }
        angles
    }

    /// Whether heads of so many channels can be turned: they are quarters of pairs of two axes.
    pub fn fits(head_dim: usize) -> bool {
        head_dim > 0 && head_dim.is_multiple_of(4)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_a_centred_grid_is_not_turned() {
        let rope = Rope { grid: RopeGrid::Centred, temperature: 100.0, columns_first: false, halves: true };
        let angles = rope.angles(3, 8);
        assert_eq!(angles.len(), 9 * 4);
        assert_eq!(angles[4 * 4..5 * 4], [0.0; 4]);
        // The patch to its right: only the pairs of the column turn, the second a tenth as far.
        let third = (TAU * 2.0 / 3.0) as f32;
        assert_eq!(angles[5 * 4..6 * 4], [0.0, 0.0, third, (TAU * 2.0 / 3.0 / 10.0) as f32]);
    }

    #[test]
    fn another_grid_is_stretched_to_the_reference() {
        let grid = RopeGrid::Index { reference: Some(8), offset: 0.0 };
        let rope = Rope { grid, temperature: 1.0, columns_first: true, halves: false };
        assert_eq!(rope.angles(2, 4), [0.0, 0.0, 4.0, 0.0, 0.0, 4.0, 4.0, 4.0]);
    }
}
