//! Tied layers come back: in learning, and learned.

use super::*;
use crate::session::tied::{learning, tied_report};

async fn with_pictures(storage: &Storage) -> TestEngine {
    let mut engine = engine_on(storage, begin()).await;
    bring(&mut engine, 5).await;
    engine
}

fn tied_of(engine: &TestEngine) -> Option<TiedReport> {
    tied_report(&engine.heard.borrow())
}

fn at(stage: TiedStage, step: usize) -> impl Fn(&TestEngine) -> bool {
    move |engine| tied_of(engine).is_some_and(|now| now.stage == stage && now.steps[0] >= step)
}

#[test]
fn layers_killed_in_learning_end_as_the_undisturbed_ones_and_descendants_come_back() {
    pollster::block_on(async {
        let mut undisturbed = TestEngine::start().await;
        bring(&mut undisturbed, 5).await;
        undisturbed.send(Command::LearnTied(learning(Tying::Line)), Vec::new()).await;
        let expected = tied_of(&undisturbed).unwrap();
        for (stage, step) in [(TiedStage::Head, 5), (TiedStage::Distil, 15)] {
            let place = Place::new();
            let mut engine = with_pictures(&place.storage()).await;
            engine.heard.borrow_mut().clear();
            engine.inner.handle(Command::LearnTied(learning(Tying::Line)), Vec::new()).await;
            work_until(&mut engine, at(stage, step)).await;
            save(&mut engine).await;
            drop(engine);

            let mut engine = engine_on(&place.storage(), begin()).await;
            assert_eq!(notices(&engine), Vec::<String>::new());
            while engine.inner.work().await {}
            assert_eq!(tied_of(&engine), Some(expected.clone()), "{stage:?}");

            // A descendant is planned, and the learned layers are there after another reload.
            let plan = TiedSettings { tying: Tying::Line, layers: 2, image_size: 16 };
            let heard = engine.send(Command::PlanDescendant(plan.into()), Vec::new()).await;
            let file = engine.send(Command::ExportSafetensors { run: None }, Vec::new()).await;
            assert!(find(&heard, |event| matches!(event, Event::Descendant(_)).then_some(())).is_some());
            while engine.inner.work().await {}
            drop(engine);
            let mut engine = engine_on(&place.storage(), begin()).await;
            assert_eq!(notices(&engine), Vec::<String>::new());
            assert_eq!(tied_of(&engine), Some(expected.clone()));
            let bytes = |heard: Vec<(Event, Option<Vec<u8>>)>| heard.into_iter().find_map(|(_, bytes)| bytes).unwrap();
            let again = engine.send(Command::ExportSafetensors { run: None }, Vec::new()).await;
            assert_eq!(bytes(again), bytes(file), "the same descendant is read off");
        }
    });
}
