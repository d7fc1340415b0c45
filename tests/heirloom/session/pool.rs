//! Pools and stitched anchors as the page makes them.
// Half of the tests, and so of their helpers, are native only.
#![cfg_attr(target_arch = "wasm32", allow(dead_code))]

use burn::tensor::Device;
#[cfg(not(target_arch = "wasm32"))]
use heirloom_plan::config::ModelConfig;
use heirloom_plan::protocol::*;
use heirloom_platform::file::FileHandle;

use super::{TestEngine, ancestor, error, find, pictures, refs};

type Heard = Vec<(Event, Option<Vec<u8>>)>;

pub fn settings(method: Method) -> PoolSettings {
    let steps = if cfg!(target_arch = "wasm32") { 2 } else { 12 };
    PoolSettings {
        method,
        // Given in the wrong order: the smallest comes first all the same.
        models: vec![SmallModel { blocks: 3, width: 16 }, SmallModel { blocks: 3, width: 8 }],
        image_size: 16,
        batch: 4,
        head_steps: steps,
        distil_steps: steps,
        pool_steps: steps,
        lr: 3e-3,
        pool_lr: 3e-3,
        stitch_lr: Some(1e-2),
        basis: Basis::Pca,
        is_every_block: true,
        feature_weight: 1.0,
        stitch_start: StitchInit::Maps,
        is_label_only: false,
        is_anchor_teacher: false,
        augment: false,
        seed: 1,
    }
}

async fn ready() -> TestEngine {
    let mut engine = TestEngine::start().await;
    engine.open(ancestor()).await;
    let files = pictures(5);
    engine.send(Command::AddPictures { files: refs(&files), class: None }, files).await;
    engine
}

fn report(heard: &Heard) -> PoolReport {
    find(heard, |event| if let Event::Pool(report) = event { Some((**report).clone()) } else { None }).unwrap()
}

async fn make(engine: &mut TestEngine, settings: PoolSettings) -> PoolReport {
    let heard = engine.send(Command::MakePool(settings), Vec::new()).await;
    assert_eq!(error(&heard), None);
    assert!(heard.iter().any(|(event, _)| *event == Event::JobEnded { job: JobKind::Pool, finished: true }));
    report(&heard)
}

pub async fn cut(engine: &mut TestEngine, method: Method, configuration: usize) -> CutReport {
    let heard = engine.send(Command::CutOut { method, configuration }, Vec::new()).await;
    assert_eq!(error(&heard), None);
    find(&heard, |event| if let Event::Cut(cut) = event { Some(cut.clone()) } else { None }).unwrap()
}

async fn predict(engine: &mut TestEngine, run: usize) -> Vec<(String, f32)> {
    let files = vec![pictures(1).remove(0)];
    let heard = engine.send(Command::Predict { run: Some(run), files: refs(&files) }, files).await;
    find(&heard, |event| if let Event::Prediction(said) = event { Some(said.classes.clone()) } else { None }).unwrap()
}

async fn file_of(engine: &mut TestEngine, command: Command) -> (String, Vec<u8>) {
    file_with(engine, command, Vec::new()).await
}

async fn file_with(engine: &mut TestEngine, command: Command, files: Vec<FileHandle>) -> (String, Vec<u8>) {
    let heard = engine.send(command, files).await;
    assert_eq!(error(&heard), None);
    let file = |(event, bytes): &(Event, Option<Vec<u8>>)| match event {
        Event::File { name, .. } => Some((name.clone(), bytes.clone()?)),
        _ => None,
    };
    heard.iter().find_map(file).unwrap()
}

async fn export(engine: &mut TestEngine, run: usize) -> (String, Vec<u8>) {
    file_of(engine, Command::ExportSafetensors { run: Some(run) }).await
}

/// Works until the report of the pool says so; then the job still runs.
async fn work_until(engine: &mut TestEngine, settings: PoolSettings, is_there: impl Fn(&PoolReport) -> bool) {
    engine.heard.borrow_mut().clear();
    engine.inner.handle(Command::MakePool(settings), Vec::new()).await;
    loop {
        let heard = engine.heard.borrow().clone();
        if is_there(&report(&heard)) {
            return;
        }
        assert!(engine.inner.work().await, "the pool is over");
    }
}

on_every_engine! {
    async fn a_pool_is_made_and_its_best_model_is_cut_out_named_with_and_saved(_device: Device) {
        let mut engine = ready().await;
        let pool = make(&mut engine, settings(Method::Pool)).await;
        assert_eq!((pool.state, pool.stage), (RaceState::Finished, PoolStage::Done));
        assert_eq!(pool.models.iter().map(|model| model.width).collect::<Vec<_>>(), [8, 16]);
        // Two anchors of three blocks: 7 pairs through 2 stitch layers.
        assert_eq!((pool.configurations.len(), pool.stitches), (9, 2));
        assert_eq!(pool.stored_parameters, pool.anchor_parameters + 2 * (8 * 16 + 16));
        for one in &pool.configurations {
            assert!(one.is_ready && one.accuracy.is_some() && one.accuracy_at_start.is_some(), "{one:?}");
            assert!(one.milliseconds.is_some_and(|time| time > 0.0), "{one:?}");
        }
        let steps = pool.settings.pool_steps;
        assert_eq!(pool.tune_loss.last().map(|point| point.step), Some(steps));
        assert_eq!(pool.distil_loss.iter().map(Vec::len).collect::<Vec<_>>(), [steps, steps]);

        let stitched = pool.configurations.iter().find(|one| !one.is_anchor()).unwrap();
        let found = cut(&mut engine, Method::Pool, stitched.id).await;
        assert_eq!((found.run, &found.configuration, found.widths.as_slice()), (0, stitched, &[8, 16][..]));
        let said = predict(&mut engine, found.run).await;
        assert!((said.iter().map(|(_, share)| share).sum::<f32>() - 1.0).abs() < 1e-4, "{said:?}");
        let heard = engine.send(Command::Confusion { run: Some(found.run) }, Vec::new()).await;
        let matrix = find(&heard, |event| if let Event::Confusion(all) = event { Some(all.counts.clone()) } else { None });
        let matrix = matrix.unwrap();
        let right = matrix[0][0] + matrix[1][1];
        let of = matrix.iter().flatten().sum::<usize>();
        assert_eq!(Some(right as f32 / of as f32), stitched.accuracy, "the accuracy in the pool is that of the model cut out");

        // What is saved opens again as the same model: it saves the same bytes.
        let (name, bytes) = export(&mut engine, found.run).await;
        assert!(name.contains("8") && name.contains("stitched"), "{name}");
        let model = reopened(&bytes).await;
        assert_eq!(heirloom_engine::weights(&model, Some(vec!["blue".into(), "red".into()]), &Default::default()).await.unwrap(), bytes);
    }

    async fn independent_anchors_are_stitched_beside_the_pool_and_compared_with_it(_device: Device) {
        let mut engine = ready().await;
        let pool = make(&mut engine, settings(Method::Pool)).await;
        let stitch = make(&mut engine, settings(Method::Stitch)).await;
        assert_eq!(stitch.settings.stitch_start, StitchInit::LeastSquares, "independent anchors have no maps");
        assert!(pool.is_comparable(&stitch) && stitch.is_comparable(&pool));
        assert_eq!(pool.steps, stitch.steps);
        let other = PoolReport { pictures: [1, 1], ..stitch.clone() };
        assert!(!pool.is_comparable(&other));
        // Both stay: models of either can be cut out.
        let largest = pool.configurations.len() - 1;
        assert_eq!(cut(&mut engine, Method::Pool, largest).await.run, 0);
        assert_eq!(cut(&mut engine, Method::Stitch, 1).await.run, 1);
        assert_ne!(export(&mut engine, 0).await.1, export(&mut engine, 1).await.1);
    }
}

/// The model of an exported file, built anew from its own description.
async fn reopened(bytes: &[u8]) -> heirloom_nn::model::Model {
    use heirloom_checkpoint::{Description, METADATA_KEY};
    use heirloom_nn::vit::{HostTensor, Weights};

    struct File<'a>(serde_json::Value, &'a [u8]);
    impl Weights for File<'_> {
        type Error = String;
        async fn tensor(&mut self, key: &str, shape: &[usize]) -> Result<HostTensor, String> {
            let entry = self.0.get(key).ok_or_else(|| format!("no {key}"))?;
            let at = |place: usize| entry["data_offsets"][place].as_u64().unwrap() as usize;
            let values = self.1[at(0)..at(1)].chunks(4).map(|four| f32::from_le_bytes(four.try_into().unwrap()));
            Ok(HostTensor { shape: shape.to_vec(), values: values.collect() })
        }
    }
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header: serde_json::Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    let description: Description =
        serde_json::from_str(header["__metadata__"][METADATA_KEY].as_str().unwrap()).unwrap();
    let device = crate::support::device().await;
    let mut file = File(header, &bytes[8 + length..]);
    heirloom_nn::model::Model::load(&description.config, &mut file, &device).await.unwrap()
}

#[cfg(not(target_arch = "wasm32"))]
mod native {
    use super::*;

    #[test]
    fn a_pool_stopped_in_the_middle_keeps_what_there_is() {
        pollster::block_on(async {
            let mut engine = ready().await;
            // In the middle of training the stitched whole: all configurations are there.
            work_until(&mut engine, settings(Method::Pool), |now| now.stage == PoolStage::Tune && now.steps[0] > 40)
                .await;
            let heard = engine.send(Command::Stop, Vec::new()).await;
            let stopped = report(&heard);
            assert_eq!((stopped.state, stopped.stage), (RaceState::Stopped, PoolStage::Tune));
            assert!(stopped.configurations.iter().all(|one| one.is_ready && one.accuracy.is_none()));
            let best = stopped.best_within(Budget::Parameters(u64::MAX)).unwrap().clone();
            assert!(best.accuracy_at_start.is_some());
            let run = cut(&mut engine, Method::Pool, best.id).await.run;
            predict(&mut engine, run).await;

            // In the middle of distillation: the first anchor is there, nothing else.
            let second = |now: &PoolReport| now.stage == PoolStage::Distil { model: 1 };
            work_until(&mut engine, settings(Method::Stitch), second).await;
            let stopped = report(&engine.send(Command::Stop, Vec::new()).await);
            let ready: Vec<usize> =
                stopped.configurations.iter().filter(|one| one.is_ready).map(|one| one.id).collect();
            assert_eq!(ready, [0]);
            assert_eq!(stopped.best_within(Budget::Flops(u64::MAX)).map(|one| one.id), Some(0));
            let run = cut(&mut engine, Method::Stitch, 0).await.run;
            predict(&mut engine, run).await;
            let heard = engine.send(Command::CutOut { method: Method::Stitch, configuration: 1 }, Vec::new()).await;
            let sentence = "Configuration `1` is not there; choose one that is ready.";
            assert_eq!(error(&heard).as_deref(), Some(sentence));
        });
    }

    /// What a model cut out of a pool says of a picture it also says as an ancestor, opened from its file, its package or its page.
    #[test]
    fn models_cut_out_of_a_pool_open_again_as_ancestors_from_every_file_that_holds_weights() {
        pollster::block_on(async {
            let mut engine = ready().await;
            make(&mut engine, settings(Method::Pool)).await;
            let picture = vec![pictures(1).remove(0)];
            // A whole anchor, and two of different width stitched together.
            for configuration in [0, 3] {
                let run = cut(&mut engine, Method::Pool, configuration).await.run;
                let said = predict(&mut engine, run).await;
                let of_file = export(&mut engine, run).await;
                let of_package = file_of(&mut engine, Command::ExportPackage { run: Some(run) }).await;
                let player = vec![FileHandle::from_bytes("player.html", crate::player::PLAYER.as_bytes())];
                let command = Command::ExportPage { run, files: refs(&player) };
                let of_page = file_with(&mut engine, command, player).await;
                // A page holds 16-bit numbers.
                for ((name, bytes), tolerance) in [(of_file, 1e-5), (of_package, 1e-5), (of_page, 1e-3)] {
                    let mut other = TestEngine::start().await;
                    let heard = other.open(FileHandle::from_bytes(name.clone(), bytes)).await;
                    assert_eq!(error(&heard), None, "{name}");
                    let summary =
                        find(
                            &heard,
                            |event| if let Event::Ancestor(found) = event { Some(found.clone()) } else { None },
                        );
                    let summary = summary.unwrap();
                    assert_eq!(matches!(summary.config, ModelConfig::Stitched(_)), configuration == 3, "{name}");
                    assert_eq!((summary.name.as_str(), summary.config.classes()), (name.as_str(), Some(2)));
                    assert!(summary.missing.is_empty() && summary.unexpected.is_empty(), "{summary:?}");
                    let command = Command::Predict { run: None, files: refs(&picture) };
                    let heard = other.send(command, picture.clone()).await;
                    assert_eq!(error(&heard), None, "{name}");
                    let again = find(&heard, |event| {
                        if let Event::Prediction(said) = event { Some(said.classes.clone()) } else { None }
                    });
                    let again = again.unwrap();
                    for ((class, share), (other, expected)) in again.iter().zip(&said) {
                        assert!(class == other && (share - expected).abs() < tolerance, "{name}: {again:?}, {said:?}");
                    }
                }
            }
        });
    }

    #[test]
    fn pools_are_made_as_published_and_their_baseline_from_labels_alone() {
        pollster::block_on(async {
            let mut engine = ready().await;
            let published = PoolSettings {
                basis: Basis::Learned,
                is_every_block: false,
                stitch_lr: None,
                ..settings(Method::Pool)
            };
            let pool = make(&mut engine, published).await;
            assert_eq!((pool.state, pool.settings.basis), (RaceState::Finished, Basis::Learned));
            let shared = make(&mut engine, settings(Method::Pool)).await;
            assert_ne!(pool.distil_loss, shared.distil_loss);
            let both = make(&mut engine, settings(Method::Stitch)).await;
            let alone = make(&mut engine, PoolSettings { is_label_only: true, ..settings(Method::Stitch) }).await;
            assert_ne!(both.distil_loss, alone.distil_loss);
            assert!(shared.is_comparable(&alone) && pool.is_comparable(&shared));
        });
    }

    #[test]
    fn a_paused_pool_waits_and_then_goes_on() {
        pollster::block_on(async {
            let mut engine = ready().await;
            work_until(&mut engine, settings(Method::Pool), |now| now.steps[0] > 5).await;
            let paused = report(&engine.send(Command::Pause, Vec::new()).await);
            assert_eq!(paused.state, RaceState::Paused);
            assert!(!engine.inner.work().await, "a paused pool works");
            let finished = report(&engine.send(Command::Continue, Vec::new()).await);
            assert_eq!(finished.state, RaceState::Finished);
        });
    }

    #[test]
    fn every_refusal_of_a_pool_is_a_sentence() {
        pollster::block_on(async {
            let mut engine = TestEngine::start().await;
            let cut = Command::CutOut { method: Method::Pool, configuration: 0 };
            let usual = settings(Method::Pool);
            let one = PoolSettings { models: vec![usual.models[0]], ..usual.clone() };
            let odd = PoolSettings { image_size: 20, ..usual.clone() };
            let none = PoolSettings { pool_steps: 0, ..usual.clone() };
            let other = PoolSettings { method: Method::Cluster, ..usual.clone() };
            for (command, sentence) in [
                (Command::MakePool(usual), "No ancestor is open yet; open a checkpoint first."),
                (cut, "There is no pool yet; make one first."),
            ] {
                assert_refused(&mut engine, command, sentence).await;
            }
            let mut engine = ready().await;
            for (settings, sentence) in [
                (one, "A pool needs at least 2 small models, but `1` was chosen; add one."),
                (odd, "Pictures of `20` px cannot be cut into patches of `8` px: choose a multiple."),
                (none, "A pool needs at least one picture a step and one step of everything."),
                (other, "The method `cluster` makes no pool; choose `pool` or `stitch`."),
            ] {
                assert_refused(&mut engine, Command::MakePool(settings), sentence).await;
            }
        });
    }

    async fn assert_refused(engine: &mut TestEngine, command: Command, sentence: &str) {
        let heard = engine.send(command.clone(), Vec::new()).await;
        assert_eq!(error(&heard).as_deref(), Some(sentence), "{command:?}");
    }
}
