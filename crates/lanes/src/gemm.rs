//! Products of f32 matrices on one thread, for the shapes of small Vision Transformers.
//!
//! Both operands are packed, so any strides will do and a transpose costs no copy of its own: A into strips of
//! [`ROWS`] rows, B into panels of [`COLUMNS`] columns. A tile of the result, 2 × 16, is eight vectors: with four of B, one
//! of A and a product they fit the sixteen registers that V8 has on x64, which the usual 4 × 12 does not (in Node 20: 44
//! against 29 GFLOP/s; in Chromium 156 on a shared machine 5 × 8 is as fast, within what the machine itself varies).

use std::cell::RefCell;
use std::sync::OnceLock;

use crate::pack::{pack_a, pack_b};
use crate::wide::F32x4;

/// Rows of a panel of A.
pub const ROWS: usize = 2;
/// Vectors in a row of a panel of B.
pub(crate) const VECTORS: usize = 4;
/// Columns of a panel of B.
pub const COLUMNS: usize = 4 * VECTORS;
/// One step of a panel of B. On a boundary of cache lines: one vector in four would lie across two of them otherwise, and
/// the product take half as long again.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub struct Row(pub [f32; COLUMNS]);

/// Depth of a block: a panel of B, 16 KiB, stays in the first cache.
const DEPTH: usize = 256;
/// Rows of A that are packed at a time, some 120 KiB: they stay in the second cache while every panel of B passes.
const TALL: usize = 120 / ROWS * ROWS;

/// A matrix in a slice, with any strides.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a> {
    /// Its elements, from the first one on.
    pub values: &'a [f32],
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub columns: usize,
    /// Elements from one row to the next.
    pub row_stride: usize,
    /// Elements from one column to the next.
    pub column_stride: usize,
}

impl<'a> Matrix<'a> {
    /// Rows that lie one after the other: `[rows, columns]`.
    pub fn new(values: &'a [f32], rows: usize, columns: usize) -> Self {
        Self { values, rows, columns, row_stride: columns, column_stride: 1 }
    }

    /// Rows that begin `row_stride` elements apart.
    pub fn strided(values: &'a [f32], rows: usize, columns: usize, row_stride: usize) -> Self {
        Self { values, rows, columns, row_stride, column_stride: 1 }
    }

    /// The same elements, rows as columns.
    pub fn transposed(self) -> Self {
        let Self { values, rows, columns, row_stride, column_stride } = self;
        Self { values, rows: columns, columns: rows, row_stride: column_stride, column_stride: row_stride }
    }

    /// Whether the slice holds every element.
    fn is_whole(&self) -> bool {
        let last = |count: usize, stride: usize| (count.max(1) - 1) as u64 * stride as u64;
        let end = last(self.rows, self.row_stride) + last(self.columns, self.column_stride);
        self.rows == 0 || self.columns == 0 || end < self.values.len() as u64
    }
}

/// Whole tiles of a product of packed panels, for a kernel that is not this module's own.
#[derive(Debug)]
pub struct Tiles<'a> {
    /// Strips of A, `[strips][depth][2]`.
    pub a: &'a [[f32; ROWS]],
    /// Panels of B, `[panels][depth][16]`.
    pub b: &'a [Row],
    /// Strips, panels, and how deep they are.
    pub size: [usize; 3],
    /// Where the first tile goes; rows begin `row_stride` elements apart, and every tile lies inside.
    pub out: &'a mut [f32],
    /// Elements from one row of the result to the next.
    pub row_stride: usize,
    /// What becomes of the numbers that lie there.
    pub onto: Onto,
}

/// Computes whole tiles.
pub type Kernel = fn(Tiles<'_>);

static KERNEL: OnceLock<Kernel> = OnceLock::new();

/// Has whole tiles computed by another kernel from now on, that of [`module`](crate::module()) in a browser. The first
/// one stays.
pub fn use_kernel(kernel: Kernel) {
    // A second one is as good as the first.
    let _ = KERNEL.set(kernel);
}

/// What becomes of the numbers that lie where the product goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Onto {
    /// They are replaced.
    Nothing,
    /// The product is added to them.
    Sum,
}

/// `a · b`, written to (or added to) rows of `out` that begin `row_stride` elements apart.
///
/// # Shapes
/// `a: [m, k]`, `b: [k, n]`, `out: [m, n]` within `[m, row_stride]`
///
/// # Panics
/// When the shapes do not fit each other or their slices.
pub fn gemm(a: Matrix<'_>, b: Matrix<'_>, out: &mut [f32], row_stride: usize, onto: Onto) {
    let (m, k, n) = (a.rows, a.columns, b.columns);
    assert_eq!(k, b.rows, "the columns of the first matrix are the rows of the second");
    assert!(a.is_whole() && b.is_whole(), "the slices hold their matrices");
    if m == 0 || n == 0 {
        return;
    }
    assert!(n <= row_stride && (m - 1) as u64 * row_stride as u64 + n as u64 <= out.len() as u64, "the result fits");
    if k == 0 {
        if onto == Onto::Nothing {
            out.chunks_mut(row_stride).take(m).for_each(|row| row[..n].fill(0.0));
        }
        return;
    }
    // Kept for the next product: a step makes some hundred, and fresh memory would be cleared for each.
    SCRATCH.with_borrow_mut(|(packed_a, packed_b)| {
        let depth = k.min(DEPTH);
        let (in_a, in_b) = (m.min(TALL).div_ceil(ROWS) * depth, n.div_ceil(COLUMNS) * depth);
        packed_a.resize(packed_a.len().max(in_a), [0.0; ROWS]);
        packed_b.resize(packed_b.len().max(in_b), Row([0.0; COLUMNS]));
        for from in (0..k).step_by(DEPTH) {
            let depth = DEPTH.min(k - from);
            let onto = if from == 0 { onto } else { Onto::Sum };
            pack_b(b, from, depth, packed_b);
            for top in (0..m).step_by(TALL) {
                let rows = TALL.min(m - top);
                pack_a(a, [top, rows], from, depth, packed_a);
                let out = &mut out[top * row_stride..];
                block(Tiles { a: packed_a, b: packed_b, size: [rows, n, depth], out, row_stride, onto });
            }
        }
    });
}

thread_local! {
    static SCRATCH: RefCell<(Vec<[f32; ROWS]>, Vec<Row>)> = const { RefCell::new((Vec::new(), Vec::new())) };
}

/// The product of packed panels; `size` counts rows and columns here. Whole tiles go to the other kernel, if there is one.
#[inline(never)]
fn block(Tiles { a, b, size: [rows, columns, depth], out, row_stride, onto }: Tiles<'_>) {
    let whole = match KERNEL.get() {
        Some(kernel) if columns >= COLUMNS && rows >= ROWS => {
            let size = [rows / ROWS, columns / COLUMNS, depth];
            kernel(Tiles { a, b, size, out, row_stride, onto });
            [size[0], size[1]]
        }
        _ => [0, 0],
    };
    for (panel, b) in b.chunks_exact(depth).take(columns.div_ceil(COLUMNS)).enumerate() {
        let left = panel * COLUMNS;
        let width = COLUMNS.min(columns - left);
        let first = if panel < whole[1] { whole[0] } else { 0 };
        for (strip, a) in a.chunks_exact(depth).take(rows.div_ceil(ROWS)).enumerate().skip(first) {
            let sums = if width > COLUMNS - 4 { tile::<VECTORS>(a, b) } else { tile_of(width.div_ceil(4), a, b) };
            let height = ROWS.min(rows - strip * ROWS);
            for (row, sums) in sums.iter().enumerate().take(height) {
                let at = (strip * ROWS + row) * row_stride + left;
                write(sums, &mut out[at..at + width], onto);
            }
        }
    }
}

/// A tile of fewer vectors.
#[inline(never)]
fn tile_of(vectors: usize, a: &[[f32; ROWS]], b: &[Row]) -> [[F32x4; VECTORS]; ROWS] {
    match vectors {
        1 => tile::<1>(a, b),
        2 if VECTORS > 2 => tile::<{ if VECTORS > 2 { 2 } else { 1 } }>(a, b),
        3 if VECTORS > 3 => tile::<{ if VECTORS > 3 { 3 } else { 1 } }>(a, b),
        _ => tile::<VECTORS>(a, b),
    }
}

/// The product of a strip of A and the first `V` vectors of a panel of B.
#[inline(always)]
fn tile<const V: usize>(a: &[[f32; ROWS]], b: &[Row]) -> [[F32x4; VECTORS]; ROWS] {
    let mut sums = [[F32x4::splat(0.0); VECTORS]; ROWS];
    for (a, b) in a.iter().zip(b) {
        let (b, _) = b.0.as_chunks::<4>();
        for (sums, a) in sums.iter_mut().zip(a) {
            let a = F32x4::splat(*a);
            for v in 0..V {
                sums[v] = sums[v].plus_product(a, F32x4::load(&b[v]));
            }
        }
    }
    sums
}

#[inline(always)]
fn write(sums: &[F32x4; VECTORS], out: &mut [f32], onto: Onto) {
    let (whole, rest) = out.as_chunks_mut::<4>();
    for (out, sum) in whole.iter_mut().zip(sums) {
        match onto {
            Onto::Nothing => sum.store(out),
            Onto::Sum => F32x4::load(out).plus(*sum).store(out),
        }
    }
    if let (false, Some(sum)) = (rest.is_empty(), sums.get(whole.len())) {
        let mut values = [0.0; 4];
        sum.store(&mut values);
        for (out, value) in rest.iter_mut().zip(values) {
            *out = if onto == Onto::Sum { *out + value } else { value };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Matrix, Onto, gemm};

    /// Whole numbers: their sums are exact, so results are compared as they are.
    fn numbers(count: usize, seed: usize) -> Vec<f32> {
        (0..count).map(|i| ((i * 7 + seed * 13 + i * i % 11) % 17) as f32 - 8.0).collect()
    }

    fn plain(a: Matrix<'_>, b: Matrix<'_>) -> Vec<f32> {
        let at = |m: &Matrix<'_>, i: usize, j: usize| m.values[i * m.row_stride + j * m.column_stride];
        let cells = (0..a.rows).flat_map(|i| (0..b.columns).map(move |j| (i, j)));
        cells.map(|(i, j)| (0..a.columns).map(|k| at(&a, i, k) * at(&b, k, j)).sum()).collect()
    }

    #[test]
    fn products_are_those_of_the_plain_loop_for_odd_shapes_and_both_orders_of_storage() {
        for [m, k, n] in [
            [1, 1, 1],
            [2, 3, 4],
            [3, 5, 7],
            [1, 300, 17],
            [65, 64, 65],
            [65, 65, 64],
            [129, 257, 33],
            [10, 600, 1],
            [2, 16, 80],
        ] {
            let (a, b) = (numbers(m * k, 1), numbers(k * n, 2));
            for (is_a_turned, is_b_turned) in [(false, false), (true, false), (false, true), (true, true)] {
                let a = if is_a_turned { Matrix::new(&a, k, m).transposed() } else { Matrix::new(&a, m, k) };
                let b = if is_b_turned { Matrix::new(&b, n, k).transposed() } else { Matrix::new(&b, k, n) };
                let mut out = vec![f32::NAN; m * n];
                gemm(a, b, &mut out, n, Onto::Nothing);
                assert_eq!(out, plain(a, b), "{m} x {k} x {n}, turned: {is_a_turned} {is_b_turned}");
                gemm(a, b, &mut out, n, Onto::Sum);
                let twice: Vec<f32> = plain(a, b).iter().map(|value| 2.0 * value).collect();
                assert_eq!(out, twice, "{m} x {k} x {n}, added");
            }
        }
    }

    #[test]
    fn a_window_of_a_wider_matrix_is_read_and_written_without_touching_the_rest() {
        let (a, b) = (numbers(9 * 20, 3), numbers(5 * 30, 4));
        let (a, b) = (Matrix::strided(&a[4..], 9, 5, 20), Matrix::strided(&b[2..], 5, 18, 30));
        let mut out = vec![-1.0; 9 * 25];
        gemm(a, b, &mut out[3..], 25, Onto::Nothing);
        let expected = plain(a, b);
        for (at, value) in out.iter().enumerate() {
            let (row, column) = (at / 25, at % 25);
            let inside = (3..21).contains(&column).then(|| expected[row * 18 + column - 3]);
            assert_eq!(*value, inside.unwrap_or(-1.0), "row {row}, column {column}");
        }
    }

    #[test]
    fn nothing_is_the_sum_of_nothing() {
        let mut out = vec![5.0; 6];
        gemm(Matrix::new(&[], 2, 0), Matrix::new(&[], 0, 3), &mut out, 3, Onto::Sum);
        assert_eq!(out, [5.0; 6]);
        gemm(Matrix::new(&[], 2, 0), Matrix::new(&[], 0, 3), &mut out, 3, Onto::Nothing);
        assert_eq!(out, [0.0; 6]);
        gemm(Matrix::new(&[], 0, 0), Matrix::new(&[], 0, 3), &mut [], 3, Onto::Nothing);
    }

    #[test]
    #[should_panic(expected = "the slices hold their matrices")]
    fn a_slice_that_is_too_short_is_refused() {
        gemm(Matrix::new(&[1.0; 5], 2, 3), Matrix::new(&[1.0; 3], 3, 1), &mut [0.0; 2], 1, Onto::Nothing);
    }
}
