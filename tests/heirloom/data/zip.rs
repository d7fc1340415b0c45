use heirloom_data::{DataError, PictureSet};
use heirloom_platform::file::FileHandle;

use super::add;

everywhere! {
    async fn a_zip_gives_its_pictures_and_reasons_for_the_rest() {
        let zip = include_bytes!("../../fixtures/pictures/mixed.zip").as_slice();
        let mut set = PictureSet::new();
        let added = add(&mut set, &[FileHandle::from_bytes("mixed.zip", zip)]).await.unwrap();
        let paths: Vec<_> = set.pictures().iter().map(|picture| picture.path.as_str()).collect();
        assert_eq!(
            paths,
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
        let refused = set.refused();
        assert_eq!(refused.len(), expected.len(), "{refused:?}");
        for (refused, (name, part)) in refused.iter().zip(expected) {
            let (path, reason) = (&refused.path, refused.reason.to_string());
            assert!(path.ends_with(name) && reason.contains(part), "{path}: {reason}");
        }
    }

    async fn an_entry_of_a_zip_reads_like_the_file_itself() {
        let zip = include_bytes!("../../fixtures/pictures/mixed.zip").as_slice();
        let mut set = PictureSet::new();
        add(&mut set, &[FileHandle::from_bytes("mixed.zip", zip)]).await.unwrap();
        for (picture, value) in set.pictures().iter().zip([1, 2, 3]) {
            let bytes = picture.source.read_all().await.unwrap();
            let image = heirloom_platform::image::decode(&bytes).await.unwrap();
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
fn a_zip_of_a_model_or_a_project_says_where_it_belongs() {
    let zipped = |names: &[&str]| {
        let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        for name in names {
            writer.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        }
        let bytes = writer.finish().unwrap().into_inner();
        let added = pollster::block_on(add(&mut PictureSet::new(), &[FileHandle::from_bytes("z.zip", bytes)]));
        added.unwrap_err().to_string()
    };
    let project = "`z.zip`: it is a whole project, which is opened under `Projects` at the top of the page";
    let model = "`z.zip`: it is a model and no pictures, so drop it on step 1";
    let table = [
        (vec!["First/name.txt", "First/work.save", "First/parts/model0"], project),
        (vec!["config.json", "model.safetensors", "README.txt"], model),
        (vec!["vit/data.pkl", "vit/data/0", "vit/version"], model),
    ];
    for (names, reason) in table {
        let said = zipped(&names);
        assert!(said.contains(reason), "{said}");
    }
    let said = zipped(&["vit.pth", "pets/cat/1.jpg"]);
    assert!(!said.contains("step 1"), "{said}");
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
