//! What all targets do: read a file as the engine reads it, and hold it to a share of memory.

use std::alloc::System;

use cap::Cap;
use heirloom_checkpoint::Checkpoint;
use heirloom_platform::file::FileHandle;

#[global_allocator]
static MEMORY: Cap<System> = Cap::new(System, usize::MAX);

/// Bytes in memory for each byte of a file: a number of one byte becomes a text, a name and a tensor's entry.
const PER_BYTE: usize = 256;
/// Bytes whatever the file's size: read-ahead of one piece and a picture's head.
const ALWAYS: usize = 8 << 20;

/// Runs `read`; an allocation beyond [`PER_BYTE`] for each of `len` bytes and [`ALWAYS`] fails, which ends the process.
pub fn within_memory<T>(len: usize, read: impl FnOnce() -> T) -> T {
    let room = len.saturating_mul(PER_BYTE).saturating_add(ALWAYS);
    MEMORY.set_limit(MEMORY.allocated().saturating_add(room)).expect("more room than is taken");
    let outcome = read();
    MEMORY.set_limit(usize::MAX).expect("no limit");
    outcome
}

/// Opens a model.
pub fn open_model(files: &[FileHandle]) {
    let len = files.iter().map(|file| file.len() as usize).sum();
    within_memory(len, || pollster::block_on(Checkpoint::open(files)).is_ok());
}

/// Opens a model and reads each of its tensors.
pub fn read_model(files: &[FileHandle]) {
    let len = files.iter().map(|file| file.len() as usize).sum();
    within_memory(len, || {
        pollster::block_on(async {
            let Ok(model) = Checkpoint::open(files).await else { return };
            for (key, _) in model.config.tensors() {
                let _ = model.tensor(&key).await;
            }
        });
    });
}

/// A zip as PyTorch writes it, with this pickle and one storage.
pub fn pytorch_zip(pickle: &[u8], storage: &[u8]) -> Vec<u8> {
    let files: [(&[u8], &[u8]); 3] =
        [(b"model/data.pkl", pickle), (b"model/data/0", storage), (b"model/version", b"3\n")];
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
