//! Tests of `data` and `platform::image`. Fixtures: `tests/fixtures/pictures`, made by `make_pictures.py` there.

/// Turns `async fn name() { … }` into a native test and an in-browser test.
macro_rules! everywhere {
    ($($(#[$meta:meta])* async fn $name:ident() $body:block)*) => {$(
        $(#[$meta])*
        #[cfg(not(target_arch = "wasm32"))]
        #[test]
        fn $name() {
            pollster::block_on(async $body);
        }
        $(#[$meta])*
        #[cfg(target_arch = "wasm32")]
        #[wasm_bindgen_test::wasm_bindgen_test]
        async fn $name() $body
    )*};
}

#[cfg(target_arch = "wasm32")]
mod browser;
mod decode;
#[cfg(not(target_arch = "wasm32"))]
mod loader;
mod place;
mod resize;
#[cfg(not(target_arch = "wasm32"))]
mod set;
#[cfg(not(target_arch = "wasm32"))]
mod split;
mod zip;

use std::ops::ControlFlow;

use heirloom_data::{Added, DataError, PictureSet};
use heirloom_platform::file::FileHandle;

async fn add(set: &mut PictureSet, files: &[FileHandle]) -> Result<Added, DataError> {
    set.add(files, None, |_| ControlFlow::Continue(())).await
}

#[cfg(not(target_arch = "wasm32"))]
use native::*;

#[cfg(not(target_arch = "wasm32"))]
mod native {
    use heirloom_platform::image::{RgbImage8, encode_png};

    use super::*;

    /// PNG of one colour that is different for every `number`, `width × height`.
    pub fn png(number: u32, width: usize, height: usize) -> Vec<u8> {
        let [_, red, green, blue] = number.to_be_bytes();
        let data = [red, green, blue].repeat(width * height);
        encode_png(&RgbImage8 { width, height, data }).expect("a PNG")
    }

    /// A file with the picture of that number.
    pub fn file(path: &str, number: u32) -> FileHandle {
        FileHandle::from_bytes(path, png(number, 6, 5))
    }

    /// A set of `count` different pictures in each class.
    pub async fn set_of(classes: &[(&str, u32)]) -> PictureSet {
        let mut set = PictureSet::new();
        for (class_number, (class, count)) in classes.iter().enumerate() {
            let number = |i| class_number as u32 * 10_000 + i;
            let files: Vec<_> = (0..*count).map(|i| file(&format!("{class}/{i:04}.png"), number(i))).collect();
            add(&mut set, &files).await.expect("pictures");
        }
        set
    }
}
