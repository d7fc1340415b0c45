//! Distillation and joint training: losses, gradients, who learns and who does not.

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor, TensorData};
use heirloom_learngene::pool::{Auxiliary, AuxiliaryPlan, Basis, Positions, frozen};
use heirloom_learngene::pool::{
    DistillTargets, DistillWeights, MemoryFeatures, NoFeatures, Probe, Teacher, distillation_loss,
};
use heirloom_learngene::stitch::{draw_configuration, stitching_loss};
use heirloom_nn::device::{read, uniform};
use heirloom_nn::vit::{Vit, VitConfig};
use heirloom_train::{Batch, HostTensors, Run, host_cross_entropy, read_model};

use super::{model, model_config, net, pictures};
use crate::support::assert_close;
use crate::train::gradients::agree;
use crate::train::models::plain_settings;

const BLOCKS: [usize; 3] = [0, 1, 2];
const WEIGHTS: DistillWeights = DistillWeights { labels: 0.1, features: 1.0 };

async fn ancestor(device: &Device) -> Vit {
    let ancestor = model(3, 8, 500, device).await;
    frozen(&ancestor, ancestor.config.image_size).await.unwrap()
}

async fn auxiliary(positions: Positions, device: &Device) -> Auxiliary {
    let plan = AuxiliaryPlan { config: model_config(3, 4), positions };
    let mut auxiliary = Auxiliary::start(&plan, &model_config(3, 8), Basis::Learned, 1, device).await;
    // Livelier weights than a start's, so that nothing is nearly 0.
    auxiliary.student = model(3, 4, 600, device).await;
    auxiliary
}

fn labels(device: &Device) -> Tensor<1, Int> {
    Tensor::from_ints([1, 2], device)
}

fn lesson(positions: &[(usize, usize)], device: &Device) -> DistillTargets {
    let tensor =
        |seed: usize| Tensor::from_data(TensorData::new(uniform(2 * 5 * 8, seed as u32, 1.0), [2, 5, 8]), device);
    DistillTargets {
        logits: Tensor::from_data(TensorData::new(uniform(6, 3, 2.0), [2, 3]), device),
        tokens: positions.iter().map(|(_, block)| tensor(10 + block)).collect(),
        attended: positions.iter().map(|(_, block)| tensor(20 + block)).collect(),
    }
}

fn changed(before: &HostTensors, after: &HostTensors) -> Vec<String> {
    before.iter().filter(|(name, tensor)| after[*name] != **tensor).map(|(name, _)| name.clone()).collect()
}

on_every_engine! {
    async fn a_distillation_step_moves_student_and_maps_and_leaves_the_ancestor(device: Device) {
        let ancestor = ancestor(&device).await;
        let before = read_model(&ancestor).await.unwrap();
        let mut teacher = Teacher::new(ancestor, BLOCKS.into(), NoFeatures);
        let head = Probe::start([8, 3], 2, &device);
        let pixels = uniform(2 * 48, 8, 1.0);
        let batch = Batch { pixels, shape: [2, 3, 4, 4], labels: vec![1, 2] };
        let auxiliary = auxiliary(Positions::FrontMidEnd, &device).await;
        let start = read_model(&auxiliary).await.unwrap();
        assert_eq!(start.keys().filter(|name| name.contains("_maps.")).count(), 6);
        let mut run = Run::new(auxiliary, plain_settings(1e-2));
        let lesson = teacher.lesson(&batch, &BLOCKS, &head.head).await.unwrap();
        let (images, labels) = (batch.images(&device).unwrap(), batch.targets(&device));
        run.step_by(|model| distillation_loss(model, images, labels, lesson, WEIGHTS)).await.unwrap();
        let after = read_model(&run.model().unwrap()).await.unwrap();
        assert_eq!(changed(&start, &after), start.keys().cloned().collect::<Vec<_>>());
        assert_eq!(read_model(teacher.ancestor()).await.unwrap(), before);
    }

    async fn the_three_losses_are_weighted_as_published(device: Device) {
        let auxiliary = auxiliary(Positions::End, &device).await;
        let lesson = lesson(&auxiliary.pairs, &device);
        let shown = auxiliary.look(pictures(2, &device));
        let logits = read(shown.logits).await.unwrap();
        let teacher = read(lesson.logits.clone()).await.unwrap();
        let (mut hard, mut soft) = (0.0, 0.0);
        for (at, label) in [1, 2].into_iter().enumerate() {
            let (row, taught) = (&logits[3 * at..3 * at + 3], &teacher[3 * at..3 * at + 3]);
            hard += host_cross_entropy(row, label) / 2.0;
            let sum: f64 = taught.iter().map(|logit| f64::from(*logit).exp()).sum();
            soft += (0..3).map(|class| f64::from(taught[class]).exp() / sum * host_cross_entropy(row, class)).sum::<f64>() / 2.0;
        }
        let mse = |x: Vec<f32>, y: Vec<f32>| {
            let square = |(a, b): (&f32, &f32)| f64::from(a - b).powi(2);
            x.iter().zip(&y).map(square).sum::<f64>() / x.len() as f64
        };
        let mapped = auxiliary.token_maps[0].forward(lesson.tokens[0].clone());
        let tokens = mse(read(shown.tokens[0].clone()).await.unwrap(), read(mapped).await.unwrap());
        let mapped = auxiliary.attention_maps[0].forward(lesson.attended[0].clone());
        let attended = mse(read(shown.attended[0].clone()).await.unwrap(), read(mapped).await.unwrap());
        let expected = 0.1 * hard + 0.9 * (soft + tokens + attended);
        let loss = |weights| distillation_loss(&auxiliary, pictures(2, &device), labels(&device), lesson.clone(), weights);
        assert_close(&read(loss(WEIGHTS)).await.unwrap(), &[expected as f32], 1e-4);
        let expected = 0.1 * hard + 0.9 * (soft + 3.0 * (tokens + attended));
        let heavier = DistillWeights { features: 3.0, ..WEIGHTS };
        assert_close(&read(loss(heavier)).await.unwrap(), &[expected as f32], 1e-4);
        // Labels alone.
        let alone = DistillWeights { labels: 1.0, features: 3.0 };
        assert_close(&read(loss(alone)).await.unwrap(), &[hard as f32], 1e-4);
    }

    async fn gradients_of_both_losses_agree_with_finite_differences(device: Device) {
        let auxiliary = auxiliary(Positions::FrontMidEnd, &device).await;
        let taught = lesson(&auxiliary.pairs, &device);
        let loss =
            |model: &Auxiliary| distillation_loss(model, pictures(2, &device), labels(&device), taught.clone(), WEIGHTS);
        for part in ["token_maps", "attention_maps", "attn.qkv", "patch_embed"] {
            agree(&auxiliary, &loss, &|name| name.contains(part), 5).await;
        }
        let net = net(&[[2, 4], [2, 8]], &device).await;
        let loss = |net: &heirloom_learngene::stitch::StitchNet| {
            stitching_loss(net, 2, pictures(2, &device), labels(&device), taught.logits.clone())
        };
        for part in ["stitches.0", "anchors.0.blocks.0", "anchors.1.blocks.1"] {
            agree(&net, &loss, &|name| name.contains(part), 5).await;
        }
    }

    async fn a_tuning_step_moves_only_the_instances_on_its_way(device: Device) {
        let net = net(&[[2, 4], [2, 8]], &device).await;
        let before = read_model(&net).await.unwrap();
        let logits = lesson(&[], &device).logits;
        let mut run = Run::new(net, plain_settings(1e-2));
        // Configuration 2 is (0, 1): the front's first block, the end's second.
        run.step_by(|net| stitching_loss(net, 2, pictures(2, &device), labels(&device), logits)).await.unwrap();
        let after = read_model(&run.model().unwrap()).await.unwrap();
        let changed = changed(&before, &after);
        let on_its_way = |name: &String| {
            let front = name.starts_with("anchors.0.")
                && !["anchors.0.blocks.1.", "anchors.0.norm.", "anchors.0.head."].iter().any(|off| name.starts_with(off));
            let end = ["anchors.1.blocks.1.", "anchors.1.norm.", "anchors.1.head."].iter().any(|on| name.starts_with(on));
            front || end || name.starts_with("stitches.0.")
        };
        assert_eq!(changed, before.keys().filter(|name| on_its_way(name)).cloned().collect::<Vec<_>>());
    }

    async fn kept_features_are_those_that_were_computed(device: Device) {
        let head = Probe::start([8, 3], 2, &device);
        let batch = |first: usize, count: usize| Batch {
            pixels: uniform(8 * 48, 8, 1.0)[first * 48..(first + count) * 48].to_vec(),
            shape: [count, 3, 4, 4],
            labels: vec![0; count],
        };
        let mut kept = MemoryFeatures::default();
        let mut fresh = Teacher::new(ancestor(&device).await, BLOCKS.into(), NoFeatures);
        let mut keeping = Teacher::new(ancestor(&device).await, BLOCKS.into(), &mut kept);
        // The second batch knows one picture, the third all of its.
        for batch in [batch(0, 3), batch(2, 4), batch(1, 4)] {
            let expected = fresh.lesson(&batch, &[1, 2], &head.head).await.unwrap();
            let found = keeping.lesson(&batch, &[1, 2], &head.head).await.unwrap();
            assert_eq!((found.tokens.len(), found.attended.len()), (2, 2));
            assert_close(&read(found.logits).await.unwrap(), &read(expected.logits).await.unwrap(), 1e-5);
            let pairs = found.tokens.into_iter().chain(found.attended).zip(expected.tokens.into_iter().chain(expected.attended));
            for (found, expected) in pairs {
                assert_close(&read(found).await.unwrap(), &read(expected).await.unwrap(), 1e-5);
            }
        }
        drop(keeping);
        assert_eq!(kept.len(), 6, "every picture once");
    }

    async fn an_ancestor_is_frozen_at_another_size_without_its_classifier(device: Device) {
        let whole = model(2, 8, 700, &device).await;
        let frozen = frozen(&whole, 8).await.unwrap();
        assert_eq!(frozen.config, VitConfig { image_size: 8, classes: None, ..whole.config.clone() });
        assert!(frozen.head.is_none() && frozen.num_params() == frozen.config.parameters() as usize);
        let images = Tensor::<4>::ones([2, 3, 8, 8], &device);
        let answers = read(frozen.logits(images, &mut Default::default())).await.unwrap();
        assert!(answers.len() == 16 && answers.iter().all(|value| value.is_finite()));
    }
}

#[test]
fn every_configuration_is_drawn_and_the_draw_depends_on_seed_and_step_alone() {
    let draw = |seed: u64| (0..1800).map(|step| draw_configuration(18, seed, step)).collect::<Vec<_>>();
    assert_eq!(draw(3), draw(3));
    assert_ne!(draw(3), draw(4));
    for configuration in 0..18 {
        let count = draw(3).iter().filter(|drawn| **drawn == configuration).count();
        assert!((60..140).contains(&count), "configuration {configuration} was drawn {count} times in 1800");
    }
}
