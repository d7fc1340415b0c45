//! Learned weights between layers; what moves them is held to both gradients in `learngene`.
use heirloom_learngene::Descendant;
use heirloom_learngene::layers::Matching;
use heirloom_nn::model::Model;
use heirloom_nn::vit::{Vit, VitConfig};
use heirloom_train::{RunSettings, Schedule};

use crate::cluster::inherit::state;
use crate::train::models::{plain_settings, tiny_batch, tiny_config};

#[test]
fn weights_begin_even_and_stay_shares_while_they_move() {
    pollster::block_on(async {
        let device = heirloom_nn::device::cpu();
        let config = VitConfig { depth: 3, ..tiny_config() };
        let ancestor: Model = Vit::load(&config, &mut state(&config, 4), &device).await.unwrap().into();
        let pseudo = Vit::load(&tiny_config(), &mut state(&tiny_config(), 5), &device).await.unwrap();
        let settings = RunSettings { schedule: Schedule::constant(1e-2), ..plain_settings(0.0) };
        let (images, _) = tiny_batch(0, &device);
        let mut matching = Matching::new(ancestor, Descendant::from(pseudo), settings, &images);
        let column = |matching: &Matching| matching.weights().iter().map(|row| row[0]).collect::<Vec<f64>>();
        assert_eq!(column(&matching), [1.0 / 3.0; 3]);
        let training = device.clone().autodiff();
        for step in 0..20 {
            let (images, labels) = tiny_batch(step, &training);
            assert!(matching.learn(images, labels).await.unwrap().is_finite());
            let (held_out, labels) = tiny_batch(1000 + step, &training);
            matching.weigh(held_out, labels).await.unwrap();
        }
        let weights = column(&matching);
        assert!((weights.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        assert!(weights.iter().all(|&weight| weight > 0.0 && (weight - 1.0 / 3.0).abs() > 1e-6), "{weights:?}");
        assert_eq!(matching.steps_taken(), 20);
    });
}
