//! Tied layers as the page learns and uses them.
use super::*;

pub fn learning(tying: Tying) -> LearnTied {
    let steps = if cfg!(target_arch = "wasm32") { 2 } else { 12 };
    LearnTied {
        tying,
        layers: 3,
        image_size: 16,
        batch: 4,
        head_steps: steps,
        steps,
        lr: 3e-3,
        temperature: 2.0,
        augment: false,
        seed: 1,
    }
}

async fn with_pictures() -> TestEngine {
    let mut engine = TestEngine::start().await;
    engine.open(ancestor()).await;
    let files = pictures(5);
    engine.send(Command::AddPictures { files: refs(&files), class: None }, files).await;
    engine
}

pub fn tied_report(heard: &[(Event, Option<Vec<u8>>)]) -> Option<TiedReport> {
    find(heard, |event| if let Event::Tied(report) = event { Some((**report).clone()) } else { None })
}

fn plan(tying: Tying, layers: usize) -> Command {
    Command::PlanDescendant(TiedSettings { tying, layers, image_size: 16 }.into())
}

on_every_engine! {
    async fn layers_are_learned_once_and_descendants_of_two_depths_are_raced_and_exported(_device: Device) {
        let mut engine = with_pictures().await;
        let heard = engine.send(Command::LearnTied(learning(Tying::Line)), Vec::new()).await;
        assert_eq!(error(&heard), None);
        assert!(heard.iter().any(|(event, _)| *event == Event::JobEnded { job: JobKind::Tied, finished: true }));
        let report = tied_report(&heard).unwrap();
        assert_eq!((report.state, report.stage, report.is_learned), (RaceState::Finished, TiedStage::Done, true));
        assert!(report.accuracy.is_some() && report.ancestor_accuracy.is_some());
        assert!(report.stored_parameters < report.auxiliary_parameters);
        #[cfg(not(target_arch = "wasm32"))]
        {
            let (first, last) = (report.loss.first().unwrap().loss, report.loss.last().unwrap().loss);
            assert!(last < first, "nothing was learned: {first} to {last}");
        }
        for layers in [1, 4] {
            let heard = engine.send(plan(Tying::Line, layers), Vec::new()).await;
            assert_eq!(error(&heard), None);
            let planned = find(&heard, |event| if let Event::Descendant(plan) = event { Some(plan.clone()) } else { None });
            let planned = planned.unwrap();
            assert_eq!(planned.parts, DescendantParts::Tied { tying: Tying::Line, layers });
            let race = TrainSettings { descendant: planned.settings, ..training() };
            let heard = engine.send(Command::Train(race), Vec::new()).await;
            assert_eq!(error(&heard), None);
            let race = find(&heard, |event| if let Event::Race(race) = event { Some(race.clone()) } else { None }).unwrap();
            assert_eq!((race.state, race.runs[0].parameters), (RaceState::Finished, planned.parameters));
        }
        let heard = engine.send(Command::ExportSafetensors { run: Some(0) }, Vec::new()).await;
        let bytes = heard.into_iter().find_map(|(event, bytes)| matches!(event, Event::File { .. }).then_some(bytes?));
        let heard = engine.open(FileHandle::from_bytes("again.safetensors", bytes.unwrap())).await;
        assert!(find(&heard, |event| matches!(event, Event::Ancestor(_)).then_some(())).is_some(), "it must open again");
        // Of another ancestor nothing is learned.
        let heard = engine.send(plan(Tying::Line, 2), Vec::new()).await;
        assert!(error(&heard).unwrap().contains("learn them first"));
    }
}

#[cfg(not(target_arch = "wasm32"))]
#[test]
fn stages_are_learned_too_and_another_rule_is_refused() {
    pollster::block_on(async {
        let mut engine = with_pictures().await;
        let heard = engine.send(plan(Tying::Stages(2), 4), Vec::new()).await;
        assert!(error(&heard).unwrap().contains("learn them first"));
        let heard = engine.send(Command::LearnTied(learning(Tying::Stages(2))), Vec::new()).await;
        assert_eq!(error(&heard), None);
        assert_eq!(error(&engine.send(plan(Tying::Stages(2), 4), Vec::new()).await), None);
        assert!(error(&engine.send(plan(Tying::Line, 4), Vec::new()).await).is_some());
        let settings = LearnTied { temperature: 0.0, ..learning(Tying::Line) };
        let heard = engine.send(Command::LearnTied(settings), Vec::new()).await;
        assert!(error(&heard).unwrap().contains("temperature above 0"));
    });
}
