//! Start values of stitch layers from planted maps.

use heirloom_learngene::Matrix;
use heirloom_learngene::pool::{LearnedMaps, pseudo_inverse, random, transposed};

fn matrix(rows: usize, values: &[f64]) -> Matrix {
    Matrix { rows, columns: values.len() / rows, values: values.to_vec() }
}

/// Mean squared length of the rows of [`maps`]' front: (1 + 4 + 9 + 16 + 25 + 36) / 2.
const SQUARE: f64 = 45.5;

/// `M_front: 3 → 2` and `M_end`.
fn maps(end: Option<Matrix>) -> (LearnedMaps, LearnedMaps) {
    (LearnedMaps(Some(matrix(2, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]))), LearnedMaps(end))
}

#[test]
fn the_published_start_is_the_transposed_map_of_the_front_over_its_squared_row_length() {
    let (front, end) = maps(None);
    let fit = transposed(([2, 3], &front, &end));
    assert_eq!(fit.weight, matrix(3, &[1.0, 4.0, 2.0, 5.0, 3.0, 6.0]).scaled(1.0 / SQUARE));
    assert_eq!(fit.bias, [0.0; 3]);
    // Where rows are orthogonal and equally long, that undoes the map: small rows do not shrink tokens.
    let front = LearnedMaps(Some(matrix(2, &[0.0, 0.03, 0.04, 0.05, 0.0, 0.0])));
    let back = front.0.clone().unwrap().times(&transposed(([2, 3], &front, &end)).weight);
    assert!(back.values.iter().zip([1.0, 0.0, 0.0, 1.0]).all(|(found, expected)| (found - expected).abs() < 1e-12));
    let nothing = LearnedMaps(Some(Matrix::zeros(2, 3)));
    assert_eq!(transposed(([2, 3], &nothing, &end)).weight, Matrix::zeros(3, 2));
}

#[test]
fn an_end_narrower_than_the_ancestor_puts_its_own_map_behind() {
    // The ancestor has 3 channels, the end 1, the front 2: W = M_end · M_frontᵀ / s.
    let (front, end) = maps(Some(matrix(1, &[1.0, 10.0, 100.0])));
    let fit = transposed(([2, 1], &front, &end));
    for (found, expected) in fit.weight.values.iter().zip([321.0, 654.0]) {
        assert!((found - expected / SQUARE).abs() < 1e-12, "{fit:?}");
    }
    // At the ancestor's own width the end's map is not used.
    let (front, end) = maps(Some(matrix(3, &[9.0; 9])));
    let fit = transposed(([2, 3], &front, &end));
    assert_eq!(fit.weight, matrix(3, &[1.0, 4.0, 2.0, 5.0, 3.0, 6.0]).scaled(1.0 / SQUARE));
}

#[test]
fn the_pseudo_inverse_start_undoes_the_map() {
    let (front, end) = maps(None);
    let fit = pseudo_inverse(([2, 3], &front, &end));
    let back = front.0.clone().unwrap().times(&fit.weight);
    for (found, expected) in back.values.iter().zip([1.0, 0.0, 0.0, 1.0]) {
        assert!((found - expected).abs() < 1e-9, "{back:?}");
    }
    // M = [[1, 2, 3], [4, 5, 6]]: M⁺ = [[-17, 8], [-2, 2], [13, -4]] / 18.
    for (found, expected) in fit.weight.values.iter().zip([-17.0, 8.0, -2.0, 2.0, 13.0, -4.0]) {
        assert!((found - expected / 18.0).abs() < 1e-9, "{:?}", fit.weight);
    }
}

#[test]
fn models_of_one_width_start_with_the_identity_and_random_starts_differ_by_layer() {
    let (front, end) = maps(None);
    assert_eq!(transposed(([2, 2], &front, &end)).weight, Matrix::identity(2));
    assert_eq!(pseudo_inverse(([2, 2], &front, &end)).weight, Matrix::identity(2));
    assert_ne!(random([2, 3], 0, 1), random([2, 3], 1, 1));
    assert_ne!(random([2, 3], 0, 1), random([2, 3], 0, 2));
    assert_eq!(random([2, 3], 0, 1), random([2, 3], 0, 1));
}
