//! What CKA must hold exactly, and the choice it leads to.
use burn::tensor::{Device, Tensor, TensorData};
use heirloom_learngene::Initializer;
use heirloom_learngene::layers::{
    Cka, CkaError, Estimator, LayersPlan, Score, WholeLayers, best, layer_features, ranking,
};
use heirloom_nn::device::uniform;
use heirloom_nn::model::Model;
use heirloom_nn::vit::Vit;

use crate::cluster::inherit::{pictures, small, state};

const BOTH: [Estimator; 2] = [Estimator::Plain, Estimator::Unbiased];

fn features(examples: usize, width: usize, seed: u32) -> Vec<f32> {
    // Shifted, so that nobody may forget to centre.
    uniform(examples * width, seed, 1.0).into_iter().enumerate().map(|(i, x)| x + 0.5 + (i % width) as f32).collect()
}

fn on(values: &[f32], width: usize, device: &Device) -> Tensor<2> {
    Tensor::from_data(TensorData::new(values.to_vec(), [values.len() / width, width]), device)
}

async fn compared(estimator: Estimator, left: &[Tensor<2>], right: &[Tensor<2>]) -> Vec<Vec<f64>> {
    let mut cka = Cka::new(estimator);
    cka.add(left, right).await.unwrap();
    cka.similarity()
}

/// Gram matrix of examples, in f64.
fn gram(values: &[f32], width: usize) -> Vec<Vec<f64>> {
    let row = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
    values.chunks(width).map(|a| values.chunks(width).map(|b| row(a, b)).collect()).collect()
}

/// HSIC written out: `tr(KHLH)` (its factor cancels in CKA), or the unbiased form with zeros on the diagonals.
fn hsic(estimator: Estimator, k: &[Vec<f64>], l: &[Vec<f64>]) -> f64 {
    let n = k.len();
    let size = n as f64;
    let pairs = || (0..n).flat_map(|i| (0..n).map(move |j| (i, j)));
    match estimator {
        Estimator::Plain => {
            let centred = |m: &[Vec<f64>], i: usize, j: usize| {
                let row = |i: usize| m[i].iter().sum::<f64>() / size;
                let all = (0..n).map(row).sum::<f64>() / size;
                m[i][j] - row(i) - row(j) + all
            };
            pairs().map(|(i, j)| centred(k, i, j) * centred(l, i, j)).sum()
        }
        Estimator::Unbiased => {
            let off = |m: &[Vec<f64>], i: usize, j: usize| if i == j { 0.0 } else { m[i][j] };
            let total = |m: &[Vec<f64>]| pairs().map(|(i, j)| off(m, i, j)).sum::<f64>();
            let row = |m: &[Vec<f64>], i: usize| (0..n).map(|j| off(m, i, j)).sum::<f64>();
            let trace: f64 = pairs().map(|(i, j)| off(k, i, j) * off(l, i, j)).sum();
            let rows: f64 = (0..n).map(|i| row(k, i) * row(l, i)).sum();
            let middle = total(k) * total(l) / ((size - 1.0) * (size - 2.0));
            (trace + middle - 2.0 / (size - 2.0) * rows) / (size * (size - 3.0))
        }
    }
}

/// Turns every row by a chain of plane rotations: an orthogonal map.
fn rotated(values: &[f32], width: usize) -> Vec<f32> {
    let turn = |row: &[f32]| {
        let mut row: Vec<f64> = row.iter().copied().map(f64::from).collect();
        for axis in 1..width {
            let (sin, cos) = (0.7 + axis as f64).sin_cos();
            let (a, b) = (row[axis - 1], row[axis]);
            (row[axis - 1], row[axis]) = (cos * a - sin * b, sin * a + cos * b);
        }
        row.into_iter().map(|x| x as f32)
    };
    values.chunks(width).flat_map(turn).collect()
}

on_every_engine! {
    async fn cka_equals_the_formula_written_out_in_f64_on_odd_sizes(device: Device) {
        for (examples, widths) in [(5, [3, 3, 7]), (21, [17, 4, 4]), (9, [33, 33, 33])] {
            let left: Vec<_> = widths.iter().zip(1..).map(|(&width, seed)| features(examples, width, seed)).collect();
            let right: Vec<_> = [6, 2].iter().zip(10..).map(|(&width, seed)| features(examples, width, seed)).collect();
            let on_left: Vec<_> = left.iter().zip(widths).map(|(x, width)| on(x, width, &device)).collect();
            let on_right: Vec<_> = right.iter().zip([6, 2]).map(|(x, width)| on(x, width, &device)).collect();
            for estimator in BOTH {
                let found = compared(estimator, &on_left, &on_right).await;
                assert_eq!((found.len(), found[0].len()), (3, 2));
                for (i, j) in (0..3).flat_map(|i| (0..2).map(move |j| (i, j))) {
                    let (k, l) = (gram(&left[i], widths[i]), gram(&right[j], [6, 2][j]));
                    let own = hsic(estimator, &k, &k) * hsic(estimator, &l, &l);
                    let expected = hsic(estimator, &k, &l) / own.sqrt();
                    let found = found[i][j];
                    assert!((found - expected).abs() < 2e-4, "{estimator:?} {i},{j}: {found}, expected {expected}");
                }
            }
        }
    }

    async fn a_layer_is_wholly_like_itself_turned_scaled_and_shifted(device: Device) {
        for (examples, width) in [(8, 5), (7, 20), (30, 12)] {
            let plain = features(examples, width, 5);
            let scaled: Vec<f32> = rotated(&plain, width).iter().map(|x| 3.5 * x - 2.0).collect();
            let other = features(examples, width, 6);
            let left = [on(&plain, width, &device)];
            let right = [&plain, &scaled, &other].map(|values| on(values, width, &device));
            for estimator in BOTH {
                let row = compared(estimator, &left, &right).await.remove(0);
                assert!((row[0] - 1.0).abs() < 1e-6, "{estimator:?}: itself {}", row[0]);
                assert!((row[1] - 1.0).abs() < 1e-4, "{estimator:?}: turned {}", row[1]);
                assert!(row[2] < 0.9, "{estimator:?}: unrelated {}", row[2]);
            }
        }
    }

    async fn a_pseudo_descendant_of_copies_of_a_layer_selects_that_layer(device: Device) {
        let config = small();
        let ancestor = Vit::load(&config, &mut state(&config, 3), &device).await.unwrap();
        let ancestor = layer_features(&[&Model::from(ancestor)], &pictures(2, 16, &device)).remove(0);
        assert_eq!(ancestor.iter().map(Tensor::dims).collect::<Vec<_>>(), [[34, 64]; 3]);
        for planted in 0..3 {
            let copies = [ancestor[planted].clone(), ancestor[planted].clone() * -0.25];
            for estimator in BOTH {
                let similarity = compared(estimator, &ancestor, &copies).await;
                for score in [Score::Mean, Score::Max] {
                    let scores = score.of(&similarity);
                    assert_eq!(best(&scores, 1), [planted], "{estimator:?}, {score:?}: {scores:?}");
                    assert!((scores[planted] - 1.0).abs() < 1e-4);
                }
            }
        }
    }

    async fn inherited_layers_of_a_model_are_found_again_among_the_ancestors(device: Device) {
        let config = small();
        let ancestor: Model = Vit::load(&config, &mut state(&config, 3), &device).await.unwrap().into();
        let start = WholeLayers::new(ancestor.clone(), LayersPlan::first(2, 2), 3, 16).unwrap();
        let pseudo = start.start(1).await.unwrap().fold();
        let features = layer_features(&[&ancestor, &pseudo], &pictures(2, 16, &device));
        let similarity = compared(Estimator::Unbiased, &features[0], &features[1]).await;
        for layer in 0..2 {
            let column: Vec<f64> = similarity.iter().map(|row| row[layer]).collect();
            assert_eq!(ranking(&column)[0], layer, "{column:?}");
            assert!((column[layer] - 1.0).abs() < 1e-4);
        }
    }

    async fn features_that_cannot_be_compared_are_refused_with_a_sentence(device: Device) {
        let layer = |examples| on(&features(examples, 3, 1), 3, &device);
        let mut cka = Cka::new(Estimator::Unbiased);
        let few = cka.add(&[layer(3)], &[layer(3)]).await.unwrap_err();
        assert!(matches!(few, CkaError::FewExamples { found: 3, least: 4 }), "{few}");
        let other = cka.add(&[layer(5)], &[layer(6)]).await.unwrap_err();
        assert!(matches!(other, CkaError::Examples { found: 6, expected: 5 }), "{other}");
        assert_eq!(cka.batches(), 0);
        let constant = Tensor::<2>::ones([5, 3], &device);
        assert_eq!(compared(Estimator::Unbiased, &[layer(5)], &[constant]).await, [[0.0]]);
    }
}

#[test]
fn the_best_layers_come_in_the_ancestors_order_and_ties_go_to_the_lower() {
    let similarity = [[0.2, 0.4], [0.9, 0.0], [0.5, 0.5], [0.3, 0.3]].map(Vec::from);
    let [mean, max] = [Score::Mean, Score::Max].map(|score| score.of(&similarity));
    assert_eq!(ranking(&mean), [2, 1, 0, 3]);
    assert_eq!(best(&mean, 2), [1, 2]);
    assert_eq!(ranking(&max), [1, 2, 0, 3]);
    assert_eq!(best(&[0.5, 0.5, 0.5], 2), [0, 1]);
    assert_eq!(best(&mean, 9), [0, 1, 2, 3]);
}

#[cfg(not(target_arch = "wasm32"))]
#[test]
fn many_small_batches_estimate_the_whole_without_bias() {
    pollster::block_on(async {
        let device = heirloom_nn::device::cpu();
        // Unrelated features: 0 for the whole set. Small batches with many channels make the plain form see likeness.
        let (batches, examples, width) = (60, 6, 12);
        let mut cka = [Cka::new(Estimator::Unbiased), Cka::new(Estimator::Plain)];
        for batch in 0..batches {
            let pair = [1, 2].map(|side| on(&uniform(examples * width, 100 * side + batch, 1.0), width, &device));
            for cka in &mut cka {
                cka.add(&pair[..1], &pair[1..]).await.unwrap();
            }
        }
        let [unbiased, plain] = cka.map(|cka| cka.similarity()[0][0]);
        assert!(unbiased.abs() < 0.15, "without bias {unbiased}");
        assert!(plain > 0.5, "the plain form on few examples {plain}");
    });
}
