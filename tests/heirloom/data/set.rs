use std::ops::ControlFlow;

use heirloom::data::{DataError, MAX_FILE_BYTES, PictureSet};
use heirloom::platform::file::FileHandle;

use super::{add, file, png, set_of};

fn refusals(set: &PictureSet) -> Vec<(String, String)> {
    set.refused().iter().map(|refused| (refused.path.clone(), refused.reason.to_string())).collect()
}

fn paths(set: &PictureSet) -> Vec<&str> {
    set.pictures().iter().map(|picture| picture.path.as_str()).collect()
}

everywhere! {
    async fn a_zip_gives_its_pictures_and_reasons_for_the_rest() {
        let zip = include_bytes!("../../fixtures/pictures/mixed.zip").as_slice();
        let mut set = PictureSet::new();
        let added = add(&mut set, &[FileHandle::from_bytes("mixed.zip", zip)]).await.unwrap();
        assert_eq!(
            paths(&set),
            ["mixed.zip/flowers/daisy/1.png", "mixed.zip/flowers/daisy/2.png", "mixed.zip/flowers/roses/3.png"]
        );
        assert_eq!(set.classes(), ["daisy", "roses"]);
        assert_eq!((added.pictures, added.ignored), (3, 3));
        let expected = [
            ("notes.txt", "found text"),
            ("inner.zip", "zip inside a zip"),
            ("4.png", "leads out of the zip"),
            ("locked.png", "encrypted"),
            ("empty.png", "0 bytes"),
        ];
        let refused = refusals(&set);
        assert_eq!(refused.len(), expected.len(), "{refused:?}");
        for ((path, reason), (name, part)) in refused.iter().zip(expected) {
            assert!(path.ends_with(name) && reason.contains(part), "{path}: {reason}");
        }
    }

    async fn an_entry_of_a_zip_reads_like_the_file_itself() {
        let zip = include_bytes!("../../fixtures/pictures/mixed.zip").as_slice();
        let mut set = PictureSet::new();
        add(&mut set, &[FileHandle::from_bytes("mixed.zip", zip)]).await.unwrap();
        for (picture, value) in set.pictures().iter().zip([1, 2, 3]) {
            let bytes = picture.source.read_all().await.unwrap();
            let image = heirloom::platform::image::decode(&bytes).await.unwrap();
            assert_eq!(image.data, [value; 12], "{}", picture.path);
        }
    }

    async fn a_zip_of_zips_is_refused_with_what_to_do() {
        let zip = include_bytes!("../../fixtures/pictures/zip_of_zips.zip").as_slice();
        let error = add(&mut PictureSet::new(), &[FileHandle::from_bytes("z.zip", zip)]).await.unwrap_err();
        let DataError::NoPictures { reason, .. } = &error else { panic!("{error}") };
        assert!(reason.contains("`z.zip/a.zip`: it is a zip inside a zip") && reason.contains("unpack it"), "{reason}");
    }
}

#[test]
fn a_cut_off_zip_is_refused() {
    let zip = include_bytes!("../../fixtures/pictures/cut_off.zip").as_slice();
    let error = pollster::block_on(add(&mut PictureSet::new(), &[FileHandle::from_bytes("z.zip", zip)])).unwrap_err();
    assert!(error.to_string().contains("this zip is cut off"), "{error}");
}

#[test]
fn damaged_zips_never_panic() {
    use rand::{Rng, SeedableRng};
    let whole = include_bytes!("../../fixtures/pictures/mixed.zip");
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(8);
    let mut hurt = 0;
    for _ in 0..400 {
        let mut bytes = whole.to_vec();
        for _ in 0..rng.random_range(1..20) {
            let at = rng.random_range(0..bytes.len());
            bytes[at] = rng.random();
        }
        let mut set = PictureSet::new();
        let outcome = pollster::block_on(add(&mut set, &[FileHandle::from_bytes("z.zip", bytes)]));
        hurt += usize::from(outcome.is_err() || set.refused().len() > 5);
    }
    assert!(hurt > 100, "only {hurt} of 400 damaged zips were noticed");
}

#[test]
fn unusable_files_are_listed_with_reasons_and_the_rest_is_taken() {
    let fixture = |name: &str| std::fs::read(format!("tests/fixtures/pictures/{name}")).unwrap();
    let files = [
        file("daisy/good.png", 1),
        FileHandle::from_bytes("daisy/none.jpg", Vec::new()),
        FileHandle::from_bytes("daisy/huge.png", fixture("huge.png")),
        FileHandle::from_bytes("daisy/cut.jpg", fixture("cut_off.jpg")),
        FileHandle::from_bytes("daisy/cut.png", fixture("cut_off.png")),
        FileHandle::from_bytes("daisy/cut.webp", fixture("cut_off.webp")),
        FileHandle::from_bytes("daisy/text.jpg", b"not a picture".to_vec()),
        FileHandle::from_bytes("daisy/start.jpg", fixture("progressive.jpg")[..20].to_vec()),
        FileHandle::from_bytes("loose.png", png(7, 3, 3)),
        FileHandle::from_bytes("daisy/.DS_Store", b"junk".to_vec()),
    ];
    let mut set = PictureSet::new();
    let added = pollster::block_on(add(&mut set, &files)).unwrap();
    assert_eq!((added.pictures, added.refused, added.ignored, added.repeated), (1, 8, 1, 0));
    let reasons =
        ["0 bytes", "megapixels", "cut off", "cut off", "cut off", "found text", "cut off", "without a folder"];
    for ((path, reason), part) in refusals(&set).iter().zip(reasons) {
        assert!(reason.contains(part), "{path}: {reason}");
    }
}

#[test]
fn a_jpeg_with_a_trailer_is_whole() {
    let mut bytes = std::fs::read("tests/fixtures/pictures/progressive.jpg").unwrap();
    bytes.extend([7; 5000]);
    let mut set = PictureSet::new();
    assert_eq!(pollster::block_on(add(&mut set, &[FileHandle::from_bytes("a/1.jpg", bytes)])).unwrap().pictures, 1);
}

#[test]
fn a_size_behind_a_long_preview_is_found() {
    let plain = std::fs::read("tests/fixtures/pictures/progressive.jpg").unwrap();
    let mut bytes = plain[..2].to_vec();
    for _ in 0..5 {
        bytes.extend([0xff, 0xe2, 0xff, 0xff]);
        bytes.extend([0; 65_533]);
    }
    bytes.extend(&plain[2..]);
    let mut set = PictureSet::new();
    pollster::block_on(add(&mut set, &[FileHandle::from_bytes("a/1.jpg", bytes)])).unwrap();
    assert_eq!((set.pictures()[0].header.width, set.pictures()[0].header.height), (12, 8));
}

#[test]
fn files_without_a_folder_take_the_given_class() {
    pollster::block_on(async {
        let mut set = PictureSet::new();
        let files = [file("1.png", 1), file("roses/2.png", 2)];
        set.add(&files, Some("tulips"), |_| ControlFlow::Continue(())).await.unwrap();
        assert_eq!(set.classes(), ["roses", "tulips"]);
    });
}

#[test]
fn dropping_the_same_folder_again_changes_nothing() {
    pollster::block_on(async {
        let files = [file("a/1.png", 1), file("a/2.png", 2), file("b/3.png", 3)];
        let mut set = PictureSet::new();
        add(&mut set, &files).await.unwrap();
        let again = add(&mut set, &files).await.unwrap();
        assert_eq!((again.pictures, again.repeated, set.pictures().len()), (0, 3, 3));
        assert!(set.duplicates().is_empty());
    });
}

#[test]
fn identical_files_are_found_whatever_they_are_called() {
    pollster::block_on(async {
        let mut set = PictureSet::new();
        let files =
            [file("b/9.png", 1), file("a/2.png", 2), file("a/1.png", 1), file("c/3.png", 3), file("c/2.png", 2)];
        add(&mut set, &files).await.unwrap();
        let groups: Vec<Vec<_>> =
            set.duplicates().iter().map(|group| group.iter().map(|&i| paths(&set)[i]).collect()).collect();
        assert_eq!(groups, [vec!["a/1.png", "b/9.png"], vec!["a/2.png", "c/2.png"]]);
    });
}

#[test]
fn the_caller_hears_every_file_and_may_break_off() {
    pollster::block_on(async {
        let files: Vec<_> = (0..20).map(|i| file(&format!("a/{i}.png"), i)).collect();
        let mut set = PictureSet::new();
        let mut heard = Vec::new();
        let progress = |looked: heirloom::data::Looked| {
            heard.push((looked.done, looked.total));
            if looked.done == 12 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let added = set.add(&files, None, progress).await.unwrap();
        assert!(added.was_stopped);
        assert_eq!((added.pictures, set.pictures().len()), (12, 12));
        assert_eq!(heard, (0..=12).map(|done| (done, 20)).collect::<Vec<_>>());
    });
}

#[test]
fn nothing_and_no_picture_are_sentences() {
    pollster::block_on(async {
        let error = add(&mut PictureSet::new(), &[]).await.unwrap_err();
        assert!(matches!(error, DataError::NoFiles), "{error}");
        let text = FileHandle::from_bytes("a/notes.txt", b"hello".to_vec());
        let error = add(&mut PictureSet::new(), &[text]).await.unwrap_err().to_string();
        assert!(error.contains("no picture among 1 files") && error.contains("`a/notes.txt`"), "{error}");
    });
}

#[test]
fn thumbnails_are_small_jpegs_of_a_few_pictures() {
    pollster::block_on(async {
        let mut set = set_of(&[("a", 5), ("b", 2)]).await;
        let big = FileHandle::from_bytes("a/0.png", png(77, 200, 150));
        add(&mut set, &[big]).await.unwrap();
        let thumbnails = set.thumbnails(3, 64).await;
        assert_eq!(thumbnails.iter().map(Vec::len).collect::<Vec<_>>(), [3, 2]);
        assert!(
            thumbnails.iter().flatten().all(|url| url.starts_with("data:image/jpeg;base64,/9j/") && url.len() < 4000)
        );
        assert_eq!(set.thumbnails(3, 64).await, thumbnails);
    });
}

/// A sparse file longer than memory allows must be told from a picture by its first bytes.
#[test]
fn a_file_of_many_gigabytes_is_refused_by_its_head() {
    let place = std::env::temp_dir().join(format!("heirloom_sparse_{}", std::process::id()));
    let mut head = std::fs::read("tests/fixtures/pictures/progressive.jpg").unwrap();
    head.truncate(300);
    std::fs::write(&place, head).unwrap();
    std::fs::OpenOptions::new().write(true).open(&place).unwrap().set_len(6 << 30).unwrap();
    let file = FileHandle::from_path("a/film.jpg", &place).unwrap();
    assert!(file.len() > MAX_FILE_BYTES);
    let error = pollster::block_on(add(&mut PictureSet::new(), &[file])).unwrap_err().to_string();
    std::fs::remove_file(&place).unwrap();
    assert!(error.contains("at most 134217728 are read"), "{error}");
}

#[test]
fn walking_a_folder_names_files_from_the_folder_on() {
    let files = heirloom::data::walk(std::path::Path::new("tests/fixtures/pictures")).unwrap();
    let paths: Vec<_> = files.iter().map(FileHandle::path).collect();
    assert!(paths.contains(&"pictures/rgb.png") && paths.is_sorted(), "{paths:?}");
    let error = heirloom::data::walk(std::path::Path::new("no/such/folder")).unwrap_err();
    assert!(error.to_string().contains("`no/such/folder` could not be listed"), "{error}");
}
