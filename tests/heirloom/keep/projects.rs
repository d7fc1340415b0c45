//! Several projects beside each other.
#![cfg(not(target_arch = "wasm32"))]

use super::*;
use crate::session::trial::classifier;

fn names(engine: &TestEngine) -> Vec<String> {
    let mut names: Vec<_> = list_of(engine).projects.into_iter().map(|project| project.name).collect();
    names.sort();
    names
}

fn project(command: ProjectCommand) -> Command {
    Command::Project(command)
}

#[test]
fn projects_are_begun_renamed_opened_and_deleted_and_deleting_frees_their_room() {
    pollster::block_on(async {
        let place = Place::new();
        let mut engine = engine_on(&place.storage(), begin()).await;
        assert_eq!(names(&engine), Vec::<String>::new(), "an empty project is not stored");
        bring(&mut engine, 3).await;
        engine.send(Command::Train(TrainSettings { steps: 2, ..training() }), Vec::new()).await;
        let said = prediction(&mut engine, 0).await;
        let alone = place.storage().size("").await.unwrap();

        // The second one has more pictures; those of the first are the same files.
        engine.send(project(ProjectCommand::New { name: "Second".into() }), Vec::new()).await;
        let first = list_of(&engine).projects[0].id.clone();
        std::thread::sleep(std::time::Duration::from_millis(5));
        bring(&mut engine, 5).await;
        engine.send(project(ProjectCommand::Rename { id: first.clone(), name: "Zebras ".into() }), Vec::new()).await;
        assert_eq!(names(&engine), ["Second", "Zebras"]);
        let second = list_of(&engine).open;
        assert_ne!(first, second);
        let list = list_of(&engine);
        assert!(list.projects.iter().all(|project| project.bytes > 0 && project.saved_at > 1e12), "{list:?}");

        engine.send(project(ProjectCommand::Open { id: first.clone() }), Vec::new()).await;
        assert_eq!(list_of(&engine).open, first);
        assert_eq!(prediction(&mut engine, 0).await.classes, said.classes, "its models are there");

        engine.send(project(ProjectCommand::Delete { id: second.clone(), next: "x".into() }), Vec::new()).await;
        assert_eq!(names(&engine), ["Zebras"]);
        let after = place.storage().size("").await.unwrap();
        assert!(after <= alone + 2_000, "{after} bytes after deleting, {alone} before the second project");
        assert_eq!(prediction(&mut engine, 0).await.classes, said.classes, "the open one is untouched");

        engine.send(project(ProjectCommand::Delete { id: first, next: "Third".into() }), Vec::new()).await;
        assert_eq!(names(&engine), Vec::<String>::new());
        assert!(place.storage().size("").await.unwrap() < 200, "nothing is left");
        // A path is no id: it would lead to what is beside the projects.
        std::fs::create_dir_all(place.path("x")).unwrap();
        std::fs::write(place.path("x/precious"), "not a project").unwrap();
        engine.send(project(ProjectCommand::Delete { id: "../x".into(), next: "x".into() }), Vec::new()).await;
        assert!(place.path("x/precious").exists());
    });
}

#[test]
fn a_race_goes_on_when_its_project_is_opened_again() {
    pollster::block_on(async {
        let place = Place::new();
        let mut engine = engine_on(&place.storage(), begin()).await;
        bring(&mut engine, 3).await;
        engine.inner.handle(Command::Train(race(4)), Vec::new()).await;
        for _ in 0..8 {
            engine.inner.work().await;
        }
        engine.send(project(ProjectCommand::New { name: "Other".into() }), Vec::new()).await;
        let first = list_of(&engine).projects[0].id.clone();
        assert_eq!(race_of(&engine), None, "the other project races not");
        engine.send(project(ProjectCommand::Open { id: first }), Vec::new()).await;
        assert_eq!(race_of(&engine).unwrap().state, RaceState::Finished);
    });
}

#[test]
fn pictures_classified_in_one_project_are_not_there_in_the_next() {
    pollster::block_on(async {
        let place = Place::new();
        let mut engine = engine_on(&place.storage(), begin()).await;
        let (picture, at) = (vec![pictures(1).remove(0)], [PictureAt::Named(0), PictureAt::Glanced]);
        engine.open(classifier()).await;
        engine.send(Command::Predict { run: None, files: refs(&picture) }, picture.clone()).await;
        engine.send(Command::Glance { run: None, files: refs(&picture) }, picture).await;
        let look = |picture: &PictureAt| Command::Look { run: None, picture: picture.clone(), at: LookAt::Last };
        let is_look = |event: &Event| matches!(event, Event::Look(_)).then_some(());
        for picture in &at {
            assert!(find(&engine.send(look(picture), Vec::new()).await, is_look).is_some(), "{picture:?}");
        }
        engine.send(project(ProjectCommand::New { name: "Second".into() }), Vec::new()).await;
        engine.open(classifier()).await;
        for picture in &at {
            engine.send(look(picture), Vec::new()).await;
            let gone = "This picture is no longer among the pictures; choose another one.";
            assert_eq!(notices(&engine), [gone], "{picture:?}");
        }
    });
}
