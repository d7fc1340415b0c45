//! Start values of stitch layers from planted maps.

use heirloom_learngene::Matrix;
use heirloom_learngene::pool::{LearnedMaps, learned, pseudo_inverse, random};

fn matrix(rows: usize, values: &[f64]) -> Matrix {
    Matrix { rows, columns: values.len() / rows, values: values.to_vec() }
}

/// `M_front: 3 → 2` and `M_end`.
fn maps(end: Option<Matrix>) -> (LearnedMaps, LearnedMaps) {
    (LearnedMaps(Some(matrix(2, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]))), LearnedMaps(end))
}

#[test]
fn the_learned_start_is_the_transposed_map_of_the_front() {
    let (front, end) = maps(None);
    let fit = learned(([2, 3], &front, &end));
    assert_eq!(fit.weight, matrix(3, &[1.0, 4.0, 2.0, 5.0, 3.0, 6.0]));
    assert_eq!(fit.bias, [0.0; 3]);
}

#[test]
fn an_end_narrower_than_the_ancestor_puts_its_own_map_behind() {
    // The ancestor has 3 channels, the end 1, the front 2: W = M_end · M_frontᵀ.
    let (front, end) = maps(Some(matrix(1, &[1.0, 10.0, 100.0])));
    let fit = learned(([2, 1], &front, &end));
    assert_eq!(fit.weight, matrix(1, &[321.0, 654.0]));
    // At the ancestor's own width the end's map is not used.
    let (front, end) = maps(Some(matrix(3, &[9.0; 9])));
    assert_eq!(learned(([2, 3], &front, &end)).weight, matrix(3, &[1.0, 4.0, 2.0, 5.0, 3.0, 6.0]));
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
    assert_eq!(learned(([2, 2], &front, &end)).weight, Matrix::identity(2));
    assert_eq!(pseudo_inverse(([2, 2], &front, &end)).weight, Matrix::identity(2));
    assert_ne!(random([2, 3], 0, 1), random([2, 3], 1, 1));
    assert_ne!(random([2, 3], 0, 1), random([2, 3], 0, 2));
    assert_eq!(random([2, 3], 0, 1), random([2, 3], 0, 1));
}
