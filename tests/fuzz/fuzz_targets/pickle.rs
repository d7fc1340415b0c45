//! A PyTorch file of a stranger: the oldest formats as they are, and the pickle of today's inside its zip.
#![no_main]

use heirloom_fuzz::{pytorch_zip, read_model};
use heirloom_platform::file::FileHandle;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    match bytes.split_first() {
        Some((0, pickle)) => read_model(&[FileHandle::from_bytes("model.pth", pytorch_zip(pickle, &[0; 256]))]),
        _ => read_model(&[FileHandle::from_bytes("model.pth", bytes)]),
    }
});
