//! Some places of the maps of a batch, and the matrices of what is seen there.

use std::ops::Range;

use super::Convolution;
use crate::epilogue::Epilogue;
use crate::gemm::Matrix;

/// Places that lie side by side in a row of the map that is given.
struct Run {
    picture: usize,
    /// Row of the map.
    y: usize,
    /// First column of it.
    x: usize,
    /// First column of the tile.
    at: usize,
    count: usize,
}

/// Cuts places one after the other at the ends of the rows of their maps.
fn cut([rows, columns]: [usize; 2], first: usize, count: usize) -> Vec<Run> {
    let (mut runs, mut at) = (Vec::new(), 0);
    while at < count {
        let (row, x) = ((first + at) / columns, (first + at) % columns);
        let run = Run { picture: row / rows, y: row % rows, x, at, count: (columns - x).min(count - at) };
        at += run.count;
        runs.push(run);
    }
    runs
}

/// Places one after the other, from picture to picture.
pub(super) struct Tile {
    sizes: Convolution,
    /// How many.
    pub count: usize,
    /// Of each picture, its map taken as one row.
    spans: Vec<Run>,
    /// Of each row; none for a kernel that sees one place at stride 1.
    runs: Vec<Run>,
}

impl Tile {
    pub fn new(sizes: Convolution, first: usize, count: usize) -> Self {
        let [rows, columns] = sizes.output();
        let runs = if sizes.is_pointwise() { Vec::new() } else { cut([rows, columns], first, count) };
        Self { sizes, count, spans: cut([1, rows * columns], first, count), runs }
    }

    /// `[depth, count]`: a row for each channel and tap, a column for each place. Written to `room` where it does not lie
    /// in the map as it is.
    pub fn columns<'a>(&self, map: &'a [f32], room: &'a mut Vec<f32>) -> Matrix<'a> {
        let sizes = self.sizes;
        if sizes.is_pointwise() {
            return self.rows(map, sizes.inputs, room);
        }
        room.resize(sizes.depth() * self.count, 0.0);
        for (row, tap) in room.chunks_exact_mut(self.count).zip(sizes.taps()) {
            row.fill(0.0);
            for (first, places) in self.runs.iter().filter_map(|run| sizes.sight(run, tap)) {
                let row = &mut row[places];
                match sizes.stride {
                    1 => row.copy_from_slice(&map[first..first + row.len()]),
                    stride => {
                        row.iter_mut().zip(map[first..].iter().step_by(stride)).for_each(|(to, from)| *to = *from)
                    }
                }
            }
        }
        Matrix::new(room, sizes.depth(), self.count)
    }

    /// `[outputs, count]` of a gradient.
    pub fn coming<'a>(&self, gradient: &'a [f32], room: &'a mut Vec<f32>) -> Matrix<'a> {
        self.rows(gradient, self.sizes.outputs, room)
    }

    /// `[channels, count]` of maps that have a place for each place.
    fn rows<'a>(&self, map: &'a [f32], channels: usize, room: &'a mut Vec<f32>) -> Matrix<'a> {
        let plane = self.plane();
        if let [Run { picture, x, .. }] = self.spans[..] {
            return Matrix::strided(&map[picture * channels * plane + x..], channels, self.count, plane);
        }
        room.resize(channels * self.count, 0.0);
        for (channel, row) in room.chunks_exact_mut(self.count).enumerate() {
            for Run { picture, x, at, count, .. } in &self.spans {
                row[*at..][..*count].copy_from_slice(&map[(picture * channels + channel) * plane + x..][..*count]);
            }
        }
        Matrix::new(room, channels, self.count)
    }

    /// Writes `[outputs, count]` to where it belongs.
    pub fn give(&self, product: &[f32], epilogue: Epilogue<'_>, output: &mut [f32]) {
        let (plane, outputs) = (self.plane(), self.sizes.outputs);
        for (channel, row) in product.chunks_exact(self.count).enumerate() {
            for Run { picture, x, at, count, .. } in &self.spans {
                let output = &mut output[(picture * outputs + channel) * plane + x..][..*count];
                epilogue.apply(channel, &row[*at..][..*count], output);
            }
        }
    }

    /// Adds `[depth, count]` to what each channel and tap saw at each place.
    pub fn add_columns(&self, product: &[f32], map: &mut [f32]) {
        let (plane, sizes) = (self.plane(), self.sizes);
        for (row, tap) in product.chunks_exact(self.count).zip(sizes.taps()) {
            if sizes.is_pointwise() {
                for Run { picture, x, at, count, .. } in &self.spans {
                    let to = &mut map[(picture * sizes.inputs + tap[0]) * plane + x..][..*count];
                    to.copy_from_slice(&row[*at..][..*count]);
                }
                continue;
            }
            for (first, places) in self.runs.iter().filter_map(|run| sizes.sight(run, tap)) {
                let to = map[first..].iter_mut().step_by(sizes.stride);
                to.zip(&row[places]).for_each(|(to, from)| *to += from);
            }
        }
    }

    /// Places of a map that is given.
    fn plane(&self) -> usize {
        self.sizes.output().iter().product()
    }
}

impl Convolution {
    /// Whether it passes over every place and sees no other.
    pub(super) fn is_pointwise(&self) -> bool {
        (self.kernel, self.stride) == (1, 1)
    }

    /// Channel, row and column of each tap.
    fn taps(&self) -> impl Iterator<Item = [usize; 3]> {
        let kernel = self.kernel;
        (0..self.depth()).map(move |at| [at / kernel / kernel, at / kernel % kernel, at % kernel])
    }

    /// What a tap sees along a run: where in the map that begins, and which columns of the tile it is for. `None` where
    /// all of it lies outside of the map.
    fn sight(&self, run: &Run, [channel, i, j]: [usize; 3]) -> Option<(usize, Range<usize>)> {
        let Self { inputs, height, width, kernel, stride, .. } = *self;
        let pad = kernel / 2;
        let row = (stride * run.y + i).checked_sub(pad).filter(|row| *row < height)?;
        let first = pad.saturating_sub(j).div_ceil(stride).max(run.x);
        let end = (width + pad).saturating_sub(j).div_ceil(stride).min(run.x + run.count);
        let start = ((run.picture * inputs + channel) * height + row) * width + stride * first + j;
        (first < end).then(|| (start - pad, run.at + first - run.x..run.at + end - run.x))
    }
}
