//! Sums over slices, rows and columns.
//!
//! A plain float sum must keep its order and cannot become SIMD. Several sums side by side can, and they are closer to
//! the true sum than one running total.

/// Sums side by side. Part of the results: another count rounds differently.
pub(crate) const LANES: usize = 16;

/// The lanes' sum and what was left of the slice.
#[inline(always)]
pub(crate) fn total(lanes: [f32; LANES], rest: f32) -> f32 {
    (lanes.iter().map(|&lane| f64::from(lane)).sum::<f64>() + f64::from(rest)) as f32
}

/// Sum of the squares of all values.
#[inline(never)]
pub fn square_sum(values: &[f32]) -> f32 {
    dot_here(values, values)
}

/// Sum of all values.
#[inline(always)]
pub(crate) fn sum_here(values: &[f32]) -> f32 {
    let (chunks, rest) = values.as_chunks::<LANES>();
    let mut lanes = [0.0; LANES];
    for chunk in chunks {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane += value;
        }
    }
    total(lanes, rest.iter().sum())
}

/// Dot product.
///
/// # Panics
/// When the lengths differ.
#[inline(always)]
pub(crate) fn dot_here(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len(), "the slices differ in length");
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    let mut lanes = [0.0; LANES];
    for (a, b) in a.iter().zip(b) {
        for ((lane, a), b) in lanes.iter_mut().zip(a).zip(b) {
            *lane += a * b;
        }
    }
    total(lanes, a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum())
}

/// Adds `row` to every row of `matrix` `[rows, row.len()]`: a linear layer's bias.
///
/// # Panics
/// When `matrix` is not whole rows.
#[inline(never)]
pub fn add_rows(matrix: &mut [f32], row: &[f32]) {
    if matrix.is_empty() {
        return;
    }
    assert!(matrix.len().is_multiple_of(row.len()), "the matrix is not whole rows");
    for line in matrix.chunks_exact_mut(row.len()) {
        line.iter_mut().zip(row).for_each(|(value, add)| *value += add);
    }
}

/// Sum of each column of `matrix` `[rows, columns]`, written over `out` `[columns]`: the gradient of a bias.
///
/// # Panics
/// When `out` is not `columns` long or `matrix` is not whole rows.
#[inline(never)]
pub fn column_sums(matrix: &[f32], columns: usize, out: &mut [f32]) {
    assert_eq!(out.len(), columns, "a sum for each column");
    out.fill(0.0);
    if matrix.is_empty() {
        return;
    }
    assert!(matrix.len().is_multiple_of(columns), "the matrix is not whole rows");
    // Four rows at a time: the sums are loaded and stored once instead of four times.
    let blocks = matrix.chunks_exact(4 * columns);
    let rest = blocks.remainder();
    for block in blocks {
        let (upper, lower) = block.split_at(2 * columns);
        let ((a, b), (c, d)) = (upper.split_at(columns), lower.split_at(columns));
        for ((((out, a), b), c), d) in out.iter_mut().zip(a).zip(b).zip(c).zip(d) {
            *out += (a + b) + (c + d);
        }
    }
    for row in rest.chunks_exact(columns) {
        out.iter_mut().zip(row).for_each(|(out, value)| *out += value);
    }
}

#[cfg(test)]
mod tests {
    use super::{add_rows, column_sums, dot_here, square_sum, sum_here};
    use crate::testing::{SIZES, assert_near, numbers, wide};

    #[test]
    fn sums_are_those_of_f64() {
        for size in SIZES {
            let (a, b) = (numbers(size, 1, 1.0), numbers(size, 2, 1.0));
            let (wide_a, wide_b) = (wide(&a), wide(&b));
            let products = |b: &[f64]| wide_a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
            let expected = [wide_a.iter().sum(), products(&wide_b), products(&wide_a)];
            assert_near(&[sum_here(&a), dot_here(&a, &b), square_sum(&a)], &expected, 2e-6);
        }
    }

    #[test]
    fn sums_carry_infinities_and_nan() {
        assert_eq!(sum_here(&[f32::INFINITY, 1.0]), f32::INFINITY);
        assert!(sum_here(&[f32::INFINITY, f32::NEG_INFINITY]).is_nan());
        let mut many = vec![0.0; 40];
        many[21] = f32::NAN;
        assert!(square_sum(&many).is_nan());
    }

    #[test]
    fn rows_and_columns_of_a_matrix_add_up() {
        for (rows, columns) in [(0, 3), (1, 1), (3, 17), (4, 16), (5, 7), (9, 33), (131, 100)] {
            let (matrix, row) = (numbers(rows * columns, 4, 1.0), numbers(columns, 5, 1.0));
            let mut sums = vec![f32::NAN; columns];
            column_sums(&matrix, columns, &mut sums);
            let column = |at: usize| (0..rows).map(|row| f64::from(matrix[row * columns + at])).sum();
            assert_near(&sums, &(0..columns).map(column).collect::<Vec<f64>>(), 2e-6);
            let mut shifted = matrix.clone();
            add_rows(&mut shifted, &row);
            assert!(shifted.iter().enumerate().all(|(at, value)| *value == matrix[at] + row[at % columns]));
        }
    }
}
