//! Learned weights between layers.
use heirloom_learngene::Descendant;
use heirloom_learngene::layers::Matching;
use heirloom_nn::model::Model;
use heirloom_nn::vit::{Vit, VitConfig};
use heirloom_train::{RunSettings, Schedule};

use crate::cluster::inherit::state;
use crate::train::models::{plain_settings, tiny_batch, tiny_config};

#[test]
fn a_pseudo_layer_that_is_an_ancestor_layer_gives_that_layer_the_most_weight() {
    pollster::block_on(async {
        let device = heirloom_nn::device::cpu();
        let config = VitConfig { depth: 3, ..tiny_config() };
        let ancestor: Model = Vit::load(&config, &mut state(&config, 4), &device).await.unwrap().into();
        // The ancestor's own first layer on its own stem.
        let mut first = ancestor.vit().unwrap().clone();
        first.blocks.truncate(1);
        first.config.depth = 1;
        let settings = RunSettings { schedule: Schedule::constant(1e-2), ..plain_settings(0.0) };
        let (images, _) = tiny_batch(0, &device);
        let mut matching = Matching::new(ancestor, Descendant::from(first), settings, &images);
        let column = |matching: &Matching| matching.weights().iter().map(|row| row[0]).collect::<Vec<f64>>();
        assert_eq!(column(&matching), [1.0 / 3.0; 3]);
        let training = device.clone().autodiff();
        for step in 0..40 {
            let (images, labels) = tiny_batch(step, &training);
            matching.learn(images, labels).await.unwrap();
            let (held_out, _) = tiny_batch(1000 + step, &device);
            matching.weigh(held_out).await.unwrap();
        }
        let weights = column(&matching);
        assert!((weights.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        assert!(weights[0] > weights[1] && weights[0] > weights[2], "{weights:?}");
        assert_eq!(matching.steps_taken(), 40);
    });
}
