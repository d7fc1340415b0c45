//! Packing for matrix products: a copy in the order in which the kernel reads.

use crate::gemm::{COLUMNS, Matrix, ROWS, Row};
use crate::wide::F32x4;

/// Rows of B that are packed at a time. One panel after the other would read a line of each row and come back to the
/// row for the next panel, when it has left the cache.
const TOGETHER: usize = 8;

/// Panels of B: `[panel][depth][16]`. What stands where no column is does not matter: nobody writes those sums.
pub(crate) fn pack_b(b: Matrix<'_>, from: usize, depth: usize, packed: &mut [Row]) {
    let panels = b.columns.div_ceil(COLUMNS);
    let width = |panel: usize| COLUMNS.min(b.columns - panel * COLUMNS);
    if b.column_stride == 1 {
        for first in (0..depth).step_by(TOGETHER) {
            for panel in 0..panels {
                for step in first..depth.min(first + TOGETHER) {
                    let values = &b.values[(from + step) * b.row_stride + panel * COLUMNS..][..width(panel)];
                    let packed = &mut packed[panel * depth + step].0;
                    match values.as_array::<COLUMNS>() {
                        Some(values) => *packed = *values,
                        None => packed[..values.len()].copy_from_slice(values),
                    }
                }
            }
        }
        return;
    }
    // Columns that lie in rows of memory, or anywhere: four at a time, the last one again where there are fewer.
    for (panel, packed) in packed.chunks_exact_mut(depth).take(panels).enumerate() {
        for left in (0..width(panel)).step_by(4) {
            let columns: [&[f32]; 4] = std::array::from_fn(|i| {
                let column = panel * COLUMNS + (left + i).min(width(panel) - 1);
                &b.values[from * b.row_stride + column * b.column_stride..]
            });
            for (step, packed) in packed.iter_mut().enumerate() {
                packed.0[left..left + 4].copy_from_slice(&columns.map(|column| column[step * b.row_stride]));
            }
        }
    }
}

/// Strips of A: `[strip][depth][ROWS]`; rows that are not there are 0.
pub(crate) fn pack_a(a: Matrix<'_>, [top, rows]: [usize; 2], from: usize, depth: usize, packed: &mut [[f32; ROWS]]) {
    let start = top * a.row_stride + from * a.column_stride;
    let whole = rows / ROWS;
    if a.row_stride == 1 {
        // A transposed matrix: the numbers of a step lie side by side.
        let step_values = |step: usize| &a.values[start + step * a.column_stride..][..whole * ROWS];
        let together = depth / TOGETHER * TOGETHER;
        for first in (0..together).step_by(TOGETHER) {
            let steps: [&[[f32; ROWS]]; TOGETHER] = std::array::from_fn(|i| step_values(first + i).as_chunks().0);
            for (strip, packed) in packed.chunks_exact_mut(depth).take(whole).enumerate() {
                for (packed, step) in packed[first..first + TOGETHER].iter_mut().zip(steps) {
                    *packed = step[strip];
                }
            }
        }
        for step in together..depth {
            for (strip, values) in step_values(step).as_chunks().0.iter().enumerate() {
                packed[strip * depth + step] = *values;
            }
        }
    } else {
        for (strip, packed) in packed.chunks_exact_mut(depth).take(whole).enumerate() {
            let values = &a.values[start + strip * ROWS * a.row_stride..];
            if a.column_stride == 1 {
                pair(&values[..depth], &values[a.row_stride..][..depth], packed);
            } else {
                for (step, packed) in packed.iter_mut().enumerate() {
                    *packed = std::array::from_fn(|row| values[row * a.row_stride + step * a.column_stride]);
                }
            }
        }
    }
    if whole * ROWS < rows {
        let values = &a.values[start + whole * ROWS * a.row_stride..];
        for (step, packed) in packed[whole * depth..][..depth].iter_mut().enumerate() {
            let row = |row: usize| values[row * a.row_stride + step * a.column_stride];
            *packed = std::array::from_fn(|i| if whole * ROWS + i < rows { row(i) } else { 0.0 });
        }
    }
}

/// Two rows, step by step.
fn pair(first: &[f32], second: &[f32], packed: &mut [[f32; ROWS]]) {
    let ((first, first_rest), (second, second_rest)) = (first.as_chunks::<4>(), second.as_chunks::<4>());
    let (packed, packed_rest) = packed.as_chunks_mut::<4>();
    for ((packed, one), two) in packed.iter_mut().zip(first).zip(second) {
        let (low, high) = F32x4::load(one).interleaved(F32x4::load(two));
        if let [to_low, to_high] = packed.as_flattened_mut().as_chunks_mut::<4>().0 {
            low.store(to_low);
            high.store(to_high);
        }
    }
    for ((packed, one), two) in packed_rest.iter_mut().zip(first_rest).zip(second_rest) {
        *packed = [*one, *two];
    }
}
