//! The ancestors that ship with the page are what their cards say.

use std::path::{Path, PathBuf};

use heirloom_checkpoint::Checkpoint;
use heirloom_plan::config::ModelConfig;
use heirloom_platform::file::FileHandle;
use serde_json::Value;
use sha2::{Digest, Sha256};

const FOLDER: &str = "../static/ancestors";

/// Paths in the folder with this ending.
fn ending(with: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(FOLDER).expect("the folder of the shipped ancestors");
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|end| end == with));
    paths.sort();
    paths
}

fn card_of(weights: &Path) -> Value {
    let text = std::fs::read_to_string(weights.with_extension("json"));
    serde_json::from_str(&text.unwrap_or_else(|error| panic!("the card of {weights:?}: {error}"))).unwrap()
}

#[test]
fn every_shipped_file_has_a_card_with_its_length_and_checksum_and_stands_in_the_credits() {
    let weights = ending("safetensors");
    assert!(!weights.is_empty());
    assert_eq!(weights.len(), ending("json").len(), "one card for each file");
    let credits = std::fs::read_to_string(Path::new(FOLDER).join("CREDITS.md")).unwrap();
    for path in weights {
        let (bytes, card) = (std::fs::read(&path).unwrap(), card_of(&path));
        let sum: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(card["bytes"].as_u64(), Some(bytes.len() as u64), "{path:?}");
        assert_eq!(card["sha256"].as_str(), Some(&*sum), "{path:?}");
        assert!(credits.contains(path.file_name().unwrap().to_str().unwrap()), "{path:?} has no credits");
    }
}

#[test]
fn every_card_tells_the_sizes_that_are_recognised_and_what_the_page_shows() {
    for path in ending("safetensors") {
        let card = card_of(&path);
        let mut files = vec![FileHandle::from_path(path.file_name().unwrap().to_str().unwrap(), &path).unwrap()];
        let config = Path::new(FOLDER).join("configs").join(path.with_extension("json").file_name().unwrap());
        if config.exists() {
            files.push(FileHandle::from_path("config.json", config).unwrap());
        }
        let checkpoint =
            pollster::block_on(Checkpoint::open(&files)).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        checkpoint.check_complete().unwrap();
        assert!(checkpoint.unexpected.is_empty(), "{path:?}: {:?}", checkpoint.unexpected);
        let mut sizes =
            vec![("image_size", checkpoint.config.image_size()), ("parameters", checkpoint.parameters as usize)];
        match &checkpoint.config {
            ModelConfig::Vit(vit) => sizes.extend([
                ("patch_size", vit.patch_size),
                ("width", vit.embed_dim),
                ("heads", vit.num_heads),
                ("layers", vit.depth),
            ]),
            ModelConfig::Cnn(cnn) => sizes.extend([("width", cnn.width()), ("layers", cnn.stages.len())]),
            ModelConfig::Stitched(_) => panic!("{path:?} is stitched"),
        }
        for (name, size) in sizes {
            assert_eq!(card[name].as_u64(), Some(size as u64), "{path:?}: {name}");
        }
        let classes: Vec<_> = card["classes"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let labels = checkpoint.labels.unwrap_or_default();
        match card["class_count"].as_u64() {
            Some(count) => assert_eq!(count, labels.len() as u64, "{path:?}"),
            None => assert_eq!(classes, labels, "{path:?}"),
        }
        for words in ["name", "trained_on", "recipe", "licence", "limits"] {
            assert!(card[words].as_str().is_some_and(|words| words.len() > 2), "{path:?}: {words}");
        }
        if let Some(accuracy) = card.get("accuracy").filter(|accuracy| !accuracy.is_null()) {
            let share = accuracy["value"].as_f64();
            assert!(share.is_some_and(|share| (0.0..=1.0).contains(&share)), "{path:?}: {accuracy}");
            assert!(accuracy["pictures"].is_u64() && accuracy["data"].is_string(), "{path:?}: {accuracy}");
        }
    }
}
