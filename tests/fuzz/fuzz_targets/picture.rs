//! The head and the end of a picture of a stranger.
#![no_main]

use heirloom_fuzz::within_memory;
use heirloom_platform::image::{format, is_complete, probe};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    within_memory(bytes.len(), || {
        if let Ok(kind) = format(bytes) {
            let _ = is_complete(kind, bytes);
        }
        if let Ok(Some(header)) = probe(bytes) {
            let _ = header.check_size();
        }
    });
});
