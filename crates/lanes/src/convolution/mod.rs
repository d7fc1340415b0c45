//! Dense convolutions with odd square kernels, forward and backward, as products of matrices (Chellapilla et al. 2006).
//!
//! The places of all maps of a batch are one row of columns, cut into tiles. What the kernel sees at a tile's places is
//! copied into a matrix that stays in the second cache ([`Tile::columns`]) and multiplied by the weights. A tile may span
//! pictures: the last maps of a network have fewer places than make packing the weights worthwhile. Of a 1×1 kernel the
//! map itself is that matrix wherever a tile lies in one picture, and nothing is copied.

mod tile;

use crate::epilogue::Epilogue;
use crate::gemm::{Matrix, Onto, gemm};
use tile::Tile;

/// Elements of the larger of a tile's two matrices: 512 KiB.
const TILE: usize = 1 << 17;
/// Columns of a tile at least: with fewer, packing the weights takes as long as multiplying by them.
const NARROWEST: usize = 128;

/// Sizes of a convolution; padding keeps the sides of the map at stride 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Convolution {
    /// Channels of the map that is read.
    pub inputs: usize,
    /// Rows of it.
    pub height: usize,
    /// Columns of it.
    pub width: usize,
    /// Channels of the map that is given.
    pub outputs: usize,
    /// Side of the kernel, odd.
    pub kernel: usize,
    /// Stride, at least 1.
    pub stride: usize,
}

impl Convolution {
    /// Rows and columns of the map that is given.
    pub fn output(&self) -> [usize; 2] {
        [self.height, self.width].map(|side| side.div_ceil(self.stride))
    }

    /// Numbers that the kernel sees at a place.
    fn depth(&self) -> usize {
        self.inputs * self.kernel * self.kernel
    }

    /// To a kernel of 1×1 that passes over every place a map is one row.
    fn flat(self) -> Self {
        if self.is_pointwise() { Self { height: 1, width: self.height * self.width, ..self } } else { self }
    }

    /// Pictures of a batch.
    fn pictures(&self, input: usize, weight: usize, output: usize) -> usize {
        assert!(self.kernel % 2 == 1 && self.stride > 0, "an odd kernel and a stride");
        assert_eq!(weight, self.outputs * self.depth(), "a kernel for each pair of channels");
        let ([rows, columns], plane) = (self.output(), self.inputs * self.height * self.width);
        assert!(plane > 0, "an empty map");
        let pictures = input / plane;
        assert_eq!(input, pictures * plane, "whole pictures of input");
        assert_eq!(output, pictures * self.outputs * rows * columns, "a map of output for each of input");
        pictures
    }

    /// The tiles of so many pictures.
    fn tiles(&self, pictures: usize) -> impl Iterator<Item = Tile> + use<> {
        let [rows, columns] = self.output();
        let (sizes, places) = (*self, pictures * rows * columns);
        let wide = (TILE / self.depth().max(self.outputs)).max(NARROWEST).next_multiple_of(crate::COLUMNS);
        (0..places).step_by(wide).map(move |first| Tile::new(sizes, first, wide.min(places - first)))
    }
}

/// `output[n][o][y][x] = bias[o] + Σ weight[o][c][i][j] · input[n][c][stride · y + i - pad][stride · x + j - pad]`, where
/// what lies outside of the map is 0, and then its limits.
///
/// # Panics
/// When a length does not fit.
#[inline(never)]
pub fn convolution(input: &[f32], weight: &[f32], sizes: Convolution, epilogue: Epilogue<'_>, output: &mut [f32]) {
    let pictures = sizes.pictures(input.len(), weight.len(), output.len());
    assert_eq!(epilogue.bias.len(), sizes.outputs, "a bias for each channel");
    let (sizes, depth) = (sizes.flat(), sizes.depth());
    let (mut seen, mut product) = (Vec::new(), Vec::new());
    for tile in sizes.tiles(pictures) {
        product.resize(sizes.outputs * tile.count, 0.0);
        let columns = tile.columns(input, &mut seen);
        gemm(Matrix::new(weight, sizes.outputs, depth), columns, &mut product, tile.count, Onto::Nothing);
        tile.give(&product, epilogue, output);
    }
}

/// The gradient of the input of [`convolution`] without limits from that of its output; what was in `to_input` is
/// overwritten.
///
/// # Panics
/// When a length does not fit.
#[inline(never)]
pub fn convolution_input_gradient(gradient: &[f32], weight: &[f32], sizes: Convolution, to_input: &mut [f32]) {
    let pictures = sizes.pictures(to_input.len(), weight.len(), gradient.len());
    let (sizes, depth) = (sizes.flat(), sizes.depth());
    let (mut coming, mut product) = (Vec::new(), Vec::new());
    to_input.fill(0.0);
    for tile in sizes.tiles(pictures) {
        product.resize(depth * tile.count, 0.0);
        let weight = Matrix::new(weight, sizes.outputs, depth).transposed();
        gemm(weight, tile.coming(gradient, &mut coming), &mut product, tile.count, Onto::Nothing);
        tile.add_columns(&product, to_input);
    }
}

/// The gradient of the weights of [`convolution`] without limits from that of its output; what was in `to_weight` is
/// overwritten.
///
/// # Panics
/// When a length does not fit.
#[inline(never)]
pub fn convolution_weight_gradient(input: &[f32], gradient: &[f32], sizes: Convolution, to_weight: &mut [f32]) {
    let pictures = sizes.pictures(input.len(), to_weight.len(), gradient.len());
    let (sizes, depth) = (sizes.flat(), sizes.depth());
    let (mut seen, mut coming) = (Vec::new(), Vec::new());
    to_weight.fill(0.0);
    for tile in sizes.tiles(pictures) {
        let columns = tile.columns(input, &mut seen).transposed();
        gemm(tile.coming(gradient, &mut coming), columns, to_weight, depth, Onto::Sum);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_near, numbers, wide};

    /// Pictures, channels read, height, width, channels given.
    const MAPS: [[usize; 5]; 8] = [
        [1, 1, 1, 1, 1],
        [3, 2, 1, 7, 3],
        [2, 3, 5, 4, 2],
        [5, 19, 4, 4, 21],
        [2, 3, 9, 2, 17],
        [1, 3, 33, 30, 5],
        [3, 150, 12, 13, 4],
        [1, 2, 8, 1, 1],
    ];

    /// Calls with place of the output, of the input and of the weight, for all that meet.
    fn meet(pictures: usize, sizes: Convolution, mut see: impl FnMut([usize; 3])) {
        let Convolution { inputs, height, width, outputs, kernel, stride } = sizes;
        let ([rows, columns], taps) = (sizes.output(), kernel * kernel);
        for at in 0..pictures * outputs * rows * columns {
            let (x, y) = (at % columns, at / columns % rows);
            let (o, n) = (at / columns / rows % outputs, at / columns / rows / outputs);
            for tap in 0..inputs * taps {
                let (c, i, j) = (tap / taps, tap / kernel % kernel, tap % kernel);
                let (row, column) = (stride * y + i, stride * x + j);
                let inside = |at: usize, side: usize| at.checked_sub(kernel / 2).filter(|&at| at < side);
                if let (Some(row), Some(column)) = (inside(row, height), inside(column, width)) {
                    see([at, ((n * inputs + c) * height + row) * width + column, o * inputs * taps + tap]);
                }
            }
        }
    }

    #[test]
    fn convolutions_and_their_gradients_are_those_of_plain_loops() {
        let kinds = [(1, 1), (1, 2), (3, 1), (3, 2), (5, 3), (7, 2)];
        for ([pictures, inputs, height, width, outputs], (kernel, stride)) in
            MAPS.into_iter().flat_map(|map| kinds.map(|kind| (map, kind)))
        {
            let sizes = Convolution { inputs, height, width, outputs, kernel, stride };
            let given = pictures * outputs * sizes.output().iter().product::<usize>();
            let input = numbers(pictures * inputs * height * width, 1, 1.0);
            let (weight, bias) = (numbers(outputs * sizes.depth(), 2, 1.0), numbers(outputs, 4, 1.0));
            let gradient = numbers(given, 3, 1.0);
            let (x, w, g) = (wide(&input), wide(&weight), wide(&gradient));
            let plane = given / pictures / outputs;
            let mut expected = [
                (0..given).map(|at| f64::from(bias[at / plane % outputs])).collect(),
                vec![0.0; x.len()],
                vec![0.0; w.len()],
            ];
            meet(pictures, sizes, |[output, input, weight]| {
                expected[0][output] += x[input] * w[weight];
                expected[1][input] += g[output] * w[weight];
                expected[2][weight] += g[output] * x[input];
            });
            let mut found = [vec![7.0; given], vec![7.0; x.len()], vec![7.0; w.len()]];
            convolution(&input, &weight, sizes, Epilogue::of(&bias), &mut found[0]);
            convolution_input_gradient(&gradient, &weight, sizes, &mut found[1]);
            convolution_weight_gradient(&input, &gradient, sizes, &mut found[2]);
            for (found, expected) in found.iter().zip(&expected) {
                assert_near(found, expected, 1e-4);
            }
            let cut: Vec<f64> = expected[0].iter().map(|value| value.clamp(0.0, 0.5)).collect();
            convolution(&input, &weight, sizes, Epilogue { bias: &bias, limits: [0.0, 0.5] }, &mut found[0]);
            assert_near(&found[0], &cut, 1e-4);
        }
    }
}
