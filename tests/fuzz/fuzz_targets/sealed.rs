//! A kept state of work, out of a project that somebody else handed over.
#![no_main]

use heirloom_checkpoint::Sealed;
use heirloom_fuzz::within_memory;
use heirloom_platform::file::FileHandle;
use libfuzzer_sys::fuzz_target;
use pollster::block_on;

fuzz_target!(|bytes: &[u8]| {
    within_memory(bytes.len(), || {
        block_on(async {
            let Ok(state) = Sealed::open(FileHandle::from_bytes("state", bytes)).await else { return };
            let _ = state.verify().await;
            for name in state.names("") {
                let _ = state.tensor(&name).await;
            }
        });
    });
});
