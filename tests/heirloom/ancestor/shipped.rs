//! What the page says about the shipped ancestor is so.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use heirloom_checkpoint::Checkpoint;
use heirloom_data::{PictureSet, SplitPlan, evaluation_picture};
use heirloom_engine::normalise;
use heirloom_nn::device::cpu;
use heirloom_nn::vit::{Vit, VitConfig};
use heirloom_platform::file::FileHandle;
use serde_json::Value;

use super::heads;

/// What it may take to fetch.
const MOST_BYTES: u64 = 6_700_000;
/// Pictures of each shipped sample that heads are measured on: as the page does it, as its story does it, and many, for
/// the mean over many pictures brings heads closer to each other.
const MEASURED: [usize; 3] = [8, 10, 32];

fn place(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../static").join(file)
}

fn card() -> Value {
    serde_json::from_slice(&std::fs::read(place("ancestors/classroom.json")).unwrap()).unwrap()
}

async fn checkpoint() -> Checkpoint {
    let file = FileHandle::from_path("classroom.safetensors", place("ancestors/classroom.safetensors")).unwrap();
    Checkpoint::open(&[file]).await.unwrap()
}

#[test]
fn the_classroom_ancestor_opens_without_a_question_and_is_what_its_card_says() {
    pollster::block_on(async {
        let (card, checkpoint) = (card(), checkpoint().await);
        checkpoint.check_complete().unwrap();
        assert!(checkpoint.unexpected.is_empty(), "{:?}", checkpoint.unexpected);
        assert!(checkpoint.assumptions.is_empty(), "{:?}", checkpoint.assumptions);
        assert_eq!((checkpoint.dtype.as_str(), card["family"].as_str().unwrap()), ("F16", checkpoint.family.as_str()));
        let VitConfig { image_size, patch_size, embed_dim, num_heads, depth, .. } = checkpoint.config.vit().unwrap();
        let shape = [image_size, patch_size, embed_dim, num_heads, depth].map(|&number| number as u64);
        assert_eq!(
            ["image_size", "patch_size", "width", "heads", "layers"].map(|key| card[key].as_u64().unwrap()),
            shape
        );
        assert_eq!(card["parameters"].as_u64().unwrap(), checkpoint.parameters);
        assert_eq!(serde_json::from_value::<Vec<String>>(card["classes"].clone()).unwrap(), checkpoint.labels.unwrap());
        assert_eq!(checkpoint.preprocessing.unwrap().image_size as u64, shape[0]);
    });
}

#[test]
fn the_classroom_ancestor_is_small_enough_to_fetch() {
    let bytes = std::fs::metadata(place("ancestors/classroom.safetensors")).unwrap().len();
    assert!(bytes <= MOST_BYTES, "{bytes} bytes");
}

#[test]
fn the_classroom_ancestors_heads_differ_on_both_shipped_samples() {
    pollster::block_on(async {
        let checkpoint = checkpoint().await;
        let model = Vit::load(checkpoint.config.vit().unwrap(), &mut &checkpoint, &cpu()).await.unwrap();
        let side = model.config.image_size;
        for sample in ["samples/clothes.zip", "samples/doodles.zip"] {
            let mut set = PictureSet::new();
            let zip = FileHandle::from_path(sample, place(sample)).unwrap();
            set.add(&[zip], None, |_| ControlFlow::Continue(())).await.unwrap();
            for count in MEASURED {
                let mut pictures = Vec::new();
                for one in set.split(SplitPlan::default()).unwrap().spread(count) {
                    let picture = &set.pictures()[one.picture];
                    let image = evaluation_picture(&picture.path, &picture.source, side).await.unwrap();
                    let mut pixels = vec![0.0; 3 * side * side];
                    normalise(&checkpoint).write(&image, false, &mut pixels);
                    pictures.push(pixels);
                }
                assert_eq!(pictures.len(), count);
                let (distance, clusters) = heads(&model, pictures).await;
                let several = clusters.layers.iter().filter(|layer| layer.len() >= 2).count();
                assert!(2 * several >= clusters.layers.len(), "{count} of {sample}: {distance:?}");
                let kept = clusters.kept_heads() as f32 / clusters.total_heads() as f32;
                assert!(
                    (0.4..=0.85).contains(&kept),
                    "{count} of {sample}: {kept} of the heads are kept: {distance:?}"
                );
            }
        }
    });
}
