//! The least-squares start.

use burn::tensor::{Device, Tensor, TensorData};
use heirloom_learngene::Matrix;
use heirloom_learngene::stitch::{AffineFit, StitchFit, StitchNet, Sums};
use heirloom_nn::device::uniform;
use heirloom_nn::vit::Hooks;

use super::{model, pictures};

fn planted(input: usize, output: usize, seed: u32) -> AffineFit {
    AffineFit {
        weight: Matrix::from_f32(output, input, &uniform(output * input, seed, 1.0)),
        bias: uniform(output, seed + 1, 1.0).into_iter().map(f64::from).collect(),
    }
}

fn distance(found: &AffineFit, expected: &AffineFit) -> f64 {
    let weights = found.weight.values.iter().zip(&expected.weight.values);
    weights.chain(found.bias.iter().zip(&expected.bias)).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

on_every_engine! {
    async fn least_squares_recovers_planted_affine_maps(device: Device) {
        let maps = [planted(6, 4, 10), planted(6, 4, 20)];
        let mut sums = Sums::default();
        for batch in 0..3 {
            let values = uniform(2 * 20 * 6, 30 + batch, 1.0);
            let x: Tensor<3> = Tensor::from_data(TensorData::new(values, [2, 20, 6]), &device);
            let y = |map: &AffineFit| map.linear(&device).forward(x.clone());
            sums.add(x.clone(), maps.iter().map(y).collect()).await.unwrap();
        }
        let found = sums.solve();
        assert_eq!(found.len(), 2);
        for (found, expected) in found.iter().zip(&maps) {
            assert!(distance(found, expected) < 1e-4, "{}", distance(found, expected));
        }
    }

    async fn a_column_a_hundred_times_as_large_as_the_others_does_not_drown_them(device: Device) {
        let map = planted(4, 2, 40);
        let mut values = uniform(90 * 4, 50, 1.0);
        values.iter_mut().step_by(4).for_each(|value| *value = 300.0 + 100.0 * *value);
        let x: Tensor<3> = Tensor::from_data(TensorData::new(values.clone(), [3, 30, 4]), &device);
        // In f64: the map itself must not lose the digits.
        let y: Vec<f32> = values.chunks(4).flat_map(|x| {
            let row = |row: usize| {
                let weights = map.weight.values[row * 4..(row + 1) * 4].iter().zip(x);
                (map.bias[row] + weights.map(|(weight, x)| weight * f64::from(*x)).sum::<f64>()) as f32
            };
            [row(0), row(1)]
        }).collect();
        let y: Tensor<3> = Tensor::from_data(TensorData::new(y, [3, 30, 2]), &device);
        let mut sums = Sums::default();
        sums.add(x, vec![y]).await.unwrap();
        let found = &sums.solve()[0];
        let weights = found.weight.values.iter().zip(&map.weight.values).map(|(a, b)| (a - b).abs());
        assert!(weights.fold(0.0, f64::max) < 1e-4, "{found:?}, planted {map:?}");
    }

    async fn a_model_stitched_to_itself_is_fitted_with_the_identity_where_the_layers_follow(device: Device) {
        // Front and end are the same model, so the pair (j, j + 1) is fitted by the identity exactly; the pairs it
        // shares its layer with pull the mean elsewhere, so this looks at the sums of one pair.
        let model = model(3, 8, 3, &device).await;
        let net = StitchNet::new(vec![model.clone(), model.clone()], &device).unwrap();
        let mut fit = StitchFit::default();
        for _ in 0..2 {
            fit.add(&net, pictures(12, &device)).await.unwrap();
        }
        let fits = fit.finish(&net);
        assert_eq!(fits.len(), 2);
        assert!(fits.iter().all(|fit| fit.weight.values.iter().chain(&fit.bias).all(|value| value.is_finite())));
        let mut tokens = Vec::new();
        let mut see = |_: usize, seen: &Tensor<3>| tokens.push(seen.clone());
        model.logits(pictures(12, &device), &mut Hooks { tokens: Some(&mut see), ..Default::default() });
        let mut sums = Sums::default();
        sums.add(tokens[0].clone(), vec![tokens[0].clone(), tokens[1].clone()]).await.unwrap();
        let solved = sums.solve();
        let identity = AffineFit::linear_map(Matrix::identity(8));
        assert!(distance(&solved[0], &identity) < 1e-3, "{}", distance(&solved[0], &identity));
        assert!(distance(&solved[1], &identity) > 1e-2);
    }
}
