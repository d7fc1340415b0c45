//! A convolutional network as the ancestor of a session.

use burn::tensor::Device;
use heirloom_checkpoint::{Checkpoint, Description, write_safetensors};
use heirloom_nn::cnn::Shortcut;
use heirloom_plan::protocol::*;
use heirloom_platform::file::FileHandle;

use super::{TestEngine, error, find, pictures, refs, training};
use crate::cnn::{lively, small};

async fn network() -> FileHandle {
    let cnn = lively(&small(Shortcut::Projection), &crate::support::device().await).await;
    let description = Description { config: cnn.config.clone().into(), labels: None, preprocessing: None };
    FileHandle::from_bytes("network.safetensors", write_safetensors(cnn.state().await.unwrap(), &description))
}

async fn opened() -> (TestEngine, AncestorSummary) {
    let mut engine = TestEngine::start().await;
    let heard = engine.open(network().await).await;
    assert_eq!(error(&heard), None);
    let summary =
        find(&heard, |event| if let Event::Ancestor(one) = event { Some(one.clone()) } else { None }).unwrap();
    let files = pictures(5);
    engine.send(Command::AddPictures { files: refs(&files), class: None }, files).await;
    (engine, summary)
}

on_every_engine! {
    async fn stages_of_a_network_are_inherited_trained_exported_and_opened_again(_device: Device) {
        let (mut engine, summary) = opened().await;
        let stages = summary.config.cnn().unwrap().stages.iter().map(|stage| (stage.depth, stage.width));
        assert_eq!(stages.collect::<Vec<_>>(), [(1, 4), (1, 6), (1, 9)]);
        assert_eq!((summary.config.image_size(), summary.config.classes()), (8, Some(5)));

        let plan = LayersSettings { chosen: vec![0, 1], layers: 3, image_size: 8, freeze_epochs: 0.0 };
        let heard = engine.send(Command::PlanDescendant(plan.clone().into()), Vec::new()).await;
        assert_eq!(error(&heard), None);
        let steps = if cfg!(target_arch = "wasm32") { 2 } else { 30 };
        let settings = TrainSettings { descendant: plan.into(), steps, ..training() };
        let heard = engine.send(Command::Train(settings), Vec::new()).await;
        assert_eq!(error(&heard), None);
        let race = find(&heard, |event| if let Event::Race(race) = event { Some(race.clone()) } else { None }).unwrap();
        assert_eq!(race.state, RaceState::Finished);
        for run in &race.runs {
            let (first, last) = (run.points.first().unwrap(), run.points.last().unwrap());
            assert!(last.validation_loss.is_finite());
            #[cfg(not(target_arch = "wasm32"))]
            assert!(last.train_loss < first.train_loss, "training must reduce the loss: {run:?}");
            let _ = first;
        }

        let heard = engine.send(Command::ExportSafetensors { run: Some(0) }, Vec::new()).await;
        let (name, bytes) = heard.iter().find_map(|(event, bytes)| match event {
            Event::File { name, .. } => Some((name.clone(), bytes.clone().unwrap())),
            _ => None,
        }).unwrap();
        let checkpoint = Checkpoint::open(&[FileHandle::from_bytes(name, bytes)]).await.unwrap();
        checkpoint.check_complete().unwrap();
        assert_eq!(checkpoint.labels, Some(vec!["blue".to_string(), "red".to_string()]));
        let moved = checkpoint.tensor("layer3.0.bn1.running_mean").await.unwrap();
        assert!(moved.values.iter().any(|&value| value != 0.0), "running statistics are exported");
    }
}

#[cfg(not(target_arch = "wasm32"))]
#[test]
fn what_wants_heads_says_that_a_network_has_none_and_the_rest_goes_on() {
    pollster::block_on(async {
        let (mut engine, summary) = opened().await;
        let heard = engine.send(Command::MeasureHeads(MeasureSettings::default()), Vec::new()).await;
        let said = error(&heard).unwrap();
        assert!(said.starts_with("This ancestor has no attention heads"), "{said}");
        let other = Preparation { mean: [0.5, 0.4, 0.3], std: [0.2, 0.25, 0.3] };
        assert_ne!(summary.preparation, other);
        let heard = engine.send(Command::SetPreparation(other), Vec::new()).await;
        let said = find(&heard, |event| if let Event::Ancestor(one) = event { Some(one.preparation) } else { None });
        assert_eq!(said, Some(other));
        let flat = Preparation { std: [0.2, 0.0, 0.2], ..other };
        let said = error(&engine.send(Command::SetPreparation(flat), Vec::new()).await).unwrap();
        assert_eq!(said, "The deviation of every colour must be a number above 0, its mean a number.");
    });
}

on_every_engine! {
    async fn a_network_as_it_is_tells_colours_apart_by_a_new_last_layer(_device: Device) {
        let (mut engine, _) = opened().await;
        let whole = LayersSettings { chosen: vec![0, 1, 2], layers: 3, image_size: 8, freeze_epochs: 0.0 };
        let settings = TrainSettings { descendant: whole.into(), arms: vec![Init::Frozen], steps: 1, ..training() };
        let heard = engine.send(Command::Train(settings), Vec::new()).await;
        assert_eq!(error(&heard), None);
        let race = find(&heard, |event| if let Event::Race(race) = event { Some(race.clone()) } else { None }).unwrap();
        assert_eq!(race.runs[0].points.last().unwrap().validation_accuracy, 1.0);
        assert!(race.runs[0].has_model);
    }
}
