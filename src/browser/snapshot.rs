//! Canvases as picture files, so that frames and drawings travel like any dropped picture.

use js_sys::{Array, Promise};
use leptos::prelude::document;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{Blob, CanvasRenderingContext2d, File, FilePropertyBag, HtmlCanvasElement};

/// A canvas that is not on the page, and its pen.
pub fn canvas(side: u32) -> Option<(HtmlCanvasElement, CanvasRenderingContext2d)> {
    let canvas: HtmlCanvasElement = document().create_element("canvas").ok()?.dyn_into().ok()?;
    canvas.set_width(side);
    canvas.set_height(side);
    let pen = pen(&canvas)?;
    Some((canvas, pen))
}

/// What draws on a canvas.
pub fn pen(canvas: &HtmlCanvasElement) -> Option<CanvasRenderingContext2d> {
    canvas.get_context("2d").ok()??.dyn_into().ok()
}

/// The canvas as a picture file of this type (`image/png`, `image/jpeg`).
pub async fn file_of(canvas: &HtmlCanvasElement, name: &str, kind: &str) -> Option<File> {
    let promise = Promise::new(&mut |yes, no| {
        if let Err(error) = canvas.to_blob_with_type(&yes, kind) {
            let _ = no.call1(&JsValue::NULL, &error);
        }
    });
    let blob: Blob = JsFuture::from(promise).await.ok()?.dyn_into().ok()?;
    let options = FilePropertyBag::new();
    options.set_type(kind);
    File::new_with_blob_sequence_and_options(&Array::of1(&blob), name, &options).ok()
}
