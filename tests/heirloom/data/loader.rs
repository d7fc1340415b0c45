use std::collections::BTreeSet;

use heirloom_data::{
    Augment, Batch, DataError, Loader, LoaderSettings, Normalise, PictureSet, SplitPlan, evaluation_picture,
};
use heirloom_platform::file::FileHandle;
use heirloom_platform::image::{RgbImage8, encode_jpeg, encode_png};
use pollster::block_on;

use super::{add, set_of};

/// A picture with a gradient, so that crops and flips show.
fn gradient(number: usize, width: usize, height: usize) -> RgbImage8 {
    let pixel = |i: usize| [(i % width * 255 / width) as u8, (i / width * 255 / height) as u8, number as u8];
    RgbImage8 { width, height, data: (0..width * height).flat_map(pixel).collect() }
}

fn files(count: usize) -> Vec<FileHandle> {
    let png = |i: usize| encode_png(&gradient(i, 60 + i % 7, 50)).unwrap();
    (0..count).map(|i| FileHandle::from_bytes(format!("{}/{i:03}.png", ["a", "b", "c"][i % 3]), png(i))).collect()
}

fn settings() -> LoaderSettings {
    LoaderSettings { image_size: 16, batch: 7, seed: 5, ..LoaderSettings::default() }
}

fn loader(files: &[FileHandle], settings: LoaderSettings) -> (PictureSet, Loader) {
    let mut set = PictureSet::new();
    block_on(add(&mut set, files)).unwrap();
    let split = set.split(SplitPlan::default()).unwrap();
    let loader = Loader::new(&set, &split, settings).unwrap();
    (set, loader)
}

fn train(loader: &mut Loader, step: usize) -> Batch {
    block_on(loader.train_batch(step)).unwrap()
}

#[test]
fn a_step_sees_the_same_batch_after_a_restart_and_in_every_arm() {
    let files = files(30);
    let (_, mut through) = loader(&files, settings());
    let (_, mut resumed) = loader(&files, settings());
    let all: Vec<_> = (0..9).map(|step| train(&mut through, step)).collect();
    for step in [8, 3, 0, 5] {
        assert_eq!(train(&mut resumed, step), all[step], "step {step}");
    }
    let (_, mut other) = loader(&files, LoaderSettings { seed: 6, ..settings() });
    assert_ne!(train(&mut other, 0).pixels, all[0].pixels);
}

#[test]
fn batches_do_not_depend_on_the_order_of_files() {
    let mut files = files(30);
    let (_, mut forward) = loader(&files, settings());
    files.reverse();
    let (_, mut backward) = loader(&files, settings());
    for step in 0..5 {
        let (a, b) = (train(&mut forward, step), train(&mut backward, step));
        assert_eq!((a.pixels, a.labels), (b.pixels, b.labels));
    }
}

#[test]
fn every_epoch_shows_every_training_picture_once_in_a_new_order() {
    let (_, mut loader) = loader(&files(30), LoaderSettings { batch: 8, ..settings() });
    assert_eq!((loader.train_len(), loader.validation_len(), loader.steps_per_epoch()), (24, 6, 3));
    let epoch = |loader: &mut Loader, epoch: usize| -> Vec<usize> {
        (0..3).flat_map(|step| train(loader, epoch * 3 + step).pictures).collect()
    };
    let (first, second) = (epoch(&mut loader, 0), epoch(&mut loader, 1));
    assert_eq!(first.iter().collect::<BTreeSet<_>>().len(), 24);
    assert_eq!(second.iter().collect::<BTreeSet<_>>(), first.iter().collect());
    assert_ne!(first, second);
}

#[test]
fn a_picture_is_cropped_anew_in_every_epoch() {
    let (_, mut loader) = loader(&files(30), LoaderSettings { batch: 24, ..settings() });
    let len = 3 * 16 * 16;
    let view = |batch: &Batch, picture: usize| {
        let at = batch.pictures.iter().position(|&p| p == picture).unwrap();
        batch.pixels[at * len..][..len].to_vec()
    };
    let (first, second) = (train(&mut loader, 0), train(&mut loader, 1));
    let changed = first.pictures.iter().filter(|&&p| view(&first, p) != view(&second, p)).count();
    assert_eq!(changed, 24);
}

#[test]
fn a_batch_larger_than_the_set_is_still_full() {
    let (_, mut loader) = loader(&files(6), LoaderSettings { batch: 10, ..settings() });
    let batch = train(&mut loader, 0);
    assert_eq!((batch.labels.len(), batch.pixels.len()), (10, 10 * 3 * 16 * 16));
}

#[test]
fn validation_pictures_are_what_evaluation_shows() {
    let (set, mut loader) = loader(&files(30), LoaderSettings { batch: 4, ..settings() });
    assert_eq!(loader.validation_batches(), 2);
    let mut seen = 0;
    for index in 0..2 {
        let batch = block_on(loader.validation_batch(index)).unwrap();
        for (i, &picture) in batch.pictures.iter().enumerate() {
            let picture = &set.pictures()[picture];
            let image = block_on(evaluation_picture(&picture.path, &picture.source, 16)).unwrap();
            let mut pixels = vec![0.0; 3 * 16 * 16];
            Normalise::default().write(&image, false, &mut pixels);
            assert_eq!(batch.pixels[i * 768..][..768], pixels[..], "{}", picture.path);
            seen += 1;
        }
    }
    assert_eq!(seen, 6);
}

#[test]
fn without_augmentation_training_pictures_look_as_judged() {
    let plain = LoaderSettings { augment: None, batch: 24, ..settings() };
    let (_, mut loader) = loader(&files(30), plain);
    let (first, second) = (train(&mut loader, 0), train(&mut loader, 1));
    let len = 3 * 16 * 16;
    for (i, picture) in first.pictures.iter().enumerate() {
        let again = second.pictures.iter().position(|p| p == picture).unwrap();
        assert_eq!(first.pixels[i * len..][..len], second.pixels[again * len..][..len]);
    }
}

#[test]
fn a_small_cache_stays_in_its_budget_and_changes_nothing() {
    let files = files(60);
    let budget = 12_000;
    let (_, mut small) = loader(&files, LoaderSettings { cache_bytes: budget, ..settings() });
    let (_, mut none) = loader(&files, LoaderSettings { cache_bytes: 0, ..settings() });
    let (_, mut large) = loader(&files, settings());
    for step in 0..14 {
        let batch = train(&mut large, step);
        assert_eq!(train(&mut small, step), batch);
        assert_eq!(train(&mut none, step), batch);
        assert!(small.cached_bytes() <= budget);
    }
    assert!(small.cached_bytes() > budget / 2 && large.cached_bytes() > 3 * budget);
    assert_eq!(none.cached_bytes(), 0);
}

#[test]
fn kept_pictures_are_small_whatever_was_dropped() {
    let jpeg = |i: usize, width, height| encode_jpeg(&gradient(i, width, height), 90).unwrap();
    let sizes = [(1200, 900), (900, 1200), (4000, 100), (100, 4000), (16, 16), (9, 300)];
    let name = |i: usize| format!("{}/{i}.jpg", ["a", "b"][i % 2]);
    let files: Vec<_> =
        (0..12).map(|i| FileHandle::from_bytes(name(i), jpeg(i, sizes[i % 6].0, sizes[i % 6].1))).collect();
    let (_, mut loader) = loader(&files, LoaderSettings { batch: 12, ..settings() });
    train(&mut loader, 0);
    let side = heirloom_data::evaluation_side(16);
    assert!(loader.cached_bytes() <= loader.train_len() * side * side * 2 * 3, "{} bytes", loader.cached_bytes());
}

/// A PNG whose header and end are fine and whose middle is not: only decoding shows it.
fn broken(path: &str) -> FileHandle {
    let mut bytes = encode_png(&gradient(3, 64, 64)).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 30].fill(0x55);
    FileHandle::from_bytes(path, bytes)
}

#[test]
fn a_picture_that_does_not_decode_is_replaced_and_reported() {
    let mut files = files(12);
    files.extend([broken("a/broken1.png"), broken("b/broken2.png")]);
    let whole = LoaderSettings { batch: 11, ..settings() };
    let (set, mut first) = loader(&files, whole);
    let (_, mut second) = loader(&files, whole);
    for step in 0..4 {
        let batch = train(&mut first, step);
        assert_eq!(batch.labels.len(), 11);
        assert!(batch.pictures.iter().all(|&p| !set.pictures()[p].path.contains("broken")));
    }
    let validation = (0..first.validation_batches()).map(|i| block_on(first.validation_batch(i)).unwrap().labels.len());
    let judged: usize = validation.sum();
    let reported: Vec<_> = first.broken().map(|(path, _)| path.clone()).collect();
    assert_eq!(reported, ["a/broken1.png", "b/broken2.png"]);
    let split = set.split(SplitPlan::default()).unwrap();
    let whole = split.validation.iter().filter(|one| !set.pictures()[one.picture].path.contains("broken")).count();
    assert_eq!(judged, whole, "of the pictures to judge on, those that do not decode are left out and no others");
    assert_eq!(train(&mut second, 3), train(&mut first, 3));
}

#[test]
fn nothing_that_decodes_is_a_sentence() {
    let files: Vec<_> = ["a/1.png", "b/2.png"].map(broken).to_vec();
    let (_, mut loader) = loader(&files, settings());
    let error = block_on(loader.train_batch(0)).unwrap_err();
    assert!(matches!(error, DataError::NothingDecodes { pictures: 2, .. }), "{error}");
}

#[test]
fn empty_batches_are_refused() {
    block_on(async {
        let set = set_of(&[("a", 2), ("b", 2)]).await;
        let split = set.split(SplitPlan::default()).unwrap();
        for wrong in [LoaderSettings { batch: 0, ..settings() }, LoaderSettings { image_size: 0, ..settings() }] {
            assert!(matches!(Loader::new(&set, &split, wrong), Err(DataError::EmptyBatch { .. })));
        }
    });
}

#[test]
fn a_moved_file_is_an_error_and_not_a_broken_picture() {
    // No dot at the start, as `tempdir` would choose: hidden folders are not walked.
    let folder = tempfile::Builder::new().prefix("moved").tempdir().unwrap();
    for class in ["a", "b"] {
        std::fs::create_dir(folder.path().join(class)).unwrap();
        for i in 0..3 {
            let number = i + if class == "a" { 0 } else { 10 };
            std::fs::write(folder.path().join(class).join(format!("{i}.png")), super::png(number, 9, 9)).unwrap();
        }
    }
    let (_, mut loader) = loader(&heirloom_data::walk(folder.path()).unwrap(), settings());
    folder.close().unwrap();
    let error = block_on(loader.train_batch(0)).unwrap_err();
    assert!(error.to_string().contains("it may have been moved or changed"), "{error}");
    assert_eq!(loader.broken().count(), 0);
}

#[test]
fn wide_crops_reach_both_halves() {
    let plain = Augment { scale: (0.05, 0.1), ..Augment::default() };
    let files: Vec<_> = files(30);
    let (_, mut loader) = loader(&files, LoaderSettings { augment: Some(plain), batch: 24, ..settings() });
    let batch = train(&mut loader, 0);
    let means: Vec<f32> = batch.pixels.chunks(768).map(|p| p[..256].iter().sum::<f32>() / 256.0).collect();
    let spread = means.iter().copied().fold(f32::MIN, f32::max) - means.iter().copied().fold(f32::MAX, f32::min);
    assert!(spread > 1.5, "crops of a tenth of the area differ in brightness, by {spread}");
}

#[test]
fn a_batch_that_a_tab_cannot_hold_is_refused_with_its_size() {
    let files = files(9);
    let mut set = PictureSet::new();
    block_on(add(&mut set, &files)).unwrap();
    let split = set.split(SplitPlan::default()).unwrap();
    // 3 · 4 · 16384² · 128 bytes: 0 in 32 bits.
    let settings = LoaderSettings { image_size: 16_384, batch: 128, ..settings() };
    let error = Loader::new(&set, &split, settings).err().expect("a refusal").to_string();
    assert_eq!(
        error,
        "a batch of 128 pictures of 16384 px takes 412316 MB, at most 1073 MB are possible; choose a smaller batch or \
         smaller pictures"
    );
}
