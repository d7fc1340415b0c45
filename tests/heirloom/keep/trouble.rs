//! Torn writes, full disks, damaged files: said, and nothing that was saved is lost.
#![cfg(not(target_arch = "wasm32"))]

use super::*;

/// The generations of the only project: path and counter, the newest first.
fn generations(place: &Place) -> Vec<(std::path::PathBuf, u64)> {
    let project = std::fs::read_dir(place.path("projects")).unwrap().next().unwrap().unwrap().path();
    let counter = |path: &std::path::Path| {
        let bytes = std::fs::read(path).ok()?;
        let text = String::from_utf8_lossy(&bytes);
        let after = text.split("\\\"generation\\\":").nth(1)?;
        after.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok()
    };
    let found = ["a.save", "b.save"].map(|name| project.join(name)).into_iter();
    let mut found: Vec<_> = found.filter_map(|path| counter(&path).map(|count| (path, count))).collect();
    found.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    found
}

#[test]
fn a_torn_or_changed_newest_generation_gives_way_to_the_one_before_it_and_is_said() {
    pollster::block_on(async {
        for damage in ["cut", "changed", "empty"] {
            let place = Place::new();
            let mut engine = engine_on(&place.storage(), begin()).await;
            bring(&mut engine, 3).await;
            engine.send(Command::SetSplit(SplitSettings { validation_share: 0.4, seed: 5 }), Vec::new()).await;
            drop(engine);
            let found = generations(&place);
            assert_eq!(found.len(), 2);
            let mut bytes = std::fs::read(&found[0].0).unwrap();
            match damage {
                "cut" => bytes.truncate(bytes.len() - 100),
                "empty" => bytes.clear(),
                _ => {
                    let middle = bytes.len() / 2;
                    bytes[middle] ^= 1;
                }
            }
            std::fs::write(&found[0].0, bytes).unwrap();

            let engine = engine_on(&place.storage(), begin()).await;
            let said = notices(&engine);
            let is_said = |text: &String| text.starts_with("The newest saved state of `First` is damaged (");
            assert!(said.iter().any(is_said), "{damage}: {said:?}");
            let heard = heard_all(&engine);
            assert!(heard.iter().any(|event| matches!(event, Event::Heads(_))), "{damage}: the older one is opened");
            drop(engine);

            // The next save goes over the damaged one, not over the whole one.
            let mut engine = engine_on(&place.storage(), begin()).await;
            engine.send(Command::SetSplit(SplitSettings { validation_share: 0.3, seed: 5 }), Vec::new()).await;
            drop(engine);
            let after = generations(&place);
            assert_eq!(after[1].1, found[1].1, "{damage}");
        }
    });
}

#[test]
fn two_damaged_generations_are_said_and_left_alone() {
    pollster::block_on(async {
        let place = Place::new();
        let mut engine = engine_on(&place.storage(), begin()).await;
        bring(&mut engine, 3).await;
        drop(engine);
        for (path, _) in generations(&place) {
            let bytes = std::fs::read(&path).unwrap();
            std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        }
        let mut engine = engine_on(&place.storage(), begin()).await;
        let said = notices(&engine);
        assert!(said.iter().any(|text| text.contains("could not be opened")), "{said:?}");
        bring(&mut engine, 3).await;
        assert_eq!(std::fs::read_dir(place.path("projects")).unwrap().count(), 2, "the damaged one stays");
    });
}

#[test]
fn a_full_disk_is_said_once_and_the_race_goes_on_and_what_was_saved_stays() {
    pollster::block_on(async {
        let place = Place::new();
        let mut engine = engine_on(&place.storage(), begin()).await;
        bring(&mut engine, 4).await;
        let used = place.storage().size("").await.unwrap();
        drop(engine);
        // Room for a little more than what is there, not for the weights of a race.
        let quota = Some(used + 4_000);
        let begin_full = Command::Project(ProjectCommand::Begin { name: "x".into(), quota, calm: false });
        let mut engine = engine_on(&place.storage(), begin_full).await;
        let heard = engine.send(Command::Train(TrainSettings { seeds: 2, steps: 6, ..training() }), Vec::new()).await;
        let said: Vec<_> = notices(&engine).into_iter().filter(|text| text.contains("no room")).collect();
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(heard.iter().any(|(event, _)| matches!(event, Event::Project(ProjectEvent::Unsaved { .. }))));
        assert_eq!(race_of(&engine).unwrap().state, RaceState::Finished);
        prediction(&mut engine, 0).await;
        // Even so the work can be taken home.
        let heard = engine.send(Command::Project(ProjectCommand::Export), Vec::new()).await;
        assert!(heard.iter().any(|(event, _)| matches!(event, Event::File { name, .. } if name.ends_with(".zip"))));
        drop(engine);
        let engine = engine_on(&place.storage(), begin()).await;
        assert_eq!(notices(&engine), Vec::<String>::new());
        assert!(heard_all(&engine).iter().any(|event| matches!(event, Event::Heads(_))));
    });
}

#[test]
fn pictures_without_room_are_asked_for_again_and_then_the_work_goes_on() {
    pollster::block_on(async {
        let place = Place::new();
        let room = ancestor().len() + 1_500;
        let begin_small =
            || Command::Project(ProjectCommand::Begin { name: "x".into(), quota: Some(room), calm: false });
        let mut engine = engine_on(&place.storage(), begin_small()).await;
        let small: Vec<FileHandle> = pictures(3);
        engine.open(ancestor()).await;
        engine.send(Command::AddPictures { files: refs(&small), class: None }, small.clone()).await;
        assert!(
            notices(&engine).iter().any(|text| text.contains("drop the same files again")),
            "{:?}",
            notices(&engine)
        );
        drop(engine);
        // The generation itself found no room beside the pictures; give it some.
        let mut engine = engine_on(&place.storage(), begin()).await;
        engine.open(ancestor()).await;
        engine.send(Command::AddPictures { files: refs(&small), class: None }, small.clone()).await;
        drop(engine);
        for blob in std::fs::read_dir(place.path("blobs")).unwrap().flatten() {
            if blob.metadata().unwrap().len() < 10_000 {
                std::fs::remove_file(blob.path()).unwrap();
            }
        }
        let mut engine = engine_on(&place.storage(), begin()).await;
        assert!(
            notices(&engine).iter().any(|text| text.contains("Drop the same files again")),
            "{:?}",
            notices(&engine)
        );
        let has_ancestor =
            |engine: &TestEngine| heard_all(engine).iter().any(|event| matches!(event, Event::Ancestor(_)));
        assert!(!has_ancestor(&engine), "it waits");
        let (one, others) = small.split_at(1);
        engine.send(Command::AddPictures { files: refs(one), class: None }, one.to_vec()).await;
        assert!(notices(&engine).iter().any(|text| text.contains("Drop the same files again")), "still waits");
        engine.send(Command::AddPictures { files: refs(others), class: None }, others.to_vec()).await;
        assert!(has_ancestor(&engine));
        drop(engine);
        let engine = engine_on(&place.storage(), begin()).await;
        assert_eq!(notices(&engine), Vec::<String>::new(), "now they are stored");
    });
}
