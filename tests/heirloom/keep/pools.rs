//! A pool under way goes on after a reload, and one that is finished is part of the project.
#![cfg(not(target_arch = "wasm32"))]

use super::*;
use crate::session::pool::{cut, settings};
use rand::{Rng, SeedableRng};

/// Augmentation and the anchor's own answers: everything there is to bring back.
fn eventful(method: Method) -> PoolSettings {
    PoolSettings { augment: true, is_anchor_teacher: method == Method::Stitch, ..settings(method) }
}

async fn engine_with_pictures(storage: &Storage) -> TestEngine {
    let mut engine = engine_on(storage, begin()).await;
    bring(&mut engine, 5).await;
    engine
}

/// Largest difference of what two pools measured.
fn difference(a: &PoolReport, b: &PoolReport) -> f32 {
    let curves = |report: &PoolReport| {
        let models = report.distil_loss.iter().chain([&report.head_loss, &report.tune_loss]);
        models.cloned().collect::<Vec<_>>()
    };
    let (of_a, of_b) = (curves(a), curves(b));
    assert_eq!(of_a.iter().map(Vec::len).collect::<Vec<_>>(), of_b.iter().map(Vec::len).collect::<Vec<_>>());
    let losses = of_a.iter().flatten().zip(of_b.iter().flatten()).map(|(a, b)| {
        assert_eq!(a.step, b.step);
        (a.loss - b.loss).abs()
    });
    assert_eq!(a.configurations.len(), b.configurations.len());
    let shares = a.configurations.iter().zip(&b.configurations).flat_map(|(a, b)| {
        let both = [(a.accuracy_at_start, b.accuracy_at_start), (a.accuracy, b.accuracy)];
        both.map(|(a, b)| (a.unwrap() - b.unwrap()).abs())
    });
    let ancestor = (a.ancestor_accuracy.unwrap() - b.ancestor_accuracy.unwrap()).abs();
    losses.chain(shares).chain([ancestor]).fold(0.0, f32::max)
}

/// Text holds times to all their digits but the last.
fn round(value: Option<f64>) -> Option<f64> {
    value.map(|value| (value * 1e9).round())
}

fn rounded_one(one: PoolConfiguration) -> PoolConfiguration {
    PoolConfiguration { milliseconds: round(one.milliseconds), ..one }
}

fn rounded(report: PoolReport) -> PoolReport {
    let configurations = report.configurations.into_iter().map(rounded_one).collect();
    PoolReport { configurations, spearman: round(report.spearman), ..report }
}

fn rounded_cut(cut: CutReport) -> CutReport {
    CutReport { configuration: rounded_one(cut.configuration), ..cut }
}

/// A stitched configuration cut out: its number among the models, and what it says of a picture.
async fn cut_and_named(engine: &mut TestEngine, method: Method) -> (CutReport, Prediction) {
    let cut = cut(engine, method, 3).await;
    let said = prediction(engine, cut.run).await;
    (cut, said)
}

#[test]
fn a_pool_killed_at_any_step_ends_with_the_losses_and_models_of_the_undisturbed_one() {
    pollster::block_on(async {
        let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(7);
        let published = PoolSettings { basis: Basis::Learned, ..eventful(Method::Pool) };
        for eventful in [eventful(Method::Pool), eventful(Method::Stitch), published] {
            let method = eventful.method;
            let mut undisturbed = TestEngine::start().await;
            bring(&mut undisturbed, 5).await;
            undisturbed.inner.handle(Command::MakePool(eventful.clone()), Vec::new()).await;
            let mut pieces = 0;
            while undisturbed.inner.work().await {
                pieces += 1;
            }
            let expected = pool_of(&undisturbed, method).unwrap();
            assert_eq!(expected.state, RaceState::Finished);
            let (_, said) = cut_and_named(&mut undisturbed, method).await;
            for _ in 0..4 {
                let place = Place::new();
                let mut engine = engine_with_pictures(&place.storage()).await;
                engine.inner.handle(Command::MakePool(eventful.clone()), Vec::new()).await;
                let worked = random.random_range(1..pieces - 20);
                for _ in 0..worked {
                    engine.inner.work().await;
                }
                let stood = pool_of(&engine, method).unwrap().steps[0];
                save(&mut engine).await;
                let lost = random.random_range(0..12);
                for _ in 0..lost {
                    engine.inner.work().await;
                }
                let is_running = pool_of(&engine, method).is_some_and(|pool| pool.state == RaceState::Running);
                assert!(is_running, "killed too late to tell anything");
                drop(engine);

                let mut engine = engine_on(&place.storage(), begin()).await;
                assert_eq!(notices(&engine), Vec::<String>::new());
                let restored = pool_of(&engine, method).expect("the pool is there");
                assert_eq!(restored.state, RaceState::Running, "it goes on by itself");
                assert!(restored.steps[0] >= stood, "it began anew: {:?} after {stood} steps", restored.steps);
                work_until(&mut engine, |_| false).await;
                let finished = pool_of(&engine, method).unwrap();
                assert_eq!(finished.state, RaceState::Finished);
                let worst = difference(&finished, &expected);
                let what = format!("{method:?}, {worked} of {pieces} pieces, {lost} lost");
                assert!(worst <= 1e-5, "{what}: the losses differ by {worst}");
                let (_, here) = cut_and_named(&mut engine, method).await;
                for ((class, share), (other, expected)) in here.classes.iter().zip(&said.classes) {
                    assert!(class == other && (share - expected).abs() <= 1e-5, "{what}: {here:?}, {said:?}");
                }
            }
        }
    });
}

#[test]
fn finished_pools_and_models_cut_out_of_them_come_back_and_go_along_in_the_zip() {
    pollster::block_on(async {
        let place = Place::new();
        let mut engine = engine_with_pictures(&place.storage()).await;
        let mut made = Vec::new();
        for method in [Method::Pool, Method::Stitch] {
            engine.send(Command::MakePool(settings(method)), Vec::new()).await;
            made.push(pool_of(&engine, method).unwrap());
        }
        let (cut, said) = cut_and_named(&mut engine, Method::Pool).await;
        let (_, said_of_stitch) = cut_and_named(&mut engine, Method::Stitch).await;
        // The cut-out models are saved before the engine goes.
        while engine.inner.work().await {}
        drop(engine);

        let mut engine = engine_on(&place.storage(), begin()).await;
        let zip = zip_of(&mut engine).await;
        drop(engine);
        let other = Place::new();
        for (here, zip) in [(&place, None), (&other, Some(zip))] {
            let mut engine = engine_on(&here.storage(), begin()).await;
            if let Some(zip) = zip {
                assert_eq!(import(&mut engine, zip).await, Vec::<String>::new());
            }
            assert_eq!(notices(&engine), Vec::<String>::new());
            for report in &made {
                let back = pool_of(&engine, report.settings.method).expect("the pool is there");
                assert_eq!(rounded(back), rounded(report.clone()));
            }
            let cuts = heard_all(&engine).into_iter().filter_map(|event| match event {
                Event::Cut(cut) => Some(cut),
                _ => None,
            });
            let cuts: Vec<CutReport> = cuts.collect();
            assert_eq!(cuts.len(), 2, "models cut out before are told of again");
            assert_eq!(rounded_cut(cuts[0].clone()), rounded_cut(cut.clone()));
            assert_eq!(prediction(&mut engine, cuts[0].run).await, said);
            assert_eq!(prediction(&mut engine, cuts[1].run).await, said_of_stitch);
            // And others can be cut out, the same as before.
            let (again, here) = cut_and_named(&mut engine, Method::Pool).await;
            assert_eq!(rounded_cut(again), CutReport { run: 2, ..rounded_cut(cut.clone()) });
            assert_eq!(here, said);
        }
    });
}

#[test]
fn a_pool_stopped_while_it_was_distilled_comes_back_with_the_models_it_had() {
    pollster::block_on(async {
        let place = Place::new();
        let mut engine = engine_with_pictures(&place.storage()).await;
        engine.heard.borrow_mut().clear();
        engine.inner.handle(Command::MakePool(settings(Method::Pool)), Vec::new()).await;
        let second = |engine: &TestEngine| {
            pool_of(engine, Method::Pool).is_some_and(|now| now.stage == PoolStage::Distil { model: 1 })
        };
        work_until(&mut engine, second).await;
        engine.send(Command::Stop, Vec::new()).await;
        let stopped = pool_of(&engine, Method::Pool).unwrap();
        let found = cut(&mut engine, Method::Pool, 0).await;
        let said = prediction(&mut engine, found.run).await;
        drop(engine);

        let mut engine = engine_on(&place.storage(), begin()).await;
        assert_eq!(notices(&engine), Vec::<String>::new());
        assert_eq!(pool_of(&engine, Method::Pool).map(rounded), Some(rounded(stopped)));
        let again = cut(&mut engine, Method::Pool, 0).await;
        assert_eq!(prediction(&mut engine, again.run).await, said);
        let refused = Command::CutOut { method: Method::Pool, configuration: 1 };
        engine.send(refused, Vec::new()).await;
        let sentence = "Configuration `1` is not there; choose one that is ready.";
        assert_eq!(notices(&engine), [sentence], "it has no stitched models");
    });
}

#[test]
fn a_paused_pool_waits_after_it_was_restored_and_inputs_changed_under_it_do_not_change_it() {
    pollster::block_on(async {
        let mut undisturbed = TestEngine::start().await;
        bring(&mut undisturbed, 5).await;
        undisturbed.send(Command::MakePool(eventful(Method::Pool)), Vec::new()).await;
        let expected = pool_of(&undisturbed, Method::Pool).unwrap();

        let place = Place::new();
        let mut engine = engine_with_pictures(&place.storage()).await;
        engine.inner.handle(Command::MakePool(eventful(Method::Pool)), Vec::new()).await;
        for _ in 0..25 {
            engine.inner.work().await;
        }
        engine.send(Command::Pause, Vec::new()).await;
        engine.send(Command::SetSplit(SplitSettings { validation_share: 0.5, seed: 9 }), Vec::new()).await;
        drop(engine);

        let mut engine = engine_on(&place.storage(), begin()).await;
        assert_eq!(notices(&engine), Vec::<String>::new());
        assert_eq!(pool_of(&engine, Method::Pool).unwrap().state, RaceState::Paused);
        engine.heard.borrow_mut().clear();
        while engine.inner.work().await {}
        assert_eq!(pool_of(&engine, Method::Pool), None, "it waits");
        engine.send(Command::Continue, Vec::new()).await;
        let worst = difference(&pool_of(&engine, Method::Pool).unwrap(), &expected);
        assert!(worst <= 1e-5, "the losses differ by {worst}");
    });
}
