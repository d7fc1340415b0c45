//! Packing for matrix products: a copy in the order in which the kernel reads.

use crate::gemm::{COLUMNS, Matrix, ROWS, Row};

/// Panels of B: `[panel][depth][16]`. What stands where no column is does not matter: nobody writes those sums.
pub(crate) fn pack_b(b: Matrix<'_>, from: usize, depth: usize, packed: &mut [Row]) {
    for (panel, packed) in packed.chunks_exact_mut(depth).enumerate() {
        let left = panel * COLUMNS;
        let Some(width) = b.columns.checked_sub(left).map(|rest| rest.min(COLUMNS)).filter(|&width| width > 0) else {
            break;
        };
        if b.column_stride == 1 {
            for (row, packed) in (from..).zip(packed) {
                let values = &b.values[row * b.row_stride + left..][..width];
                match values.as_array::<COLUMNS>() {
                    Some(values) => packed.0 = *values,
                    None => {
                        packed.0 = [0.0; COLUMNS];
                        packed.0[..width].copy_from_slice(values);
                    }
                }
            }
            continue;
        }
        // Columns of B lie in rows of memory, or anywhere: four at a time, and the last ones alone.
        for left_in_panel in (0..width).step_by(4) {
            let starts: [usize; 4] = std::array::from_fn(|i| {
                let column = left + (left_in_panel + i).min(width - 1);
                from * b.row_stride + column * b.column_stride
            });
            match b.row_stride {
                1 => {
                    let columns = starts.map(|start| &b.values[start..][..depth]);
                    for (step, packed) in packed.iter_mut().enumerate() {
                        packed.0[left_in_panel..left_in_panel + 4].copy_from_slice(&columns.map(|column| column[step]));
                    }
                }
                stride => {
                    for (step, packed) in packed.iter_mut().enumerate() {
                        let four = starts.map(|start| b.values[start + step * stride]);
                        packed.0[left_in_panel..left_in_panel + 4].copy_from_slice(&four);
                    }
                }
            }
        }
        let rest = width.next_multiple_of(4);
        if rest < COLUMNS {
            packed.iter_mut().for_each(|packed| packed.0[rest..].fill(0.0));
        }
    }
}

/// Strips of A: `[strip][depth][ROWS]`; rows that are not there are 0.
pub(crate) fn pack_a(a: Matrix<'_>, [top, rows]: [usize; 2], from: usize, depth: usize, packed: &mut [[f32; ROWS]]) {
    for (strip, packed) in packed.chunks_exact_mut(depth).take(rows.div_ceil(ROWS)).enumerate() {
        let height = ROWS.min(rows - strip * ROWS);
        let values = &a.values[(top + strip * ROWS) * a.row_stride + from * a.column_stride..];
        if height < ROWS {
            packed.fill([0.0; ROWS]);
        }
        if a.row_stride == 1 && height == ROWS {
            // A transposed matrix: the numbers of a step lie side by side.
            for (packed, values) in packed.iter_mut().zip(values.chunks(a.column_stride)) {
                packed.copy_from_slice(&values[..ROWS]);
            }
        } else if a.column_stride == 1 && height == ROWS {
            let rows: [&[f32]; ROWS] = std::array::from_fn(|row| &values[row * a.row_stride..][..depth]);
            for (step, packed) in packed.iter_mut().enumerate() {
                *packed = rows.map(|row| row[step]);
            }
        } else {
            for (step, packed) in packed.iter_mut().enumerate() {
                for (row, packed) in packed.iter_mut().enumerate().take(height) {
                    *packed = values[row * a.row_stride + step * a.column_stride];
                }
            }
        }
    }
}
