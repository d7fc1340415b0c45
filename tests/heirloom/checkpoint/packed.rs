//! Zips: packages open as they were exported, others are told apart.

use std::io::Write;

use super::files::*;
use heirloom_checkpoint::{Description, write_config, write_package, write_safetensors};
use heirloom_platform::file::FileHandle;
use zip::CompressionMethod;
use zip::write::SimpleFileOptions;

fn description() -> Description {
    let labels = Some((0..5).map(|class| format!("class {class}")).collect());
    Description { config: tiny().into(), labels, preprocessing: None }
}

fn package() -> Vec<u8> {
    write_package(constant(&tiny(), 0.25), &description(), 18).unwrap()
}

fn zip_of(method: CompressionMethod, files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, content) in files {
        writer.start_file(*name, SimpleFileOptions::default().compression_method(method)).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

const STORED: CompressionMethod = CompressionMethod::Stored;

#[test]
fn a_package_opens_as_it_was_exported() {
    assert_eq!(tiny().classes, Some(5));
    let checkpoint = open_bytes("heirloom-small.zip", package()).unwrap();
    assert_eq!((checkpoint.name.as_str(), &checkpoint.config), ("heirloom-small.zip", &tiny().into()));
    assert_eq!(checkpoint.labels, description().labels);
    assert!(checkpoint.missing.is_empty() && checkpoint.unexpected.is_empty(), "{:?}", checkpoint.unexpected);
    for (key, expected) in constant(&tiny(), 0.25) {
        assert_eq!(tensor(&checkpoint, &key), expected, "{key}");
    }
}

#[test]
fn a_package_that_was_packed_again_opens_unless_its_weights_are_compressed() {
    let weights = write_safetensors(constant(&tiny(), 0.5), &description());
    let config = write_config(&description(), 18);
    let files: [(&str, &[u8]); 4] = [
        ("small/model.safetensors", &weights),
        ("small/config.json", config.as_bytes()),
        // What macOS adds.
        ("__MACOSX/small/._model.safetensors", b"Mac OS X"),
        ("small/README.txt", b"A small model"),
    ];
    let checkpoint = open_bytes("small.zip", zip_of(STORED, &files)).unwrap();
    assert_eq!(tensor(&checkpoint, "cls_token"), constant(&tiny(), 0.5)["cls_token"]);
    let said = sentence(open_bytes("small.zip", zip_of(CompressionMethod::Deflated, &files)));
    let found = "a zip archive in which `small/model.safetensors` is compressed, so it has to be unpacked first";
    assert!(said.starts_with(&format!("`small.zip` is {found}; ")), "{said}");
}

#[test]
fn zips_of_something_else_are_refused_by_what_they_are() {
    let pictures: [(&str, &[u8]); 3] =
        [("daisy/1.jpg", b"\xff\xd8\xff"), ("daisy/2.PNG", b"\x89PNG"), ("daisy/labels.txt", b"daisy")];
    let project: [(&str, &[u8]); 2] = [("name.txt", b"Flowers"), ("work.save", b"anything")];
    let other: [(&str, &[u8]); 2] = [("a/letter.doc", b"Dear"), ("b.txt", b"Sir")];
    let cases = [
        (&pictures[..], "a zip archive of pictures (2), which belong into step 2"),
        (&project[..], "a whole project, which is opened under `Projects` at the top of the page"),
        (
            &other[..],
            "a zip archive and no PyTorch checkpoint with 2 files (`a/letter.doc`, `b.txt`), which would have to be \
             unpacked first",
        ),
    ];
    for (files, found) in cases {
        let said = sentence(open_bytes("some.zip", zip_of(STORED, files)));
        assert!(said.starts_with(&format!("`some.zip` is {found}; ")), "{said}");
    }
}

#[test]
fn a_damaged_package_is_refused_and_one_beside_its_weights_is_said_to_be_twice() {
    let whole = package();
    let cut = sentence(open_bytes("small.zip", whole[..whole.len() - 40].to_vec()));
    assert!(cut.starts_with("`small.zip` is damaged: ") && cut.contains("cut off"), "{cut}");
    // Its directory says that the weights are longer than the zip.
    let mut lies = whole.clone();
    let entry = lies.windows(4).position(|four| four == b"PK\x01\x02").unwrap();
    lies[entry + 24..entry + 28].copy_from_slice(&0x00ff_ffff_u32.to_le_bytes());
    let said = sentence(open_bytes("small.zip", lies));
    assert!(said.contains("`small.zip` ends at byte"), "{said}");
    let weights = write_safetensors(constant(&tiny(), 0.25), &description());
    let both = [FileHandle::from_bytes("small.zip", whole), FileHandle::from_bytes("model.safetensors", weights)];
    let said = sentence(open(&both));
    assert!(said.contains("is in both `small.zip` and `model.safetensors`"), "{said}");
}
