//! The same reading through a browser's file.

use heirloom_checkpoint::Checkpoint;
use heirloom_platform::file::FileHandle;

fn browser_file(name: &str, bytes: &[u8]) -> FileHandle {
    let parts = js_sys::Array::of1(&js_sys::Uint8Array::from(bytes));
    FileHandle::from_blob(name, web_sys::Blob::new_with_u8_array_sequence(&parts).unwrap())
}

#[wasm_bindgen_test::wasm_bindgen_test]
async fn a_browsers_file_opens_by_slices() {
    let safetensors = include_bytes!("../../fixtures/checkpoints/vit.safetensors");
    let torch = include_bytes!("../../fixtures/checkpoints/vit_training.pth");
    let one = Checkpoint::open(&[browser_file("vit.safetensors", safetensors)]).await.unwrap();
    let two = Checkpoint::open(&[browser_file("vit.pth", torch)]).await.unwrap();
    for (key, shape) in one.config.tensors() {
        let tensor = one.tensor(&key).await.unwrap();
        assert_eq!(tensor.shape, shape, "{key}");
        assert_eq!(tensor, two.tensor(&key).await.unwrap(), "{key}");
    }
}
