//! The ancestor as it is, raced through the engine.
use super::*;

fn race_of(heard: &[(Event, Option<Vec<u8>>)]) -> RaceReport {
    find(heard, |event| if let Event::Race(race) = event { Some(race.clone()) } else { None }).unwrap()
}

#[cfg(not(target_arch = "wasm32"))]
fn report_of(heard: &[(Event, Option<Vec<u8>>)]) -> ExperimentReport {
    find(heard, |event| if let Event::Experiment(report) = event { Some(report.clone()) } else { None }).unwrap()
}

fn of_arms(arms: &[Init]) -> TrainSettings {
    TrainSettings { arms: arms.to_vec(), steps: 2, ..training() }
}

async fn planned() -> TestEngine {
    let mut engine = TestEngine::with_everything_measured().await;
    engine.send(Command::PlanDescendant(descendant().into()), Vec::new()).await;
    engine
}

on_every_engine! {
    async fn a_fitted_head_names_pictures_it_never_saw_and_is_a_model_like_any_other(_device: Device) {
        let mut engine = planned().await;
        let heard = engine.send(Command::Train(of_arms(&[Init::Frozen])), Vec::new()).await;
        assert_eq!(error(&heard), None);
        let race = race_of(&heard);
        let [run] = &race.runs[..] else { panic!("one run") };
        assert!(run.has_model && run.points.iter().all(|point| point.validation_accuracy == 1.0), "{run:?}");
        assert_eq!((run.step, run.steps_per_second), (2, 0.0), "it led no steps of its own");
        let unseen = pictures(9).pop().unwrap();
        let files = vec![unseen];
        let heard = engine.send(Command::Predict { run: Some(0), files: refs(&files) }, files.clone()).await;
        let said = find(&heard, |event| if let Event::Prediction(said) = event { Some(said.clone()) } else { None }).unwrap();
        assert_eq!(said.classes[0].0, "blue");
        // Exported and opened again it says the same.
        let heard = engine.send(Command::ExportSafetensors { run: Some(0) }, Vec::new()).await;
        let (name, bytes) = heard.iter().find_map(|(event, bytes)| match event {
            Event::File { name, .. } => Some((name.clone(), bytes.clone().unwrap())),
            _ => None,
        }).unwrap();
        let heard = engine.open(FileHandle::from_bytes(name, bytes)).await;
        assert_eq!(error(&heard), None);
        let heard = engine.send(Command::Predict { run: None, files: refs(&files) }, files).await;
        let again = find(&heard, |event| if let Event::Prediction(said) = event { Some(said.clone()) } else { None }).unwrap();
        let shares = |said: &Prediction| said.classes.iter().map(|(_, share)| *share).collect::<Vec<_>>();
        assert_close(&shares(&again), &shares(&said), 1e-4);
    }
}

#[cfg(not(target_arch = "wasm32"))]
#[test]
fn experiments_keep_the_best_descendant_and_families_keep_all_whatever_the_yardstick_reaches() {
    pollster::block_on(async {
        let race = of_arms(&[Init::Inherited, Init::Frozen]);
        let mut engine = planned().await;
        let kept = async |engine: &mut TestEngine, design: Design| {
            let settings = ExperimentSettings { race: race.clone(), design };
            let heard = engine.send(Command::Experiment(settings), Vec::new()).await;
            assert_eq!(error(&heard), None);
            let report = report_of(&heard);
            let runs = report.races.iter().flat_map(|race| &race.runs);
            runs.filter(|run| run.has_model).map(|run| run.arm).collect::<Vec<_>>()
        };
        let sweep = Design::Sweep { rates: vec![1e-5, 1e-4], batches: vec![4] };
        assert_eq!(kept(&mut engine, sweep).await, [Init::Inherited]);
        let family = Design::Family(vec![(3, 2), (1, 1)]);
        assert_eq!(kept(&mut engine, family).await, [Init::Inherited, Init::Frozen, Init::Inherited, Init::Frozen]);
    });
}

#[cfg(not(target_arch = "wasm32"))]
#[test]
fn an_ancestor_ends_early_at_every_depth_and_each_is_a_model_like_any_other() {
    pollster::block_on(async {
        let mut engine = TestEngine::start().await;
        engine.open(ancestor()).await;
        // So many that some are held out.
        let files = pictures(12);
        engine.send(Command::AddPictures { files: refs(&files), class: None }, files).await;
        let layers = LayersSettings { chosen: vec![0, 1], layers: 2, image_size: 32, freeze_epochs: 0.0 };
        let race = TrainSettings { descendant: layers.into(), ..of_arms(&[Init::Frozen]) };
        let settings =
            ExperimentSettings { race: race.clone(), design: Design::Depths { cuts: vec![1, 0], then: None } };
        let heard = engine.send(Command::Experiment(settings), Vec::new()).await;
        assert_eq!(error(&heard), None);
        let report = report_of(&heard);
        let runs: Vec<_> = report.races.iter().map(|race| race.runs[0].clone()).collect();
        assert!(
            runs.iter().all(|run| run.has_model && run.held_out.is_some_and(|[right, all]| right <= all)),
            "{runs:?}"
        );
        let sizes: Vec<_> = runs.iter().map(|run| (run.size.0, run.parameters)).collect();
        assert_eq!(sizes.iter().map(|size| size.0).collect::<Vec<_>>(), [1, 2]);
        assert!(sizes.is_sorted_by(|a, b| a.1 < b.1), "{sizes:?}");
        // All tell red from blue: the smallest is enough.
        assert_eq!(report.small_enough(Limits::NONE), Some(SmallEnough { race: 0, is_within: true }));
        let files = vec![pictures(9).pop().unwrap()];
        let named = async |engine: &mut TestEngine, run: Option<usize>| {
            let heard = engine.send(Command::Predict { run, files: refs(&files) }, files.clone()).await;
            find(&heard, |event| if let Event::Prediction(said) = event { Some(said.classes.clone()) } else { None })
                .unwrap()
        };
        let before = named(&mut engine, Some(0)).await;
        let heard = engine.send(Command::ExportSafetensors { run: Some(0) }, Vec::new()).await;
        let (name, bytes) = heard
            .iter()
            .find_map(|(event, bytes)| match event {
                Event::File { name, .. } => Some((name.clone(), bytes.clone().unwrap())),
                _ => None,
            })
            .unwrap();
        // Where it does not go on it cannot be cut.
        let race = TrainSettings { cut: 9, ..race };
        let heard = engine.send(Command::Train(race), Vec::new()).await;
        let said = error(&heard).unwrap().to_string();
        assert!(said.contains("cannot end after block 9"), "{said}");
        let heard = engine.open(FileHandle::from_bytes(name, bytes)).await;
        assert_eq!(error(&heard), None);
        let after = named(&mut engine, None).await;
        let shares = |said: &[(String, f32)]| said.iter().map(|(_, share)| *share).collect::<Vec<_>>();
        assert_close(&shares(&after), &shares(&before), 1e-4);
    });
}

#[cfg(not(target_arch = "wasm32"))]
#[test]
fn the_depth_that_is_enough_is_trained_on_for_the_time_that_was_given() {
    pollster::block_on(async {
        let mut engine = TestEngine::start().await;
        engine.open(ancestor()).await;
        let files = pictures(12);
        engine.send(Command::AddPictures { files: refs(&files), class: None }, files).await;
        let layers = LayersSettings { chosen: vec![0, 1], layers: 2, image_size: 32, freeze_epochs: 0.0 };
        let race = TrainSettings { descendant: layers.into(), ..of_arms(&[Init::Frozen]) };
        // So short a time that it is the least number of steps.
        let then = TrainOn { limits: Limits::NONE, seconds: 1e-6 };
        let design = Design::Depths { cuts: vec![1, 0], then: Some(then) };
        let heard = engine.send(Command::Experiment(ExperimentSettings { race, design }), Vec::new()).await;
        assert_eq!(error(&heard), None);
        let report = report_of(&heard);
        let arms: Vec<_> = report.races.iter().map(|race| (race.runs[0].arm, race.settings.cut)).collect();
        assert_eq!(arms, [(Init::Frozen, 1), (Init::Frozen, 0), (Init::Tuned, 1)]);
        assert_eq!((report.total, report.is_going(), report.trained_on(0)), (3, false, Some(2)));
        let run = &report.races[2].runs[0];
        assert_eq!((run.step, run.has_model, run.failure.as_ref()), (20, true, None));
        // It starts where the fitted one ended.
        let [fitted, start] = [&report.races[0].runs[0].points[0], &run.points[0]];
        assert_eq!((start.step, start.validation_accuracy), (0, fitted.validation_accuracy));
        assert!((start.validation_loss - fitted.validation_loss).abs() < 1e-4, "{start:?} {fitted:?}");
        assert!(run.points.last().unwrap().train_loss.is_finite());
    });
}

/// Pieces of work until each race of an experiment ended.
#[cfg(not(target_arch = "wasm32"))]
async fn pieces(design: Design) -> Vec<usize> {
    let mut engine = planned().await;
    let settings = ExperimentSettings { race: of_arms(&[Init::Frozen]), design };
    engine.heard.borrow_mut().clear();
    engine.inner.handle(Command::Experiment(settings), Vec::new()).await;
    let ended = |engine: &TestEngine| {
        let reports = engine.heard.borrow();
        find(&reports, |event| if let Event::Experiment(report) = event { Some(report.clone()) } else { None })
            .map_or(0, |report| report.races.iter().filter(|race| race.state == RaceState::Finished).count())
    };
    let (mut all, mut since) = (Vec::new(), 0);
    while engine.inner.work().await {
        since += 1;
        if ended(&engine) > all.len() {
            all.push(std::mem::take(&mut since));
        }
    }
    all
}

#[cfg(not(target_arch = "wasm32"))]
#[test]
fn races_on_the_same_pictures_share_one_fit_and_others_have_their_own() {
    pollster::block_on(async {
        let sweep = pieces(Design::Sweep { rates: vec![1e-5, 1e-4, 1e-3], batches: vec![4] }).await;
        let [first, second, third] = sweep[..] else { panic!("three races: {sweep:?}") };
        // One batch of pictures, and the beginning of the fit; its end comes with the start.
        assert!(first == second + 2 && second == third, "{sweep:?}");
        // The ancestor's pictures are looked at once for all depths, and once more nowhere.
        let depths = pieces(Design::Depths { cuts: vec![1, 0], then: None }).await;
        let [first, second] = depths[..] else { panic!("two races: {depths:?}") };
        assert!(first == second + 2, "{depths:?}");
        let shares = pieces(Design::Shares(vec![0.5, 1.0])).await;
        let [half, all] = shares[..] else { panic!("two races: {shares:?}") };
        assert!(half == second + 2 && all == second + 2, "{shares:?} {sweep:?}");
    });
}

#[cfg(not(target_arch = "wasm32"))]
#[test]
fn looking_at_the_pictures_is_told_as_preparation_and_can_be_stopped() {
    pollster::block_on(async {
        let mut engine = planned().await;
        let preparing = |event: &Event| match event {
            Event::Progress(progress) if progress.is_preparing => Some((progress.done, progress.total)),
            _ => None,
        };
        engine.heard.borrow_mut().clear();
        engine.inner.handle(Command::Train(of_arms(&[Init::Frozen])), Vec::new()).await;
        // Progress is told four times a second, from the first quarter of one on that the clock knows of.
        std::thread::sleep(std::time::Duration::from_millis(300));
        engine.inner.work().await;
        let told = find(&engine.heard.borrow(), preparing);
        // One batch, twelve fits to choose among, four without another part each, and six on all pictures.
        assert_eq!(told, Some((1, 23)), "the first piece is told of");
        let heard = engine.send(Command::Stop, Vec::new()).await;
        assert_eq!(error(&heard), None);
        let race = race_of(&heard);
        assert_eq!((race.state, race.runs[0].has_model), (RaceState::Stopped, false));
        // Nothing is left of it that would be in the way of the next.
        let heard = engine.send(Command::Train(of_arms(&[Init::Frozen])), Vec::new()).await;
        assert_eq!((error(&heard), race_of(&heard).state), (None, RaceState::Finished));
    });
}
