//! The model against timm: every variant on small fixtures (`tests/fixtures/checkpoints/make.py`), and the real ViT-S/14
//! (`tests/fixtures/vit_s14/make.py`).
use burn::tensor::{Device, Tensor, TensorData};
use heirloom_checkpoint::Checkpoint;
use heirloom_nn::device::read;
use heirloom_nn::vit::{Hooks, Vit};
use heirloom_platform::file::FileHandle;
use serde_json::Value;

use crate::support::assert_close;

macro_rules! fixtures {
    ($($name:literal),*) => {
        [$(($name, include_bytes!(concat!("../../fixtures/checkpoints/", $name, ".safetensors")) as &[u8])),*]
    };
}

/// One file each, so that the browser can carry them inside the test program.
const FIXTURES: [(&str, &[u8]); 12] = fixtures![
    "vit",
    "no_qkv_bias",
    "layer_scale",
    "registers",
    "registers_with_positions",
    "average_pool",
    "average_pool_without_cls",
    "qk_norm",
    "distilled",
    "vit_f16",
    "vit_bf16",
    "torchvision"
];

pub fn floats(value: &Value) -> Vec<f32> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap() as f32).collect()
}

on_every_engine! {
    async fn every_variant_computes_what_timm_computes(device: Device) {
        let reference = include_str!("../../fixtures/checkpoints/reference.json");
        let reference: Value = serde_json::from_str(reference).unwrap();
        let descriptions = include_bytes!("../../fixtures/checkpoints/timm.json");
        let picture = TensorData::new(floats(&reference["picture"]), [1, 3, 16, 16]);
        for (name, bytes) in FIXTURES {
            let file = FileHandle::from_bytes(format!("{name}.safetensors"), bytes);
            let files = [file, FileHandle::from_bytes("config.json", &descriptions[..])];
            let checkpoint = Checkpoint::open(&files).await.unwrap();
            let model = Vit::load(checkpoint.config.vit().unwrap(), &mut &checkpoint, &device).await.unwrap();
            let images = Tensor::<4>::from_data(picture.clone(), &device);
            let tokens = read(model.features(images.clone(), &mut Hooks::default())).await.unwrap();
            // 16-bit fixtures: timm computed with the rounded weights, too.
            assert_close(&tokens, &floats(&reference["models"][name]["tokens"]), 1e-4);
            let logits = &reference["models"][name]["logits"];
            assert_eq!(logits.is_array(), checkpoint.config.classes().is_some(), "{name}");
            if logits.is_array() {
                let got = read(model.logits(images, &mut Hooks::default())).await.unwrap();
                assert_close(&got, &floats(logits), 1e-4);
            }
        }
    }
}

/// PyTorch itself, with the same 16-bit weights, is 0.053 px and 0.0085 away from the 32-bit original.
#[cfg(not(target_arch = "wasm32"))]
#[test]
fn the_real_vit_s_is_within_a_tenth_of_a_pixel_of_pytorch() {
    use heirloom_data::{Normalise, evaluation_picture, open};
    use heirloom_learngene::cluster::measure;

    let shared = std::env::var("HEIRLOOM_SHARED").unwrap_or_else(|_| "../../shared".into());
    let folder = format!("{shared}/data/models/vit_s14_224_hf");
    if !std::path::Path::new(&folder).exists() {
        eprintln!("skipped: no {folder}");
        return;
    }
    pollster::block_on(async {
        let file = |name: &str| FileHandle::from_path(name, format!("{folder}/{name}")).unwrap();
        let checkpoint = Checkpoint::open(&[file("model.safetensors"), file("config.json")]).await.unwrap();
        let model =
            Vit::load(checkpoint.config.vit().unwrap(), &mut &checkpoint, &heirloom_nn::device::cpu()).await.unwrap();
        let reference = std::fs::read_to_string("fixtures/vit_s14/reference.json").unwrap();
        let reference: Value = serde_json::from_str(&reference).unwrap();
        for expected in reference["pictures"].as_array().unwrap() {
            let name = expected["file"].as_str().unwrap();
            let picture = FileHandle::from_path(name, format!("fixtures/vit_s14/{name}")).unwrap();
            let image = evaluation_picture(name, &open(&picture).await.unwrap(), 224).await.unwrap();
            let mut pixels = vec![0.0; 3 * 224 * 224];
            Normalise::default().write(&image, false, &mut pixels);
            let got = measure(&model, pixels, false).await.unwrap();
            let flat = |value: &Value| value.as_array().unwrap().iter().flat_map(floats).collect::<Vec<f32>>();
            assert_close(&got.distance.concat(), &flat(&expected["distance"]), 0.1);
            assert_close(&got.entropy.concat(), &flat(&expected["entropy"]), 0.01);
            assert_close(&got.output, &floats(&expected["cls"]), 2e-2);
        }
    });
}
