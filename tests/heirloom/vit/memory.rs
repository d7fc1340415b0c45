//! Loading a checkpoint must not hold the file beside the model.
use heirloom_checkpoint::{Checkpoint, Description, write_safetensors};
use heirloom_nn::vit::{Pool, Vit, VitConfig};
use heirloom_platform::file::FileHandle;

use crate::support::heap::peak;

/// DeiT-S; every layer of DeiT-B has four times the weights and the largest tensor has them too, so the ratio is the
/// same there.
fn deit_s() -> VitConfig {
    VitConfig {
        image_size: 224,
        patch_size: 16,
        embed_dim: 384,
        depth: 12,
        num_heads: 6,
        head_dim: 64,
        mlp_dim: 1536,
        pool: Pool::Cls,
        options: Default::default(),
        classes: Some(1000),
        ..super::small()
    }
}

/// A checkpoint of zeros: a real header before a hole of the right length.
fn zeros(config: &VitConfig, folder: &std::path::Path) -> FileHandle {
    let description = Description { config: config.clone().into(), labels: None, preprocessing: None };
    let mut offset = 0;
    let mut header = serde_json::Map::new();
    for (key, shape) in config.tensors() {
        let end = offset + 4 * shape.iter().product::<usize>();
        header.insert(key, serde_json::json!({ "dtype": "F32", "shape": shape, "data_offsets": [offset, end] }));
        offset = end;
    }
    let empty = write_safetensors([], &description);
    let length = u64::from_le_bytes(empty[..8].try_into().unwrap()) as usize;
    let own: serde_json::Value = serde_json::from_slice(&empty[8..8 + length]).unwrap();
    header.insert("__metadata__".into(), own["__metadata__"].clone());
    let mut front = serde_json::Value::Object(header).to_string().into_bytes();
    front.resize(front.len().next_multiple_of(8), b' ');
    let path = folder.join("zeros.safetensors");
    std::fs::write(&path, [&(front.len() as u64).to_le_bytes()[..], &front].concat()).unwrap();
    std::fs::File::options().write(true).open(&path).unwrap().set_len((8 + front.len() + offset) as u64).unwrap();
    FileHandle::from_path("zeros.safetensors", path).unwrap()
}

#[test]
fn loading_holds_less_than_twice_the_weights() {
    let folder = tempfile::tempdir().unwrap();
    let config = deit_s();
    let file = zeros(&config, folder.path());
    let (most, model) = peak(|| {
        pollster::block_on(async {
            let checkpoint = Checkpoint::open(&[file]).await.unwrap();
            Vit::load(checkpoint.config.vit().unwrap(), &mut &checkpoint, &heirloom_nn::device::cpu()).await.unwrap()
        })
    });
    let weights = 4 * model.config.parameters() as isize;
    println!("peak heap {most} bytes for {weights} bytes of weights");
    assert!(most < 2 * weights, "{most} bytes for {weights} bytes of weights");
    assert!(most > weights, "the counter counts nothing: {most} bytes");
}
