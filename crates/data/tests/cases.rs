//! Folders and zips as people have them: `tests/fixtures/cases`.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::ops::ControlFlow;
use std::path::Path;

use heirloom_data::{
    Added, DataError, Level, PictureSet, ReadOtherwise, Side, SplitPlan, evaluation_picture, open, read, walk,
};
use heirloom_platform::file::FileHandle;
use heirloom_platform::image::{RgbImage8, encode_png};

const CASES: &str = "../../tests/fixtures/cases";

fn files(paths: &[&str]) -> Vec<FileHandle> {
    paths.iter().flat_map(|path| walk(&Path::new(CASES).join(path)).unwrap()).collect()
}

fn add(set: &mut PictureSet, files: &[FileHandle], class: Option<&str>) -> Result<Added, DataError> {
    pollster::block_on(set.add(files, class, |_| ControlFlow::Continue(())))
}

fn set(paths: &[&str]) -> (PictureSet, Added) {
    let mut set = PictureSet::new();
    let added = add(&mut set, &files(paths), None).unwrap();
    (set, added)
}

/// Class, training and validation pictures.
fn counts(set: &PictureSet) -> Vec<(String, usize, usize)> {
    let split = set.split(SplitPlan::default()).unwrap();
    split.classes.iter().cloned().zip(split.counts()).map(|(class, (train, check))| (class, train, check)).collect()
}

fn expect(set: &PictureSet, expected: &[(&str, usize, usize)]) {
    let counts = counts(set);
    let counts: Vec<_> = counts.iter().map(|(class, train, check)| (class.as_str(), *train, *check)).collect();
    assert_eq!(counts, expected);
}

fn notes(set: &PictureSet) -> Vec<String> {
    set.split(SplitPlan::default()).unwrap().notes.iter().map(ToString::to_string).collect()
}

fn png(width: usize, height: usize, value: u8) -> Vec<u8> {
    encode_png(&RgbImage8 { width, height, data: vec![value; width * height * 3] }).unwrap()
}

#[test]
fn tiny_imagenet_has_its_three_classes_and_no_class_images() {
    for path in ["20-tiny-imagenet/tiny-imagenet-200", "20-tiny-imagenet/tiny-imagenet-200.zip"] {
        let (set, added) = set(&[path]);
        expect(&set, &[("n01443537", 3, 1), ("n01629819", 3, 1), ("n02123394", 3, 1)]);
        let loose = set.refused().iter().filter(|one| one.reason.to_string().contains("has no class"));
        assert_eq!((added.pictures, loose.count()), (12, 9), "{path}");
    }
}

#[test]
fn pictures_that_lie_loose_in_a_test_folder_have_no_class() {
    for path in ["21-flat-test-folder/pets", "21-flat-test-folder/pets.zip"] {
        let (set, added) = set(&[path]);
        expect(&set, &[("cat", 4, 1), ("dog", 4, 1)]);
        assert_eq!((added.pictures, added.refused), (10, 5), "{path}: four pictures and the table");
    }
}

#[test]
fn a_folder_called_after_a_side_is_a_class_where_it_stands_beside_classes() {
    for path in ["22-class-named-train/plain/vehicles", "22-class-named-train/vehicles_plain.zip"] {
        expect(&set(&[path]).0, &[("bus", 5, 1), ("car", 5, 1), ("train", 5, 1)]);
    }
    let places = |paths: &[&str]| -> Vec<_> {
        let places = read(paths, Level::Fitting).places;
        places.into_iter().map(|place| (place.class.unwrap_or_default(), place.side)).collect()
    };
    let split = ["v/train/bus/1.jpg", "v/train/train/1.jpg", "v/val/bus/1.jpg", "v/val/train/1.jpg"];
    let (train, check) = (Some(Side::Train), Some(Side::Validation));
    let class = |name: &str, side| (name.to_owned(), side);
    assert_eq!(
        places(&split),
        [class("bus", train), class("train", train), class("bus", check), class("train", check)]
    );
    let lab = ["glass/test/1.jpg", "glass/test tube/1.jpg"];
    assert_eq!(places(&lab), [class("test", None), class("test tube", None)]);
    let inside = ["f/rose/train/1.jpg", "f/rose/val/1.jpg", "f/daisy/train/1.jpg", "f/daisy/val/1.jpg"];
    assert_eq!(places(&inside)[..2], [class("rose", train), class("rose", check)]);
}

#[test]
fn the_same_word_in_composed_and_decomposed_letters_is_one_class() {
    let (set, added) = set(&["23-nfc-nfd/fruechte_vom_mac.zip", "23-nfc-nfd/fruechte_vom_pc.zip"]);
    let of = |class: &str| set.pictures().iter().filter(|picture| picture.class == class).count();
    assert_eq!((set.classes().len(), of("Äpfel"), of("Café")), (2, 8, 8), "{:?}", set.classes());
    assert_eq!(added.refused, 0);
}

#[test]
fn classes_that_differ_only_in_case_or_blanks_are_told() {
    let files: Vec<_> = ["Cat", "cat", "cat ", "dog"]
        .iter()
        .enumerate()
        .flat_map(|(i, class)| (0..3).map(move |n| (format!("set/{class}/{n}.png"), (i * 3 + n) as u8)))
        .map(|(path, value)| FileHandle::from_bytes(&path, png(4, 4, value)))
        .collect();
    let mut set = PictureSet::new();
    add(&mut set, &files, None).unwrap();
    assert_eq!(set.classes(), ["Cat", "cat", "dog"]);
    assert!(notes(&set).iter().any(|note| note.contains("`Cat`, `cat` differ only in case or blanks")));
}

#[test]
fn names_in_an_unnamed_code_page_are_refused_and_never_guessed() {
    let zip = files(&["24-local-code-page-zip/shashin_windows_jp.zip"]);
    let mut set = PictureSet::new();
    let error = add(&mut set, &zip, None).unwrap_err().to_string();
    assert!(error.contains("code page") && error.contains("drop the folder"), "{error}");
    assert_eq!((set.pictures().len(), set.refused().len()), (0, 9));
}

#[test]
fn colons_in_names_are_no_drives() {
    let zipped = set(&["25-colon-names/timelapse.zip"]);
    expect(&zipped.0, &[("ground", 3, 1), ("ratio 16:9", 3, 1), ("sky", 3, 1)]);
    assert_eq!(zipped.1.refused, 0);
}

#[test]
fn pictures_of_a_zip_that_are_cut_off_are_not_counted() {
    let (set, added) = set(&["26-broken-first/PetImages.zip"]);
    let of = |class: &str| set.pictures().iter().filter(|picture| picture.class == class).count();
    assert_eq!((of("Cat"), of("Dog"), added.refused), (5, 8, 4));
}

#[test]
fn thumbnails_of_a_network_storage_are_passed_over() {
    let (set, added) = set(&["27-synology-eadir/nas"]);
    expect(&set, &[("cats", 3, 1), ("dogs", 3, 1)]);
    assert_eq!((added.refused, added.ignored), (0, 32));
}

#[test]
fn strips_are_seen_without_a_giant_between() {
    for path in ["divider_1x16384.png", "banner_16384x1.png", "gradient_1x3000.png"] {
        let file = &files(&[&format!("28-thin-strip/{path}")])[0];
        let image = pollster::block_on(async {
            let source = open(file).await.unwrap();
            evaluation_picture(path, &source, 224).await.unwrap()
        });
        assert_eq!((image.width, image.height, image.data.len()), (224, 224, 150_528), "{path}");
    }
}

#[test]
fn the_same_file_name_in_two_classes_is_two_paths() {
    let mut set = PictureSet::new();
    for (class, value) in [("cat", 1), ("dog", 100), ("dog", 200)] {
        let files: Vec<_> = (1..9).map(|i| FileHandle::from_bytes(format!("{i}.png"), png(8, 8, value + i))).collect();
        add(&mut set, &files, Some(class)).unwrap();
    }
    let mut paths: Vec<_> = set.pictures().iter().map(|picture| picture.path.clone()).collect();
    assert_eq!((&*paths[0], &*paths[8], &*paths[16]), ("cat/1.png", "dog/1.png", "dog/1.png (2)"));
    paths.sort();
    paths.dedup();
    assert_eq!((paths.len(), set.duplicates().len()), (24, 0));
    let again: Vec<_> = (1..9).map(|i| FileHandle::from_bytes(format!("{i}.png"), png(8, 8, 200 + i))).collect();
    assert_eq!(add(&mut set, &again, Some("dog")).unwrap().repeated, 8);
}

#[test]
fn folders_called_alike_in_every_class_are_no_classes() {
    let (mut set, _) = set(&["31-nested-sessions/fruit"]);
    let of = |set: &PictureSet, class: &str| set.pictures().iter().filter(|picture| picture.class == class).count();
    assert_eq!((set.classes().len(), of(&set, "apple"), of(&set, "pear")), (2, 8, 8));
    let otherwise =
        |chosen: &str, other: &str, level| ReadOtherwise { chosen: chosen.into(), other: other.into(), level };
    assert_eq!(set.otherwise(), Some(&otherwise("apple", "session1", Level::Innermost)));
    pollster::block_on(set.read_by(Level::Innermost));
    assert_eq!((set.classes().len(), of(&set, "session1"), of(&set, "session2")), (2, 8, 8));
    assert_eq!(set.otherwise(), Some(&otherwise("session1", "apple", Level::Outermost)));
}

#[test]
fn what_one_reading_refuses_another_takes_in_and_named_classes_stay() {
    let path = |path: &str, value| FileHandle::from_bytes(path, png(8, 8, value));
    let files = [("a/x/k/1.png", 1), ("a/x/l/2.png", 2), ("a/y/3.png", 3), ("a/y/k/4.png", 4)];
    let mut set = PictureSet::new();
    add(&mut set, &files.map(|(name, value)| path(name, value)), None).unwrap();
    add(&mut set, &[path("5.png", 5)], Some("z")).unwrap();
    let classes = |set: &PictureSet| -> Vec<(String, String)> {
        let mut all: Vec<_> = set.pictures().iter().map(|one| (one.path.clone(), one.class.clone())).collect();
        all.sort();
        all
    };
    let outer = classes(&set);
    assert_eq!(set.pictures().len(), 5);
    for level in [Level::Innermost, Level::Outermost] {
        pollster::block_on(set.read_by(level));
        let refused = set.refused().len();
        assert_eq!((set.pictures().len() + refused, set.pictures().iter().any(|one| one.class == "z")), (5, true));
    }
    assert_eq!(classes(&set), outer);
}

#[test]
fn the_level_of_the_class_is_found_and_the_other_can_be_had() {
    let classes = |paths: &[&str], level: Level| -> Vec<String> {
        read(paths, level).places.into_iter().map(|place| place.class.unwrap_or_else(|| "-".into())).collect()
    };
    let fit = |paths: &[&str]| classes(paths, Level::Fitting);
    // Kinds of kinds: the last folder, as no name comes twice.
    let animals = ["a/mammals/cat/1.jpg", "a/mammals/dog/1.jpg", "a/birds/owl/1.jpg", "a/birds/tit/1.jpg"];
    assert_eq!(fit(&animals), ["cat", "dog", "owl", "tit"]);
    assert_eq!(classes(&animals, Level::Outermost), ["mammals", "mammals", "birds", "birds"]);
    // Days that are different for each class.
    let days = ["f/apple/2021-05-01/1.jpg", "f/apple/2021-05-02/1.jpg", "f/pear/2021-06-01/1.jpg"];
    assert_eq!(fit(&days), ["apple", "apple", "pear"]);
    assert_eq!(classes(&days, Level::Innermost), ["2021-05-01", "2021-05-02", "2021-06-01"]);
    // Parts above the classes.
    let folds = ["d/fold1/cat/1.jpg", "d/fold1/dog/1.jpg", "d/fold2/cat/1.jpg", "d/fold2/dog/1.jpg"];
    assert_eq!(fit(&folds), ["cat", "dog", "cat", "dog"]);
    // Zips of classes with days in them; two people's zips of the same classes.
    assert_eq!(
        fit(&["apple.zip/day1/1.jpg", "apple.zip/day2/1.jpg", "pear.zip/day1/1.jpg"]),
        ["apple", "apple", "pear"]
    );
    assert_eq!(
        fit(&["x.zip/cat/1.jpg", "x.zip/dog/1.jpg", "y.zip/cat/1.jpg", "y.zip/dog/1.jpg"]),
        ["cat", "dog", "cat", "dog"]
    );
    // Numbers are names where there are no others; a cover beside the classes has none.
    assert_eq!(fit(&["mnist/0/1.png", "mnist/7/1.png", "mnist/cover.png"]), ["0", "7", "-"]);
    assert_eq!(fit(&["cat/images/1.jpg", "dog/images/1.jpg"]), ["cat", "dog"]);
    assert_eq!(fit(&["art/photos/1.jpg", "art/drawings/1.jpg"]), ["photos", "drawings"]);
}
