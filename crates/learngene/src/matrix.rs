//! Small dense matrices on the host in f64, for what is solved once: stitch layers, projections of kept heads.
//!
//! Normal equations square the condition number, which f32 on a device does not survive; sums are made there, solved
//! here.

/// A matrix, row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct Matrix {
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub columns: usize,
    /// `[rows * columns]`.
    pub values: Vec<f64>,
}

/// Ridge that is tried first when a matrix has no Cholesky factor, relative to its mean diagonal; then ten times as much.
const FIRST_RIDGE: f64 = 1e-12;

impl Matrix {
    /// All zeros.
    pub fn zeros(rows: usize, columns: usize) -> Self {
        Self { rows, columns, values: vec![0.0; rows * columns] }
    }

    /// From numbers of a device, `[rows * columns]`.
    pub fn from_f32(rows: usize, columns: usize, values: &[f32]) -> Self {
        debug_assert_eq!(values.len(), rows * columns);
        Self { rows, columns, values: values.iter().map(|&value| f64::from(value)).collect() }
    }

    /// For a device.
    pub fn to_f32(&self) -> Vec<f32> {
        self.values.iter().map(|&value| value as f32).collect()
    }

    /// Ones on the diagonal.
    pub fn identity(size: usize) -> Self {
        let mut identity = Self::zeros(size, size);
        identity.values.iter_mut().step_by(size + 1).for_each(|value| *value = 1.0);
        identity
    }

    /// `self + other`, value by value.
    pub fn add(&mut self, other: &Self) {
        self.values.iter_mut().zip(&other.values).for_each(|(value, other)| *value += other);
    }

    /// `self · factor`.
    pub fn scaled(mut self, factor: f64) -> Self {
        self.values.iter_mut().for_each(|value| *value *= factor);
        self
    }

    /// Mean of matrices of one shape; `None` of none.
    pub fn mean(all: &[Self]) -> Option<Self> {
        let (first, rest) = all.split_first()?;
        let mut sum = first.clone();
        rest.iter().for_each(|other| sum.add(other));
        Some(sum.scaled(1.0 / all.len() as f64))
    }

    /// Rows become columns.
    pub fn transposed(&self) -> Self {
        let mut turned = Self::zeros(self.columns, self.rows);
        for row in 0..self.rows {
            for column in 0..self.columns {
                turned.values[column * self.rows + row] = self.values[row * self.columns + column];
            }
        }
        turned
    }

    /// `self · other`.
    pub fn times(&self, other: &Self) -> Self {
        debug_assert_eq!(self.columns, other.rows);
        let mut product = Self::zeros(self.rows, other.columns);
        for (row, out) in self.values.chunks(self.columns).zip(product.values.chunks_mut(other.columns)) {
            for (factor, line) in row.iter().zip(other.values.chunks(other.columns)) {
                out.iter_mut().zip(line).for_each(|(out, value)| *out += factor * value);
            }
        }
        product
    }

    /// Solves `self · x = right` for a symmetric positive semi-definite `self`, by Cholesky.
    ///
    /// Where columns depend on each other there are many solutions; a ridge, as small as the numbers allow, then picks
    /// one close to the smallest.
    pub fn solve_symmetric(&self, right: &Self) -> Self {
        let size = self.rows;
        let mean = self.values.iter().step_by(size + 1).sum::<f64>() / size.max(1) as f64;
        let mut ridge = 0.0;
        loop {
            let mut shifted = self.clone();
            shifted.values.iter_mut().step_by(size + 1).for_each(|value| *value += ridge);
            if let Some(factor) = shifted.cholesky() {
                return factor.substitute(right);
            }
            // A matrix of zeros (or of NaN) ends here too, with the zero solution.
            if !(mean > 0.0 && ridge < mean) {
                return Self::zeros(size, right.columns);
            }
            ridge = (10.0 * ridge).max(FIRST_RIDGE * mean);
        }
    }

    /// Lower triangle `L` with `L · Lᵀ = self`; `None` when it is not positive definite to the numbers' precision.
    fn cholesky(&self) -> Option<Self> {
        let size = self.rows;
        let mut factor = Self::zeros(size, size);
        for row in 0..size {
            let (above, below) = factor.values.split_at_mut(row * size);
            for column in 0..=row {
                let other = if column == row { None } else { Some(&above[column * size..]) };
                let dot: f64 = match other {
                    Some(other) => below[..column].iter().zip(other).map(|(a, b)| a * b).sum(),
                    None => below[..column].iter().map(|a| a * a).sum(),
                };
                let rest = self.values[row * size + column] - dot;
                below[column] = match other {
                    Some(other) => rest / other[column],
                    // What is left of a dependent column is rounding.
                    None if rest > 1e-13 * self.values[row * size + row] => rest.sqrt(),
                    None => return None,
                };
            }
        }
        Some(factor)
    }

    /// Solves `L · Lᵀ · x = right` for a lower triangle.
    fn substitute(&self, right: &Self) -> Self {
        let (size, columns) = (self.rows, right.columns);
        let mut x = right.clone();
        let subtract = |x: &mut Self, from: usize, row: usize, factor: f64| {
            for column in 0..columns {
                x.values[from * columns + column] -= factor * x.values[row * columns + column];
            }
        };
        let divide = |x: &mut Self, row: usize| {
            let pivot = self.values[row * size + row];
            x.values[row * columns..(row + 1) * columns].iter_mut().for_each(|value| *value /= pivot);
        };
        for row in 0..size {
            for before in 0..row {
                subtract(&mut x, row, before, self.values[row * size + before]);
            }
            divide(&mut x, row);
        }
        for row in (0..size).rev() {
            for after in row + 1..size {
                subtract(&mut x, row, after, self.values[after * size + row]);
            }
            divide(&mut x, row);
        }
        x
    }

    /// Moore-Penrose inverse of a matrix of full rank.
    pub fn pseudo_inverse(&self) -> Self {
        let turned = self.transposed();
        if self.rows <= self.columns {
            // Mᵀ (M Mᵀ)⁻¹
            return self.times(&turned).solve_symmetric(self).transposed();
        }
        turned.times(self).solve_symmetric(&turned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(rows: usize, columns: usize, seed: u32) -> Matrix {
        Matrix::from_f32(rows, columns, &heirloom_nn::device::uniform(rows * columns, seed, 1.0))
    }

    fn distance(a: &Matrix, b: &Matrix) -> f64 {
        a.values.iter().zip(&b.values).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
    }

    #[test]
    fn a_pseudo_inverse_undoes_a_wide_and_a_tall_matrix() {
        let (wide, tall) = (noise(3, 7, 1), noise(7, 3, 2));
        assert!(distance(&wide.times(&wide.pseudo_inverse()), &Matrix::identity(3)) < 1e-9);
        assert!(distance(&tall.pseudo_inverse().times(&tall), &Matrix::identity(3)) < 1e-9);
    }

    #[test]
    fn a_system_with_dependent_columns_is_solved_near_its_smallest_solution() {
        // The third column is the sum of the others: [1, 2, 0] and [0, 1, 1] give the same right side.
        let mut columns = noise(9, 2, 3);
        columns.values = columns.values.chunks(2).flat_map(|row| [row[0], row[1], row[0] + row[1]]).collect();
        columns.columns = 3;
        let planted = Matrix { rows: 3, columns: 1, values: vec![1.0, 2.0, 0.0] };
        let gram = columns.transposed().times(&columns);
        let found = gram.solve_symmetric(&gram.times(&planted));
        assert!(distance(&columns.times(&found), &columns.times(&planted)) < 1e-4);
        // The smallest of [1 - t, 2 - t, t] has t = 1.
        assert!(distance(&found, &Matrix { rows: 3, columns: 1, values: vec![0.0, 1.0, 1.0] }) < 1e-3, "{found:?}");
    }
}
