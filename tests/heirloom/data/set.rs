use std::io::Write;
use std::ops::ControlFlow;

use heirloom_data::{DataError, MAX_FILE_BYTES, PictureSet};
use heirloom_platform::file::FileHandle;

use super::{add, file, png, set_of};

fn refusals(set: &PictureSet) -> Vec<(String, String)> {
    set.refused().iter().map(|refused| (refused.path.clone(), refused.reason.to_string())).collect()
}

fn paths(set: &PictureSet) -> Vec<&str> {
    set.pictures().iter().map(|picture| picture.path.as_str()).collect()
}

#[test]
fn unusable_files_are_listed_with_reasons_and_the_rest_is_taken() {
    let fixture = |name: &str| std::fs::read(format!("fixtures/pictures/{name}")).unwrap();
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
    assert_eq!(refusals(&set).len(), reasons.len());
    for ((path, reason), part) in refusals(&set).iter().zip(reasons) {
        assert!(reason.contains(part), "{path}: {reason}");
    }
}

#[test]
fn a_jpeg_with_a_trailer_is_whole() {
    let mut bytes = std::fs::read("fixtures/pictures/progressive.jpg").unwrap();
    bytes.extend([7; 5000]);
    let mut set = PictureSet::new();
    assert_eq!(pollster::block_on(add(&mut set, &[FileHandle::from_bytes("a/1.jpg", bytes)])).unwrap().pictures, 1);
}

#[test]
fn a_size_behind_a_long_preview_is_found() {
    let plain = std::fs::read("fixtures/pictures/progressive.jpg").unwrap();
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
        let progress = |looked: heirloom_data::ScanProgress| {
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
    let mut place = tempfile::NamedTempFile::new().unwrap();
    let mut head = std::fs::read("fixtures/pictures/progressive.jpg").unwrap();
    head.truncate(300);
    place.write_all(&head).unwrap();
    place.as_file().set_len(6 << 30).unwrap();
    let file = FileHandle::from_path("a/film.jpg", place.path()).unwrap();
    assert!(file.len() > MAX_FILE_BYTES);
    let error = pollster::block_on(add(&mut PictureSet::new(), &[file])).unwrap_err().to_string();
    assert!(error.contains("at most 67108864 are read"), "{error}");
}

#[test]
fn walking_a_folder_names_files_from_the_folder_on() {
    let files = heirloom_data::walk(std::path::Path::new("fixtures/pictures")).unwrap();
    let paths: Vec<_> = files.iter().map(FileHandle::path).collect();
    assert!(paths.contains(&"pictures/rgb.png") && paths.is_sorted(), "{paths:?}");
    let zip = heirloom_data::walk(std::path::Path::new("../static/samples/doodles.zip")).unwrap();
    assert_eq!(zip.iter().map(FileHandle::path).collect::<Vec<_>>(), ["doodles.zip"]);
    let error = heirloom_data::walk(std::path::Path::new("no/such/folder")).unwrap_err();
    assert!(error.to_string().contains("`no/such/folder` could not be listed"), "{error}");
}

#[test]
fn a_model_is_a_file_with_its_description_beside_it_or_a_whole_folder() {
    let names = |path: &str| -> Vec<String> {
        let files = heirloom_data::model_files(std::path::Path::new(path)).unwrap();
        files.iter().map(|file| file.path().to_owned()).collect()
    };
    let folder = "fixtures/checkpoints/hf_vit";
    assert_eq!(names(&format!("{folder}/model.safetensors")), ["model.safetensors", "config.json"]);
    let whole = ["hf_vit/config.json", "hf_vit/model.safetensors", "hf_vit/preprocessor_config.json"];
    assert_eq!(names(folder), whole);
    assert_eq!(names("fixtures/checkpoints/vit.safetensors"), ["vit.safetensors"]);
    let error = heirloom_data::model_files(std::path::Path::new("no/such.pth")).unwrap_err().to_string();
    assert!(error.starts_with("`such.pth` could not be read ("), "{error}");
}

#[test]
fn channels_are_three_numbers_with_commas_between() {
    use heirloom_data::Normalise;
    assert_eq!(Normalise::channels("0.5, 0.25,1"), Ok([0.5, 0.25, 1.0]));
    for bad in ["0.5", "0.5,0.5", "1,2,3,4", "a,b,c", ""] {
        let said = Normalise::channels(bad).unwrap_err().to_string();
        assert_eq!(said, format!("`{bad}` is not three numbers with commas between"));
    }
}
