//! A PyTorch file of a stranger: the oldest formats as they are, and the pickle of today's inside its zip.
#![no_main]

use heirloom_fuzz::read_model;
use heirloom_platform::file::FileHandle;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    match bytes.split_first() {
        Some((0, pickle)) => read_model(&[FileHandle::from_bytes("model.pth", packed(pickle))]),
        _ => read_model(&[FileHandle::from_bytes("model.pth", bytes)]),
    }
});

/// A zip as PyTorch writes it, with this pickle and one storage.
fn packed(pickle: &[u8]) -> Vec<u8> {
    let storage = [0; 256];
    let files: [(&[u8], &[u8]); 3] =
        [(b"model/data.pkl", pickle), (b"model/data/0", &storage), (b"model/version", b"3\n")];
    let (mut zip, mut directory) = (Vec::new(), Vec::new());
    for (name, content) in files {
        let (at, size) = ((zip.len() as u32).to_le_bytes(), (content.len() as u32).to_le_bytes());
        let length = (name.len() as u16).to_le_bytes();
        // Version, flags, method, time, date and checksum say nothing; nothing is compressed.
        zip.extend([b"PK\x03\x04", &[0; 14][..], &size, &size, &length, &[0; 2], name, content].concat());
        directory.extend([b"PK\x01\x02", &[0; 16][..], &size, &size, &length, &[0; 12], &at, name].concat());
    }
    let (at, size) = ((zip.len() as u32).to_le_bytes(), (directory.len() as u32).to_le_bytes());
    zip.extend(directory);
    zip.extend([b"PK\x05\x06", &[0; 4][..], &[3, 0, 3, 0], &size, &at, &[0; 2]].concat());
    zip
}
