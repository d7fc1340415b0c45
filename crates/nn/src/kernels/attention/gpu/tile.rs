//! Rows of queries, keys, values and gradients in workgroup memory.

use cubecl::prelude::*;

use crate::kernels::launch::SHARED_FLOATS;

/// What a cube works on at a time: rows that it keeps while others stream past, one unit for each pair of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Tile {
    /// Rows that are kept: lines of the cube.
    pub(super) kept: usize,
    /// Rows that lie in memory of those that stream past: lanes of a line.
    pub(super) streamed: usize,
    /// Channels of the kept row that one unit adds up; the lanes of a line share the channels.
    pub(super) slots: usize,
}

impl Tile {
    /// The largest tile that fits where `kept` matrices have kept rows and `streamed` have streamed ones.
    ///
    /// # Panics
    /// When not even the smallest fits: a head of more than 252 channels.
    pub(super) fn new(head_dim: usize, kept: usize, streamed: usize) -> Self {
        let tiles = [[16, 16], [16, 8], [8, 8], [8, 4], [4, 4]].map(|[kept, streamed]| {
            let slots = head_dim.div_ceil(streamed);
            Self { kept, streamed, slots }
        });
        let fits = |tile: &Self| {
            let rows = kept * tile.kept + streamed * tile.streamed;
            // Two numbers for each pair, besides the rows.
            rows * tile.stride() + 2 * tile.pairs() <= SHARED_FLOATS
        };
        let tile = tiles.into_iter().find(fits);
        tile.unwrap_or_else(|| panic!("heads of {head_dim} channels are too large for a kernel"))
    }

    /// From a row to the next; odd, so that units that read the same channel of different rows do not all ask the same
    /// bank of the memory.
    pub(super) fn stride(&self) -> usize {
        self.slots * self.streamed + 1
    }

    /// Pairs of a kept and a streamed row.
    pub(super) fn pairs(&self) -> usize {
        self.kept * self.streamed
    }
}

/// A lane's share of a row of a head, times `factor`; channels that the head does not have become 0.
#[cube]
pub(super) fn load(
    source: &cubecl::prelude::Tensor<f32>,
    from: usize,
    factor: f32,
    into: &mut Shared<[f32]>,
    row: usize,
    lane: usize,
    #[comptime] head_dim: usize,
    #[comptime] tile: Tile,
) {
    for slot in 0..comptime!(tile.slots) {
        let channel = slot * comptime!(tile.streamed) + lane;
        let mut value = 0.0f32;
        if channel < head_dim {
            value = source[from + channel] * factor;
        }
        into[row * comptime!(tile.stride()) + channel] = value;
    }
}

/// Product of two rows.
#[cube]
pub(super) fn dot(a: &Shared<[f32]>, a_row: usize, b: &Shared<[f32]>, b_row: usize, #[comptime] tile: Tile) -> f32 {
    let mut sum = 0.0f32;
    for slot in 0..comptime!(tile.slots) {
        let a_from = a_row * comptime!(tile.stride()) + slot * comptime!(tile.streamed);
        let b_from = b_row * comptime!(tile.stride()) + slot * comptime!(tile.streamed);
        #[unroll]
        for i in 0..comptime!(tile.streamed) {
            sum += a[a_from + i] * b[b_from + i];
        }
    }
    sum
}

/// Adds a streamed row, times `factor`, to what a unit has of its sum.
#[cube]
pub(super) fn add(
    sum: &mut Array<f32>,
    rows: &Shared<[f32]>,
    row: usize,
    lane: usize,
    factor: f32,
    #[comptime] tile: Tile,
) {
    // Unrolled, so that the sum stays in registers.
    #[unroll]
    for slot in 0..comptime!(tile.slots) {
        sum[slot] += factor * rows[row * comptime!(tile.stride()) + slot * comptime!(tile.streamed) + lane];
    }
}

/// A lane's share of a sum, times `factor`, where the row lies in a tensor.
#[cube]
pub(super) fn store(
    sum: &Array<f32>,
    factor: f32,
    output: &mut cubecl::prelude::Tensor<f32>,
    from: usize,
    lane: usize,
    #[comptime] head_dim: usize,
    #[comptime] tile: Tile,
) {
    #[unroll]
    for slot in 0..comptime!(tile.slots) {
        let channel = slot * comptime!(tile.streamed) + lane;
        if channel < head_dim {
            output[from + channel] = sum[slot] * factor;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Tile;

    #[test]
    fn tiles_cover_all_channels_and_get_smaller_with_the_head() {
        for head_dim in 1..=128 {
            for [kept, streamed] in [[1, 2], [2, 2]] {
                let tile = Tile::new(head_dim, kept, streamed);
                assert!(tile.slots * tile.streamed >= head_dim && tile.pairs() <= 256 && tile.streamed <= tile.kept);
            }
        }
        assert_eq!(Tile::new(64, 1, 2), Tile { kept: 16, streamed: 16, slots: 4 });
        assert_eq!(Tile::new(64, 2, 2), Tile { kept: 16, streamed: 8, slots: 8 });
    }
}
