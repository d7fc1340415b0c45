//! A zip of pictures of a stranger.
#![no_main]

use std::ops::ControlFlow;

use heirloom_checkpoint::zip_directory;
use heirloom_data::{PictureSet, SplitPlan};
use heirloom_fuzz::within_memory;
use heirloom_platform::file::FileHandle;
use libfuzzer_sys::fuzz_target;
use pollster::block_on;

fuzz_target!(|bytes: &[u8]| {
    within_memory(bytes.len(), || {
        block_on(async {
            let (file, mut set) = (FileHandle::from_bytes("pictures.zip", bytes), PictureSet::new());
            // Projects are read by a directory of their own.
            let _ = zip_directory::read(&file).await;
            let _ = set.add(&[file], None, |_| ControlFlow::Continue(())).await;
            let _ = set.split(SplitPlan::default());
        });
    });
});
