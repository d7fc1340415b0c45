//! Updates that each parameter counts of its own, as PyTorch does: in the bias correction, in saved states, and when a
//! step diverges.

use super::models::{plain_settings, tiny, tiny_batch};
use super::optimiser::{PLAIN, documented};
use crate::support::assert_close;
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};
use heirloom_nn::device::read;
use heirloom_train::{AdamWSettings, Optimiser, Run};

/// Two vectors, the second of which is not part of every loss.
#[derive(Module, Debug)]
struct Pair {
    often: Param<Tensor<1>>,
    seldom: Param<Tensor<1>>,
}

impl Pair {
    const START: [f32; 3] = [0.4, -0.7, 1.1];

    fn new(device: &Device) -> Self {
        let vector = || Param::from_data(TensorData::new(Self::START.to_vec(), [3]), device);
        Self { often: vector(), seldom: vector() }
    }

    /// What the gradient of element `at` is in step `t`.
    fn gradient(t: usize, at: usize) -> f64 {
        [0.3, -1.2, 0.05][at] * (1.0 + (t * 5 % 7) as f64)
    }

    fn loss(&self, t: usize, with_seldom: bool) -> Tensor<1> {
        let gradient = [0, 1, 2].map(|at| Self::gradient(t, at) as f32);
        let gradient = Tensor::<1>::from_floats(gradient, &self.often.val().device());
        let loss = (self.often.val() * gradient.clone()).sum();
        if with_seldom { loss + (self.seldom.val() * gradient).sum() } else { loss }
    }

    async fn values(&self) -> [Vec<f32>; 2] {
        [read(self.often.val()).await.unwrap(), read(self.seldom.val()).await.unwrap()]
    }

    /// [`documented`] for both vectors, the first with a gradient in all steps, the second in those that `is_in` tells.
    fn documented(steps: usize, is_in: fn(usize) -> bool, lr: f64, decay: f64) -> [Vec<f32>; 2] {
        let every: fn(usize) -> bool = |_| true;
        [every, is_in].map(|is_in| {
            let of = |at: usize| {
                let gradients: Vec<f64> = (0..steps).filter(|&t| is_in(t)).map(|t| Self::gradient(t, at)).collect();
                documented(f64::from(Self::START[at]), &gradients, lr, decay) as f32
            };
            (0..3).map(of).collect()
        })
    }
}

on_every_engine! {
    async fn a_parameter_without_a_gradient_in_some_steps_counts_its_own_updates(device: Device) {
        let is_in = |t: usize| t % 6 == 2;
        let settings = AdamWSettings { weight_decay: 0.1, ..PLAIN };
        let (mut model, mut optimiser) = (Pair::new(&device.autodiff()), Optimiser::new(settings));
        for t in 0..15 {
            let loss = model.loss(t, is_in(t));
            model = optimiser.step(0.02, model, loss).model;
        }
        let [often, seldom] = model.values().await;
        let [expected_often, expected_seldom] = Pair::documented(15, is_in, 0.02, 0.1);
        assert_close(&often, &expected_often, 3e-6);
        assert_close(&seldom, &expected_seldom, 3e-6);
    }

    async fn own_counts_are_saved_and_states_without_them_are_read(device: Device) {
        let device = device.autodiff();
        let settings = AdamWSettings { weight_decay: 0.1, ..PLAIN };
        let go_on = async |mut model: Pair, mut optimiser: Optimiser, from: usize, is_in: fn(usize) -> bool| {
            for t in from..9 {
                let loss = model.loss(t, is_in(t));
                model = optimiser.step(0.02, model, loss).model;
            }
            model.values().await
        };
        let after_five = |is_in: fn(usize) -> bool| {
            let (mut model, mut optimiser) = (Pair::new(&device), Optimiser::new(settings));
            for t in 0..5 {
                let loss = model.loss(t, is_in(t));
                model = optimiser.step(0.02, model, loss).model;
            }
            (model, optimiser)
        };
        let now_and_then: fn(usize) -> bool = |t| t % 2 == 1;
        let late: fn(usize) -> bool = |t| t >= 2;
        for (is_in, own) in [(now_and_then, 2.0), (late, 3.0)] {
            let (model, optimiser) = after_five(is_in);
            let state = optimiser.save().await.unwrap();
            assert_eq!((state.updates, &state.tensors["updates.seldom"].values), (5, &vec![own]));
            assert!(!state.tensors.contains_key("updates.often"), "it is the optimiser's own count");
            let restored = Optimiser::restore(settings, &state, &device).unwrap();
            let expected = Pair::documented(9, is_in, 0.02, 0.1);
            for optimiser in [optimiser, restored] {
                let got = go_on(model.clone(), optimiser, 5, is_in).await;
                got.iter().zip(&expected).for_each(|(got, expected)| assert_close(got, expected, 3e-6));
            }
        }
        // As saved before parameters counted: the updates before the first gradient, after which none was left out.
        let (model, optimiser) = after_five(late);
        let mut old = optimiser.save().await.unwrap();
        let mut number = old.tensors.remove("updates.seldom").unwrap();
        number.values = vec![2.0];
        old.tensors.insert("before.seldom".to_string(), number);
        let restored = Optimiser::restore(settings, &old, &device).unwrap();
        let expected = Pair::documented(9, late, 0.02, 0.1);
        let got = go_on(model, restored, 5, late).await;
        got.iter().zip(&expected).for_each(|(got, expected)| assert_close(got, expected, 3e-6));
    }
    async fn a_diverged_step_is_in_no_parameters_count(device: Device) {
        let mut run = Run::new(tiny(1, &device).await, plain_settings(1e-2));
        let (images, labels) = tiny_batch(0, &device);
        run.step(images, labels).await.unwrap();
        // A step of a single parameter, so that the counts differ.
        run.step_by(|model| model.pos_embed.as_ref().unwrap().val().square().sum()).await.unwrap();
        let before = run.save().await.unwrap();
        let counts: Vec<f32> = before
            .tensors
            .iter()
            .filter(|(name, _)| name.starts_with("updates."))
            .flat_map(|(_, tensor)| tensor.values.clone())
            .collect();
        assert!(!counts.is_empty() && counts.iter().all(|count| *count == 1.0), "{counts:?}");
        run.step_by(|model| model.pos_embed.as_ref().unwrap().val().square().sum() * f32::NAN).await.unwrap_err();
        assert_eq!(run.save().await.unwrap(), before);
    }
}
