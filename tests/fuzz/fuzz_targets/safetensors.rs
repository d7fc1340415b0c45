//! A safetensors file of a stranger: as it is, or a header of its own before numbers enough for a small model.
#![no_main]

use heirloom_fuzz::read_model;
use heirloom_platform::file::FileHandle;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let file = match bytes.split_first() {
        Some((0, header)) => [&(header.len() as u64).to_le_bytes(), header, &[0; 80 << 10]].concat(),
        _ => bytes.to_vec(),
    };
    read_model(&[FileHandle::from_bytes("model.safetensors", file)]);
});
