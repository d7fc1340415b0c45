//! What stands beside a model: config.json and the like.
#![no_main]

use heirloom_fuzz::open_model;
use heirloom_platform::file::FileHandle;
use libfuzzer_sys::fuzz_target;

/// A Vision Transformer of two layers in timm's names.
const MODEL: &[u8] = include_bytes!("../../fixtures/checkpoints/vit.safetensors");
const NAMES: [&str; 4] =
    ["config.json", "preprocessor_config.json", "model.safetensors.index.json", "open_clip_config.json"];

fuzz_target!(|bytes: &[u8]| {
    let Some((first, text)) = bytes.split_first() else { return };
    let name = NAMES[usize::from(*first) % NAMES.len()];
    open_model(&[FileHandle::from_bytes("model.safetensors", MODEL), FileHandle::from_bytes(name, text)]);
});
