//! Pictures that people really have: some damaged, too few, folders that can be read in two ways.

use heirloom_data::walk;
use heirloom_plan::protocol::*;
use heirloom_platform::file::FileHandle;
use heirloom_platform::image::{RgbImage8, encode_png};

use super::{Heard, TestEngine, ancestor, error, find, pictures, refs, training};

const CASES: &str = "fixtures/cases";

/// What was said for information.
fn remarks(heard: &Heard) -> Vec<String> {
    let heard = heard.borrow();
    let notice = heard.iter().filter_map(|(event, _)| match event {
        Event::Notice(Notice { level: NoticeLevel::Info, text, .. }) => Some(text.clone()),
        _ => None,
    });
    notice.collect()
}

async fn engine_with(files: Vec<FileHandle>) -> (TestEngine, PicturesSummary) {
    let mut engine = TestEngine::start().await;
    engine.open(ancestor()).await;
    let heard = engine.send(Command::AddPictures { files: refs(&files), class: None }, files).await;
    let summary = find(&heard, |event| if let Event::Pictures(all) = event { Some(all.clone()) } else { None });
    (engine, summary.unwrap())
}

/// A picture whose header is whole and whose pixels are not.
fn damaged(path: &str, seed: u32) -> FileHandle {
    let noise = (0..48 * 48 * 3_u32).map(|at| ((at + seed).wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let mut bytes = encode_png(&RgbImage8 { width: 48, height: 48, data: noise }).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 64].fill(0xa5);
    FileHandle::from_bytes(path, bytes)
}

fn at(file: &FileHandle, path: String) -> FileHandle {
    file.part(&path, 0..file.len()).unwrap()
}

fn classes(summary: &PicturesSummary) -> Vec<(&str, usize, usize)> {
    summary.classes.iter().map(|class| (class.name.as_str(), class.train, class.validation)).collect()
}

#[test]
fn heads_are_measured_on_what_decodes_and_the_rest_is_named() {
    pollster::block_on(async {
        let damaged = ["a/blue/0.png", "a/blue/00.png", "a/red/0.png"].map(|path| damaged(path, 0));
        let whole = pictures(3).into_iter().map(|file| at(&file, format!("a/{}", &file.path()["pictures/".len()..])));
        let (mut engine, summary) = engine_with(damaged.into_iter().chain(whole).collect()).await;
        assert_eq!(summary.classes.len(), 2);
        let count = Command::MeasureHeads(MeasureSettings { pictures: 4, renormalise: false });
        let heard = engine.send(count, Vec::new()).await;
        assert_eq!(error(&heard), None);
        let heads =
            find(&heard, |event| if let Event::Heads(heads) = event { Some(heads.clone()) } else { None }).unwrap();
        assert_eq!(heads.pictures.len(), 4, "as many as were wanted");
        assert!(heads.distance.iter().flatten().all(|distance| distance.is_finite() && *distance > 0.0));
        let said = remarks(&engine.heard);
        let about =
            said.iter().find(|text| text.starts_with("Heads were measured without these pictures")).expect("a remark");
        assert!(about.contains("`a/red/0.png`") || about.contains("`a/blue/0.png`"), "{about}");
    });
}

#[test]
fn a_class_without_a_picture_that_decodes_ends_the_race_by_name() {
    pollster::block_on(async {
        // Five damaged ones, and five copies of one, which all stand on the side to train on.
        for seeds in [[0, 1, 2, 3, 4], [0; 5]] {
            let dogs = seeds.into_iter().enumerate().map(|(i, seed)| damaged(&format!("pets/dog/{i}.png"), seed));
            let cats = pictures(5).into_iter().enumerate().map(|(i, file)| at(&file, format!("pets/cat/{i}.jpg")));
            let (mut engine, _) = engine_with(dogs.chain(cats).collect()).await;
            engine.send(Command::MeasureHeads(MeasureSettings { pictures: 2, renormalise: false }), Vec::new()).await;
            let heard = engine.send(Command::Train(training()), Vec::new()).await;
            let said = error(&heard).expect("an error");
            assert!(said.contains("`dog` has no picture that can be read"), "{said}");
            let race = find(&heard, |event| if let Event::Race(race) = event { Some(race.clone()) } else { None });
            let race = race.unwrap();
            assert!(race.runs.iter().all(|run| run.points.is_empty()), "nothing that looks like success: {race:?}");
        }
    });
}

#[test]
fn the_damaged_collections_of_the_field_are_measured() {
    pollster::block_on(async {
        for path in ["26-broken-first/PetImages.zip", "26-broken-first/as-folder/pets"] {
            let (mut engine, summary) = engine_with(walk(&std::path::Path::new(CASES).join(path)).unwrap()).await;
            assert_eq!(summary.classes.iter().map(|class| class.name.as_str()).collect::<Vec<_>>(), ["Cat", "Dog"]);
            let heard = engine.send(Command::MeasureHeads(MeasureSettings::default()), Vec::new()).await;
            assert_eq!(error(&heard), None, "{path}");
            assert!(find(&heard, |event| matches!(event, Event::Heads(_)).then_some(())).is_some(), "{path}");
        }
    });
}

#[test]
fn one_picture_a_class_leaves_nothing_to_check_with_and_no_race_begins() {
    pollster::block_on(async {
        let (mut engine, summary) =
            engine_with(walk(&std::path::Path::new(CASES).join("30-single-pictures/planets")).unwrap()).await;
        assert_eq!(classes(&summary), [("earth", 1, 0), ("mars", 1, 0), ("venus", 1, 0)]);
        engine.send(Command::MeasureHeads(MeasureSettings::default()), Vec::new()).await;
        let heard = engine.send(Command::Train(training()), Vec::new()).await;
        let sentence = "There are no pictures to check with; add some, at least two classes with two each.";
        assert_eq!(error(&heard).as_deref(), Some(sentence));
        assert!(find(&heard, |event| matches!(event, Event::Race(_)).then_some(())).is_none());
    });
}

#[test]
fn folders_inside_folders_are_read_the_other_way_and_back() {
    pollster::block_on(async {
        let files: Vec<FileHandle> = pictures(8)
            .into_iter()
            .map(|file| {
                let name = file.path()["pictures/".len()..].to_owned();
                let (class, number) = name.split_once('/').unwrap();
                let session = 1 + usize::from(number >= "4");
                at(&file, format!("fruit/{class}/session{session}/{number}"))
            })
            .collect();
        let (mut engine, summary) = engine_with(files).await;
        let outer = [("blue", 6, 2), ("red", 6, 2)];
        assert_eq!(classes(&summary), outer);
        let choice = FolderChoice { chosen: "blue".into(), other: "session1".into(), level: FolderLevel::Innermost };
        assert_eq!(summary.folders, Some(choice));
        engine.send(Command::MeasureHeads(MeasureSettings { pictures: 2, renormalise: false }), Vec::new()).await;
        let read = async |engine: &mut TestEngine, level| {
            let heard = engine.send(Command::ReadFolders(level), Vec::new()).await;
            assert_eq!(error(&heard), None);
            find(&heard, |event| if let Event::Pictures(all) = event { Some(all.clone()) } else { None }).unwrap()
        };
        let inner = read(&mut engine, FolderLevel::Innermost).await;
        assert_eq!(classes(&inner), [("session1", 6, 2), ("session2", 6, 2)]);
        let choice = inner.folders.clone().unwrap();
        assert_eq!(
            (choice.chosen.as_str(), choice.other.as_str(), choice.level),
            ("session1", "blue", FolderLevel::Outermost)
        );
        assert!(inner.classes.iter().all(|class| class.thumbnails.len() == 4));
        assert_eq!(classes(&read(&mut engine, FolderLevel::Outermost).await), outer);
        let attention = Command::ShowAttention { layer: 0, head: 0, picture: 1, patch: None };
        assert_eq!(error(&engine.send(attention, Vec::new()).await), None, "what was measured stays");
    });
}
