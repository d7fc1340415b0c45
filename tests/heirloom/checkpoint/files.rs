//! Making files for the tests.

use heirloom_checkpoint::{Checkpoint, CheckpointError};
use heirloom_nn::vit::{HostTensor, Pool, VitConfig};
use heirloom_platform::file::FileHandle;
use std::collections::BTreeMap;

/// Tensors by key.
pub type Tensors = BTreeMap<String, HostTensor>;

/// What is said of a Vision Transformer whose files are silent about its pictures.
pub const UNSAID: &str = "ImageNet's mean and deviation of the colours: nothing says how its pictures were prepared \
                          (many Vision Transformers were trained with 0.5 for both)";

pub fn fixture(path: &str) -> FileHandle {
    FileHandle::from_path(path, format!("fixtures/checkpoints/{path}")).unwrap()
}

pub fn fixture_bytes(path: &str) -> Vec<u8> {
    std::fs::read(format!("fixtures/checkpoints/{path}")).unwrap()
}

pub fn fixtures(paths: &[&str]) -> Vec<FileHandle> {
    paths.iter().map(|path| fixture(path)).collect()
}

pub fn open(files: &[FileHandle]) -> Result<Checkpoint, CheckpointError> {
    pollster::block_on(Checkpoint::open(files))
}

pub fn open_bytes(name: &str, bytes: Vec<u8>) -> Result<Checkpoint, CheckpointError> {
    open(&[FileHandle::from_bytes(name, bytes)])
}

pub fn tensor(checkpoint: &Checkpoint, key: &str) -> HostTensor {
    read(checkpoint, key).unwrap()
}

pub fn read(checkpoint: &Checkpoint, key: &str) -> Result<HostTensor, CheckpointError> {
    pollster::block_on(checkpoint.tensor(key))
}

/// The sentence of a refusal.
pub fn sentence(result: Result<Checkpoint, CheckpointError>) -> String {
    result.expect_err("it should have been refused").to_string()
}

/// What the fixtures have in common.
pub fn tiny() -> VitConfig {
    VitConfig {
        image_size: 16,
        patch_size: 4,
        channels: 3,
        embed_dim: 32,
        depth: 2,
        num_heads: 2,
        head_dim: 16,
        mlp_dim: 64,
        qkv_bias: true,
        qk_norm: false,
        layer_scale: false,
        cls_token: true,
        distilled: false,
        register_tokens: 0,
        pos_embed_prefix: true,
        pool: Pool::Cls,
        options: Default::default(),
        norm_eps: 1e-6,
        classes: Some(5),
    }
}

/// A fixture's tensors, read by the safetensors crate: an independent reader.
pub fn crate_tensors(path: &str) -> Tensors {
    safetensors_of(&format!("fixtures/checkpoints/{path}"))
}

/// As [`crate_tensors`], of any file of floats.
pub fn safetensors_of(path: &str) -> Tensors {
    let bytes = std::fs::read(path).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let tensor = |view: &safetensors::tensor::TensorView| {
        let data = view.data();
        let values = match view.dtype() {
            safetensors::Dtype::F32 => data.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect(),
            safetensors::Dtype::F16 => {
                data.as_chunks().0.iter().map(|b| half::f16::from_le_bytes(*b).to_f32()).collect()
            }
            safetensors::Dtype::BF16 => {
                data.as_chunks().0.iter().map(|b| half::bf16::from_le_bytes(*b).to_f32()).collect()
            }
            other => panic!("{other:?} is not in the fixtures"),
        };
        HostTensor { shape: view.shape().to_vec(), values }
    };
    // Steps that batch norms have counted are no weights.
    let tensors = file.tensors().into_iter().filter(|(_, view)| view.dtype() != safetensors::Dtype::I64);
    tensors.map(|(key, view)| (key, tensor(&view))).collect()
}

/// A safetensors file with this header and data, right or wrong.
pub fn raw(header: &str, data: &[u8]) -> Vec<u8> {
    let length = (header.len() as u64).to_le_bytes();
    [&length[..], header.as_bytes(), data].concat()
}

/// A proper F32 safetensors file without any description.
pub fn plain(tensors: &Tensors) -> Vec<u8> {
    let (mut entries, mut data) = (Vec::new(), Vec::new());
    for (key, tensor) in tensors {
        let start = data.len();
        data.extend(tensor.values.iter().flat_map(|value| value.to_le_bytes()));
        let offsets = [start, data.len()];
        entries.push(format!(r#""{key}":{{"dtype":"F32","shape":{:?},"data_offsets":{offsets:?}}}"#, tensor.shape));
    }
    raw(&format!("{{{}}}", entries.join(",")), &data)
}

/// Tensors of one value, with a configuration's keys and shapes.
pub fn constant(config: &VitConfig, value: f32) -> Tensors {
    let tensor = |shape: Vec<usize>| HostTensor { values: vec![value; shape.iter().product()], shape };
    config.tensors().into_iter().map(|(key, shape)| (key, tensor(shape))).collect()
}
