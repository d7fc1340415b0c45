//! Helpers: whoever computes a part, and however many are lost, a race has the same bits.

use super::{TestEngine, find, training};
use burn::tensor::{Device, Tensor, TensorData};
use futures::FutureExt;
use futures::future::LocalBoxFuture;
use heirloom_engine::crew::Helpers;
use heirloom_learngene::Descendant;
use heirloom_nn::device::{cpu, uniform};
use heirloom_nn::model::{Model, ModelConfig};
use heirloom_plan::config::CnnConfig;
use heirloom_plan::protocol::{Command, CurvePoint, Event, TrainSettings};
use heirloom_train::{Answer, Batch, Crew, Errand, HostTensors, Lent, Run, read_model};
use std::cell::Cell;
use std::rc::Rc;

use crate::train::models::plain_settings;

/// The curves of a race with so many threads, and the weights of its models.
async fn raced(cores: usize) -> (Vec<Vec<CurvePoint>>, Vec<Vec<u8>>) {
    let mut engine = TestEngine::with_everything_measured().await;
    engine.send(Command::SetCores(cores), Vec::new()).await;
    let settings = TrainSettings { batch: 8, steps: 6, drop_path: 0.2, ..training() };
    let heard = engine.send(Command::Train(settings), Vec::new()).await;
    let race = find(&heard, |event| if let Event::Race(race) = event { Some(race.clone()) } else { None }).unwrap();
    let mut files = Vec::new();
    for run in 0..race.runs.len() {
        let heard = engine.send(Command::ExportSafetensors { run: Some(run) }, Vec::new()).await;
        files.extend(heard.into_iter().filter_map(|(_, bytes)| bytes));
    }
    (race.runs.into_iter().map(|run| run.points).collect(), files)
}

#[test]
fn a_race_has_the_same_bits_with_one_to_four_threads() {
    pollster::block_on(async {
        let alone = raced(1).await;
        assert_eq!((alone.0.len(), alone.1.len()), (2, 2));
        for cores in 2..=4 {
            assert_eq!(raced(cores).await, alone, "with {cores} threads");
        }
    });
}

/// Hands of which every third answer is lost, or the end of one in its place, and that count what they were asked.
#[derive(Debug)]
struct Unreliable {
    helpers: Helpers,
    asked: Cell<usize>,
    is_cut_short: bool,
}

impl Unreliable {
    fn new(hands: usize, is_cut_short: bool) -> Rc<Self> {
        let helpers = Helpers::default();
        helpers.set(hands);
        Rc::new(Self { helpers, asked: Cell::new(0), is_cut_short })
    }
}

impl Crew for Unreliable {
    fn hands(&self) -> usize {
        self.helpers.hands()
    }

    fn ask(&self, hand: usize, errand: Errand) -> LocalBoxFuture<'static, Option<Answer>> {
        self.asked.set(self.asked.get() + 1);
        let is_lost = self.asked.get().is_multiple_of(3);
        let (answer, is_cut_short) = (self.helpers.ask(hand, errand), self.is_cut_short);
        let damaged = move |mut answer: Answer| {
            answer.values.pop();
            is_cut_short.then_some(answer)
        };
        async move { answer.await.and_then(|answer| if is_lost { damaged(answer) } else { Some(answer) }) }
            .boxed_local()
    }
}

async fn stepped(parts: usize, crew: Option<Rc<dyn Crew>>, device: &Device) -> HostTensors {
    let config = ModelConfig::Vit(super::config());
    stepped_from(Model::random(&config, 3, device).await.into(), parts, crew, device).await
}

async fn stepped_from(model: Descendant, parts: usize, crew: Option<Rc<dyn Crew>>, device: &Device) -> HostTensors {
    let mut run = Run::new(model, plain_settings(1e-2));
    run.set_crew(parts, crew);
    for step in 0..5 {
        let pixels = uniform(9 * 3 * 32 * 32, step, 1.0);
        let images = Tensor::from_data(TensorData::new(pixels, [9, 3, 32, 32]), device);
        let labels = Tensor::from_data(TensorData::new((0..9).map(|i| i % 3).collect::<Vec<i32>>(), [9]), device);
        run.step(images, labels).await.unwrap();
    }
    read_model(&run.model().unwrap()).await.unwrap()
}

#[test]
fn a_hand_that_is_lost_in_the_middle_of_a_step_changes_no_bit() {
    pollster::block_on(async {
        let device = cpu();
        let alone = stepped(4, None, &device).await;
        let crew = Unreliable::new(3, false);
        assert_eq!(stepped(4, Some(crew.clone()), &device).await, alone);
        assert_eq!(crew.asked.get(), 15, "three hands in each of five steps");
    });
}

#[test]
fn a_tuned_model_keeps_its_first_quarter_and_its_norms_and_has_the_same_bits_with_helpers() {
    pollster::block_on(async {
        let device = cpu();
        let network = CnnConfig { image_size: 32, ..CnnConfig::mobilenet_v2(0.35, 3) };
        for config in [ModelConfig::Cnn(network), ModelConfig::Vit(super::config())] {
            let model = Descendant::tuned(Model::random(&config, 3, &device).await);
            let before = read_model(&model).await.unwrap();
            let alone = stepped_from(model.clone(), 4, None, &device).await;
            let is_changed = |name: &str| before[name].values != alone[name].values;
            // Of 7 stages the first lies in a quarter; of two layers none does.
            let parts: &[&str] = if config.vit().is_some() { &[] } else { &["stem", ".stages.0.", ".norm."] };
            let stays = |name: &str| parts.iter().any(|part| name.contains(part));
            let held = before.keys().filter(|name| stays(name)).count();
            assert!(config.vit().is_some() || held > 50, "{held} held: {:?}", before.keys());
            for name in before.keys() {
                assert!(!(stays(name) && is_changed(name)), "{name} was trained");
            }
            let trained: Vec<_> = before.keys().filter(|name| is_changed(name)).collect();
            assert!(trained.len() > 15, "{trained:?}");
            let crew = Unreliable::new(3, false);
            assert_eq!(stepped_from(model, 4, Some(crew.clone()), &device).await, alone);
            assert_eq!(crew.asked.get(), 15);
        }
    });
}

#[test]
fn parts_of_a_batch_make_the_step_of_the_whole_batch() {
    pollster::block_on(async {
        let device = cpu();
        let (whole, parts) = (stepped(1, None, &device).await, stepped(4, None, &device).await);
        for (name, tensor) in &whole {
            // A step of AdamW is as long as the rate, whatever the gradient: five of them amplify the last bits.
            crate::support::assert_close(&tensor.values, &parts[name].values, 2e-3);
        }
    });
}

/// What the classifier of a model sees of four batches.
async fn seen(config: &ModelConfig, crew: Option<Rc<dyn Crew>>, device: &Device) -> Vec<Vec<f32>> {
    let model: Descendant = Model::random(config, 3, device).await.into();
    let batch = |seed| Batch { pixels: uniform(5 * 3 * 32 * 32, seed, 1.0), shape: [5, 3, 32, 32], labels: vec![0; 5] };
    let batches: Vec<Batch> = (0..4).map(batch).collect();
    Lent::new(model).features(&batches, &[1], device, crew.as_ref()).await.unwrap()
}

#[test]
fn features_are_the_same_whoever_looks_at_the_pictures() {
    pollster::block_on(async {
        let device = cpu();
        let network = CnnConfig { image_size: 32, ..CnnConfig::mobilenet_v2(0.35, 3) };
        for config in [ModelConfig::Vit(super::config()), ModelConfig::Cnn(network)] {
            let alone = seen(&config, None, &device).await;
            assert!(alone.iter().all(|batch| !batch.is_empty() && batch.iter().all(|value| value.is_finite())));
            for is_cut_short in [false, true] {
                let crew = Unreliable::new(2, is_cut_short);
                // A second time: the hands have the weights by then, and one answer is lost.
                let mut lent = 0;
                for _ in 0..2 {
                    assert_eq!(seen(&config, Some(crew.clone()), &device).await, alone);
                    lent += 2;
                    assert_eq!(crew.asked.get(), lent, "as many batches as hands");
                }
            }
        }
    });
}

#[test]
fn scores_are_the_same_whoever_judges() {
    pollster::block_on(async {
        let device = cpu();
        let config = ModelConfig::Cnn(CnnConfig { image_size: 32, ..CnnConfig::mobilenet_v2(0.35, 3) });
        let batch = Batch { pixels: uniform(9 * 3 * 32 * 32, 4, 1.0), shape: [9, 3, 32, 32], labels: vec![0; 9] };
        let model: Descendant = Model::random(&config, 3, &device).await.into();
        let alone = Lent::new(model.clone()).scores(&batch, &device, 4, None).await.unwrap();
        assert_eq!(alone.len(), 9 * 3);
        for is_cut_short in [false, true] {
            let crew = Unreliable::new(3, is_cut_short);
            let hands: Option<Rc<dyn Crew>> = Some(crew.clone());
            assert_eq!(Lent::new(model.clone()).scores(&batch, &device, 4, hands.as_ref()).await.unwrap(), alone);
            assert_eq!(crew.asked.get(), 3);
        }
    });
}
