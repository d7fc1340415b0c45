//! What the page repeats to a new engine.

use heirloom_plan::config::{CnnConfig, Shortcut};
use heirloom_plan::journal::Journal;
use heirloom_plan::protocol::{
    AncestorSummary, ClassCount, Command, Event, FolderLevel, JobKind, MeasureSettings, PicturesSummary, Preparation,
    ProjectCommand, ProjectEvent, Said, Saved,
};

fn open(name: &str) -> Command {
    let files = vec![heirloom_plan::protocol::FileRef { index: 0, path: name.into(), size: 1 }];
    Command::OpenAncestor { files }
}

fn add() -> Command {
    Command::AddPictures { files: Vec::new(), class: None }
}

fn pictures() -> Event {
    let class = ClassCount { name: "daisy".into(), train: 1, validation: 0, thumbnails: Vec::new() };
    Event::Pictures(PicturesSummary { classes: vec![class], ..Default::default() })
}

fn answer(id: u64, event: Event) -> Said {
    Said { answers: Some(id), event }
}

#[test]
fn a_picture_folder_that_was_read_is_repeated_with_its_handles() {
    let mut journal = Journal::<u8>::default();
    journal.sent(0, &Command::Start { engine: None }, &[]);
    journal.sent(1, &add(), &[7]);
    journal.received(&answer(1, pictures()));
    let (entries, guilty) = journal.replay();
    assert_eq!(guilty, None);
    assert_eq!(entries, vec![(Command::Start { engine: None }, vec![]), (add(), vec![7])]);
}

#[test]
fn the_command_under_way_when_the_engine_died_is_not_repeated_but_those_behind_it_are() {
    let mut journal = Journal::<u8>::default();
    journal.sent(0, &open("deadly.safetensors"), &[1]);
    journal.sent(1, &add(), &[2]);
    let (entries, guilty) = journal.replay();
    assert_eq!(guilty, Some(JobKind::Open));
    assert_eq!(entries, vec![(add(), vec![2])]);
}

#[test]
fn a_refused_file_is_forgotten_and_cleared_pictures_stay_cleared() {
    let mut journal = Journal::<u8>::default();
    journal.sent(0, &open("text.txt"), &[1]);
    journal.received(&answer(0, Event::JobEnded { job: JobKind::Open, finished: false }));
    journal.sent(1, &add(), &[2]);
    journal.received(&answer(1, pictures()));
    journal.sent(2, &Command::ClearPictures, &[]);
    journal.sent(3, &Command::MeasureHeads(MeasureSettings::default()), &[]);
    assert_eq!(journal.replay(), (vec![], Some(JobKind::Measure)));
}

#[test]
fn an_engine_that_dies_while_repeating_does_not_get_the_deadly_command_a_third_time() {
    let mut journal = Journal::<u8>::default();
    journal.sent(0, &add(), &[2]);
    journal.received(&answer(0, pictures()));
    for (command, files) in journal.replay().0 {
        journal.sent(1, &command, &files);
    }
    assert_eq!(journal.replay(), (vec![], Some(JobKind::Pictures)));
}

fn ancestor() -> Event {
    Event::Ancestor(AncestorSummary {
        name: "a.safetensors".into(),
        family: "ResNet-8".into(),
        config: CnnConfig::cifar_resnet(1, Shortcut::Zeros, 10).into(),
        preparation: Preparation { mean: [0.0; 3], std: [1.0; 3] },
        parameters: 1,
        dtype: "F32".into(),
        missing: Vec::new(),
        unexpected: Vec::new(),
        assumptions: Vec::new(),
    })
}

#[test]
fn a_changed_preparation_is_told_again_after_the_ancestor_it_was_meant_for() {
    let other = Command::SetPreparation(Preparation { mean: [0.25; 3], std: [1.0; 3] });
    let mut journal = Journal::<u8>::default();
    journal.sent(0, &open("one"), &[1]);
    journal.received(&answer(0, ancestor()));
    journal.sent(1, &other, &[]);
    journal.received(&answer(1, ancestor()));
    let (told, _) = journal.clone().replay();
    assert_eq!(told, [(open("one"), vec![1]), (other, vec![])]);
    // As told again to a new engine, whose answers come later.
    let mut again = Journal::<u8>::default();
    (0..).zip(&told).for_each(|(id, (command, files))| again.sent(id, command, files));
    again.received(&answer(0, ancestor()));
    again.received(&answer(1, ancestor()));
    assert_eq!(again.replay().0, told);
    // Another ancestor has its own.
    journal.sent(2, &open("two"), &[2]);
    journal.received(&answer(2, ancestor()));
    assert_eq!(journal.replay().0, [(open("two"), vec![2])]);
}

fn begin() -> Command {
    Command::Project(ProjectCommand::Begin { name: "x".into(), quota: None, calm: false })
}

fn saved(is_complete: bool) -> Event {
    Event::Project(ProjectEvent::Saved(Saved { at: 0.0, bytes: 0, seconds: 0.0, is_complete }))
}

#[test]
fn what_is_saved_is_not_repeated_and_what_came_since_is() {
    let mut journal = Journal::<u8>::default();
    journal.sent(0, &begin(), &[]);
    journal.sent(1, &add(), &[1]);
    journal.received(&answer(1, pictures()));
    journal.received(&answer(1, saved(false)));
    assert_eq!(journal.clone().replay().0, vec![(begin(), vec![]), (add(), vec![1])]);
    journal.received(&answer(1, saved(true)));
    journal.sent(2, &add(), &[2]);
    journal.received(&answer(2, pictures()));
    assert_eq!(journal.replay().0, vec![(begin(), vec![]), (add(), vec![2])]);
}

#[test]
fn what_an_engine_brings_back_is_no_answer_to_what_it_was_sent() {
    let mut journal = Journal::<u8>::default();
    journal.sent(0, &begin(), &[]);
    let opening = ProjectEvent::Opening { id: "p1".into(), name: "x".into(), page: String::new() };
    journal.sent(1, &add(), &[1]);
    journal.received(&answer(0, Event::Project(opening)));
    journal.received(&answer(0, pictures()));
    // It dies in the middle: the pictures were never looked at.
    assert_eq!(journal.clone().replay().1, Some(JobKind::Pictures));
    journal.received(&answer(0, Event::Project(ProjectEvent::Opened)));
    journal.received(&answer(1, pictures()));
    assert_eq!(journal.replay(), (vec![(begin(), vec![]), (add(), vec![1])], None));
}

#[test]
fn what_comes_of_another_command_or_is_of_another_kind_is_no_answer() {
    let mut journal = Journal::<u8>::default();
    journal.sent(0, &open("one"), &[1]);
    journal.sent(1, &add(), &[2]);
    // A project that waited for the file brings its pictures with it; a race of before comes to its end.
    journal.received(&answer(0, pictures()));
    journal.received(&Said { answers: None, event: pictures() });
    journal.received(&answer(1, Event::JobEnded { job: JobKind::Train, finished: false }));
    journal.received(&answer(0, ancestor()));
    assert_eq!(journal.replay(), (vec![(open("one"), vec![1])], Some(JobKind::Pictures)));
}

#[test]
fn folders_are_read_again_as_the_person_chose_behind_the_pictures() {
    let read = Command::ReadFolders(FolderLevel::Innermost);
    let mut journal = Journal::<u8>::default();
    journal.sent(0, &add(), &[1]);
    journal.received(&answer(0, pictures()));
    journal.sent(1, &read, &[]);
    assert_eq!(journal.clone().replay().0, vec![(add(), vec![1]), (read, vec![])]);
    journal.sent(2, &Command::ClearPictures, &[]);
    assert_eq!(journal.replay().0, vec![]);
}
