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
