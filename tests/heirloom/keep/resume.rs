//! A race that was broken off goes on as if nothing had been.

use super::*;
use burn::tensor::Device;
#[cfg(not(target_arch = "wasm32"))]
use rand::{Rng, SeedableRng};

/// Largest difference of two races' curves.
fn difference(a: &RaceReport, b: &RaceReport) -> f32 {
    assert_eq!(a.runs.len(), b.runs.len());
    let mut worst = 0.0_f32;
    for (a, b) in a.runs.iter().zip(&b.runs) {
        assert_eq!((a.arm, a.seed, a.step, a.points.len()), (b.arm, b.seed, b.step, b.points.len()));
        for (a, b) in a.points.iter().zip(&b.points) {
            assert_eq!((a.step, a.epoch), (b.step, b.epoch));
            for (a, b) in [
                (a.train_loss, b.train_loss),
                (a.validation_loss, b.validation_loss),
                (a.validation_accuracy, b.validation_accuracy),
            ] {
                worst = worst.max((a - b).abs());
            }
        }
    }
    worst
}

#[cfg(not(target_arch = "wasm32"))]
#[test]
fn a_race_killed_at_any_step_ends_with_the_losses_of_the_undisturbed_one() {
    pollster::block_on(async {
        let mut undisturbed = TestEngine::start().await;
        bring(&mut undisturbed, 6).await;
        undisturbed.send(Command::Train(race(8)), Vec::new()).await;
        let expected = race_of(&undisturbed).unwrap();
        let said = prediction(&mut undisturbed, 1).await;
        let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(3);
        for kill in 0..4 {
            let place = Place::new();
            let mut engine = engine_on(&place.storage(), begin()).await;
            bring(&mut engine, 6).await;
            engine.heard.borrow_mut().clear();
            engine.inner.handle(Command::Train(race(8)), Vec::new()).await;
            // Some way into the race it is saved, and then some steps are lost.
            for _ in 0..random.random_range(1..35) {
                engine.inner.work().await;
            }
            save(&mut engine).await;
            let lost = random.random_range(0..12);
            for _ in 0..lost {
                engine.inner.work().await;
            }
            let is_over = |engine: &TestEngine| race_of(engine).is_some_and(|race| race.state == RaceState::Finished);
            assert!(!is_over(&engine), "killed too late to tell anything");
            drop(engine);

            let mut engine = engine_on(&place.storage(), begin()).await;
            assert_eq!(notices(&engine), Vec::<String>::new());
            let restored = race_of(&engine).expect("the race is there");
            assert_eq!(restored.state, RaceState::Running, "it goes on by itself");
            work_until(&mut engine, |_| false).await;
            let finished = race_of(&engine).unwrap();
            assert_eq!(finished.state, RaceState::Finished);
            let worst = difference(&finished, &expected);
            assert!(worst <= 1e-5, "kill {kill}, {lost} pieces lost: the curves differ by {worst}");
            assert_eq!(prediction(&mut engine, 1).await.classes, said.classes);
        }
    });
}

#[cfg(not(target_arch = "wasm32"))]
#[test]
fn a_race_with_the_ancestor_as_it_is_goes_on_from_anywhere_in_its_fit_and_after_it() {
    pollster::block_on(async {
        let settings = TrainSettings { arms: vec![Init::Inherited, Init::Frozen], ..race(4) };
        let mut undisturbed = TestEngine::start().await;
        // Three batches of pictures to look at.
        bring(&mut undisturbed, 14).await;
        undisturbed.send(Command::Train(settings.clone()), Vec::new()).await;
        let expected = race_of(&undisturbed).unwrap();
        let said = prediction(&mut undisturbed, 1).await;
        // A start, pictures, the fit, a live yardstick, and one of the second seed.
        for pieces in [2, 3, 4, 5, 9, 20] {
            let place = Place::new();
            let mut engine = engine_on(&place.storage(), begin()).await;
            bring(&mut engine, 14).await;
            engine.inner.handle(Command::Train(settings.clone()), Vec::new()).await;
            for _ in 0..pieces {
                engine.inner.work().await;
            }
            save(&mut engine).await;
            drop(engine);

            let mut engine = engine_on(&place.storage(), begin()).await;
            assert_eq!(notices(&engine), Vec::<String>::new());
            work_until(&mut engine, |_| false).await;
            let finished = race_of(&engine).unwrap();
            assert_eq!(finished.state, RaceState::Finished);
            let worst = difference(&finished, &expected);
            assert!(worst <= 1e-5, "{pieces} pieces: the curves differ by {worst}");
            assert_eq!(prediction(&mut engine, 1).await.classes, said.classes);
        }
    });
}

#[cfg(not(target_arch = "wasm32"))]
#[test]
fn a_paused_race_waits_after_it_was_restored_and_inputs_changed_under_it_do_not_change_it() {
    pollster::block_on(async {
        let mut undisturbed = TestEngine::start().await;
        bring(&mut undisturbed, 5).await;
        undisturbed.send(Command::Train(race(4)), Vec::new()).await;
        let expected = race_of(&undisturbed).unwrap();

        let place = Place::new();
        let mut engine = engine_on(&place.storage(), begin()).await;
        bring(&mut engine, 5).await;
        engine.inner.handle(Command::Train(race(4)), Vec::new()).await;
        for _ in 0..9 {
            engine.inner.work().await;
        }
        engine.send(Command::Pause, Vec::new()).await;
        let few = ClusterSettings { eps: 100.0, eps_ffn: 100.0, ..ClusterSettings::for_image_size(32) };
        engine.send(Command::SetClusters(few), Vec::new()).await;
        engine.send(Command::SetSplit(SplitSettings { validation_share: 0.5, seed: 9 }), Vec::new()).await;
        drop(engine);

        let mut engine = engine_on(&place.storage(), begin()).await;
        assert_eq!(race_of(&engine).unwrap().state, RaceState::Paused);
        let clusters = |event: &Event| if let Event::Clusters(report) = event { Some(report.kept_heads) } else { None };
        assert_eq!(find(&engine.heard.borrow(), clusters), Some(2), "the page gets its own clusters back");
        engine.heard.borrow_mut().clear();
        while engine.inner.work().await {}
        assert_eq!(race_of(&engine), None, "it waits");
        engine.send(Command::Continue, Vec::new()).await;
        let worst = difference(&race_of(&engine).unwrap(), &expected);
        assert!(worst <= 1e-5, "the curves differ by {worst}");
    });
}

on_every_engine! {
    async fn a_restored_engine_has_ancestor_pictures_heads_and_trained_models(_device: Device) {
        let storage = Storage::memory();
        let mut engine = engine_on(&storage, begin()).await;
        engine.send(Command::Project(ProjectCommand::Page("steps=2".into())), Vec::new()).await;
        bring(&mut engine, 3).await;
        let heads = |event: &Event| if let Event::Heads(report) = event { Some(report.clone()) } else { None };
        let measured = find(&engine.send(Command::MeasureHeads(MeasureSettings { pictures: 2, renormalise: false }), Vec::new()).await, heads);
        engine.send(Command::Train(TrainSettings { steps: 2, ..training() }), Vec::new()).await;
        let race = race_of(&engine);
        let said = prediction(&mut engine, 0).await;
        drop(engine);

        let mut engine = engine_on(&storage, begin()).await;
        assert_eq!(notices(&engine), Vec::<String>::new());
        let heard = heard_all(&engine);
        let opening = heard.iter().position(|event| matches!(event, Event::Project(ProjectEvent::Opening { page, .. }) if page == "steps=2"));
        let opened = heard.iter().position(|event| matches!(event, Event::Project(ProjectEvent::Opened)));
        assert!(opening < opened && opening.is_some(), "{heard:?}");
        let distances = |report: Option<HeadsReport>| report.map(|report| (report.distance, report.pictures));
        assert_eq!(distances(find(&engine.heard.borrow(), heads)), distances(measured), "heads are not measured again");
        assert!(heard.iter().any(|event| matches!(event, Event::Pictures(pictures) if pictures.classes.len() == 2)));
        assert!(difference(&race_of(&engine).unwrap(), &race.unwrap()) < 1e-6);
        assert_eq!(prediction(&mut engine, 0).await, said);
        let heard = engine.send(Command::ShowAttention { layer: 1, head: 2, picture: 0, patch: None }, Vec::new()).await;
        assert!(find(&heard, |event| matches!(event, Event::Attention(_)).then_some(())).is_some());
    }
}
