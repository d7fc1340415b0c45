//! Gram products against plain f64 sums on odd sizes.
use burn::tensor::{Device, Tensor, TensorData};
use heirloom_nn::device::{read, uniform};
use heirloom_nn::kernels::cka::{gram, own_squares, pair_squares, pair_squares_by_features, prefers_gram};

fn stack([sets, examples, width]: [usize; 3], seed: u32) -> Vec<f32> {
    uniform(sets * examples * width, seed, 1.5)
}

fn on(values: &[f32], shape: [usize; 3], device: &Device) -> Tensor<3> {
    Tensor::from_data(TensorData::new(values.to_vec(), shape), device)
}

/// `‖AᵀB‖²` of one set each, `[examples, p]` and `[examples, q]`.
fn square(a: &[f32], b: &[f32], p: usize, q: usize) -> f64 {
    let products = (0..p).flat_map(|i| (0..q).map(move |j| (i, j))).map(|(i, j)| {
        let rows = a.chunks(p).zip(b.chunks(q));
        rows.map(|(a, b)| f64::from(a[i]) * f64::from(b[j])).sum::<f64>()
    });
    products.map(|product| product * product).sum()
}

fn assert_near(found: &[f32], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!((f64::from(*found) / expected - 1.0).abs() < 2e-5, "found {found}, expected {expected}");
    }
}

/// More features than examples, and the other way round; whole tiles and rests.
const CASES: [([usize; 3], [usize; 3]); 5] = [
    ([1, 1, 1], [1, 1, 1]),
    ([3, 5, 37], [2, 5, 18]),
    ([2, 35, 7], [3, 35, 19]),
    ([1, 16, 16], [2, 16, 32]),
    ([2, 50, 1], [1, 50, 17]),
];

on_every_engine! {
    async fn pair_squares_equal_plain_sums_in_either_form(device: Device) {
        let mut preferred = [false; 2];
        for (left, right) in CASES {
            let (a, b) = (stack(left, 1), stack(right, 2));
            let [_, examples, p] = left;
            let q = right[2];
            let sets = a.chunks(examples * p);
            let expected: Vec<f64> =
                sets.flat_map(|a| b.chunks(examples * q).map(move |b| square(a, b, p, q))).collect();
            preferred[usize::from(prefers_gram(left, right))] = true;
            let pairs = pair_squares(on(&a, left, &device), on(&b, right, &device));
            assert_eq!(pairs.dims(), [left[0], right[0]]);
            assert_near(&read(pairs).await.unwrap(), &expected);
            let pairs = pair_squares_by_features(on(&a, left, &device), on(&b, right, &device));
            assert_near(&read(pairs).await.unwrap(), &expected);
            let own: Vec<f64> = a.chunks(examples * p).map(|a| square(a, a, p, p)).collect();
            assert_near(&read(own_squares(on(&a, left, &device))).await.unwrap(), &own);
        }
        assert_eq!(preferred, [true, true], "both forms must be tried");
    }

    async fn gram_holds_every_product_of_examples_and_is_symmetric(device: Device) {
        for shape @ [sets, examples, width] in [[1, 1, 3], [2, 17, 5], [3, 40, 33]] {
            let values = stack(shape, 3);
            let found = read(gram(on(&values, shape, &device))).await.unwrap();
            assert_eq!(found.len(), sets * examples * examples);
            for (set, found) in values.chunks(examples * width).zip(found.chunks(examples * examples)) {
                for (at, found) in found.iter().enumerate() {
                    let row = |row: usize| &set[row * width..][..width];
                    let (a, b) = (row(at / examples), row(at % examples));
                    let expected: f64 = a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
                    assert!((f64::from(*found) - expected).abs() < 1e-4, "found {found}, expected {expected}");
                }
            }
        }
    }

    async fn products_take_features_under_training_and_carry_no_gradient(device: Device) {
        let device = device.autodiff();
        let features = on(&stack([1, 4, 3], 4), [1, 4, 3], &device).require_grad();
        assert!(!pair_squares_by_features(features.clone(), features.clone()).is_autodiff());
        assert!(!own_squares(features).is_autodiff());
    }
}
