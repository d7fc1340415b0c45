//! What only a browser shows: that it decodes, and what that does to WebAssembly memory.

use std::ops::ControlFlow;

use heirloom_data::{
    Augment, Loader, LoaderSettings, PictureSet, ShrinkTo, SplitPlan, evaluation_picture, open as open_picture, resize,
};
use heirloom_platform::clock::now_ms;
use heirloom_platform::file::FileHandle;
use heirloom_platform::image::{Decoder, RgbImage8, decode_into, encode_jpeg, encode_png};
use js_sys::{Array, Uint8Array};
use wasm_bindgen::JsCast;
use wasm_bindgen_test::{console_log, wasm_bindgen_test};

/// Bytes of this program's memory, which only ever grows.
fn memory() -> usize {
    let memory: js_sys::WebAssembly::Memory = wasm_bindgen::memory().unchecked_into();
    memory.buffer().unchecked_into::<js_sys::ArrayBuffer>().byte_length() as usize
}

fn noise(width: usize, height: usize) -> RgbImage8 {
    let smooth = |i: usize| (i % width / 4 * 7 + i / width / 4 * 13) as u8;
    RgbImage8 {
        width,
        height,
        data: (0..width * height).flat_map(|i| [smooth(i), smooth(i) ^ 0x55, i as u8]).collect(),
    }
}

#[wasm_bindgen_test]
async fn the_browser_decodes_all_four_formats() {
    for (name, bytes) in [
        ("png", include_bytes!("../../fixtures/pictures/rgb.png").as_slice()),
        ("jpeg", include_bytes!("../../fixtures/pictures/orientation_6.jpg")),
        ("webp", include_bytes!("../../fixtures/pictures/lossy.webp")),
        ("gif", include_bytes!("../../fixtures/pictures/animated.gif")),
    ] {
        assert_eq!(decode_into(bytes, &mut ShrinkTo::new(64)).await, Ok(Decoder::Browser), "{name}");
    }
}

#[wasm_bindgen_test]
async fn strips_of_a_large_picture_join_without_a_seam() {
    let image = noise(1400, 1100);
    let bytes = encode_png(&image).unwrap();
    let mut decoded = RgbImage8::default();
    assert_eq!(decode_into(&bytes, &mut decoded).await, Ok(Decoder::Browser));
    assert!(decoded == image, "the picture came back changed");
}

#[wasm_bindgen_test]
fn a_megapixel_resizes_in_milliseconds() {
    let image = noise(1152, 864);
    let before = now_ms();
    for _ in 0..8 {
        assert_eq!(resize(&image, 341, 256).height, 256);
    }
    let each = (now_ms() - before) / 8.0;
    console_log!("1-megapixel picture to 341 × 256: {each:.1} ms");
    assert!(each < 60.0, "{each:.1} ms; about 6 are usual");
}

/// One-megapixel JPEGs, as many as `HEIRLOOM_PHOTOGRAPHS` said when this was compiled (5,000 by hand, few in CI).
#[wasm_bindgen_test]
async fn photographs_do_not_fill_memory() {
    let count: u32 = option_env!("HEIRLOOM_PHOTOGRAPHS").and_then(|count| count.parse().ok()).unwrap_or(48);
    let cache_bytes = if count > 1000 { 128 << 20 } else { 2 << 20 };
    let jpeg = Uint8Array::from(encode_jpeg(&noise(1152, 864), 85).unwrap().as_slice());
    let start = memory();
    let files: Vec<_> = (0..count)
        .map(|i| {
            // Bytes behind the end of a JPEG are ignored; they make every file different.
            let parts = Array::of2(&jpeg, &Uint8Array::from(i.to_le_bytes().as_slice()));
            let blob = web_sys::Blob::new_with_u8_array_sequence(&parts).unwrap();
            FileHandle::from_blob(format!("{}/{i}.jpg", ["a", "b"][i as usize % 2]), blob)
        })
        .collect();
    let mut set = PictureSet::new();
    let started = now_ms();
    let added = set.add(&files, None, |_| ControlFlow::Continue(())).await.unwrap();
    assert_eq!(added.pictures, count as usize);
    let looked = now_ms();
    let settings =
        LoaderSettings { image_size: 112, cache_bytes, augment: Some(Augment::default()), ..Default::default() };
    let split = set.split(SplitPlan::default()).unwrap();
    let mut loader = Loader::new(&set, &split, settings).unwrap();
    for step in 0..loader.steps_per_epoch() {
        assert_eq!(loader.train_batch(step).await.unwrap().labels.len(), 16);
    }
    for index in 0..loader.validation_batches() {
        loader.validation_batch(index).await.unwrap();
    }
    let grown = (memory() - start) >> 20;
    let (adding, epoch) = ((looked - started) / 1e3, (now_ms() - looked) / 1e3);
    console_log!("{count} photographs: {grown} MB more, {adding:.1} s to look at, {epoch:.1} s for an epoch");
    assert!(loader.cached_bytes() <= cache_bytes);
    assert!(grown < (cache_bytes >> 20) + 40, "{grown} MB");
}

/// 128 MB grew here when the shorter side of a strip was scaled before its middle was cut out.
#[wasm_bindgen_test]
async fn a_strip_one_pixel_wide_does_not_fill_memory() {
    let strip = |width, height| encode_png(&RgbImage8 { width, height, data: [90, 9, 200].repeat(width * height) });
    let before = memory();
    for (width, height) in [(1, 16_384), (16_384, 1), (1, 3000)] {
        let file = FileHandle::from_bytes("strip.png", strip(width, height).unwrap());
        let source = open_picture(&file).await.unwrap();
        let image = evaluation_picture("strip.png", &source, 224).await.unwrap();
        assert_eq!((image.width, image.height), (224, 224));
    }
    let grown = (memory() - before) >> 20;
    assert!(grown < 50, "{grown} MB");
}
