//! A project as a zip: out on one machine, in on another, and what strangers may send.
#![cfg(not(target_arch = "wasm32"))]

use super::*;
use std::io::{Cursor, Read, Write};

/// A trained project as a zip, and what its first model says.
pub async fn exported() -> (Vec<u8>, Prediction) {
    let place = Place::new();
    let mut engine = engine_on(&place.storage(), begin()).await;
    bring(&mut engine, 3).await;
    engine.send(Command::Train(TrainSettings { steps: 2, ..training() }), Vec::new()).await;
    let said = prediction(&mut engine, 0).await;
    (zip_of(&mut engine).await, said)
}

#[test]
fn a_project_opens_on_another_machine_and_predicts_the_same() {
    pollster::block_on(async {
        let (zip, said) = exported().await;
        let place = Place::new();
        let mut engine = engine_on(&place.storage(), begin()).await;
        assert_eq!(import(&mut engine, zip.clone()).await, Vec::<String>::new());
        assert_eq!(list_of(&engine).projects[0].name, "First");
        assert_eq!(prediction(&mut engine, 0).await, said);
        drop(engine);
        let mut engine = engine_on(&place.storage(), begin()).await;
        assert_eq!(prediction(&mut engine, 0).await, said, "it is kept like any other");

        // Where nothing may be stored it still opens, and can be handed on.
        let mut engine = TestEngine::start().await;
        engine.send(begin(), Vec::new()).await;
        assert_eq!(import(&mut engine, zip).await, Vec::<String>::new());
        assert_eq!(prediction(&mut engine, 0).await, said);
        let heard = engine.send(Command::Project(ProjectCommand::Export), Vec::new()).await;
        assert!(heard.iter().any(|(event, bytes)| matches!(event, Event::File { .. }) && bytes.is_some()));
    });
}

/// The zip with every file passed through `change`, by an independent writer.
pub fn rewritten(zip: &[u8], change: impl Fn(&str, Vec<u8>) -> Option<(String, Vec<u8>)>) -> Vec<u8> {
    let mut from = zip::ZipArchive::new(Cursor::new(zip)).expect("an independent reader opens it");
    let mut to = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let plain = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for index in 0..from.len() {
        let mut file = from.by_index(index).unwrap();
        let (name, mut bytes) = (file.name().unwrap().into_owned(), Vec::new());
        // The reader compares the checksums of the zip, too.
        file.read_to_end(&mut bytes).unwrap();
        if let Some((name, bytes)) = change(&name, bytes) {
            to.start_file(name, plain).unwrap();
            to.write_all(&bytes).unwrap();
        }
    }
    to.finish().unwrap().into_inner()
}

const NO_DIRECTORY: &str = "the zip directory at its end is missing, so it is cut off";
const NO_PROJECT: &str = "it is no project of Heirloom";

#[test]
fn hostile_and_damaged_zips_are_refused_with_a_sentence_and_leave_nothing_behind() {
    pollster::block_on(async {
        let (zip, _) = exported().await;
        let flip = |bytes: &mut Vec<u8>| {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
        };
        let changed = |part: &'static str| {
            rewritten(&zip, move |name, mut bytes| {
                if name.starts_with(part) {
                    flip(&mut bytes);
                }
                Some((name.to_owned(), bytes))
            })
        };
        let without = |part: &'static str| {
            rewritten(&zip, move |name, bytes| (!name.starts_with(part)).then(|| (name.to_owned(), bytes)))
        };
        let cases = [
            ("cut off", zip[..zip.len() - 200].to_vec(), &[NO_DIRECTORY][..]),
            ("no zip", b"Dear Sir or Madam, ".repeat(40), &[NO_DIRECTORY]),
            ("not a project", rewritten(&zip, |name, bytes| Some((format!("other-{name}"), bytes))), &[NO_PROJECT]),
            ("a changed generation", changed("work"), &["`work.save` is "]),
            ("a changed model", changed("parts"), &["`parts/", "` is damaged"]),
            ("a changed picture", changed("blobs"), &["does not have the checksum it is named by"]),
            ("no generation", without("work"), &[NO_PROJECT]),
            ("no model", without("parts"), &["the model `", "is missing from it"]),
            ("one model in place of another", swapped(&zip), &["the model `", "is another one than its project names"]),
        ];
        let place = Place::new();
        let mut engine = engine_on(&place.storage(), begin()).await;
        for (name, zip, reasons) in cases {
            let said = import(&mut engine, zip).await;
            assert_eq!(said.len(), 1, "{name}: {said:?}");
            assert!(said[0].starts_with("`project.zip` cannot be opened: "), "{name}: {said:?}");
            assert!(reasons.iter().all(|part| said[0].contains(part)), "{name}: {said:?}");
            assert!(said[0].ends_with('.'), "{name}: {said:?}");
            let left = place.storage().size("").await.unwrap();
            assert!(left < 100, "{name}: {left} bytes are left behind");
        }
        // Files that no project names, wherever their paths lead, are not looked at.
        let odd = rewritten(&zip, |name, bytes| {
            let name = if name == "name.txt" { "../../name.txt" } else { name };
            Some((name.to_owned(), bytes))
        });
        assert_eq!(import(&mut engine, odd).await, Vec::<String>::new());
        assert!(!place.path("../name.txt").exists());
    });
}

/// What archivers make of a project: with everything below one folder, and compressed or not.
fn packed_again(zip: &[u8], folder: &str, method: zip::CompressionMethod) -> Vec<u8> {
    let mut to = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().compression_method(method);
    for (name, bytes) in unpacked(zip) {
        for (name, bytes) in [(format!("{folder}{name}"), bytes), (format!("__MACOSX/{folder}._{name}"), vec![0; 164])]
        {
            to.start_file(name, options).unwrap();
            to.write_all(&bytes).unwrap();
        }
    }
    to.finish().unwrap().into_inner()
}

fn unpacked(zip: &[u8]) -> Vec<(String, Vec<u8>)> {
    let files = std::cell::RefCell::new(Vec::new());
    rewritten(zip, |name, bytes| {
        files.borrow_mut().push((name.to_owned(), bytes));
        None
    });
    files.into_inner()
}

#[test]
fn a_project_that_was_unpacked_and_packed_again_opens_or_says_what_to_do() {
    pollster::block_on(async {
        let (zip, said) = exported().await;
        let place = Place::new();
        let mut engine = engine_on(&place.storage(), begin()).await;
        let stored = packed_again(&zip, "First/", zip::CompressionMethod::Stored);
        assert_eq!(import(&mut engine, stored).await, Vec::<String>::new());
        assert_eq!(prediction(&mut engine, 0).await, said);

        let folder: Vec<_> = unpacked(&zip)
            .into_iter()
            .map(|(name, bytes)| FileHandle::from_bytes(format!("Downloads/First/{name}"), bytes))
            .chain([FileHandle::from_bytes("Downloads/First/.DS_Store", vec![0; 8])])
            .collect();
        let mut elsewhere = TestEngine::start().await;
        elsewhere.send(begin(), Vec::new()).await;
        let command = Command::Project(ProjectCommand::Import { files: refs(&folder) });
        elsewhere.send(command, folder).await;
        assert_eq!(notices(&elsewhere), Vec::<String>::new());
        assert_eq!(prediction(&mut elsewhere, 0).await, said);

        for folder in ["First/", ""] {
            let heard = import(&mut engine, packed_again(&zip, folder, zip::CompressionMethod::Deflated)).await;
            assert_eq!(heard.len(), 1, "{heard:?}");
            assert!(heard[0].contains("so it was unpacked and packed again"), "{heard:?}");
            assert!(heard[0].contains("drop its unpacked folder on the page"), "{heard:?}");
            // The open project stays.
            assert_eq!(prediction(&mut engine, 0).await, said);
        }
    });
}

/// Both models are whole, but each stands where the other belongs.
fn swapped(zip: &[u8]) -> Vec<u8> {
    let other = |name: &str| match name {
        name if name.ends_with("model0") => name.replace("model0", "model1"),
        name if name.ends_with("model1") => name.replace("model1", "model0"),
        name => name.to_owned(),
    };
    rewritten(zip, move |name, bytes| Some((other(name), bytes)))
}
