//! AdamW against closed forms, PyTorch's formula and burn's own; clipping; groups; its saved state.

use crate::support::assert_close;
use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::optim::{AdamWConfig, GradientsParams};
use burn::tensor::{Device, Tensor, TensorData};
use heirloom_nn::device::read;
use heirloom_nn::kernels::SquareSums;
use heirloom_nn::kernels::adamw::{AdamwNumbers, Adapted, adamw, adamw_reference};
use heirloom_train::{AdamWSettings, Decay, LrScale, Optimiser};

/// Parameters of each rank AdamW treats differently; names as in timm.
#[derive(Module, Debug)]
struct Small {
    cls_token: Param<Tensor<2>>,
    fc: Linear,
}

impl Small {
    fn new(device: &Device) -> Self {
        let ramp = |n: usize, at: f32| (0..n).map(|i| ((i * 7 + 3) % 11) as f32 * 0.1 - at).collect::<Vec<_>>();
        let linear = Linear {
            weight: Param::from_data(TensorData::new(ramp(15, 0.4), [5, 3]), device),
            bias: Some(Param::from_data(TensorData::new(ramp(3, 0.2), [3]), device)),
        };
        Self { cls_token: Param::from_data(TensorData::new(ramp(5, 0.5), [1, 5]), device), fc: linear }
    }

    /// A loss with non-trivial gradients everywhere; `strength` scales them.
    fn loss(&self, strength: f32) -> Tensor<1> {
        let rows = Tensor::<2>::from_floats(
            [[0.5, -1.0, 0.3, 0.9, -0.2], [1.5, 0.1, -0.7, 0.2, 0.4]],
            &self.cls_token.val().device(),
        );
        let out = self.fc.forward(rows + self.cls_token.val());
        (out.clone() * out).mean() * strength
    }

    async fn values(&self) -> Vec<f32> {
        let mut all = Vec::new();
        for tensor in [self.cls_token.val().flatten::<1>(0, 1), self.fc.weight.val().flatten(0, 1)] {
            all.extend(read(tensor).await.unwrap());
        }
        let bias = self.fc.bias.as_ref().unwrap().val();
        all.extend(read(bias).await.unwrap());
        all
    }
}

pub const PLAIN: AdamWSettings =
    AdamWSettings { betas: [0.9, 0.999], epsilon: 1e-8, weight_decay: 0.0, decay: Decay::Every, clip_norm: None };

/// PyTorch's documented AdamW, one number at a time in f64.
pub fn documented(parameter: f64, gradients: &[f64], lr: f64, decay: f64) -> f64 {
    let (mut p, mut m, mut v) = (parameter, 0.0, 0.0);
    for (t, g) in gradients.iter().enumerate() {
        p -= lr * decay * p;
        m = 0.9 * m + 0.1 * g;
        v = 0.999 * v + 0.001 * g * g;
        let (m_hat, v_hat) = (m / (1.0 - 0.9_f64.powi(t as i32 + 1)), v / (1.0 - 0.999_f64.powi(t as i32 + 1)));
        p -= lr * m_hat / (v_hat.sqrt() + 1e-8);
    }
    p
}

on_every_engine! {
    async fn first_step_of_adamw_moves_every_weight_by_the_learning_rate(device: Device) {
        let model = Small::new(&device.autodiff());
        let before = model.values().await;
        let loss = model.loss(1.0);
        let model = Optimiser::new(PLAIN).step(0.01, model, loss).model;
        let after = model.values().await;
        for (at, (a, b)) in before.iter().zip(&after).enumerate() {
            assert!(((a - b).abs() - 0.01).abs() < 1e-5, "weight {at} moved by {}", a - b);
        }
    }

    async fn fused_adamw_follows_pytorchs_formula_over_several_steps_on_odd_sizes(device: Device) {
        for elements in [1_usize, 3, 77, 1031] {
            let start: Vec<f32> = (0..elements).map(|i| ((i * 37 % 101) as f32 - 50.0) * 0.01).collect();
            let gradient = |t: usize, i: usize| ((i * 13 + t * 29) % 17) as f64 * 0.1 - 0.75;
            let upload = |values: Vec<f32>| Tensor::<1>::from_data(TensorData::new(values, [elements]), &device);
            let zeros = || Tensor::<1>::zeros([elements], &device);
            let mut state = Adapted { parameter: upload(start.clone()), first: zeros(), second: zeros() };
            let mut reference = Adapted { parameter: upload(start.clone()), first: zeros(), second: zeros() };
            for t in 0..5 {
                let numbers = AdamwNumbers::new(0.05, 0.1, [0.9, 0.999], 1e-8, t as u64 + 1);
                let g = upload((0..elements).map(|i| gradient(t, i) as f32).collect());
                let one = Tensor::<1>::ones([1], &device);
                state = adamw(state, g.clone(), one.clone(), numbers);
                reference = adamw_reference(reference, g, one, numbers);
            }
            let expected: Vec<f32> = (0..elements)
                .map(|i| {
                    let gradients: Vec<f64> = (0..5).map(|t| gradient(t, i)).collect();
                    documented(f64::from(start[i]), &gradients, 0.05, 0.1) as f32
                })
                .collect();
            for result in [state, reference] {
                let got = read(result.parameter).await.unwrap();
                assert_close(&got, &expected, 2e-6);
            }
        }
    }

    async fn fused_adamw_leaves_a_second_handle_of_its_tensors_alone(device: Device) {
        let start = Tensor::<1>::from_floats([1.0, 2.0, 3.0], &device);
        let zeros = Tensor::<1>::zeros([3], &device);
        let state = Adapted { parameter: start.clone(), first: zeros.clone(), second: zeros.clone() };
        let numbers = AdamwNumbers::new(0.1, 0.0, [0.9, 0.999], 1e-8, 1);
        let gradient = Tensor::<1>::from_floats([1.0, -1.0, 1.0], &device);
        let after = adamw(state, gradient, Tensor::ones([1], &device), numbers);
        let after = read(after.parameter).await.unwrap();
        assert_close(&after, &[0.9, 2.1, 2.9], 1e-5);
        assert_close(&read(start).await.unwrap(), &[1.0, 2.0, 3.0], 0.0);
        assert_close(&read(zeros).await.unwrap(), &[0.0; 3], 0.0);
    }

    async fn sum_of_squares_equals_its_definition_on_odd_sizes_and_turned_tensors(device: Device) {
        assert!(SquareSums::default().total().is_none());
        let (mut together, mut total) = (SquareSums::default(), 0.0);
        // The last ones have several slots on WebGPU, and more elements than a pass over all of them takes.
        for shape in [[1, 1], [3, 5], [7, 16], [37, 29], [61, 67], [301, 499]] {
            let count = shape[0] * shape[1];
            let values: Vec<f32> = (0..count).map(|i| ((i * 37 % 101) as f32 - 50.0) * 0.01).collect();
            let expected: f64 = values.iter().map(|value| f64::from(*value) * f64::from(*value)).sum();
            let tensor = Tensor::<2>::from_data(TensorData::new(values, shape), &device);
            for tensor in [tensor.clone(), tensor.transpose()] {
                let mut alone = SquareSums::default();
                alone.add(tensor.clone());
                let got = read(alone.total().unwrap()).await.unwrap();
                assert_close(&got, &[expected as f32], 1e-5 * expected as f32);
                together.add(tensor);
                total += expected;
            }
        }
        let got = read(together.total().unwrap()).await.unwrap();
        assert_close(&got, &[total as f32], 1e-5 * total as f32);
    }

    async fn optimiser_equals_burns_adamw_over_ten_steps(device: Device) {
        let device = device.autodiff();
        let (mut ours, mut theirs) = (Small::new(&device), Small::new(&device));
        let mut optimiser = Optimiser::new(AdamWSettings { weight_decay: 0.05, ..PLAIN });
        let mut burns = AdamWConfig::new().with_epsilon(1e-8).with_weight_decay(0.05).init();
        for _ in 0..10 {
            let loss = ours.loss(1.0);
            ours = optimiser.step(0.02, ours, loss).model;
            let gradients = GradientsParams::from_grads(theirs.loss(1.0).backward(), &theirs);
            theirs = burns.step(0.02, theirs, gradients);
        }
        assert_close(&ours.values().await, &theirs.values().await, 2e-5);
    }

    async fn weight_decay_spares_vectors_and_tokens_unless_told_otherwise(device: Device) {
        let device = device.autodiff();
        for (decay, spared) in [(Decay::Weights, true), (Decay::Every, false)] {
            let mut moved = Vec::new();
            for weight_decay in [0.0, 0.5] {
                let model = Small::new(&device);
                let loss = model.loss(1.0);
                let settings = AdamWSettings { weight_decay, decay, ..PLAIN };
                moved.push(Optimiser::new(settings).step(0.1, model, loss).model.values().await);
            }
            let start = Small::new(&device).values().await;
            for at in 0..start.len() {
                let is_weight = (5..20).contains(&at);
                let expected = if is_weight || !spared { -0.1 * 0.5 * start[at] } else { 0.0 };
                let got = moved[1][at] - moved[0][at];
                assert!((got - expected).abs() < 1e-5, "{decay:?}, value {at}: {got}, expected {expected}");
            }
        }
    }

    async fn clipping_scales_all_gradients_by_their_global_norm(device: Device) {
        let device = device.autodiff();
        // With epsilon as large as the gradients, AdamW is no longer blind to their scale.
        let settings = AdamWSettings { epsilon: 1.0, ..PLAIN };
        let model = Small::new(&device);
        let loss = model.loss(100.0);
        let clip = AdamWSettings { clip_norm: Some(2.0), ..settings };
        let updated = Optimiser::new(clip).step(0.1, model, loss);
        let norm = updated.norm.expect("clipping reports the norm").into_scalar_async::<f32>().await.unwrap();
        assert!(norm > 2.0);
        let model = Small::new(&device);
        let loss = model.loss(100.0 * 2.0 / norm);
        let expected = Optimiser::new(settings).step(0.1, model, loss).model.values().await;
        assert_close(&updated.model.values().await, &expected, 1e-5);
        // A gradient below the limit is left alone.
        let model = Small::new(&device);
        let loss = model.loss(1e-3);
        let small = Optimiser::new(clip).step(0.1, model, loss).model.values().await;
        let model = Small::new(&device);
        let loss = model.loss(1e-3);
        assert_close(&small, &Optimiser::new(settings).step(0.1, model, loss).model.values().await, 1e-7);
    }

    async fn a_gradient_that_is_not_finite_changes_nothing(device: Device) {
        let device = device.autodiff();
        for (strength, clip_norm) in [(f32::NAN, None), (f32::INFINITY, None), (f32::NAN, Some(1.0)), (1e38, Some(1.0))] {
            let model = Small::new(&device);
            let before = model.values().await;
            let loss = model.loss(strength);
            let mut optimiser = Optimiser::new(AdamWSettings { weight_decay: 0.1, clip_norm, ..PLAIN });
            let model = optimiser.step(0.1, model, loss).model;
            assert_close(&model.values().await, &before, 0.0);
            let moments = optimiser.save().await.unwrap();
            assert_eq!(moments.tensors.len(), 6, "two moments of three parameters");
            assert!(moments.tensors.values().flat_map(|tensor| &tensor.values).all(|value| *value == 0.0));
        }
    }

    async fn each_group_of_parameters_moves_by_its_share_of_the_rate(device: Device) {
        let model = Small::new(&device.autodiff());
        let before = model.values().await;
        let group = |prefix: &str, scale: f64| LrScale { prefix: prefix.into(), scale };
        // The first group that names a parameter counts; the token is named by none.
        let groups = vec![group("fc.w", 0.1), group("fc.", 0.5), group("f", 9.0)];
        let mut optimiser = Optimiser::new(AdamWSettings { weight_decay: 0.05, ..PLAIN }).with_lr_scales(groups);
        let loss = model.loss(1.0);
        let signs: Vec<f64> = {
            let moved = Optimiser::new(PLAIN).step(0.01, model.clone(), model.loss(1.0)).model.values().await;
            before.iter().zip(&moved).map(|(before, after)| f64::from(before - after).signum()).collect()
        };
        let after = optimiser.step(0.01, model, loss).model.values().await;
        let rate = |at: usize| if at < 5 { 0.01 } else if at < 20 { 0.001 } else { 0.005 };
        for (at, (before, after)) in before.iter().zip(&after).enumerate() {
            let expected = documented(f64::from(*before), &signs[at..=at], rate(at), 0.05);
            assert!((f64::from(*after) - expected).abs() < 1e-6, "weight {at}: {after}, expected {expected}");
        }
    }

    async fn a_restored_optimiser_goes_on_as_if_nothing_had_happened(device: Device) {
        let device = device.autodiff();
        let settings = AdamWSettings { weight_decay: 0.05, ..PLAIN };
        let (mut model, mut optimiser) = (Small::new(&device), Optimiser::new(settings));
        for _ in 0..3 {
            let loss = model.loss(1.0);
            model = optimiser.step(0.02, model, loss).model;
        }
        let state = optimiser.save().await.unwrap();
        assert_eq!(state.updates, 3);
        assert_eq!(
            state.tensors.keys().collect::<Vec<_>>(),
            ["first.cls_token", "first.fc.bias", "first.fc.weight", "second.cls_token", "second.fc.bias", "second.fc.weight"]
        );
        let mut restored = Optimiser::restore(settings, &state, &device).unwrap();
        let (copy, loss) = (model.clone(), model.loss(1.0));
        let expected = optimiser.step(0.02, copy, loss).model.values().await;
        let loss = model.loss(1.0);
        assert_close(&restored.step(0.02, model, loss).model.values().await, &expected, 0.0);
    }
}
