//! Eigenvectors of a symmetric matrix, on the host in f64: what a basis of principal axes is made of.
//!
//! Householder reflections make the matrix tridiagonal, QR steps with Wilkinson's shift make it diagonal (Golub and
//! Van Loan, Matrix Computations, sections 8.3.1 and 8.3.2). Vectors are rows throughout, so that every inner loop runs
//! over neighbouring numbers. In a browser a width of 384 takes 0.3 s,
//! one of 1,024 2.6 s.

use crate::Matrix;

/// QR steps per eigenvalue after which a matrix is given up; two are usual.
const MOST_STEPS: usize = 60;

/// Eigenvalues and eigenvectors of a symmetric matrix.
#[derive(Clone, Debug, PartialEq)]
pub struct Eigen {
    /// Largest first.
    pub values: Vec<f64>,
    /// `[n, n]`, one a row, orthonormal; the entry of largest magnitude is positive, so that equal matrices give equal
    /// vectors.
    pub vectors: Matrix,
}

/// A symmetric tridiagonal matrix `Q A Qᵀ` and the reflections that `Q` is the product of.
struct Tridiagonal {
    diagonal: Vec<f64>,
    beside: Vec<f64>,
    /// Of each step the vector `v` and its factor `β`: `I − β v vᵀ` acts on the last `v.len()` places.
    reflections: Vec<(Vec<f64>, f64)>,
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// `row += factor · other`.
fn add_scaled(row: &mut [f64], factor: f64, other: &[f64]) {
    row.iter_mut().zip(other).for_each(|(value, other)| *value += factor * other);
}

impl Matrix {
    /// Eigenvalues and eigenvectors of a symmetric matrix; `None` where a number is not finite.
    pub fn eigen_symmetric(&self) -> Option<Eigen> {
        let size = self.rows;
        if self.columns != size || self.values.iter().any(|value| !value.is_finite()) {
            return None;
        }
        let Tridiagonal { mut diagonal, mut beside, reflections } = tridiagonal(self);
        let mut rows: Vec<Vec<f64>> = Self::identity(size).values.chunks(size.max(1)).map(<[f64]>::to_vec).collect();
        diagonalise(&mut diagonal, &mut beside, &mut rows)?;
        let mut order: Vec<usize> = (0..size).collect();
        order.sort_by(|&one, &other| diagonal[other].total_cmp(&diagonal[one]));
        let mut vectors = Self::zeros(size, size);
        for (vector, &from) in vectors.values.chunks_mut(size.max(1)).zip(&order) {
            vector.copy_from_slice(&rows[from]);
            // An eigenvector of `Q A Qᵀ` comes back through `Qᵀ`.
            for (v, beta) in reflections.iter().rev() {
                let part = &mut vector[size - v.len()..];
                let along = beta * dot(part, v);
                add_scaled(part, -along, v);
            }
            let largest = vector
                .iter()
                .copied()
                .fold(0.0, |most: f64, value| if value.abs() > most.abs() { value } else { most });
            if largest < 0.0 {
                vector.iter_mut().for_each(|value| *value = -*value);
            }
        }
        Some(Eigen { values: order.iter().map(|&at| diagonal[at]).collect(), vectors })
    }
}

/// Reflects column after column onto its first place below the diagonal.
fn tridiagonal(matrix: &Matrix) -> Tridiagonal {
    let size = matrix.rows;
    let mut left = matrix.values.clone();
    let (mut diagonal, mut beside, mut reflections) = (Vec::with_capacity(size), Vec::new(), Vec::new());
    for step in 0..size {
        diagonal.push(left[step * size + step]);
        let after = step + 1;
        if after == size {
            break;
        }
        // The row is the column: the matrix is symmetric.
        let mut v = left[step * size + after..after * size].to_vec();
        let length = dot(&v, &v).sqrt();
        // Away from the first entry, so that nothing cancels.
        let target = if v[0] > 0.0 { -length } else { length };
        let first = v[0];
        v[0] -= target;
        let square = dot(&v, &v);
        if v.len() == 1 || square == 0.0 {
            beside.push(first);
            continue;
        }
        beside.push(target);
        let beta = 2.0 / square;
        reflect(&mut left, size, after, &v, beta);
        reflections.push((v, beta));
    }
    Tridiagonal { diagonal, beside, reflections }
}

/// `A ← H A H` with `H = I − β v vᵀ`, on rows and columns from `first` on.
fn reflect(values: &mut [f64], size: usize, first: usize, v: &[f64], beta: f64) {
    let rows = || first..size;
    let mut w: Vec<f64> = rows().map(|row| beta * dot(&values[row * size + first..(row + 1) * size], v)).collect();
    let along = beta / 2.0 * dot(&w, v);
    add_scaled(&mut w, -along, v);
    for (at, row) in rows().enumerate() {
        let line = &mut values[row * size + first..(row + 1) * size];
        let (of_v, of_w) = (v[at], w[at]);
        line.iter_mut().zip(v.iter().zip(&w)).for_each(|(value, (v, w))| *value -= of_v * w + of_w * v);
    }
}

/// Takes the entries beside the diagonal to 0 from the last on; `rows` turn with them. `None` when that takes for ever.
fn diagonalise(diagonal: &mut [f64], beside: &mut [f64], rows: &mut [Vec<f64>]) -> Option<()> {
    let is_small = |diagonal: &[f64], beside: &[f64], at: usize| {
        beside[at].abs() <= f64::EPSILON * (diagonal[at].abs() + diagonal[at + 1].abs())
    };
    let mut last = diagonal.len().saturating_sub(1);
    let mut steps = 0;
    while last > 0 {
        if is_small(diagonal, beside, last - 1) {
            beside[last - 1] = 0.0;
            (last, steps) = (last - 1, 0);
            continue;
        }
        let first = (0..last - 1).rev().find(|&at| is_small(diagonal, beside, at)).map_or(0, |at| at + 1);
        if steps == MOST_STEPS {
            return None;
        }
        steps += 1;
        qr_step(diagonal, beside, rows, first..last);
    }
    Some(())
}

/// One implicit QR step on the places of a block and the one behind them.
fn qr_step(diagonal: &mut [f64], beside: &mut [f64], rows: &mut [Vec<f64>], block: std::ops::Range<usize>) {
    let last = block.end;
    // Wilkinson's shift: the eigenvalue of the last 2 × 2 that is nearer to its last entry.
    let (half, corner) = ((diagonal[last - 1] - diagonal[last]) / 2.0, beside[last - 1]);
    let reach = half.hypot(corner);
    let shift = diagonal[last] - corner * (corner / (half + if half < 0.0 { -reach } else { reach }));
    let (mut along, mut bulge) = (diagonal[block.start] - shift, beside[block.start]);
    for at in block.clone() {
        let length = along.hypot(bulge);
        let (cosine, sine) = if length > 0.0 { (along / length, bulge / length) } else { (1.0, 0.0) };
        if at > block.start {
            beside[at - 1] = length;
        }
        let (upper, lower, between) = (diagonal[at], diagonal[at + 1], beside[at]);
        let mixed = 2.0 * cosine * sine * between;
        diagonal[at] = cosine * cosine * upper + mixed + sine * sine * lower;
        diagonal[at + 1] = sine * sine * upper - mixed + cosine * cosine * lower;
        beside[at] = cosine * sine * (lower - upper) + (cosine * cosine - sine * sine) * between;
        if at + 1 < last {
            (along, bulge) = (beside[at], sine * beside[at + 1]);
            beside[at + 1] *= cosine;
        }
        let (above, below) = rows.split_at_mut(at + 1);
        for (upper, lower) in above[at].iter_mut().zip(&mut below[0]) {
            (*upper, *lower) = (cosine * *upper + sine * *lower, cosine * *lower - sine * *upper);
        }
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

    /// `Vᵀ diag(values) V`.
    fn of(Eigen { values, vectors }: &Eigen) -> Matrix {
        let mut scaled = vectors.clone();
        for (row, value) in scaled.values.chunks_mut(vectors.columns).zip(values) {
            row.iter_mut().for_each(|entry| *entry *= value);
        }
        vectors.transposed().times(&scaled)
    }

    #[test]
    fn eigenvectors_are_orthonormal_ordered_and_give_the_matrix_back() {
        for size in [1, 2, 3, 8, 61] {
            // A Gram matrix of full rank, one of half the rank, and one whose columns differ a million times.
            let full = noise(2 * size, size, 1);
            let half = noise(size.div_ceil(2), size, 2);
            let mut uneven = noise(2 * size, size, 3);
            uneven.values.iter_mut().step_by(size).for_each(|value| *value *= 1e3);
            for columns in [full, half, uneven] {
                let gram = columns.transposed().times(&columns);
                let scale = gram.values.iter().fold(0.0, |most: f64, value| most.max(value.abs()));
                let eigen = gram.eigen_symmetric().unwrap();
                let products = eigen.vectors.times(&eigen.vectors.transposed());
                assert!(distance(&products, &Matrix::identity(size)) < 1e-12, "{size}");
                assert!(distance(&of(&eigen), &gram) < 1e-12 * scale, "{size}");
                assert!(eigen.values.windows(2).all(|two| two[0] >= two[1]), "{:?}", eigen.values);
                assert!(eigen.values.iter().all(|value| *value > -1e-12 * scale), "{:?}", eigen.values);
            }
        }
    }

    #[test]
    fn known_eigenvalues_are_found_and_those_that_are_equal_too() {
        // The path of n places: 2 − 2 cos(k π / (n + 1)).
        let size = 40;
        let mut path = Matrix::identity(size).scaled(2.0);
        for at in 1..size {
            path.values[at * size + at - 1] = -1.0;
            path.values[(at - 1) * size + at] = -1.0;
        }
        let found = path.eigen_symmetric().unwrap().values;
        for (at, value) in found.iter().enumerate() {
            let expected = 2.0 - 2.0 * (std::f64::consts::PI * (size - at) as f64 / (size + 1) as f64).cos();
            assert!((value - expected).abs() < 1e-13, "{at}: {value}, expected {expected}");
        }
        let same = Matrix::identity(5).scaled(3.0).eigen_symmetric().unwrap();
        assert_eq!((same.values, same.vectors), (vec![3.0; 5], Matrix::identity(5)));
        let none = Matrix::zeros(4, 4).eigen_symmetric().unwrap();
        assert_eq!((none.values, none.vectors), (vec![0.0; 4], Matrix::identity(4)));
    }

    #[test]
    fn what_has_no_eigenvectors_is_refused() {
        let mut broken = Matrix::identity(3);
        broken.values[1] = f64::NAN;
        assert_eq!(broken.eigen_symmetric(), None);
        assert_eq!(noise(2, 3, 1).eigen_symmetric(), None);
        assert_eq!(Matrix::zeros(0, 0).eigen_symmetric().map(|eigen| eigen.values), Some(Vec::new()));
    }
}
