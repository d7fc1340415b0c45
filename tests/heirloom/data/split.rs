use std::collections::BTreeSet;

use heirloom_data::{DataError, Labelled, PictureSet, Split, SplitPlan};
use pollster::block_on;

use super::{add, file, set_of};

fn paths<'a>(set: &'a PictureSet, side: &[Labelled]) -> Vec<&'a str> {
    side.iter().map(|labelled| set.pictures()[labelled.picture].path.as_str()).collect()
}

fn split(set: &PictureSet, validation_share: f32, seed: u64) -> Split {
    set.split(SplitPlan { validation_share, seed }).unwrap()
}

fn set_from(files: &[(&str, u32)]) -> PictureSet {
    let mut set = PictureSet::new();
    let files: Vec<_> = files.iter().map(|(path, number)| file(path, *number)).collect();
    block_on(add(&mut set, &files)).unwrap();
    set
}

#[test]
fn every_class_gives_its_share_and_every_picture_has_one_side() {
    let set = block_on(set_of(&[("a", 50), ("b", 10), ("c", 3), ("d", 2), ("e", 1)]));
    let split = split(&set, 0.2, 1);
    assert_eq!(split.classes, ["a", "b", "c", "d", "e"]);
    assert_eq!(split.counts(), [(40, 10), (8, 2), (2, 1), (1, 1), (1, 0)]);
    let all: BTreeSet<_> = split.train.iter().chain(&split.validation).map(|l| l.picture).collect();
    assert_eq!(all.len(), 66);
    for labelled in split.train.iter().chain(&split.validation) {
        assert_eq!(set.pictures()[labelled.picture].class, split.classes[labelled.label]);
    }
    assert!(
        split.notes.iter().any(|note| note.to_string().contains("`e` has no picture to judge on")),
        "{:?}",
        split.notes
    );
}

#[test]
fn extreme_shares_leave_one_picture_on_each_side() {
    let set = block_on(set_of(&[("a", 5), ("b", 5)]));
    for (share, counts) in [(0.0, (4, 1)), (1.0, (1, 4)), (f32::NAN, (4, 1)), (0.5, (2, 3))] {
        assert_eq!(split(&set, share, 1).counts(), [counts; 2], "share {share}");
    }
}

#[test]
fn the_split_follows_the_seed_and_not_the_order_of_files() {
    let files: Vec<_> = (0..40).map(|i| (format!("{}/{i}.png", ["a", "b"][i % 2]), i as u32)).collect();
    let forward: Vec<_> = files.iter().map(|(path, number)| (path.as_str(), *number)).collect();
    let backward: Vec<_> = forward.iter().rev().copied().collect();
    let (first, second) = (set_from(&forward), set_from(&backward));
    let one = split(&first, 0.25, 7);
    let two = split(&second, 0.25, 7);
    assert_eq!(paths(&first, &one.validation), paths(&second, &two.validation));
    assert_eq!(paths(&first, &one.train), paths(&second, &two.train));
    let other = split(&first, 0.25, 8);
    assert_ne!(paths(&first, &one.validation), paths(&first, &other.validation));
}

#[test]
fn another_class_leaves_the_others_as_they_were() {
    let two = block_on(set_of(&[("b", 20), ("c", 20)]));
    let three = block_on(set_of(&[("b", 20), ("c", 20), ("a", 20)]));
    let of_b = |set: &PictureSet| -> Vec<String> {
        let split = split(set, 0.2, 3);
        paths(set, &split.validation).iter().filter(|path| path.starts_with("b/")).map(|p| (*p).to_owned()).collect()
    };
    assert_eq!(of_b(&two).len(), 4);
    assert_eq!(of_b(&two), of_b(&three));
}

#[test]
fn copies_stay_on_one_side_for_every_seed() {
    let files: Vec<_> = (0..24)
        .map(|i| (format!("{}/{i}.png", ["a", "b"][i / 12]), i as u32 % 12 / 2 + (i as u32 / 12) * 100))
        .collect();
    let files: Vec<_> = files.iter().map(|(path, number)| (path.as_str(), *number)).collect();
    let set = set_from(&files);
    assert_eq!(set.duplicates().len(), 12);
    for seed in 0..50 {
        let split = split(&set, 0.3, seed);
        let train: BTreeSet<_> = split.train.iter().map(|l| l.picture).collect();
        for group in set.duplicates() {
            let sides: BTreeSet<_> = group.iter().map(|i| train.contains(i)).collect();
            assert_eq!(sides.len(), 1, "seed {seed}: copies on both sides");
        }
        assert!(
            split.counts().iter().all(|&(train, validation)| train >= 2 && validation >= 2),
            "{:?}",
            split.counts()
        );
    }
}

#[test]
fn a_class_of_copies_of_one_picture_judges_nothing() {
    let set = set_from(&[("a/1.png", 1), ("a/2.png", 1), ("b/3.png", 3), ("b/4.png", 4)]);
    assert_eq!(split(&set, 0.5, 1).counts(), [(2, 0), (1, 1)]);
}

#[test]
fn units_larger_than_the_share_still_give_one_to_judge() {
    let set =
        set_from(&[("a/1.png", 1), ("a/2.png", 1), ("a/3.png", 3), ("a/4.png", 3), ("b/5.png", 5), ("b/6.png", 6)]);
    assert_eq!(split(&set, 0.1, 1).counts(), [(2, 2), (1, 1)]);
}

#[test]
fn a_picture_in_two_classes_is_reported_and_judges_nothing() {
    let set =
        set_from(&[("a/1.png", 1), ("b/1.png", 1), ("a/2.png", 2), ("a/3.png", 3), ("b/4.png", 4), ("b/5.png", 5)]);
    for seed in 0..20 {
        let split = split(&set, 0.5, seed);
        assert!(paths(&set, &split.train).contains(&"a/1.png") && paths(&set, &split.train).contains(&"b/1.png"));
        assert!(split.notes.iter().any(|note| note.to_string().contains("two classes at once")), "{:?}", split.notes);
    }
}

#[test]
fn folders_called_train_and_val_decide() {
    let set = set_from(&[("x/train/a/1.png", 1), ("x/train/b/2.png", 2), ("x/val/a/3.png", 3), ("x/val/b/4.png", 4)]);
    let split = split(&set, 0.5, 1);
    assert!(split.is_by_folder);
    assert_eq!(paths(&set, &split.train), ["x/train/a/1.png", "x/train/b/2.png"]);
    assert_eq!(paths(&set, &split.validation), ["x/val/a/3.png", "x/val/b/4.png"]);
}

#[test]
fn test_folders_judge_unless_there_are_val_folders() {
    let files = [("train/a/1.png", 1), ("train/b/2.png", 2), ("test/a/3.png", 3), ("test/b/4.png", 4)];
    let set = set_from(&files);
    assert_eq!(paths(&set, &split(&set, 0.5, 1).validation), ["test/a/3.png", "test/b/4.png"]);
    let set = set_from(&[&files[..], &[("val/a/5.png", 5), ("val/b/6.png", 6)]].concat());
    let split = split(&set, 0.5, 1);
    assert_eq!(paths(&set, &split.validation), ["val/a/5.png", "val/b/6.png"]);
    assert_eq!(paths(&set, &split.held_out), ["test/a/3.png", "test/b/4.png"]);
    assert!(split.notes.iter().any(|note| note.to_string().contains("set aside")), "{:?}", split.notes);
}

#[test]
fn folders_of_one_side_decide_nothing() {
    let set = set_from(&[("train/a/1.png", 1), ("train/a/2.png", 2), ("train/b/3.png", 3), ("train/b/4.png", 4)]);
    let split = split(&set, 0.5, 1);
    assert!(!split.is_by_folder);
    assert_eq!(split.counts(), [(1, 1), (1, 1)]);
}

#[test]
fn a_copy_in_the_training_folder_takes_the_other_one_with_it() {
    let files =
        [("train/a/1.png", 1), ("train/b/2.png", 2), ("val/a/9.png", 1), ("val/a/3.png", 3), ("val/b/4.png", 4)];
    let set = set_from(&files);
    let split = split(&set, 0.5, 1);
    assert_eq!(paths(&set, &split.train), ["train/a/1.png", "val/a/9.png", "train/b/2.png"]);
    assert!(
        split.notes.iter().any(|note| note.to_string().starts_with("found 1 picture in the training folders")),
        "{:?}",
        split.notes
    );
}

#[test]
fn one_picture_and_one_class_are_sentences() {
    let one = set_from(&[("a/1.png", 1)]).split(SplitPlan::default());
    assert!(matches!(&one, Err(DataError::OnePicture { path }) if path == "a/1.png"), "{one:?}");
    let class = set_from(&[("a/1.png", 1), ("a/2.png", 2)]).split(SplitPlan::default()).unwrap_err();
    assert!(class.to_string().contains("one class (`a`, 2 pictures), expected at least two"), "{class}");
    assert!(matches!(PictureSet::new().split(SplitPlan::default()), Err(DataError::NoFiles)));
}

#[test]
fn pictures_to_measure_spread_over_the_classes() {
    let set = block_on(set_of(&[("a", 10), ("b", 10), ("c", 2)]));
    let split = split(&set, 0.2, 1);
    let labels = |count| split.spread(count).iter().map(|l| l.label).collect::<Vec<_>>();
    assert_eq!(labels(8), [0, 1, 2, 0, 1, 0, 1, 0]);
    assert_eq!(labels(99).len(), split.train.len());
}

#[test]
fn pictures_to_show_come_from_the_validation_class_by_class_and_begin_again_at_the_end() {
    let set = block_on(set_of(&[("a", 10), ("b", 10), ("c", 5)]));
    let split = split(&set, 0.2, 1);
    let labels = |skip, count| split.spread_validation(skip, count).iter().map(|l| l.label).collect::<Vec<_>>();
    assert_eq!(labels(0, 5), [0, 1, 2, 0, 1]);
    assert_eq!(labels(3, 4), [0, 1, 0, 1], "after the last one the first one again");
    assert_eq!(labels(8, 99), [0, 1, 0, 1, 2], "each picture once, at most");
    assert!(split.spread_validation(1, 5).iter().all(|one| split.validation.contains(one)));
    assert_eq!(Split::default().spread_validation(3, 5), []);
}

/// Needs the flowers5 sample beside the checkout (or `HEIRLOOM_SHARED`); passes where it is absent.
#[test]
fn the_flowers_sample_comes_with_its_own_split() {
    let shared = std::env::var("HEIRLOOM_SHARED").unwrap_or_else(|_| "../../shared".to_owned());
    let folder = std::path::Path::new(&shared).join("data/pictures/flowers5");
    if !folder.exists() {
        return;
    }
    let mut set = PictureSet::new();
    let files = heirloom_data::walk(&folder).unwrap();
    let added = block_on(add(&mut set, &files)).unwrap();
    assert_eq!((added.pictures, added.refused), (400, 0));
    let split = split(&set, 0.5, 1);
    assert!(split.is_by_folder);
    assert_eq!(split.classes, ["daisy", "dandelion", "roses", "sunflowers", "tulips"]);
    assert_eq!(split.counts(), [(60, 20); 5]);
}

#[test]
fn smaller_shares_of_the_training_pictures_lie_inside_larger_ones_class_by_class() {
    let set = block_on(set_of(&[("a", 50), ("b", 10), ("c", 3)]));
    let whole = split(&set, 0.2, 1);
    let of = |share, seed| whole.share_of_training(share, seed);
    let counts = |share| of(share, 3).counts().iter().map(|(train, _)| *train).collect::<Vec<_>>();
    assert_eq!([counts(0.05), counts(0.25), counts(0.5)], [[2, 1, 1], [10, 2, 1], [20, 4, 1]]);
    assert_eq!(of(1.0, 3), whole, "the whole share is the split itself, order included");
    let train = |share, seed| of(share, seed).train.iter().map(|one| one.picture).collect::<BTreeSet<_>>();
    let shares = [0.05, 0.1, 0.25, 0.5, 1.0];
    for pair in shares.windows(2) {
        assert!(train(pair[0], 3).is_subset(&train(pair[1], 3)), "{pair:?}");
    }
    assert_eq!(train(0.25, 3), train(0.25, 3));
    assert_ne!(train(0.25, 3), train(0.25, 4), "another seed draws others");
    assert_eq!(of(0.05, 3).validation, whole.validation);
}
