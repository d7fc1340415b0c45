//! Holding the learngene still for the first steps.
use std::collections::BTreeSet;

use burn::tensor::{Device, Int, Tensor};
use heirloom_learngene::layers::{LayersPlan, WholeLayers};
use heirloom_learngene::{Descendant, Initializer};
use heirloom_nn::vit::Vit;
use heirloom_train::{AdamWSettings, HostTensors, Run, RunSettings, Schedule, read_model};

use crate::support::assert_close;
use crate::train::models::{plain_settings, tiny_batch, tiny_config};
use heirloom_nn::vit::VitConfig;

/// One inherited layer, one random one.
async fn descendant(device: &Device, seed: u64) -> Descendant {
    let config = VitConfig { depth: 2, ..tiny_config() };
    let ancestor = Vit::load(&config, &mut crate::cluster::inherit::state(&config, 4), device).await.unwrap();
    WholeLayers::new(ancestor.into(), LayersPlan::first(1, 2), 3, 4).unwrap().start(seed).await.unwrap()
}

fn settings(freeze_steps: usize) -> RunSettings {
    RunSettings {
        schedule: Schedule::constant(1e-3),
        adamw: AdamWSettings { clip_norm: Some(1.0), ..AdamWSettings::default() },
        freeze_steps,
        ..plain_settings(0.0)
    }
}

async fn take(run: &mut Run<Descendant>, steps: std::ops::Range<usize>, device: &Device) -> Vec<f32> {
    let mut losses = Vec::new();
    for step in steps {
        let (images, labels): (Tensor<4>, Tensor<1, Int>) = tiny_batch(step, device);
        losses.push(run.step(images, labels).await.unwrap().loss);
    }
    losses
}

/// Names of the tensors in which two models differ.
fn changed(before: &HostTensors, after: &HostTensors) -> BTreeSet<String> {
    before.iter().filter(|(name, tensor)| after[*name].values != tensor.values).map(|(name, _)| name.clone()).collect()
}

fn is_learngene(name: &str) -> bool {
    ["patch_embed", "cls_token", "pos_embed", "blocks.0."].iter().any(|part| name.contains(part))
}

on_every_engine! {
    async fn the_learngene_stays_still_for_its_steps_and_then_learns(device: Device) {
        let mut run = Run::new(descendant(&device, 1).await, settings(2));
        let start = read_model(&run.model().unwrap()).await.unwrap();
        take(&mut run, 0..2, &device).await;
        let held = read_model(&run.model().unwrap()).await.unwrap();
        let moved = changed(&start, &held);
        assert!(moved.iter().all(|name| !is_learngene(name)), "{moved:?}");
        assert!(moved.iter().any(|name| name.contains("blocks.1.")) && moved.iter().any(|name| name.contains("head")));
        let free = { take(&mut run, 2..3, &device).await; read_model(&run.model().unwrap()).await.unwrap() };
        let moved = changed(&held, &free);
        let learngene: BTreeSet<_> = start.keys().filter(|name| is_learngene(name)).cloned().collect();
        assert!(learngene.is_subset(&moved), "{:?} did not move", learngene.difference(&moved));
        // AdamW's first update moves a weight by about the learning rate, also when it comes late.
        let most = |name: &String| {
            let pairs = held[name].values.iter().zip(&free[name].values);
            pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
        };
        let farthest = learngene.iter().map(most).fold(0.0, f32::max);
        assert!(farthest > 0.5e-3 && farthest < 1.3e-3, "the first step of a freed weight is {farthest}");
    }

    async fn a_run_restored_while_held_or_just_freed_goes_on_as_the_undisturbed_one(device: Device) {
        for at in [1, 3] {
            let mut run = Run::new(descendant(&device, 2).await, settings(2));
            take(&mut run, 0..at, &device).await;
            let state = run.save().await.unwrap();
            let mut restored = Run::restore(descendant(&device, 9).await, state).unwrap();
            let [expected, found] = [take(&mut run, at..4, &device).await, take(&mut restored, at..4, &device).await];
            assert_close(&found, &expected, 1e-6);
            let [a, b] = [run.save().await.unwrap(), restored.save().await.unwrap()];
            assert_eq!(a.header, b.header);
            for (name, tensor) in &a.tensors {
                assert_close(&b.tensors[name].values, &tensor.values, 1e-5);
            }
        }
    }
}
