//! Learngene by layers as the page drives it.
use super::*;

const HEAVY: bool = cfg!(target_arch = "wasm32");

fn condensing(likeness: Likeness) -> CondenseSettings {
    CondenseSettings {
        layers: 1,
        steps: if HEAVY { 1 } else { 12 },
        batch: 4,
        lr: 3e-3,
        image_size: 32,
        share: 0.5,
        probe: 2,
        likeness,
        ..CondenseSettings::default()
    }
}

async fn with_pictures() -> TestEngine {
    let mut engine = TestEngine::start().await;
    engine.open(ancestor()).await;
    let files = pictures(5);
    engine.send(Command::AddPictures { files: refs(&files), class: None }, files).await;
    engine
}

fn condensed(heard: &[(Event, Option<Vec<u8>>)]) -> CondenseReport {
    assert_eq!(error(heard), None);
    find(heard, |event| if let Event::Condensed(report) = event { Some(report.clone()) } else { None }).unwrap()
}

fn planned(heard: &[(Event, Option<Vec<u8>>)]) -> DescendantSummary {
    find(heard, |event| if let Event::Descendant(plan) = event { Some(plan.clone()) } else { None }).unwrap()
}

fn by_layers(chosen: &[usize], layers: usize, freeze_epochs: f64) -> DescendantPlan {
    LayersSettings { chosen: chosen.to_vec(), layers, image_size: 32, freeze_epochs }.into()
}

on_every_engine! {
    async fn layers_are_compared_chosen_inherited_trained_and_exported(_device: Device) {
        let mut engine = with_pictures().await;
        let heard = engine.send(Command::Condense(condensing(Likeness::Cka)), Vec::new()).await;
        let report = condensed(&heard);
        assert_eq!(report.ancestor_layers, ["blocks.0", "blocks.1"]);
        assert_eq!(report.pseudo_layers, ["blocks.0"]);
        assert_eq!((report.similarity.len(), report.similarity[0].len(), report.pictures), (2, 1, 2));
        for (row, score) in report.similarity.iter().zip(&report.mean.scores) {
            assert!(row[0].is_finite() && row[0] <= 1.0 + 1e-4, "{row:?}");
            assert!((row[0] - score).abs() < 1e-6);
        }
        let order = &report.mean.order;
        assert!(report.mean.scores[order[0]] >= report.mean.scores[order[1]]);
        #[cfg(not(target_arch = "wasm32"))]
        assert!(report.losses[1] < report.losses[0], "the stand-in must learn: {:?}", report.losses);

        let heard = engine.send(Command::PlanDescendant(by_layers(&order[..1], 2, 0.5)), Vec::new()).await;
        let plan = planned(&heard);
        let DescendantParts::Layers(layers) = &plan.parts else { panic!("no layers: {:?}", plan.parts) };
        assert_eq!(layers.iter().map(|layer| layer.source).collect::<Vec<_>>(), [Some(order[0]), None]);
        assert!(layers[0].parameters > 0 && layers[0].parameters == layers[1].parameters);

        let settings = TrainSettings { descendant: plan.settings, ..training() };
        let heard = engine.send(Command::Train(settings.clone()), Vec::new()).await;
        assert_eq!(error(&heard), None);
        let race = find(&heard, |event| if let Event::Race(race) = event { Some(race.clone()) } else { None }).unwrap();
        assert_eq!((race.state, race.runs.len()), (RaceState::Finished, 2));
        assert_eq!(race.settings.descendant, settings.descendant);

        let heard = engine.send(Command::ExportSafetensors { run: Some(0) }, Vec::new()).await;
        let bytes = heard.into_iter().find_map(|(event, bytes)| matches!(event, Event::File { .. }).then_some(bytes?));
        let heard = engine.open(FileHandle::from_bytes("again.safetensors", bytes.unwrap())).await;
        assert!(find(&heard, |event| matches!(event, Event::Ancestor(_)).then_some(())).is_some(), "it must open again");
    }
}

#[cfg(not(target_arch = "wasm32"))]
#[test]
fn learned_weights_of_every_pseudo_layer_sum_to_one() {
    pollster::block_on(async {
        let mut engine = with_pictures().await;
        let heard = engine.send(Command::Condense(condensing(Likeness::Learned)), Vec::new()).await;
        let report = condensed(&heard);
        let sum: f32 = report.similarity.iter().map(|row| row[0]).sum();
        assert!((sum - 1.0).abs() < 1e-5, "{:?}", report.similarity);
        assert!(report.similarity.iter().all(|row| row[0] > 0.0));
        assert!(report.similarity[0][0] != report.similarity[1][0], "the weights never moved");
    });
}

#[cfg(not(target_arch = "wasm32"))]
#[test]
fn block_influence_needs_no_step_and_gives_every_layer_a_score() {
    pollster::block_on(async {
        let mut engine = with_pictures().await;
        let settings = CondenseSettings { steps: 0, ..condensing(Likeness::Influence) };
        let heard = engine.send(Command::Condense(settings), Vec::new()).await;
        assert_eq!(error(&heard), None);
        let report = condensed(&heard);
        assert_eq!((report.similarity.len(), report.pseudo_layers.as_slice()), (2, &["influence".to_owned()][..]));
        assert!(report.similarity.iter().all(|row| row.len() == 1 && row[0] > 0.0 && row[0] < 2.0));
        assert!(report.mean.order[0] != report.mean.order[1] && report.pictures > 0);
    });
}

#[cfg(not(target_arch = "wasm32"))]
#[test]
fn condensing_that_cannot_be_is_refused_with_a_sentence_and_can_be_stopped() {
    pollster::block_on(async {
        let mut engine = TestEngine::start().await;
        let settings = condensing(Likeness::Cka);
        let refused = |heard: &[(Event, Option<Vec<u8>>)]| error(heard).expect("a sentence");
        let heard = engine.send(Command::Condense(settings.clone()), Vec::new()).await;
        assert!(refused(&heard).starts_with("No ancestor"));
        let mut engine = with_pictures().await;
        for (wrong, says) in [
            (CondenseSettings { classes: vec!["green".into(), "red".into()], ..settings.clone() }, "`green`"),
            (CondenseSettings { classes: vec!["red".into()], ..settings.clone() }, "two classes"),
            (CondenseSettings { image_size: 30, ..settings.clone() }, "patches"),
            (CondenseSettings { layers: 0, ..settings.clone() }, "0 `layers`"),
            (CondenseSettings { steps: 0, ..settings.clone() }, "one step"),
        ] {
            let said = refused(&engine.send(Command::Condense(wrong), Vec::new()).await);
            assert!(said.contains(says) && said.starts_with(char::is_uppercase), "{said}");
        }
        engine.heard.borrow_mut().clear();
        engine.inner.handle(Command::Condense(settings), Vec::new()).await;
        assert!(engine.inner.work().await);
        engine.inner.handle(Command::Stop, Vec::new()).await;
        assert!(!engine.inner.work().await, "nothing is left to do");
        let ended = engine
            .heard
            .borrow()
            .iter()
            .any(|(event, _)| matches!(event, Event::JobEnded { job: JobKind::Condense, finished: false }));
        assert!(ended);
    });
}
