//! The training loop on a tiny configuration.

use burn::tensor::Tensor;
use heirloom_learngene::pretrain::{AncestorPlan, AncestorRun, MapTeacher, Student, WANTED_GAP, head_separation_loss};
use heirloom_nn::cnn::{CnnConfig, Shortcut};
use heirloom_nn::device::{cpu, uniform};
use heirloom_nn::model::{Model, ModelConfig};
use heirloom_nn::vit::{RandomWeights, SpreadHeads, Vit, VitConfig};
use heirloom_train::{Batch, Batches, RunState, Schedule, TrainError};

use crate::support::assert_close;
use crate::train::models::{plain_settings, w0_config};

/// Pictures of three classes, each of another colour.
struct Colours;

impl Colours {
    fn batch(seed: u64, step: usize, size: usize) -> Batch {
        let (count, len) = (6, 3 * size * size);
        let labels: Vec<usize> = (0..count).map(|at| (at + step) % 3).collect();
        let mut pixels = uniform(count * len, (1000 * seed) as u32 + step as u32, 0.5);
        for (picture, label) in pixels.chunks_mut(len).zip(&labels) {
            picture[label * size * size..(label + 1) * size * size].iter_mut().for_each(|value| *value += 1.0);
        }
        Batch { pixels, shape: [count, 3, size, size], labels }
    }
}

const SIZE: usize = 16;

impl Batches for Colours {
    async fn training(&mut self, seed: u64, step: usize) -> Result<Batch, TrainError> {
        Ok(Self::batch(seed, step, SIZE))
    }

    async fn validation(&mut self, index: usize) -> Result<Batch, TrainError> {
        Ok(Self::batch(99, index, SIZE))
    }

    fn validation_batches(&self) -> usize {
        4
    }

    fn steps_per_epoch(&self) -> f64 {
        10.0
    }
}

fn config() -> VitConfig {
    VitConfig { image_size: SIZE, embed_dim: 24, head_dim: 12, mlp_dim: 32, classes: Some(3), ..w0_config() }
}

/// Half of the patches until step 5 of 10, drop-path, a teacher.
fn plan() -> AncestorPlan {
    let mut run = plain_settings(2e-3);
    run.schedule = Schedule { peak: 3e-3, floor: 0.0, warmup_steps: 2, steps: 10 };
    (run.drop_path, run.label_smoothing) = (0.1, 0.1);
    AncestorPlan { run, seen_patches: 0.5, all_patches_from: 0.5, answers: 0.5, map: 1.0, apart: 0.0 }
}

async fn teacher(vit: &Vit, classes: usize) -> Result<MapTeacher, TrainError> {
    let config = ModelConfig::from(CnnConfig::cifar_resnet(1, Shortcut::Zeros, classes));
    let Model::Cnn(cnn) = Model::random(&config, 3, &cpu()).await else { panic!("a convolutional network") };
    let plain = [[0.0; 3], [1.0; 3]];
    MapTeacher::new(cnn, plain, vit, [[0.5; 3], [0.2; 3]])
}

async fn student() -> (Student, MapTeacher) {
    let vit = Vit::load(&config(), &mut SpreadHeads { seed: 1, config: config() }, &cpu()).await.unwrap();
    let teacher = teacher(&vit, 3).await.unwrap();
    (Student::start(vit, Some(&teacher), 1), teacher)
}

async fn steps(run: &mut AncestorRun<Colours>, count: usize) -> Vec<f32> {
    let mut losses = Vec::new();
    for _ in 0..count {
        losses.push(run.step().await.unwrap().loss);
    }
    losses
}

fn weights(state: &RunState) -> Vec<f32> {
    state.tensors.values().flat_map(|tensor| tensor.values.clone()).collect()
}

#[test]
fn a_training_that_was_broken_off_ends_as_the_undisturbed_one() {
    pollster::block_on(async {
        let (one, teacher) = student().await;
        let mut whole = AncestorRun::new(one, plan(), Colours, Some(teacher));
        let expected = steps(&mut whole, 8).await;
        let (one, teacher) = student().await;
        let mut first = AncestorRun::new(one, plan(), Colours, Some(teacher));
        let mut losses = steps(&mut first, 3).await;
        let state = first.save().await.unwrap();
        let (one, teacher) = student().await;
        let mut second = AncestorRun::resume(one, plan(), Colours, Some(teacher), state).unwrap();
        assert_eq!(second.steps_taken(), 3);
        losses.extend(steps(&mut second, 5).await);
        assert_close(&losses, &expected, 1e-5);
        assert_close(&weights(&second.save().await.unwrap()), &weights(&whole.save().await.unwrap()), 1e-5);
    });
}

#[test]
fn a_student_learns_labels_and_map() {
    pollster::block_on(async {
        let (one, teacher) = student().await;
        let mut plan = plan();
        plan.run.schedule.steps = 60;
        let mut run = AncestorRun::new(one, plan, Colours, Some(teacher));
        let before = run.evaluate(usize::MAX).await.unwrap();
        let losses = steps(&mut run, 60).await;
        let after = run.evaluate(usize::MAX).await.unwrap();
        assert_eq!((before.count(), run.evaluate(1).await.unwrap().count()), (24, 6));
        assert!(losses[59] < 0.9 * losses[0], "{losses:?}");
        assert!(after.accuracy() > 0.9, "{} before, {} after", before.accuracy(), after.accuracy());
    });
}

#[test]
fn patches_are_left_out_at_first_and_seen_from_the_middle_on() {
    pollster::block_on(async {
        let loss = |seen_patches: f64, all_patches_from: f64| async move {
            let (one, _) = student().await;
            let vit = one.vit;
            let mut plan = AncestorPlan { seen_patches, all_patches_from, ..plan() };
            plan.run.drop_path = 0.0;
            AncestorRun::new(Student { vit, tell: None }, plan, Colours, None).step().await.unwrap().loss
        };
        let (whole, half, later) = (loss(1.0, 1.0).await, loss(0.5, 1.0).await, loss(0.5, 0.0).await);
        assert!((whole - half).abs() > 1e-5, "{whole} and {half}");
        assert_close(&[later], &[whole], 1e-6);
    });
}

/// Closeness of one layer's heads, and its gradient by their distances.
fn close(distance: &[f32], wanted: f64) -> (f32, Vec<f32>) {
    let device = cpu().autodiff();
    let distance = Tensor::<1>::from_floats(distance, &device).require_grad();
    let close = head_separation_loss(distance.clone(), wanted);
    let gradients = close.backward();
    let values = |data: burn::tensor::TensorData| data.try_to_vec::<f32>().unwrap();
    (values(close.into_data())[0], values(distance.grad(&gradients).unwrap().into_data()))
}

#[test]
fn closeness_is_one_for_equal_heads_and_nothing_for_heads_a_gap_apart() {
    assert_eq!(close(&[9.0, 9.0, 9.0], 4.0).0, 1.0);
    assert_eq!(close(&[1.0, 9.0, 5.0], 4.0), (0.0, vec![0.0; 3]));
    assert_eq!(close(&[7.0], 4.0).0, 0.0);
    // One pair of three is half a gap apart: (1 / 2)^2 / 3, and the two are pushed away from each other.
    let (value, gradient) = close(&[2.0, 4.0, 20.0], 4.0);
    assert_close(&[value], &[0.25 / 3.0], 1e-6);
    assert_close(&gradient, &[1.0 / 12.0, -1.0 / 12.0, 0.0], 1e-6);
}

#[test]
fn heads_that_are_kept_apart_look_differently_far() {
    pollster::block_on(async {
        let layers = |apart: f64| async move {
            let vit = Vit::load(&config(), &mut RandomWeights { seed: 4 }, &cpu()).await.unwrap();
            let mut plan = AncestorPlan { apart, seen_patches: 1.0, ..plan() };
            plan.run.schedule.steps = 40;
            let mut run = AncestorRun::new(Student { vit, tell: None }, plan, Colours, None);
            steps(&mut run, 40).await;
            let batch = Colours::batch(7, 0, SIZE);
            let pictures = batch.pixels.chunks(3 * SIZE * SIZE).map(<[f32]>::to_vec).collect();
            let (distance, _) = super::heads(&run.ancestor().unwrap(), pictures).await;
            let wanted = WANTED_GAP * SIZE as f64;
            distance.iter().map(|layer| close(layer, wanted).0).collect::<Vec<_>>()
        };
        let (alone, apart) = (layers(0.0).await, layers(5.0).await);
        assert!(alone.iter().zip(&apart).all(|(alone, apart)| *apart < 0.5 * alone), "{alone:?}, {apart:?}");
    });
}

#[test]
fn a_teacher_of_other_classes_is_refused() {
    pollster::block_on(async {
        let (one, _) = student().await;
        let error = teacher(&one.vit, 5).await.unwrap_err();
        assert!(error.to_string().contains("classes of the teacher"), "{error}");
    });
}
