//! Decoding by the browser, inside the worker.
//!
//! The bitmap stays in the browser's memory; only strips of it come into ours, so that a 50-megapixel photograph does
//! not grow WebAssembly memory (which never shrinks) by 200 MB.

use js_sys::{Array, Object, Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    Blob, BlobPropertyBag, ColorSpaceConversion, ImageBitmap, ImageBitmapOptions, OffscreenCanvas,
    OffscreenCanvasRenderingContext2d, PremultiplyAlpha, WorkerGlobalScope,
};

use super::{ImageError, PictureHeader, RowSink};

/// Pixels of one strip: 1 MB as RGBA.
const STRIP_PIXELS: usize = 1 << 18;

/// Decodes and hands on the rows strip by strip. EXIF orientation is applied by the browser (its default).
///
/// # Errors
/// Whatever the browser throws, or that this is no worker.
pub async fn decode_into(bytes: &[u8], header: PictureHeader, sink: &mut dyn RowSink) -> Result<(), JsValue> {
    let bitmap = bitmap(bytes, header).await?;
    let outcome = read_strips(&bitmap, sink);
    bitmap.close();
    outcome
}

async fn bitmap(bytes: &[u8], header: PictureHeader) -> Result<ImageBitmap, JsValue> {
    let scope = js_sys::global().dyn_into::<WorkerGlobalScope>()?;
    let kind = BlobPropertyBag::new();
    kind.set_type(header.format.mime());
    let parts = Array::of1(&Uint8Array::from(bytes));
    let blob = Blob::new_with_u8_array_sequence_and_options(&parts, &kind)?;
    let options = ImageBitmapOptions::new();
    options.set_color_space_conversion(ColorSpaceConversion::None);
    options.set_premultiply_alpha(PremultiplyAlpha::None);
    let promise = scope.create_image_bitmap_with_blob_and_image_bitmap_options(&blob, &options)?;
    JsFuture::from(promise).await?.dyn_into::<ImageBitmap>()
}

fn read_strips(bitmap: &ImageBitmap, sink: &mut dyn RowSink) -> Result<(), JsValue> {
    let (width, height) = (bitmap.width() as usize, bitmap.height() as usize);
    let too_large = ImageError::TooLarge { width: bitmap.width(), height: bitmap.height() };
    if width as u64 * height as u64 > super::MAX_PIXELS {
        return Err(JsValue::from_str(&too_large.to_string()));
    }
    let strip = (STRIP_PIXELS / width.max(1)).clamp(1, height.max(1));
    let context = canvas(width, strip)?;
    sink.start(width, height);
    let mut rows = Vec::with_capacity(width * strip * 3);
    for top in (0..height).step_by(strip) {
        let count = strip.min(height - top);
        context.fill_rect(0.0, 0.0, width as f64, strip as f64);
        context.draw_image_with_image_bitmap(bitmap, 0.0, -(top as f64))?;
        let rgba = context.get_image_data(0.0, 0.0, width as f64, count as f64)?.data();
        rows.clear();
        rows.extend(rgba.chunks_exact(4).flat_map(|pixel| [pixel[0], pixel[1], pixel[2]]));
        sink.rows(&rows);
    }
    Ok(())
}

/// A white canvas that is read often: without the hint the browser draws on the GPU and reads back.
fn canvas(width: usize, height: usize) -> Result<OffscreenCanvasRenderingContext2d, JsValue> {
    let options = Object::new();
    Reflect::set(&options, &"willReadFrequently".into(), &true.into())?;
    let canvas = OffscreenCanvas::new(width as u32, height as u32)?;
    let context = canvas
        .get_context_with_context_options("2d", &options)?
        .ok_or_else(|| JsValue::from_str("no 2d context"))?
        .dyn_into::<OffscreenCanvasRenderingContext2d>()?;
    context.set_fill_style_str("#ffffff");
    Ok(context)
}
